"""A broker that keeps a client to its ReceiveMaximum: whoever has more publishes unanswered is thrown off.

It stands before a mosquitto, which tells the limit in CONNACK (``max_inflight_messages``) and never enforces it. Each
PUBACK takes ``answer_s``, so that publishes pile up.
"""

import asyncio
import threading
from types import TracebackType
from typing import Self

START_S = 20.0

_PUBLISH, _PUBACK = 3, 4
_RECEIVE_MAXIMUM_EXCEEDED = b"\xe0\x01\x93"


class Strict:
    """Relays ``port`` to ``target_port``; ``most`` were under way at once, ``thrown`` is how often it threw."""

    def __init__(self, target_port: int, maximum: int, answer_s: float = 0.02) -> None:
        self.port = 0
        self.most = 0
        self.thrown = 0
        self._target_port = target_port
        self._maximum = maximum
        self._answer_s = answer_s
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="strict", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(START_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(START_S)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopped.wait()
        server.close()

    async def _accept(self, client_in: asyncio.StreamReader, client_out: asyncio.StreamWriter) -> None:
        broker_in, broker_out = await asyncio.open_connection("127.0.0.1", self._target_port)
        unanswered: set[bytes] = set()

        def answer(packet: bytes) -> None:
            unanswered.discard(packet[2:4])
            client_out.write(packet)

        async def questions() -> None:
            while packet := await _packet(client_in):
                if packet[0] >> 4 == _PUBLISH and packet[0] & 0x06:
                    unanswered.add(_packet_id(packet))
                    self.most = max(self.most, len(unanswered))
                    if len(unanswered) > self._maximum:
                        self.thrown += 1
                        client_out.write(_RECEIVE_MAXIMUM_EXCEEDED)
                        break
                broker_out.write(packet)
            broker_out.close()

        async def answers() -> None:
            while packet := await _packet(broker_in):
                if packet[0] >> 4 == _PUBACK:
                    self._loop.call_later(self._answer_s, answer, packet)
                else:
                    client_out.write(packet)
            client_out.close()

        await asyncio.gather(questions(), answers())


async def _packet(reader: asyncio.StreamReader) -> bytes:
    """The next packet, whole; empty at the end of the connection."""
    try:
        head = await reader.readexactly(2)
        length, shift = head[1] & 0x7F, 7
        while head[-1] & 0x80:
            head += await reader.readexactly(1)
            length += (head[-1] & 0x7F) << shift
            shift += 7
        return head + await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


def _packet_id(publish: bytes) -> bytes:
    at = 1
    while publish[at] & 0x80:
        at += 1
    topic = at + 1
    after = topic + 2 + int.from_bytes(publish[topic : topic + 2], "big")
    return publish[after : after + 2]

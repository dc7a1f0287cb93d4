"""Brokers that mosquitto isn't: each stands before one, and passes MQTT's packets on."""

import asyncio

from tests.support.relay import Relay

_PUBLISH, _PUBACK = 3, 4
_RECEIVE_MAXIMUM_EXCEEDED = b"\xe0\x01\x93"


class PacketRelay(Relay):
    """Relays packet by packet; a subclass decides what becomes of each."""

    async def connected(self, client_in: asyncio.StreamReader, client_out: asyncio.StreamWriter) -> None:
        """As Relay."""
        broker_in, broker_out = await asyncio.open_connection("127.0.0.1", self._target_port)
        unanswered: set[bytes] = set()

        async def questions() -> None:
            while packet := await _packet(client_in):
                if not self.asked(packet, client_out, unanswered):
                    break
                broker_out.write(packet)
            broker_out.close()

        async def answers() -> None:
            while packet := await _packet(broker_in):
                self.answered(packet, client_out, unanswered)
            client_out.close()

        await asyncio.gather(questions(), answers())

    def asked(self, packet: bytes, client: asyncio.StreamWriter, unanswered: set[bytes]) -> bool:
        """Whether this packet of a client goes on to the broker, and the connection with it."""
        return True

    def answered(self, packet: bytes, client: asyncio.StreamWriter, unanswered: set[bytes]) -> None:
        """Hand a packet of the broker on."""
        client.write(packet)


class Strict(PacketRelay):
    """Keeps a client to its ReceiveMaximum: whoever has more publishes unanswered is thrown off.

    mosquitto tells the limit in CONNACK (``max_inflight_messages``) and never enforces it. Each PUBACK takes
    ``answer_s``, so that publishes pile up. ``most`` were under way at once, ``thrown`` is how often it threw.
    """

    def __init__(self, target_port: int, maximum: int, answer_s: float = 0.02) -> None:
        super().__init__(target_port)
        self.most = 0
        self.thrown = 0
        self._maximum = maximum
        self._answer_s = answer_s

    def asked(self, packet: bytes, client: asyncio.StreamWriter, unanswered: set[bytes]) -> bool:
        """As PacketRelay."""
        if packet[0] >> 4 == _PUBLISH and packet[0] & 0x06:
            unanswered.add(_packet_id(packet))
            self.most = max(self.most, len(unanswered))
            if len(unanswered) > self._maximum:
                self.thrown += 1
                client.write(_RECEIVE_MAXIMUM_EXCEEDED)
                return False
        return True

    def answered(self, packet: bytes, client: asyncio.StreamWriter, unanswered: set[bytes]) -> None:
        """As PacketRelay."""
        if packet[0] >> 4 != _PUBACK:
            client.write(packet)
            return

        def answer() -> None:
            unanswered.discard(packet[2:4])
            client.write(packet)

        self._loop.call_later(self._answer_s, answer)


class Unexpiring(PacketRelay):
    """Forwards no message expiry, as some brokers do."""

    def answered(self, packet: bytes, client: asyncio.StreamWriter, unanswered: set[bytes]) -> None:
        """As PacketRelay."""
        client.write(_without_expiry(packet) if packet[0] >> 4 == _PUBLISH else packet)


def _without_expiry(publish: bytes) -> bytes:
    """This PUBLISH, whose properties, if any, are an expiry alone."""
    body = publish[_header_size(publish) :]
    after = 2 + int.from_bytes(body[:2], "big") + (2 if publish[0] & 0x06 else 0)
    if body[after : after + 2] != b"\x05\x02":
        return publish
    rest = body[:after] + b"\x00" + body[after + 6 :]
    length, size = b"", len(rest)
    while size >= 0x80:
        length, size = length + bytes([size & 0x7F | 0x80]), size >> 7
    return publish[:1] + length + bytes([size]) + rest


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


def _header_size(packet: bytes) -> int:
    at = 1
    while packet[at] & 0x80:
        at += 1
    return at + 1


def _packet_id(publish: bytes) -> bytes:
    topic = _header_size(publish)
    after = topic + 2 + int.from_bytes(publish[topic : topic + 2], "big")
    return publish[after : after + 2]

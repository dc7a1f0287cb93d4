"""A TCP proxy before a broker: a path that is slow, or that swallows the answers."""

import asyncio
import threading
from types import TracebackType
from typing import Self

START_S = 20.0


class Proxy:
    """Relays ``port`` to ``target_port``; every byte takes ``delay_s`` in either direction."""

    def __init__(self, target_port: int, delay_s: float = 0.0) -> None:
        self.port = 0
        self._target_port = target_port
        self._delay_s = delay_s
        self._connections = 0
        self._swallowed = 0
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="proxy", daemon=True)

    def swallow_answers(self) -> None:
        """From now on nothing more comes back on the connections that there are."""
        self._swallowed = self._connections

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
        self._connections += 1
        number = self._connections
        try:
            broker_in, broker_out = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            client_out.close()
            return
        try:
            await asyncio.gather(self._relay(client_in, broker_out, 0), self._relay(broker_in, client_out, number))
        finally:
            client_out.close()
            broker_out.close()

    async def _relay(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, answers_to: int) -> None:
        """Until the source ends; ``answers_to`` numbers the connection whose answers these are, 0 for questions."""
        try:
            while data := await source.read(65_536):
                if not 0 < answers_to <= self._swallowed:
                    self._loop.call_later(self._delay_s, sink.write, data)
        except ConnectionError:
            pass
        await asyncio.sleep(self._delay_s)
        sink.close()

"""What stands between a client and a broker, with a port and a thread of its own; subclasses say what it does."""

import asyncio
import threading
from types import TracebackType
from typing import Self

START_S = 20.0


class Relay:
    """Accepts connections on ``port``, each of which ``connected`` serves, from entering it as a context to its end."""

    def __init__(self, target_port: int) -> None:
        self.port = 0
        self._target_port = target_port
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="relay", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(START_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(START_S)

    async def connected(self, client_in: asyncio.StreamReader, client_out: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        raise NotImplementedError

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        server = await asyncio.start_server(self.connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopped.wait()
        server.close()

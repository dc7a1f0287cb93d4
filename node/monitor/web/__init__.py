"""The web's thread: the API, the metrics and the health check over HTTP, by uvicorn.

Whatever comes over the network, the monitor's other threads keep their files and their memory: connections, heads and
bodies are bounded, and a connection that gets nothing done ends.

Threads:

- ``web`` is uvicorn's event loop; a few of its workers read the history.
"""

import asyncio
import logging
import socket
import threading

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from node.errors import AlarmNodeError

CONNECTIONS = 100
"""How many clients at once; the broker's and the database's connections need files, too."""

SLOWEST_S = 60.0
"""A connection on which nothing was answered for so long is ended; an answer takes half of that at most."""

HEAD_LIMIT = 16 * 1024
STOP_S = 2

log = logging.getLogger(__name__)


class AddressError(AlarmNodeError):
    """The address of the API can't be used."""

    code = "E034"


class Server:
    """Serves an application at an address, from ``start`` to ``stop``. AddressError where that can't be used.

    ``port`` 0 takes a free one; the attribute says which.
    """

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        self._socket = _listen(host, port)
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            app,
            http=_Bounded,
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            log_level=logging.ERROR,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=STOP_S,
            h11_max_incomplete_event_size=HEAD_LIMIT,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), name="web", daemon=True)

    def start(self) -> None:
        """Begin to answer; who connected since the server was made is answered, too."""
        self._thread.start()

    def is_alive(self) -> bool:
        """Whether it still answers."""
        return self._thread.is_alive()

    def stop(self, timeout_s: float) -> None:
        """Finish what was begun, and end."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        self._socket.close()


class _Bounded(H11Protocol):
    """uvicorn's HTTP on one connection, with an end for those that are too many, and for those that are too slow."""

    _end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            transport.abort()
        else:
            self._end = self.loop.call_later(SLOWEST_S, transport.abort)

    def on_response_complete(self) -> None:
        if self._end is not None:
            self._end.cancel()
            self._end = self.loop.call_later(SLOWEST_S, self.transport.abort)
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._end is not None:
            self._end.cancel()
        super().connection_lost(exc)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        listening = socket.create_server((host, port), family=family, backlog=CONNECTIONS)
    except OSError as error:
        raise AddressError(
            f"the API can't listen on {host} port {port}: {error.strerror or error}",
            "give it a free port and an address of this machine in monitor.toml",
        ) from None
    # What is accepted inherits it. asyncio sets it only where a socket was made with its protocol's number; and without
    # it each answer after the first on a connection takes 40 ms (Nagle's algorithm and a delayed ACK).
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening

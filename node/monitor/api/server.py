"""The web's threads: the API, the metrics and the health check over HTTP, by uvicorn.

Whatever comes over the network, the monitor's other threads keep their files and their memory: connections, heads and
bodies are bounded, and a connection that gets nothing done ends.

1. At most ``CONNECTIONS`` are open. For a further one, a connection without a valid token ends: the oldest of the
   sender that has most of these. So a sender that opens a thousand loses its own, and desks with a token get in.
2. Without a valid token a connection has ``UNKNOWN_S`` for each request, and ``SLOWEST_S`` from then on.
3. An address that can't be used is tried again every ``RETRY_S``: the monitor works without it. So is an
   address whose server died: no request to the API may end the monitor.

Threads: ``api`` is uvicorn's event loop for the network, ``commands`` that for the socket of this machine's commands,
so that neither waits for the other; a few workers of each read the history.
"""

import asyncio
import logging
import os
import socket
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from node.config.files import socket_path
from node.monitor.api.auth import ADMITTED, sender_of
from node.threads import new_thread

CONNECTIONS = 100
"""How many clients at once; the broker's and the database's connections need files, too."""

UNKNOWN_S = 15.0
"""Without a right token; the slowest answer that needs none takes ten."""

SLOWEST_S = 60.0
"""With one; an answer takes half of that at most."""

RETRY_S = 5.0
START_S = 2.0
"""How long a start waits for an address: its name may have to be looked up."""

HEAD_LIMIT = 16 * 1024
STOP_S = 2

log = logging.getLogger(__name__)


class Server:
    """Serves an application where ``listen`` says, from ``start`` to ``stop``, on a thread of this name.

    ``listen`` raises OSError where that can't be used now. ``told`` hears why, and "" once it can; it is called at the
    start, and then whenever that changes, from any thread.
    """

    def __init__(
        self, app: ASGIApp, listen: Callable[[], socket.socket], name: str, told: Callable[[str], None]
    ) -> None:
        self._listen = listen
        self._told = told
        self._problem: str | None = None
        self._socket: socket.socket | None = None
        self._tried = threading.Event()
        self._stopping = threading.Event()
        self._config = uvicorn.Config(
            app,
            http=LimitedProtocol,
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
        self._server = uvicorn.Server(self._config)
        self.thread = new_thread(name, self._run)

    def start(self) -> None:
        """Begin to answer: where the address can be used, who connects after this is answered."""
        self.thread.start()
        self._tried.wait(START_S)

    @property
    def port(self) -> int:
        """On which port it listens; only where it does, at an address of the network."""
        assert self._socket is not None  # noqa: S101 - as said
        port: int = self._socket.getsockname()[1]
        return port

    def is_alive(self) -> bool:
        """Whether it still answers, or tries to."""
        return self.thread.is_alive()

    def stop(self, timeout_s: float) -> None:
        """Finish what was begun, and end."""
        self._stopping.set()
        self._server.should_exit = True
        if self.thread.is_alive():
            self.thread.join(timeout_s)
        if self._socket is not None:
            self._socket.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._socket = self._try()
            self._tried.set()
            if self._socket is not None:
                self._serve(self._socket)
            self._stopping.wait(RETRY_S)

    def _serve(self, listening: socket.socket) -> None:
        """Answer until ``stop``, or until the server dies; the socket is closed then."""
        try:
            self._server.run(sockets=[listening])
        except BaseException:  # a SystemExit of some handler, too: its thread is the server's
            log.exception("%s: the server died", self.thread.name)
        if not self._stopping.is_set():
            listening.close()
            self._say("the server died; see the log")
            self._server = uvicorn.Server(self._config)

    def _try(self) -> socket.socket | None:
        listening, problem = None, ""
        try:
            listening = self._listen()
        except OSError as error:
            # Without the address, which Python may add; the codes of a name that isn't found are below 0.
            problem = (
                os.strerror(error.errno)
                if error.errno is not None and error.errno > 0
                else error.strerror or str(error)
            )
        self._say(problem)
        return listening

    def _say(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            self._told(problem)


def on_network(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 takes a free one. Raises OSError."""
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
    listening = socket.create_server((host, port), family=family, backlog=CONNECTIONS)
    # What is accepted inherits it. asyncio sets it only where a socket was made with its protocol's number; and without
    # it each answer after the first on a connection takes 40 ms (Nagle's algorithm and a delayed ACK).
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def on_this_machine(path: Path) -> socket.socket:
    """A socket at this path, which its owner and root alone may connect to. Raises OSError.

    What a monitor left there that was killed is replaced; one that runs is not.
    """
    with socket_path(path) as name:
        return _listening(path, name)


def _listening(path: Path, name: str) -> socket.socket:
    with socket.socket(socket.AF_UNIX) as other:
        try:
            other.connect(name)
        except ConnectionRefusedError:
            if path.is_socket():
                path.unlink()
        except FileNotFoundError:
            pass
        else:
            raise OSError("another monitor listens there")
    listening = socket.socket(socket.AF_UNIX)
    try:
        listening.bind(name)
        path.chmod(0o600)  # before anybody can connect
        listening.listen(CONNECTIONS)
    except OSError:
        listening.close()
        raise
    return listening


class LimitedProtocol(H11Protocol):
    """uvicorn's HTTP on one connection, with an end for those that are too many, and for those that are too slow."""

    _end: asyncio.TimerHandle | None = None
    _is_known = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        """A client is there: it has some time to say who it is."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, ADMITTED: self._admitted}
        self._since = self.loop.time()
        self._sender = sender_of(self.client)
        self._may_take(UNKNOWN_S)
        self._make_room()

    def on_response_complete(self) -> None:
        """A request is answered: its client may take some time for the next one."""
        self._may_take(SLOWEST_S if self._is_known else UNKNOWN_S)
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        if self._end is not None:
            self._end.cancel()
        super().connection_lost(exc)

    def _admitted(self) -> None:
        """Whoever asks here may."""
        self._is_known = True
        self._may_take(SLOWEST_S)

    def _may_take(self, seconds: float) -> None:
        if self._end is not None:
            self._end.cancel()
        self._end = self.loop.call_later(seconds, self.transport.abort)

    def _make_room(self) -> None:
        opened = [
            each for each in self.connections if isinstance(each, LimitedProtocol) and not each.transport.is_closing()
        ]
        if len(opened) > CONNECTIONS:
            unknown = [each for each in opened if not each._is_known]  # noqa: SLF001 - its own class
            count = Counter(each._sender for each in unknown)  # noqa: SLF001
            max(unknown, key=lambda each: (count[each._sender], -each._since)).transport.abort()  # noqa: SLF001

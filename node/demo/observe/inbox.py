"""One queue of all observations, in the order in which they came, for one reader."""

import queue
import select
import socket
from contextlib import suppress
from types import TracebackType
from typing import Self

from node.demo.observe.observations import Observation


class Inbox:
    """A queue that ``select`` can wait for. A context: its sockets are closed at the end."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Observation] = queue.SimpleQueue()
        self._readable, self._writable = socket.socketpair()
        self._readable.setblocking(False)
        self._writable.setblocking(False)

    def put(self, observation: Observation) -> None:
        """Add an observation, from any thread or signal handler. Never waits."""
        self._queue.put(observation)
        with suppress(OSError):  # full: it is readable already; closed: nobody reads any more
            self._writable.send(b"!")

    def fileno(self) -> int:
        """For ``select``: readable while there is something to take."""
        return self._readable.fileno()

    def take(self, timeout_s: float = 0.0) -> list[Observation]:
        """All that is there, the oldest first. Waits at most ``timeout_s`` until there is something."""
        if not select.select([self], [], [], max(0.0, timeout_s))[0]:
            return []
        with suppress(BlockingIOError):
            self._readable.recv(4096)
        taken = []
        with suppress(queue.Empty):
            while True:
                taken.append(self._queue.get_nowait())
        return taken

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._readable.close()
        self._writable.close()

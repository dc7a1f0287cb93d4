"""The service manager's side of sd_notify(3): a real datagram socket, whose messages a test waits for."""

import math
import socket
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

TIMEOUT_S = 20.0


class Manager:
    """Listens on ``address`` ($NOTIFY_SOCKET) from entering it as a context to leaving it."""

    def __init__(self, directory: Path) -> None:
        self.address = str(directory / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def next(self, timeout_s: float = TIMEOUT_S) -> bytes:
        """The oldest message that hasn't been taken yet, byte by byte; waits for it."""
        self._socket.settimeout(max(0.001, timeout_s))
        try:
            return self._socket.recv(65_536)
        except TimeoutError:
            raise AssertionError(f"the service manager was told nothing for {timeout_s:g} s") from None

    def take(self) -> list[bytes]:
        """All messages that have come and weren't taken yet."""
        self._socket.setblocking(False)
        taken = []
        while True:
            try:
                taken.append(self._socket.recv(65_536))
            except BlockingIOError:
                return taken

    def until(self, wanted: Callable[[bytes], bool], timeout_s: float = TIMEOUT_S) -> list[bytes]:
        """All messages up to the first that is wanted, this one included; waits for it."""
        deadline = time.monotonic() + timeout_s
        messages: list[bytes] = []
        while not messages or not wanted(messages[-1]):
            try:
                messages.append(self.next(deadline - time.monotonic()))
            except AssertionError:
                raise AssertionError(f"it isn't among {messages}") from None
        return messages

    def is_silent(self, seconds: float) -> bool:
        """Whether no message comes for so long."""
        try:
            self.next(seconds)
        except AssertionError:
            return True
        return False

    def __enter__(self) -> Self:
        self._socket.bind(self.address)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._socket.close()


def watchdog_usec(seconds: float) -> str:
    """$WATCHDOG_USEC for a watchdog of so many seconds."""
    return str(math.ceil(seconds * 1_000_000))

"""Which address of a broker's name is tried first: addresses at which no session came up are tried last.

Otherwise an address that accepts TCP and then says nothing (a port forward to nowhere, a broker that hangs) would be
tried for ever, though the next address works:

    lookup       a, b        a, b        a, b
    tried        a           b           b
    session      none        up    lost  up
"""

import socket
from typing import Any


class Addresses:
    """The addresses of one broker, kept across sessions. Only the link's thread may call it."""

    def __init__(self) -> None:
        self._failures = 0
        self._failed: dict[Any, int] = {}
        self._used: Any = None

    def connect(self, host: str, port: int, timeout_s: float) -> socket.socket:
        """Connect to the first address that accepts TCP, each within ``timeout_s``. Raises OSError, UnicodeError.

        The address counts as failed until ``works`` is called.
        """
        self._used = None
        # As bytes: Python would import all of Unicode's names (1 MB) to look whether a text is one for IDNA.
        name = host.encode("ascii") if host.isascii() else host
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
        self._failed = {each[4]: self._failed[each[4]] for each in found if each[4] in self._failed}
        failure = OSError("no address")
        for family, kind, protocol, _, address in sorted(found, key=lambda each: self._failed.get(each[4], 0)):
            self._failures += 1
            self._failed[address] = self._failures
            opened = socket.socket(family, kind, protocol)
            try:
                opened.settimeout(timeout_s)
                opened.connect(address)
            except OSError as problem:
                opened.close()
                failure = problem
            else:
                self._used = address
                return opened
        raise failure

    def works(self) -> None:
        """A session is up at the address to which ``connect`` connected."""
        self._failed.pop(self._used, None)

"""The socket of one session: the link's selector watches it from the moment paho opens it until it is closed."""

import selectors
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from node.io.mqtt.login.tls import TlsSocket

_TCP_SILENT_MS = 10_000


class BrokerSocket:
    """``opened``: the socket, None while there is none. ``tls``: the same if it speaks TLS; it stays after the end."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self.opened: socket.socket | None = None
        self._watched = 0
        self.tls: TlsSocket | None = None

    def open(self, opened: socket.socket) -> None:
        """Watch this socket, which is connected."""
        self.opened = opened
        self._watched = selectors.EVENT_READ
        self._selector.register(opened, self._watched)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _TCP_SILENT_MS)
        if hasattr(opened, "handshake_took_s"):
            self.tls = cast("TlsSocket", opened)

    def watch(self, readiness: int) -> None:
        """Wait for this readiness (``selectors.EVENT_…``) from now on."""
        if self.opened is not None and readiness != self._watched:
            self._watched = readiness
            self._selector.modify(self.opened, readiness)

    def forget(self) -> socket.socket | None:
        """Watch the socket no more, because it is about to be closed; returns it."""
        forgotten, self.opened = self.opened, None
        if forgotten is not None:
            self._selector.unregister(forgotten)
        return forgotten

    def drop(self) -> None:
        """Shut the socket down, so that the broker publishes the will. paho's ``disconnect()`` would suppress it."""
        dropped = self.forget()
        if dropped is not None:
            with suppress(OSError):
                dropped.shutdown(socket.SHUT_RDWR)
            dropped.close()

    @property
    def holds_unread(self) -> bool:
        """Whether TLS has already read more than was asked for, which no selector can see."""
        return self.tls is not None and self.opened is not None and self.tls.pending() > 0

"""TLS by OpenSSL, with two additions for a link: a deadline of its own, and why a broker ended a session.

Only a link with TLS imports this. paho-mqtt has a stand-in for ssl until then (node/io/mqtt/session).
"""

import ssl
import time
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from paho.mqtt import client

from node.io.mqtt.login.connect_errors import HandshakeCutError, HandshakeSilentError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


vars(client)["ssl"] = ssl


class TlsSocket(ssl.SSLSocket):
    """A socket that closes itself if its handshake fails.

    ``handshake_took_s``: how long the handshake took. ``broken``: the TLS error with which the session ended, else
    None. With TLS 1.3 that is the only sign that the broker refuses our certificate: its alert comes after the
    handshake.
    """

    handshake_took_s = 0.0
    broken: ssl.SSLError | None = None

    def do_handshake(self, block: bool = False) -> None:
        """Wait for the end of the handshake, for as long as the context allows."""
        begun = time.monotonic()
        limit_s = cast(TlsContext, self.context).handshake_s
        self.settimeout(limit_s)
        try:
            super().do_handshake(block)
        except BaseException as failure:
            self.close()
            if isinstance(failure, TimeoutError):
                raise HandshakeSilentError(f"no answer to a TLS handshake within {limit_s:g} s") from failure
            # The version of Python decides which of these three errors it is.
            if isinstance(failure, ConnectionError | ssl.SSLEOFError | ssl.SSLZeroReturnError):
                raise HandshakeCutError("ended by the broker in the TLS handshake") from failure
            raise
        self.handshake_took_s = time.monotonic() - begun

    def send(self, data: "ReadableBuffer", flags: int = 0) -> int:
        """As any socket's: what it would have to wait for is BlockingIOError."""
        try:
            return super().send(data, flags)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as wanted:
            raise BlockingIOError from wanted
        except OSError:
            # The broker has closed the connection; its reason may still be unread.
            with suppress(OSError):
                self.recv()
            raise

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """As any socket's: what it would have to wait for is BlockingIOError."""
        try:
            return super().recv(buflen, flags)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as wanted:
            raise BlockingIOError from wanted
        except ssl.SSLError as failure:
            self.broken = failure
            raise


class TlsContext(ssl.SSLContext):
    """TLS 1.2 or later; the broker's certificate is verified, for the host that was asked for.

    ``handshake_s`` may be changed before each connection.
    """

    sslsocket_class = TlsSocket
    handshake_s = 3.0

    def __new__(cls) -> "TlsContext":
        """A client's context without authorities: it trusts no broker yet."""
        context = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

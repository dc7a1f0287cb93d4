"""What may answer at an address beside a monitor: a web server with its own pages, a proxy, a port that speaks TLS."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import MSG_PEEK, socket
from typing import Any

from tests.support.certificates import Pair

TLS_HANDSHAKE = b"\x16"
"""With which TLS begins; no request does."""


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """The same for whatever is asked."""
        status, body = self.server.page  # type: ignore[attr-defined] # as serving_page has set it
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 - http.server's own name

    def log_message(self, *_: object) -> None:
        """Nothing."""


class _TlsServer(ThreadingHTTPServer):
    """Speaks TLS; a request in plain text gets a 400 where ``says_so``, as from a proxy, else a mere end."""

    context: ssl.SSLContext
    says_so = False

    def get_request(self) -> tuple[Any, Any]:
        """As its base."""
        taken: socket
        taken, address = super().get_request()
        taken.settimeout(10.0)
        if self.says_so and taken.recv(1, MSG_PEEK) != TLS_HANDSHAKE:
            return taken, address
        return self.context.wrap_socket(taken, server_side=True), address

    def handle_error(self, *_: object) -> None:
        """Nothing: who asks breaks off."""


@contextmanager
def serving_page(
    status: int, body: bytes = b"<html>", *, pair: Pair | None = None, says_so: bool = False
) -> Iterator[int]:
    """A port of this machine on which every request is answered so; by TLS where there is a ``pair``."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page) if pair is None else _TlsServer(("127.0.0.1", 0), _Page)
    if isinstance(server, _TlsServer) and pair is not None:
        server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.context.load_cert_chain(pair.certificate, pair.key)
        server.says_so = says_so
    server.page = (status, body)  # type: ignore[attr-defined] # what _Page shows
    server.daemon_threads = True
    running = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    running.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        running.join()
        server.server_close()

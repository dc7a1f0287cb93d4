"""The guard's phone: a target of the monitor that takes every message. Without one, nobody would be told.

Threads: ``phone`` waits for connections; each message has one of its own.
"""

import json
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from node.demo.observe.observations import Observation, PhoneRang
from node.threads import new_thread

MESSAGE_LIMIT = 64 * 1024


class Phone:
    """Has a port of this machine from the beginning; answers from ``start`` to ``close``."""

    def __init__(self, put: Callable[[Observation], None]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = min(int(self.headers.get("Content-Length", 0)), MESSAGE_LIMIT)
                try:
                    title = str(json.loads(self.rfile.read(length))["title"])
                except (ValueError, LookupError, TypeError):
                    self.send_error(400)
                    return
                put(PhoneRang(time.monotonic(), title))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Log nothing: PhoneRang says it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = new_thread("phone", self._server.serve_forever)

    @property
    def url(self) -> str:
        """Its address, as Apprise writes it."""
        return f"json://127.0.0.1:{self._server.server_port}/"

    def start(self) -> None:
        """Answer."""
        self._thread.start()

    def close(self) -> None:
        """Answer nobody any more."""
        if self._thread.ident is not None:
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

"""The telephone of the guard's desk: a target that takes every message of the demo's monitor, and rings.

Without it people would be told by nobody, and no lamp would ever say *received*.

Threads: ``telephone`` waits; each message has one of its own.
"""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from node.demo.observe.observations import Rang, Seen

MESSAGE_LIMIT = 64 * 1024


class Telephone:
    """Listens on a free port of this machine from its making on; answers from ``start`` to ``close``."""

    def __init__(self, put: Callable[[Seen], None]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = min(int(self.headers.get("Content-Length", 0)), MESSAGE_LIMIT)
                try:
                    title = str(json.loads(self.rfile.read(length))["title"])
                except (ValueError, LookupError, TypeError):
                    self.send_error(400)
                    return
                put(Rang(time.monotonic(), title))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing: what came is seen."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="telephone", daemon=True)

    @property
    def url(self) -> str:
        """As Apprise knows it."""
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

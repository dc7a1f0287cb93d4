"""Where people are told, on loopback: a mail server and an HTTP receiver; both record; they can fail, hang, be slow."""

import atexit
import functools
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.support.broker import free_port

TIMEOUT_S = 30.0

T = TypeVar("T")

Behaviour = Literal["take", "slow", "fail", "hang", "drip"]


class Record:
    """What came, in order; who waits for more is woken."""

    def __init__(self) -> None:
        self._items: list[Any] = []
        self._changed = threading.Condition()

    def add(self, item: object) -> None:
        """This came."""
        with self._changed:
            self._items.append(item)
            self._changed.notify_all()

    def wait(self, enough: Callable[[list[Any]], T], timeout_s: float = TIMEOUT_S) -> T:
        """What ``enough`` makes of all that came, as soon as that is true."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not (found := enough(list(self._items))):
                if not self._changed.wait(deadline - time.monotonic()):
                    raise AssertionError(f"only these came: {self._items}")
            return found

    def first(self, count: int) -> list[Any]:
        """The first ``count`` that came."""
        return self.wait(lambda items: items[:count] if len(items) >= count else [])

    @property
    def items(self) -> list[Any]:
        """All that came until now."""
        with self._changed:
            return list(self._items)


@dataclass(frozen=True, slots=True)
class Posted:
    """A request of Apprise's ``json://``; ``at`` is monotonic."""

    at: float
    title: str
    body: str
    type: str


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128


class HttpReceiver:
    """Records each request, then does what ``behaviour`` says: take, fail (503), hang, drip its answer.

    ``slow``: take, and answer once ``answering`` is set. ``needs_s``: how long each answer takes.
    """

    def __init__(self, needs_s: float = 0.0) -> None:
        self.behaviour: Behaviour = "take"
        self.needs_s = needs_s
        self.asked = Record()
        self.taken = Record()
        self.refused = Record()
        self.answering = threading.Event()
        self.closing = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                body = self.rfile.read(length)
                if len(body) == length:  # else whoever was sending it has been killed
                    receiver.serve(self, json.loads(body))

            def log_message(self, *_: object) -> None:
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.server_port

    @property
    def url(self) -> str:
        """Its address for Apprise, with what mustn't leak."""
        return f"json://desk:verysecret@127.0.0.1:{self._server.server_port}/tokentoken"

    def serve(self, handler: BaseHTTPRequestHandler, document: dict[str, str]) -> None:
        """Answer one request."""
        posted = Posted(time.monotonic(), document["title"], document["message"], document["type"])
        behaviour = self.behaviour
        self.asked.add(posted)
        self.closing.wait(self.needs_s)
        if behaviour == "hang":
            self.closing.wait(TIMEOUT_S)
            handler.close_connection = True
            return
        if behaviour == "slow":
            self.answering.wait(TIMEOUT_S)
        if behaviour in ("take", "slow"):
            # Before the answer, after which the test may look.
            self.taken.add(replace(posted, at=time.monotonic()))
        if behaviour == "fail":
            self.refused.add(posted)
        handler.send_response(503 if behaviour == "fail" else 200)
        handler.send_header("Content-Length", "1000" if behaviour == "drip" else "0")
        handler.end_headers()
        if behaviour == "drip":
            self._drip(handler)

    def _drip(self, handler: BaseHTTPRequestHandler) -> None:
        """A byte now and then: no timeout for a single step of the conversation ends this."""
        handler.close_connection = True
        while not self.closing.wait(0.1):
            try:
                handler.wfile.write(b".")
                handler.wfile.flush()
            except OSError:
                return

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.answering.set()
        self.closing.set()
        self._server.shutdown()
        self._thread.join(TIMEOUT_S)
        self._server.server_close()


@functools.cache
def telephone() -> HttpReceiver:
    """One for all monitors of this process whose tests don't care who is told: it takes everything."""
    receiver = HttpReceiver()
    atexit.register(receiver.__exit__, None, None, None)
    return receiver.__enter__()


class MailServer:
    """Records each mail that it takes; with ``refusing`` it answers 451 instead."""

    def __init__(self) -> None:
        self.port = free_port()
        self.mails = Record()
        self.refusing = False
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)

    @property
    def url(self) -> str:
        """Its address for Apprise."""
        return f"mailto://127.0.0.1:{self.port}/?from=monitor@example.org&to=guards@example.org"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """Take a mail, or don't."""
        if self.refusing:
            return "451 try again"
        assert isinstance(envelope.content, bytes)
        self.mails.add(message_from_bytes(envelope.content, EmailMessage, policy=policy.default))
        return "250 OK"

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._controller.stop()


def text_of(mail: EmailMessage) -> str:
    """The plain text of a mail."""
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())

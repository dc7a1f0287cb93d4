"""One broker connection: MQTT 5 at QoS 1 by paho-mqtt. It knows no message: topics, will and decoding are given to it.

Rules:

1. One thread for each link owns everything from the name lookup to the goodbye. Other threads hand something over, wake
   it, and go on: they never wait for it.
2. Each connection has a paho client of its own, and nothing is published before LinkUp or after the loss. So paho never
   sends anything again by itself: what wasn't answered is the record's to send again.
3. A session gets its number before CONNECT, because the will carries it. An attempt that finds no broker uses none up:
   its LinkDown names the number that it would have had. LinkUp comes before anything that was heard in its session.
4. Nothing is flooded: at most 64 events of a node's link are undecided, and while 64 messages wait for the broker
   nothing more is heard (link_types.Bounds). What is heard beyond that is dropped and counted; publishing and
   connecting wait.
5. A silent path is dropped by deadlines of our own: 3 s, twice as long after each such drop, at most 24 s, until an
   answer of the same kind comes within 3 s again. Dropping shuts the socket down, and the will follows.
6. One bad message blocks nothing: what can't be read is dropped and counted, what can't be sent is answered as refused.
7. An address of the broker's name at which no session came up is tried after the others (addresses.py).
8. Whatever is wrong with name, way, TLS or login: it is told as the fault that it is (connect_errors.py), and tried
   again.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from node.config import Login, Tls
from node.core.events import Event, LinkDown
from node.io.mqtt.answer_timeout import Patience
from node.io.mqtt.link_queue import Kind, LinkQueue
from node.io.mqtt.link_types import NODE_BOUNDS, Bounds, Incoming, Outgoing, Priority, Subscription, Terms
from node.io.mqtt.login.credentials import Credentials
from node.io.mqtt.send_window import UNSENDABLE
from node.io.mqtt.session import Session

__all__ = ["UNSENDABLE", "Bounds", "Incoming", "Link", "Outgoing", "Priority", "Subscription"]

_LASTING_S = 10.0
_STUMBLE_S = 1.0
_SAY_AGAIN_S = 600.0
_LONG_S = 60.0
"""After a session of this length the end of the next one is news, whatever its reason."""

log = logging.getLogger(__name__)


class Link:
    """A broker connection that comes back until it is closed.

    ``subscriptions``: at least one. ``will`` makes topic and payload (retained, QoS 1) of a session's will. ``decode``
    makes an event of a message, or None to ignore it, and raises where it can't be read. Both run on the link's thread,
    as does ``put``. Each event that was put wants one ``decided()``, or the link soon neither publishes nor connects.
    ``tls`` and ``login``: None for plain text, and for a broker that asks for no account.
    """

    def __init__(
        self,
        name: str,
        host: str,
        port: int,
        client_id: str,
        *,
        subscriptions: Sequence[Subscription],
        will: Callable[[int], tuple[str, bytes]],
        decode: Callable[[Incoming], Event | None],
        put: Callable[[Event], None],
        tls: Tls | None = None,
        login: Login | None = None,
        keepalive_s: int = 10,
        clock: Callable[[], float] = time.monotonic,
        bounds: Bounds = NODE_BOUNDS,
    ) -> None:
        self.name = name
        credentials = Credentials(name, tls, login)
        self._terms = Terms(
            name, host, port, client_id, tuple(subscriptions), will, decode, keepalive_s, clock, credentials, bounds
        )
        self._clock = clock
        self._queue = LinkQueue(name, put, clock, bounds)
        self._patience = Patience()
        self._sessions = 0
        self._told: dict[str, float] = {}
        self._is_silent = False
        self.thread = threading.Thread(target=self._run, name=f"link {name}", daemon=True)

    @property
    def files_problem(self) -> str:
        """Which of our own files can't be used as they are, and why; empty where all are in order."""
        return self._terms.credentials.problem

    def start(self) -> None:
        """Begin to connect."""
        self.thread.start()

    def publish(self, message: Outgoing) -> None:
        """Send this message in its session, or drop it where that isn't up. Never blocks."""
        self._queue.hand_over(message)

    def hurry(self) -> None:
        """End the wait before the next attempt, and let the waits begin anew with short ones."""
        self._queue.hurry()

    def decided(self) -> None:
        """The loop has handled the oldest of this link's events that it hadn't handled before."""
        self._queue.decided()

    def close(self, timeout_s: float = 2.0) -> None:
        """Ask for the end: let what was handed over be answered (``timeout_s`` at most), then DISCONNECT, without will.

        Doesn't wait. A link that could say goodbye puts no LinkDown. Its thread ends at most a second after
        ``timeout_s``, unless a name lookup, a TCP connect or a TLS handshake holds it.
        """
        self._queue.close(self._clock() + timeout_s)

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread's end; whether it has ended, or never begun."""
        if self.thread.ident is not None:
            self.thread.join(timeout_s)
        return not self.thread.is_alive()

    def _run(self) -> None:
        with self._queue:
            while self._queue.closing_at is None:
                try:
                    self._attempt()
                    self._queue.rest()
                except Exception:
                    # A thread that ended here would be a path that is silently dead.
                    log.exception("link %s: its thread met something unexpected, and goes on", self.name)
                    time.sleep(_STUMBLE_S)

    def _attempt(self) -> None:
        """Connect, talk until the session ends, and say that it has ended."""
        session = Session(self._terms, self._queue, self._patience, self._sessions + 1)
        session.told_at = logging.DEBUG if self._is_silent else logging.INFO
        try:
            session.run()
        except Exception as unexpected:
            log.exception("link %s: session %d met something unexpected", self.name, session.number)
            session.end(f"unexpected {type(unexpected).__name__}")
        finally:
            session.drop()
        if session.reached_broker:
            self._sessions = session.number
        now = self._clock()
        self._queue.end_session(lasting=session.up_at is not None and now - session.up_at > _LASTING_S)
        if session.said_goodbye:
            log.info("link %s: session %d is closed", self.name, session.number)
            return
        self._say(session, now)
        down = LinkDown(
            now,
            self.name,
            session.number,
            session.reason,
            taken_over=session.taken_over,
            problem=None if session.problem is None else session.problem.code,
            by_broker=session.by_broker,
            code=session.code,
        )
        self._queue.put(Kind.SESSION, down)

    def _say(self, session: Session, now: float) -> None:
        """Why it ended, but the same reason once in ten minutes: a broker that is away for a month fills no log."""
        if session.up_at is not None and now - session.up_at >= _LONG_S:
            self._told.clear()
        told_at = self._told.get(session.reason)
        is_silent = told_at is not None and now - told_at < _SAY_AGAIN_S
        if session.up_at is not None:
            self._is_silent = is_silent
        if not is_silent:
            self._told = {reason: at for reason, at in self._told.items() if now - at < _SAY_AGAIN_S}
            self._told[session.reason] = now
            log.warning("link %s: session %d is down: %s", self.name, session.number, session.reason)

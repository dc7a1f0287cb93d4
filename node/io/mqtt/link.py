"""One broker connection: MQTT 5 at QoS 1 by paho-mqtt. It knows no message: the caller passes topics, will and decoder.

Rules:

1. Each link has one thread, which does everything from the name lookup to the goodbye. Other threads hand something
   over and never wait for it. While it sleeps, they send by themselves (``flush``): the socket doesn't block, and an
   alarm waits for no other thread to wake up.
2. Each connection has its own paho client, and nothing is published before LinkUp or after the connection is lost. So
   paho never sends anything again by itself: unanswered events are sent again from the record.
3. A session gets its number before CONNECT, because the will carries it. An attempt that finds no broker doesn't use up
   a number: its LinkDown names the number that the session would have had. LinkUp comes before any message that was
   heard in its session.
4. A flood is limited: only so many events of a link are undecided, and while 64 messages wait to go to the broker no
   more are heard (link_types.Bounds). Messages beyond that are dropped and counted; publishing and connecting wait. A
   topic may have room of its own, so that a flood there takes none from others.
5. Our own deadlines drop a silent path: 3 s, twice as long after each such drop, at most 24 s, until an answer of the
   same kind comes within 3 s again. Dropping shuts the socket down, so the broker publishes the will.
6. One bad message blocks nothing: an unreadable message is dropped and counted, a message that can't be sent is
   answered as refused.
7. An address of the broker's name at which no session came up is tried after the others (addresses.py).
8. Every problem with name lookup, connection, TLS or login is reported as its own fault (connect_errors.py), and the
   link tries again.
"""

import logging
import time
from collections.abc import Callable, Sequence

from node.config import Login, Tls
from node.core.events import Event, LinkDown
from node.io.mqtt.answer_timeout import AnswerTimeouts
from node.io.mqtt.link_queue import Kind, LinkQueue
from node.io.mqtt.link_types import NODE_BOUNDS, Bounds, Incoming, Outgoing, Priority, Subscription, Terms
from node.io.mqtt.login.credentials import Credentials
from node.io.mqtt.session.send_window import UNSENDABLE
from node.io.mqtt.session.session import Session
from node.threads import new_thread

__all__ = ["UNSENDABLE", "Bounds", "Incoming", "Link", "Outgoing", "Priority", "Subscription"]

_LASTING_S = 10.0
_STUMBLE_S = 1.0
_SAY_AGAIN_S = 600.0
_LONG_S = 60.0
"""After a session of this length, the end of the next session is logged, even for the same reason."""

log = logging.getLogger(__name__)


class Link:
    """A broker connection that is made again and again until it is closed.

    ``subscriptions``: at least one. ``will`` makes topic and payload (retained, QoS 1) of a session's will; None where
    a link has none. ``decode`` makes an event of a message, or None to ignore it, and raises if the message is
    unreadable. ``will`` and ``decode`` are called on the link's thread, ``put`` there and in ``flush``. The caller must
    call ``decided()`` once for each event that was put; otherwise the link soon neither publishes nor connects. ``tls``
    and ``login``: None for plain text and for a broker without accounts. ``predecessor``: a link to the same broker
    that was closed; its end is waited for, and its sessions are counted on.
    """

    def __init__(
        self,
        name: str,
        host: str,
        port: int,
        client_id: str,
        *,
        subscriptions: Sequence[Subscription],
        will: Callable[[int], tuple[str, bytes]] | None,
        decode: Callable[[Incoming], Event | None],
        put: Callable[[Event], None],
        tls: Tls | None = None,
        login: Login | None = None,
        keepalive_s: int = 10,
        clock: Callable[[], float] = time.monotonic,
        bounds: Bounds = NODE_BOUNDS,
        predecessor: "Link | None" = None,
    ) -> None:
        self.name = name
        credentials = Credentials(name, tls, login)
        self._terms = Terms(
            name, host, port, client_id, tuple(subscriptions), will, decode, keepalive_s, clock, credentials, bounds
        )
        self._clock = clock
        rooms = {each.topic: each.room for each in subscriptions if each.room is not None}
        self._queue = LinkQueue(name, put, clock, bounds, rooms)
        self._timeouts = AnswerTimeouts()
        self._predecessor = predecessor
        self.sessions = 0
        """How many sessions have ended."""
        self._session: Session | None = None  # only under the queue's ``turn``
        self._told: dict[str, float] = {}
        self._is_silent = False
        self.thread = new_thread(f"link {name}", self._run)

    @property
    def files_problem(self) -> str:
        """Which of our own files can't be used, and why; empty if all are in order."""
        return self._terms.credentials.problem

    def start(self) -> None:
        """Begin to connect."""
        self.thread.start()

    def publish(self, message: Outgoing) -> None:
        """Send this message in its session, or drop it if that session isn't up. Never blocks."""
        self.hand_over(message)
        self.flush()

    def hand_over(self, message: Outgoing) -> None:
        """Have this message sent in its session by the next ``flush``, together with others. Never blocks."""
        self._queue.hand_over(message)

    def flush(self) -> None:
        """Send what was handed over: at once if the link's thread sleeps, otherwise on that thread. Never blocks."""
        if not self._queue.turn.acquire(blocking=False):
            self._queue.wake()
            return
        try:
            if self._session is not None:
                self._session.send()
        finally:
            self._queue.turn.release()

    def hurry(self) -> None:
        """End the wait before the next attempt, and make the following waits short again."""
        self._queue.hurry()

    def renew(self, session: int) -> None:
        """End this session, and connect anew: our own messages don't come back in it any more."""
        self._queue.renew(session)

    def decided(self) -> None:
        """The loop has decided the oldest undecided event of this link."""
        self._queue.decided()

    def close(self, timeout_s: float = 2.0) -> None:
        """Ask for the end: wait at most ``timeout_s`` for answers to sent messages, then DISCONNECT without the will.

        Doesn't block. A link that could say goodbye puts no LinkDown. Its thread ends at most a second after
        ``timeout_s``, unless a name lookup, a TCP connect or a TLS handshake holds it up.
        """
        self._queue.close(self._clock() + timeout_s)

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread's end; whether it has ended or never started."""
        if self.thread.ident is not None:
            self.thread.join(timeout_s)
        return not self.thread.is_alive()

    def _follow(self, predecessor: "Link") -> None:
        """Two sessions of one client id would end each other, and two of one number would be taken for each other."""
        if predecessor.thread.ident is not None:
            predecessor.thread.join()
        self.sessions = predecessor.sessions

    def _run(self) -> None:
        if self._predecessor is not None:
            self._follow(self._predecessor)
            self._predecessor = None
        with self._queue:
            while self._queue.closing_at is None:
                try:
                    self._attempt()
                    self._queue.back_off()
                except Exception:
                    # If the thread ended here, the path would be dead, and nobody would notice.
                    log.exception("link %s: its thread met something unexpected, and goes on", self.name)
                    time.sleep(_STUMBLE_S)

    def _attempt(self) -> None:
        """Connect, run the session until it ends, and report its end."""
        session = Session(self._terms, self._queue, self._timeouts, self.sessions + 1)
        session.told_at = logging.DEBUG if self._is_silent else logging.INFO
        self._session = session
        try:
            session.run()
        except Exception as unexpected:
            log.exception("link %s: session %d met something unexpected", self.name, session.number)
            session.end(f"unexpected {type(unexpected).__name__}")
        finally:
            self._session = None
            session.drop()
        if session.reached_broker:
            self.sessions = session.number
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
        """Log why it ended, the same reason once in ten minutes: a broker away for a month must not fill the log."""
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

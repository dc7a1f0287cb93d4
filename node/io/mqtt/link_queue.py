"""What a link's thread and the other threads share: outgoing messages, incoming events, and calls that wake the link.

Whoever holds ``turn`` may use the session: the link's own thread at all times but while it sleeps in ``wait``. So a
thread that has something to send sends it itself where the link's thread sleeps, and nobody waits for another thread to
wake up.

Of a node's undecided events 128 may be messages: what two monitors say at once about 20 calls and 20 other events that
are in flight, and some more. 20 others may be commands, which have room of their own: a flood of them must not take
that of a receipt. 20 may be answers, 2 a session's LinkUp and LinkDown, 2 MessagesDropped. The loop decides them in the
order in which they were put, so a plain ``decided()`` says whose room is free again.
While the queue to the broker is as long as ``Bounds.backlog``, no messages are taken in: a sender that asks faster than
the broker takes the answers must not fill the memory.
"""

import heapq
import itertools
import logging
import random
import selectors
import socket
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping
from enum import Enum, auto

from node.core.back_off import BackOff
from node.core.events import Event, MessagesDropped
from node.io.mqtt.link_types import NODE_BOUNDS, Bounds, Outgoing, Priority

RECONNECT = BackOff(0.25, 5.0)
"""What the waits before a new attempt are drawn below."""

TICK_S = 1.0
"""The longest sleep, because paho's keepalive must be served in between."""

UNSENT = "no room to send"
"""Why a message of ours is dropped when the queue to the broker is full."""

_REPORT_S = 1.0

log = logging.getLogger(__name__)
jitter = random.SystemRandom().uniform


class Kind(Enum):
    """What an event on the loop's queue is about; each kind has room of its own, and so have some topics."""

    HEARD = auto()
    ANSWER = auto()
    SESSION = auto()
    DROPPED = auto()


_SESSION_ROOM = 2


class LinkQueue:
    """Any thread may create it and call its first half; the link's thread enters it and calls the second half.

    ``rooms``: the topics that have room of their own, and how much.
    """

    def __init__(
        self,
        name: str,
        put: Callable[[Event], None],
        clock: Callable[[], float],
        bounds: Bounds = NODE_BOUNDS,
        rooms: Mapping[str, int] | None = None,
    ) -> None:
        self.closing_at: float | None = None
        self.deaf_session: int | None = None
        self.turn = threading.Lock()
        self._name = name
        self._put = put
        self._clock = clock
        self._lock = threading.Lock()
        self._session: int | None = None
        self._outbox: list[tuple[Priority, int, Outgoing]] = []
        self._order = itertools.count()
        self._undecided: deque[Kind | str] = deque()
        self._bounds = bounds
        self._room: dict[Kind | str, int] = {
            Kind.HEARD: bounds.heard,
            Kind.ANSWER: bounds.window,
            Kind.SESSION: _SESSION_ROOM,
            Kind.DROPPED: 2,
        }
        self._room.update(rooms or {})
        self._unsent = 0
        self._dropped: Counter[str] = Counter()
        self._report_due: dict[str, float] = {}
        self._attempts = 0
        self._hurried = False
        self._waker: socket.socket | None = None
        self._woken = False

    def hand_over(self, message: Outgoing) -> None:
        """Queue a message if its session is up; otherwise drop it. Who has the ``turn`` sends it."""
        with self._lock:
            if message.session != self._session:
                return
            if len(self._outbox) >= self._bounds.queue and message.priority > Priority.ALARM:
                self._unsent += 1
            else:
                heapq.heappush(self._outbox, (message.priority, next(self._order), message))

    def wake(self) -> None:
        """Wake the link's thread, which sends what was handed over."""
        with self._lock:
            self._wake()

    def hurry(self) -> None:
        """End the wait before the next attempt, and make the following waits short. A session isn't disturbed."""
        with self._lock:
            self._attempts = 0
            self._hurried = True
            if self._session is None:
                self._wake()

    def renew(self, session: int) -> None:
        """End this session, because nothing is delivered in it any more."""
        with self._lock:
            self.deaf_session = session
            self._wake()

    def decided(self) -> None:
        """The oldest undecided event is decided."""
        with self._lock:
            if self._undecided:
                self._room[self._undecided.popleft()] += 1
            if self._outbox or self._dropped or self._session is None:
                self._wake()

    def close(self, at: float) -> None:
        """Say goodbye when everything is answered, at this instant at the latest."""
        with self._lock:
            self.closing_at = at
            self._wake()

    def _wake(self) -> None:
        if self._waker is not None and not self._woken:
            self._waker.send(b"!")
            self._woken = True

    # From here on: the link's thread.

    def __enter__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self._bell, waker = socket.socketpair()
        self.selector.register(self._bell, selectors.EVENT_READ)
        self.turn.acquire()
        with self._lock:
            self._waker = waker

    def __exit__(self, *_: object) -> None:
        with self._lock:
            waker, self._waker = self._waker, None
        if waker is not None:
            waker.close()
        self._bell.close()
        self.selector.close()
        self.turn.release()

    def wait(self, until: float) -> int:
        """Sleep until the broker's socket is ready, another thread calls, or ``until``; how the socket is ready."""
        self._report_dropped()
        readiness = 0
        for key, mask in self._sleep(max(0.0, min(until - self._clock(), TICK_S))):
            if key.fileobj is self._bell:
                with self._lock:
                    self._bell.recv(1)
                    self._woken = False
            else:
                readiness = mask
        return readiness

    def _sleep(self, seconds: float) -> list[tuple[selectors.SelectorKey, int]]:
        self.turn.release()
        try:
            return self.selector.select(seconds)
        finally:
            self.turn.acquire()

    def back_off(self) -> None:
        """Wait before the next attempt: with full jitter, and until there is room for its LinkUp and LinkDown."""
        with self._lock:
            self._attempts += 1
            until = self._clock() + jitter(0.0, RECONNECT.wait_s(self._attempts))
            self._hurried = False
        while self.closing_at is None:
            waited = self._hurried or self._clock() >= until
            if waited and self._room[Kind.SESSION] == _SESSION_ROOM:
                return
            self.wait(self._clock() + TICK_S if waited else until)

    def open_session(self, number: int) -> None:
        """From now on messages of this session are accepted."""
        with self._lock:
            self._session = number

    def end_session(self, *, lasting: bool) -> None:
        """Drop the messages that weren't sent. After a lasting session the waits are short again."""
        with self._lock:
            self._session = None
            self._outbox.clear()
            if lasting:
                self._attempts = 0

    def room_of(self, topic: str) -> "Kind | str":
        """The room of a message that was heard on this topic: the topic itself if it has its own."""
        return topic if topic in self._room else Kind.HEARD

    def room(self, kind: Kind | str) -> int:
        """How many more events of this kind may be put."""
        is_heard = kind is Kind.HEARD or isinstance(kind, str)
        if is_heard and len(self._outbox) >= self._bounds.backlog:
            return 0
        return self._room[kind]

    def put(self, kind: Kind | str, event: Event) -> None:
        """Put an event on the loop's queue. The caller must have checked that there is room."""
        with self._lock:
            self._undecided.append(kind)
            self._room[kind] -= 1
        self._put(event)

    def drop(self, reason: str) -> None:
        """Count a message that doesn't reach the loop; this is reported at most once a second for each reason."""
        self._dropped[reason] += 1

    def take(self, free: int, reserved: int) -> Outgoing | None:
        """The next message that fits into ``free`` places; heartbeats and telemetry leave ``reserved`` of them free."""
        with self._lock:
            if not self._outbox:
                return None
            priority, _, message = self._outbox[0]
            if free <= (reserved if priority >= Priority.HEARTBEAT else 0):
                return None
            heapq.heappop(self._outbox)
            return message

    def is_empty(self) -> bool:
        """Whether nothing waits to be sent."""
        return not self._outbox

    def _report_dropped(self) -> None:
        now = self._clock()
        with self._lock:
            unsent, self._unsent = self._unsent, 0
        if unsent:
            self._dropped[UNSENT] += unsent
        for reason in tuple(self._dropped):
            if self._room[Kind.DROPPED] > 0 and now >= self._report_due.get(reason, now):
                count = self._dropped.pop(reason)
                self._report_due[reason] = now + _REPORT_S
                log.warning("link %s: messages dropped (%s): %d", self._name, reason, count)
                self.put(Kind.DROPPED, MessagesDropped(now, self._name, count, reason))

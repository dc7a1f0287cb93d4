"""An outbox that goes on without its database: what is told at once is told from memory while the history is away.

Rules:

1. Whatever is handed over to be stored is held here until it is known to be. Only where the database doesn't answer, or
   takes nothing (``failing``), and then after ``SPARE_S``, is it told from here: better without a claim, and perhaps by
   two monitors, than by nobody.
2. What was told from here is settled as sent once the database is back, and not told again by this process. After a
   crash in between it is: then somebody hears of an alarm twice.
3. What is gathered waits for the database: a finding wakes nobody at night, a call for help does. Only that the history
   itself fails is told from here, since it can't be from there.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from itertools import count
from time import monotonic
from typing import NamedTuple

from node.errors import AlarmNodeError
from node.monitor.findings import HISTORY_FAILS
from node.monitor.model import Notice
from node.monitor.outbox import Claim, Delivery, Outbox, Settled, Waiting

SPARE_S = 3.0
HELD_LIMIT = 1_000
_PREFIX = "spare-"


class _Held(NamedTuple):
    notice: Notice
    since: float


class _Try(NamedTuple):
    target: str
    key: str


class SpareOutbox:
    """``outbox``, and what is told beside it; from any thread. ``targets_of``: the names of those that are told."""

    def __init__(
        self,
        outbox: Outbox,
        targets_of: Callable[[Notice], Iterable[str]],
        *,
        spare_s: float = SPARE_S,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._outbox = outbox
        self._targets_of = targets_of
        self._spare_s = spare_s
        self._clock = clock
        self.failing = False
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._told: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._attempts: dict[tuple[str, str], tuple[int, float]] = {}
        self._claims: dict[str, _Try] = {}

    def hold(self, notices: Iterable[Notice]) -> None:
        """These are on their way into the history."""
        with self._lock:
            for notice in notices:
                if not notice.gather or (notice.finding is not None and notice.finding.code == HISTORY_FAILS.code):
                    self._held[notice.key] = _Held(notice, self._clock())
                    if len(self._held) > HELD_LIMIT:
                        self._held.popitem(last=False)

    def stored(self, keys: Iterable[str]) -> None:
        """The notices with these keys have arrived there, or another monitor's have."""
        with self._lock:
            for key in keys:
                self._held.pop(key, None)

    def waiting(self, target: str) -> Waiting:
        """As Outbox: of the database, or else of what is held here."""
        with self._lock:
            due = len(self._due(target))
        if self.failing and due:
            return Waiting(alone=due, held=due)
        try:
            return self._outbox.waiting(target)
        except AlarmNodeError:
            if due:
                return Waiting(alone=due, held=due)
            raise

    def claim(self, target: str, monitor: str, *, gather: bool, limit: int) -> Claim | None:
        """As Outbox; what was told from here already is settled, and not claimed."""
        if self.failing and not gather:
            spare = self._claim_spare(target)
            if spare is not None:
                return spare
        try:
            claim = self._outbox.claim(target, monitor, gather=gather, limit=limit)
        except AlarmNodeError:
            spare = None if gather else self._claim_spare(target)
            if spare is None:
                raise
            return spare
        return None if claim is None else self._without_told(claim)

    def renew(self, claim: str) -> bool:
        """As Outbox; what is told from here is nobody else's to take."""
        return claim.startswith(_PREFIX) or self._outbox.renew(claim)

    def settle(self, claim: str, outcome: Settled, reason: str = "", only: Collection[int] | None = None) -> None:
        """As Outbox."""
        if not claim.startswith(_PREFIX):
            self._outbox.settle(claim, outcome, reason, only)
            return
        with self._lock:
            tried = self._claims.pop(claim, None)
            if tried is not None:
                self._told[tried.target, tried.key] = None
                if len(self._told) > 100 * HELD_LIMIT:
                    self._told.popitem(last=False)

    def fail(self, claim: str, reason: str, wait_s: float, *, uncertain: bool) -> None:
        """As Outbox."""
        if not claim.startswith(_PREFIX):
            self._outbox.fail(claim, reason, wait_s, uncertain=uncertain)
            return
        with self._lock:
            tried = self._claims.pop(claim, None)
            if tried is not None:
                attempts = self._attempts.get((tried.target, tried.key), (0, 0.0))[0]
                self._attempts[tried.target, tried.key] = (attempts + 1, self._clock() + wait_s)

    def hurry(self, target: str) -> None:
        """As Outbox."""
        with self._lock:
            for key, (attempts, _) in list(self._attempts.items()):
                if key[0] == target:
                    self._attempts[key] = (attempts, 0.0)
        self._outbox.hurry(target)

    def release(self, monitor: str) -> None:
        """As Outbox."""
        self._outbox.release(monitor)

    def _due(self, target: str) -> list[Notice]:
        now = self._clock()
        return [
            held.notice
            for key, held in self._held.items()
            if now - held.since >= self._spare_s
            and (target, key) not in self._told
            and self._attempts.get((target, key), (0, 0.0))[1] <= now
            and target in self._targets_of(held.notice)
        ]

    def _claim_spare(self, target: str) -> Claim | None:
        with self._lock:
            due = self._due(target)
            if not due:
                return None
            notice = min(due, key=lambda each: self._attempts.get((target, each.key), (0, 0.0))[0])
            number = next(self._numbers)
            name = f"{_PREFIX}{number}"
            self._claims[name] = _Try(target, notice.key)
            attempts = self._attempts.get((target, notice.key), (0, 0.0))[0]
            return Claim(id=name, target=target, deliveries=(Delivery(id=-number, notice=notice, attempts=attempts),))

    def _without_told(self, claim: Claim) -> Claim | None:
        with self._lock:
            told = {each.id for each in claim.deliveries if (claim.target, each.notice.key) in self._told}
        if not told:
            return claim
        self._outbox.settle(claim.id, Settled.SENT, "told while the history was away", only=told)
        left = tuple(each for each in claim.deliveries if each.id not in told)
        return Claim(id=claim.id, target=claim.target, deliveries=left) if left else None

"""An outbox that still works without its database: while the history is away, calls are told from memory.

Rules:

1. Notices on their way into the history are also kept here until they are known to be stored. They are told from here
   only if the database doesn't answer or takes nothing (``failing``), and then after ``FALLBACK_S``. They are told
   without a claim, so perhaps by two monitors; that is better than by none.
2. A delivery that ended here (sent, left out or given up) is settled with that outcome once the database is back, and
   this process doesn't tell it again. After a crash in between it is told again: somebody then hears of an alarm twice.
   While the database takes nothing and something is held here, the database isn't asked: it may take seconds to say
   that it is away.
3. The order is that of core/decisions/deliveries.py. If too much is held, the node with the most notices loses some.
4. Gathered notices (findings) wait for the database, because they are less urgent than a call for help. One finding is
   told from here: that the history fails. The database can't store that one.
"""

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from itertools import count
from time import monotonic
from typing import NamedTuple

from node.errors import AlarmNodeError
from node.monitor.core.decisions.deliveries import Claim, Delivery, Outbox, Settled, Waiting, urgency
from node.monitor.core.model.catalogue import HISTORY_FAILS
from node.monitor.core.model.records import Notice

FALLBACK_S = 3.0
HELD_LIMIT = 1_000
_PREFIX = "memory-"


class _Held(NamedTuple):
    notice: Notice
    since: float


class _Try(NamedTuple):
    target: str
    keys: dict[int, str]


class FallbackOutbox:
    """``outbox``, and what is told from memory; from any thread. ``targets_of``: the names of the told targets."""

    def __init__(
        self,
        outbox: Outbox,
        targets_of: Callable[[Notice], Iterable[str]],
        *,
        after_s: float = FALLBACK_S,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._outbox = outbox
        self._targets_of = targets_of
        self._after_s = after_s
        self._clock = clock
        self.failing = False
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._ended: OrderedDict[tuple[str, str], Settled] = OrderedDict()
        self._attempts: dict[tuple[str, str], tuple[int, float]] = {}
        self._claims: dict[str, _Try] = {}

    def keep_until_stored(self, notices: Iterable[Notice]) -> None:
        """Keep these notices here: they are on their way into the history."""
        with self._lock:
            for notice in notices:
                if not notice.gather or (notice.finding is not None and notice.finding.code == HISTORY_FAILS.code):
                    self._held[notice.key] = _Held(notice, self._clock())
                    if len(self._held) > HELD_LIMIT:
                        del self._held[self._least()]

    def drop(self, keys: Iterable[str]) -> None:
        """Drop the notices with these keys: they are stored (perhaps by another monitor), or never will be."""
        with self._lock:
            for key in keys:
                self._held.pop(key, None)
            self._attempts = {each: tried for each, tried in self._attempts.items() if each[1] in self._held}

    def waiting(self, target: str) -> Waiting:
        """As Outbox: of the database, or of what is held here if the database fails."""
        with self._lock:
            held = self._waits(target)
            due = len(self._due(target))
        if self.failing and held:
            return Waiting(alone=due, held=len(held))
        try:
            return self._outbox.waiting(target)
        except AlarmNodeError:
            if due:
                return Waiting(alone=due, held=len(held))
            raise

    def claim(self, target: str, monitor: str, *, gather: bool, limit: int) -> Claim | None:
        """As Outbox. What ended here already is settled in the database, and not claimed."""
        try:
            claim = self._database().claim(target, monitor, gather=gather, limit=limit)
        except AlarmNodeError:
            from_memory = None if gather else self._claim_from_memory(target, limit)
            if from_memory is None:
                raise
            return from_memory
        return None if claim is None else self._without_ended(claim)

    def renew(self, claim: str) -> bool:
        """As Outbox. No other monitor can take what is told from here."""
        return claim.startswith(_PREFIX) or self._database().renew(claim)

    def settle(self, claim: str, outcome: Settled, reason: str = "", only: Collection[int] | None = None) -> None:
        """As Outbox."""
        if not claim.startswith(_PREFIX):
            self._database().settle(claim, outcome, reason, only)
            return
        with self._lock:
            target, keys = self._claims[claim]
            for number in list(keys) if only is None else only:
                key = keys.pop(number)
                self._ended[target, key] = outcome
                self._attempts.pop((target, key), None)
                if len(self._ended) > 100 * HELD_LIMIT:
                    self._ended.popitem(last=False)
            if not keys:
                del self._claims[claim]

    def fail(self, claim: str, reason: str, wait_s: float, *, uncertain: bool) -> None:
        """As Outbox."""
        if not claim.startswith(_PREFIX):
            self._database().fail(claim, reason, wait_s, uncertain=uncertain)
            return
        with self._lock:
            target, keys = self._claims.pop(claim)
            for key in set(keys.values()) & self._held.keys():
                self._attempts[target, key] = (self._tries(target, key) + 1, self._clock() + wait_s)

    def hurry(self, target: str) -> None:
        """As Outbox."""
        with self._lock:
            for key, (attempts, _) in list(self._attempts.items()):
                if key[0] == target:
                    self._attempts[key] = (attempts, 0.0)
        self._database().hurry(target)

    def release(self, monitor: str) -> None:
        """As Outbox. If the database can't be asked, these claims expire by themselves."""
        with suppress(AlarmNodeError):
            self._outbox.release(monitor)

    def _database(self) -> Outbox:
        """The outbox in the database if it may be asked now. Raises AlarmNodeError if not."""
        if self.failing and self._held:
            raise AlarmNodeError("the history takes nothing", "wait until it does: the monitor goes on by itself")
        return self._outbox

    def _tries(self, target: str, key: str) -> int:
        return self._attempts.get((target, key), (0, 0.0))[0]

    def _waits(self, target: str) -> list[_Held]:
        """What this target hasn't got yet, due or not."""
        return [
            held
            for key, held in self._held.items()
            if (target, key) not in self._ended and target in self._targets_of(held.notice)
        ]

    def _due(self, target: str) -> list[Notice]:
        now = self._clock()
        return [
            held.notice
            for held in self._waits(target)
            if now - held.since >= self._after_s and self._attempts.get((target, held.notice.key), (0, 0.0))[1] <= now
        ]

    def _least(self) -> str:
        """The key of the notice to drop: the oldest of the least urgent ones of the node with the most notices here."""
        count = Counter((held.notice.site, held.notice.node) for held in self._held.values())
        [(noisy, _)] = count.most_common(1)
        theirs = [held.notice for held in self._held.values() if (held.notice.site, held.notice.node) == noisy]
        return max(theirs, key=urgency).key

    def _claim_from_memory(self, target: str, limit: int) -> Claim | None:
        with self._lock:
            due = self._due(target)
            if not due:
                return None
            first = min(due, key=lambda each: (urgency(each), self._tries(target, each.key) > 0))
            told = [each for each in due if _speaker(each) == _speaker(first)][:limit]
            name = f"{_PREFIX}{next(self._numbers)}"
            deliveries = tuple(
                Delivery(id=number, notice=each, attempts=self._tries(target, each.key))
                for number, each in enumerate(told)
            )
            self._claims[name] = _Try(target, {each.id: each.notice.key for each in deliveries})
            return Claim(id=name, target=target, deliveries=deliveries)

    def _without_ended(self, claim: Claim) -> Claim | None:
        ended: dict[Settled, set[int]] = {}
        left: list[Delivery] = []
        with self._lock:
            for each in claim.deliveries:
                outcome = self._ended.get((claim.target, each.notice.key))
                if outcome is None:
                    left.append(each)
                else:
                    ended.setdefault(outcome, set()).add(each.id)
        for outcome, only in ended.items():
            self._outbox.settle(claim.id, outcome, "while the history was away", only=only)
        return Claim(id=claim.id, target=claim.target, deliveries=tuple(left)) if left else None


def _speaker(notice: Notice) -> tuple[str, str, bool]:
    """Notices with the same value of this become one message."""
    return notice.site, notice.node, notice.test

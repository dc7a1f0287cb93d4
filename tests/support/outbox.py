"""An outbox in memory, with the rules of core/decisions/deliveries.py but the fourth, by one clock; it can be away."""

import copy
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Self

from node.errors import AlarmNodeError
from node.monitor.core.decisions.deliveries import (
    DOWN_CODES,
    LEASE_S,
    RETRY_MAX_S,
    Claim,
    Delivery,
    Settled,
    Waiting,
    urgency,
)
from node.monitor.core.model.records import Notice, NoticeKind
from tests.support.receivers import TIMEOUT_S


@dataclass
class Row:
    """One delivery. ``claimed``: the claim's id, who has it, and since when."""

    id: int
    target: str
    notice: Notice
    attempts: int = 0
    uncertain: bool = False
    next_try: datetime | None = None
    claimed: tuple[str, str, datetime] | None = None
    outcome: Settled | None = None
    reasons: list[str] = field(default_factory=list)


class MemoryOutbox:
    """Deliveries in memory; thread-safe. ``away``: every call fails until it is False again."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.rows: list[Row] = []
        self.clock = clock
        self.away = False
        self.claims = 0
        self.refused = 0
        self._numbers = count(1)
        self._changed = threading.Condition()

    def add(self, target: str, notices: Iterable[Notice]) -> None:
        """What the history does when it stores these."""
        with self._changed:
            self.rows += [Row(next(self._numbers), target, notice) for notice in notices]

    def beside(self) -> Self:
        """The same deliveries over a connection of its own: it is away by itself."""
        return copy.copy(self)

    def wait_for(self, fits: Callable[[list[Row]], bool]) -> None:
        """Wait until the rows are so."""
        with self._changed:
            assert self._changed.wait_for(lambda: fits(self.rows), TIMEOUT_S), self.rows

    def outcomes(self, target: str) -> list[Settled | None]:
        """How this target's deliveries ended, in the order of their making."""
        return [row.outcome for row in self.rows if row.target == target]

    def waiting(self, target: str) -> Waiting:
        """As in Outbox."""
        with self._transaction():
            due = self._due(target)
            findings = [row.notice.finding for row in due if row.notice.kind is NoticeKind.FINDING]
            down = {key.of for key in findings if key is not None and key.code in DOWN_CODES}
            gathered = sum(row.notice.gather for row in due)
            held = sum(row.target == target and row.outcome is None for row in self.rows)
            return Waiting(len(due) - gathered, gathered, len(down), held)

    def claim(self, target: str, monitor: str, *, gather: bool, limit: int) -> Claim | None:
        """As in Outbox."""
        with self._transaction():
            due = [row for row in self._due(target) if row.notice.gather is gather]
            due.sort(key=lambda row: (urgency(row.notice), row.attempts > 0, row.id))
            if not due:
                return None
            theirs = [row for row in due if gather or _speaker(row.notice) == _speaker(due[0].notice)]
            taken = sorted(theirs[:limit], key=lambda row: row.id)
            self.claims += 1
            name = f"{monitor}-{self.claims}"
            for row in taken:
                row.uncertain = row.uncertain or row.claimed is not None
                row.claimed = (name, monitor, self.clock())
            deliveries = tuple(
                Delivery(id=row.id, notice=row.notice, attempts=row.attempts, uncertain=row.uncertain) for row in taken
            )
            return Claim(id=name, target=target, deliveries=deliveries)

    def renew(self, claim: str) -> bool:
        """As in Outbox."""
        with self._transaction():
            held = self._of(claim)
            for row in held:
                assert row.claimed is not None
                row.claimed = (*row.claimed[:2], self.clock())
            return bool(held)

    def settle(self, claim: str, outcome: Settled, reason: str = "", only: Collection[int] | None = None) -> None:
        """As in Outbox."""
        with self._transaction():
            for row in self._of(claim):
                if only is None or row.id in only:
                    row.outcome, row.claimed = outcome, None
                    row.reasons.append(reason)

    def fail(self, claim: str, reason: str, wait_s: float, *, uncertain: bool) -> None:
        """As in Outbox."""
        with self._transaction():
            for row in self._of(claim):
                row.attempts += 1
                row.claimed, row.next_try = None, self.clock() + timedelta(seconds=wait_s)
                row.uncertain = row.uncertain or uncertain
                row.reasons.append(reason)

    def hurry(self, target: str) -> None:
        """As in Outbox."""
        with self._transaction():
            for row in self.rows:
                if row.target == target:
                    row.next_try = None

    def release(self, monitor: str) -> None:
        """As in Outbox."""
        with self._transaction():
            for row in self.rows:
                if row.claimed is not None and row.claimed[1] == monitor:
                    row.claimed, row.uncertain = None, True

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        if self.away:
            with self._changed:
                self.refused += 1
                self._changed.notify_all()
            raise AlarmNodeError("the database is away", "wait")
        with self._changed:
            yield
            self._changed.notify_all()

    def _of(self, claim: str) -> list[Row]:
        return [row for row in self.rows if row.claimed is not None and row.claimed[0] == claim]

    def _due(self, target: str) -> list[Row]:
        now = self.clock()
        latest = now + timedelta(seconds=RETRY_MAX_S)
        return [
            row
            for row in self.rows
            if row.target == target
            and row.outcome is None
            and (row.claimed is None or abs(now - row.claimed[2]) > timedelta(seconds=LEASE_S))
            and (row.next_try is None or row.next_try <= now or row.next_try > latest)
        ]


def _speaker(notice: Notice) -> tuple[str, str, bool]:
    return notice.site, notice.node, notice.test

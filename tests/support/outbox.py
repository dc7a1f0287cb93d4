"""An outbox in memory, with the rules of node.monitor.outbox; it can be away, as a database is."""

import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from node.errors import AlarmNodeError
from node.monitor.model import Notice, NoticeKind
from node.monitor.outbox import DOWN_CODES, LEASE_S, RETRY_MAX_S, Claim, Delivery, Settled, Waiting
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

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.away = False
        self.claims = 0
        self.refused = 0
        self._numbers = count(1)
        self._changed = threading.Condition()

    def add(self, target: str, notices: Iterable[Notice]) -> None:
        """What the history does when it stores these."""
        with self._changed:
            self.rows += [Row(next(self._numbers), target, notice) for notice in notices]

    def wait_for(self, fits: Callable[[list[Row]], bool]) -> None:
        """Wait until the rows are so."""
        with self._changed:
            assert self._changed.wait_for(lambda: fits(self.rows), TIMEOUT_S), self.rows

    def outcomes(self, target: str) -> list[Settled | None]:
        """How this target's deliveries ended, in the order of their making."""
        return [row.outcome for row in self.rows if row.target == target]

    def waiting(self, target: str, at_utc: datetime) -> Waiting:
        """As in Outbox."""
        with self._transaction():
            due = self._due(target, at_utc)
            findings = [row.notice.finding for row in due if row.notice.kind is NoticeKind.FINDING]
            down = {key.of for key in findings if key is not None and key.code in DOWN_CODES}
            gathered = sum(row.notice.gather for row in due)
            held = sum(row.target == target and row.outcome is None for row in self.rows)
            return Waiting(len(due) - gathered, gathered, len(down), held)

    def claim(self, target: str, monitor: str, at_utc: datetime, *, gather: bool, limit: int) -> Claim | None:
        """As in Outbox."""
        with self._transaction():
            due = [row for row in self._due(target, at_utc) if row.notice.gather is gather]
            taken = sorted(due, key=lambda row: (row.attempts, row.id))[:limit]
            if not taken:
                return None
            self.claims += 1
            name = str(self.claims)
            for row in taken:
                row.uncertain = row.uncertain or row.claimed is not None
                row.claimed = (name, monitor, at_utc)
            deliveries = tuple(
                Delivery(id=row.id, notice=row.notice, attempts=row.attempts, uncertain=row.uncertain) for row in taken
            )
            return Claim(id=name, target=target, deliveries=deliveries)

    def settle(
        self, claim: str, outcome: Settled, at_utc: datetime, reason: str = "", only: Collection[int] | None = None
    ) -> None:
        """As in Outbox."""
        with self._transaction():
            for row in self._of(claim):
                if only is None or row.id in only:
                    row.outcome, row.claimed = outcome, None
                    row.reasons.append(reason)

    def fail(self, claim: str, at_utc: datetime, reason: str, next_try_utc: datetime, *, uncertain: bool) -> None:
        """As in Outbox."""
        with self._transaction():
            for row in self._of(claim):
                row.attempts += 1
                row.claimed, row.next_try = None, next_try_utc
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

    def _due(self, target: str, at_utc: datetime) -> list[Row]:
        latest = at_utc + timedelta(seconds=RETRY_MAX_S)
        return [
            row
            for row in self.rows
            if row.target == target
            and row.outcome is None
            and (row.claimed is None or abs(at_utc - row.claimed[2]) > timedelta(seconds=LEASE_S))
            and (row.next_try is None or row.next_try <= at_utc or row.next_try > latest)
        ]

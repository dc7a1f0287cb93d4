"""The deliveries in the history's database: an ``Outbox`` by the rules of node.monitor.core.decisions.deliveries."""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from operator import itemgetter
from time import monotonic
from uuid import uuid4

import msgspec
from sqlalchemy import ColumnElement, Connection, Update, and_, case, distinct, false, func, or_, select, true, update

from node.monitor.core.decisions.deliveries import (
    DOWN_CODES,
    LEASE_S,
    RETRY_MAX_S,
    TEST,
    Claim,
    Delivery,
    Settled,
    Waiting,
)
from node.monitor.core.model.records import Notice, NoticeKind
from node.monitor.history.database.connection import Database
from node.monitor.history.outbox.retry_times import RetryTimes, Takeover
from node.monitor.history.schema.tables import deliveries, notices
from node.monitor.history.store.store_incidents import tell

_LEASE = timedelta(seconds=LEASE_S)
_RETRY_MAX = timedelta(seconds=RETRY_MAX_S)

_open = deliveries.c.outcome.is_(None)
_unclaimed = deliveries.c.claim.is_(None)


class StoredOutbox:
    """The deliveries in ``database``. Every method raises HistoryError.

    ``clock`` replaces the database's clock, ``steady`` this process's (monotonic seconds).
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime] | None = None,
        steady: Callable[[], float] = monotonic,
    ) -> None:
        self._database = database
        self._now: Callable[[Connection], datetime] = database.now if clock is None else lambda _: clock()
        self._steady = steady
        self._takeover = Takeover()
        self._retries = RetryTimes()

    def waiting(self, target: str) -> Waiting:
        """As Outbox."""
        count = func.count
        with self._database.reading() as connection:
            ready = self._ready(target, self._now(connection))
            is_down = and_(ready, notices.c.kind == NoticeKind.FINDING, notices.c.code.in_(DOWN_CODES))
            asked = (
                select(
                    count(case((ready & ~notices.c.gather, 1))),
                    count(case((ready & notices.c.gather, 1))),
                    count(distinct(case((is_down, notices.c.site + "/" + notices.c.node)))),
                    count(),
                )
                .select_from(deliveries.join(notices))
                .where(_open, deliveries.c.target == target)
            )
            return Waiting(*connection.execute(asked).one())

    def claim(self, target: str, monitor: str, *, gather: bool, limit: int) -> Claim | None:
        """As Outbox."""
        name = uuid4().hex
        with self._database.writing() as connection:
            now = self._now(connection)
            past, _ = self._retries.at(target, self._steady())
            if past:
                of_target = update(deliveries).where(_open, deliveries.c.target == target)
                connection.execute(of_target.where(deliveries.c.next_try_utc.in_(past)).values(next_try_utc=None))
            due = _open & (deliveries.c.target == target) & notices.c.gather.is_(gather) & self._ready(target, now)
            if not gather:
                due &= _of_next_node(connection, due)
            claimed = select(deliveries, notices.c.body).join(notices).where(due).order_by(*_IN_TURN).limit(limit)
            rows = sorted(connection.execute(claimed).mappings(), key=itemgetter("id"))
            found = tuple(
                Delivery(
                    id=row["id"],
                    notice=msgspec.json.decode(row["body"], type=Notice),
                    attempts=row["attempts"],
                    uncertain=row["uncertain"] or row["claim"] is not None,
                )
                for row in rows
            )
            taking = update(deliveries).values(
                claim=name,
                claimed_by=monitor,
                claimed_utc=now,
                next_try_utc=None,
                uncertain=or_(deliveries.c.uncertain, ~_unclaimed),
            )
            for chunk in _chunks([delivery.id for delivery in found]):
                connection.execute(taking.where(deliveries.c.id.in_(chunk)))
        self._retries.forget(target, past)
        return Claim(id=name, target=target, deliveries=found) if found else None

    def renew(self, claim: str) -> bool:
        """As Outbox."""
        with self._database.writing() as connection:
            now = self._now(connection)
            self._takeover.answered(now, self._steady())
            return connection.execute(_held_by(claim).values(claimed_utc=now)).rowcount > 0

    def settle(self, claim: str, outcome: Settled, reason: str = "", only: Collection[int] | None = None) -> None:
        """As Outbox."""
        with self._database.writing() as connection:
            now = self._now(connection)
            ending = _held_by(claim).values(
                outcome=outcome.value,
                done_utc=now,
                reason=reason,
                claim=None,
                claimed_by=None,
                claimed_utc=None,
            )
            parts = [true()] if only is None else [deliveries.c.id.in_(chunk) for chunk in _chunks(list(only))]
            for part in parts:
                if outcome is Settled.SENT:
                    tell(connection, self._calls(connection, claim, part), now)
                connection.execute(ending.where(part))

    def fail(self, claim: str, reason: str, wait_s: float, *, uncertain: bool) -> None:
        """As Outbox."""
        with self._database.writing() as connection:
            next_try = self._now(connection) + timedelta(seconds=wait_s)
            due = self._steady() + wait_s
            failing = _held_by(claim).values(
                attempts=deliveries.c.attempts + 1,
                reason=reason,
                next_try_utc=next_try,
                uncertain=or_(deliveries.c.uncertain, true() if uncertain else false()),
                claim=None,
                claimed_by=None,
                claimed_utc=None,
            )
            targets = set(connection.scalars(failing.returning(deliveries.c.target)))
        for target in targets:
            self._retries.wait(target, next_try, due)

    def hurry(self, target: str) -> None:
        """As Outbox."""
        with self._database.writing() as connection:
            connection.execute(update(deliveries).where(_open, deliveries.c.target == target).values(next_try_utc=None))
        self._retries.forget(target)

    def release(self, monitor: str) -> None:
        """As Outbox. What these claims held becomes uncertain."""
        with self._database.writing() as connection:
            connection.execute(
                update(deliveries)
                .where(_open, deliveries.c.claimed_by == monitor)
                .values(uncertain=True, claim=None, claimed_by=None, claimed_utc=None)
            )

    def _calls(self, connection: Connection, claim: str, part: ColumnElement[bool]) -> list[Notice]:
        """The calls for help in this part of a claim."""
        is_ours = and_(_open, deliveries.c.claim == claim, part, notices.c.kind == NoticeKind.ALARM)
        bodies = connection.scalars(select(notices.c.body).select_from(deliveries.join(notices)).where(is_ours))
        return [msgspec.json.decode(body, type=Notice) for body in bodies]

    def _ready(self, target: str, now: datetime) -> ColumnElement[bool]:
        """What is due and can be taken: it isn't claimed, or its claim is void and may be taken over."""
        at = self._steady()
        may_take_over = self._takeover.answered(now, at)
        past, future = self._retries.at(target, at)
        next_try = deliveries.c.next_try_utc
        is_due = or_(next_try.in_(past), next_try.not_in(future) & _is_due(now), next_try.is_(None))
        return is_due & (or_(_unclaimed, _is_void(now)) if may_take_over else _unclaimed)


_IN_TURN = (notices.c.urgency, case((deliveries.c.attempts > 0, 1), else_=0), deliveries.c.id)


def _of_next_node(connection: Connection, due: ColumnElement[bool]) -> ColumnElement[bool]:
    """What is due of the node whose turn it is. Calls and tests are kept apart."""
    columns = (notices.c.site, notices.c.node, notices.c.urgency >= TEST)
    first = select(*columns).select_from(deliveries.join(notices)).where(due).order_by(*_IN_TURN).limit(1)
    found = connection.execute(first).one_or_none()
    return false() if found is None else and_(*(column == value for column, value in zip(columns, found, strict=True)))


def _is_due(now: datetime) -> ColumnElement[bool]:
    next_try = deliveries.c.next_try_utc
    return or_(next_try <= now, next_try > now + _RETRY_MAX)


def _is_void(now: datetime) -> ColumnElement[bool]:
    claimed = deliveries.c.claimed_utc
    return or_(claimed < now - _LEASE, claimed > now + _LEASE)


def _held_by(claim: str) -> Update:
    return update(deliveries).where(_open, deliveries.c.claim == claim)


def _chunks(ids: list[int]) -> list[list[int]]:
    return [ids[start : start + 1_000] for start in range(0, len(ids), 1_000)]

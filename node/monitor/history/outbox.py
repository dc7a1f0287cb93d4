"""The deliveries in the history's database: an ``Outbox`` (node.monitor.outbox), whose rules hold here.

A claim whose stamp lies less than LEASE_S ahead holds: the clocks of two monitors never agree, and it must not be void
for that.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import uuid4

import msgspec
from sqlalchemy import ColumnElement, Update, and_, case, distinct, false, func, or_, select, true, update

from node.monitor.history.database import Database
from node.monitor.history.tables import deliveries, notices
from node.monitor.model import Notice, NoticeKind
from node.monitor.outbox import DOWN_CODES, LEASE_S, RETRY_MAX_S, Claim, Delivery, Settled, Waiting

_LEASE = timedelta(seconds=LEASE_S)
_RETRY_MAX = timedelta(seconds=RETRY_MAX_S)

_open = deliveries.c.outcome.is_(None)


class StoredOutbox:
    """What people still have to be told, in ``database``. Every method raises HistoryError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def waiting(self, target: str, at_utc: datetime) -> Waiting:
        """How much there is to tell ``target``."""
        ready = _is_due(at_utc) & _is_free(at_utc)
        is_down = and_(ready, notices.c.kind == NoticeKind.FINDING, notices.c.code.in_(DOWN_CODES))
        count = func.count
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
        with self._database.reading() as connection:
            return Waiting(*connection.execute(asked).one())

    def claim(self, target: str, monitor: str, at_utc: datetime, *, gather: bool, limit: int) -> Claim | None:
        """Claim what is due, at most ``limit``, of notices whose ``gather`` is this; None where there is nothing."""
        name = uuid4().hex
        due = (
            select(deliveries, notices.c.body)
            .join(notices)
            .where(
                _open, deliveries.c.target == target, notices.c.gather.is_(gather), _is_due(at_utc), _is_free(at_utc)
            )
            .order_by(deliveries.c.attempts, deliveries.c.id)
            .limit(limit)
        )
        with self._database.writing() as connection:
            rows = connection.execute(due).mappings().all()
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
                claimed_utc=at_utc,
                uncertain=or_(deliveries.c.uncertain, deliveries.c.claim.is_not(None)),
            )
            for chunk in _chunks([delivery.id for delivery in found]):
                connection.execute(taking.where(deliveries.c.id.in_(chunk)))
        return Claim(id=name, target=target, deliveries=found) if found else None

    def settle(
        self, claim: str, outcome: Settled, at_utc: datetime, reason: str = "", only: Collection[int] | None = None
    ) -> None:
        """These of the claim's deliveries (None: all that it still holds) have ended so."""
        ending = _held_by(claim).values(
            outcome=outcome.value, done_utc=at_utc, reason=reason, claim=None, claimed_by=None, claimed_utc=None
        )
        with self._database.writing() as connection:
            if only is None:
                connection.execute(ending)
            else:
                for chunk in _chunks(list(only)):
                    connection.execute(ending.where(deliveries.c.id.in_(chunk)))

    def fail(self, claim: str, at_utc: datetime, reason: str, next_try_utc: datetime, *, uncertain: bool) -> None:
        """What the claim still holds wasn't told, and waits for ``next_try_utc`` with one attempt more."""
        failing = _held_by(claim).values(
            attempts=deliveries.c.attempts + 1,
            reason=reason,
            next_try_utc=next_try_utc,
            uncertain=or_(deliveries.c.uncertain, true() if uncertain else false()),
            claim=None,
            claimed_by=None,
            claimed_utc=None,
        )
        with self._database.writing() as connection:
            connection.execute(failing)

    def hurry(self, target: str) -> None:
        """The target works again: whatever waits for it is due now."""
        with self._database.writing() as connection:
            connection.execute(update(deliveries).where(_open, deliveries.c.target == target).values(next_try_utc=None))

    def release(self, monitor: str) -> None:
        """Claims of this monitor are an earlier process's: they are void, and what they held is uncertain."""
        with self._database.writing() as connection:
            connection.execute(
                update(deliveries)
                .where(_open, deliveries.c.claimed_by == monitor)
                .values(uncertain=True, claim=None, claimed_by=None, claimed_utc=None)
            )


def _is_due(at_utc: datetime) -> ColumnElement[bool]:
    next_try = deliveries.c.next_try_utc
    return or_(next_try.is_(None), next_try <= at_utc, next_try > at_utc + _RETRY_MAX)


def _is_free(at_utc: datetime) -> ColumnElement[bool]:
    claimed = deliveries.c.claimed_utc
    return or_(claimed.is_(None), claimed < at_utc - _LEASE, claimed > at_utc + _LEASE)


def _held_by(claim: str) -> Update:
    return update(deliveries).where(_open, deliveries.c.claim == claim)


def _chunks(ids: list[int]) -> list[list[int]]:
    return [ids[start : start + 1_000] for start in range(0, len(ids), 1_000)]

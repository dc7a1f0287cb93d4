"""Deletes records when their time has come, but never an open incident or anything that belongs to it."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, exists, func, or_, select

from node.monitor.core.model.monitor_settings import Retention
from node.monitor.history.database.connection import Database
from node.monitor.history.schema.tables import (
    events,
    findings,
    flips,
    incidents,
    notices,
    pauses,
    tallies,
    tests,
    walk_tests,
)
from node.monitor.history.store.startup import newest_tallies

MUTE = timedelta(days=93)
"""No building is silent for so long, because each of its buttons is tested every month."""

_AT_ONCE = 1_000  # rows in one transaction: an alarm waits for one such transaction at most


def prune(database: Database, at_utc: datetime, retention: Retention) -> dict[str, int]:
    """Delete what is older than ``retention`` says at ``at_utc``. Returns how many rows of each table went.

    Raises HistoryError. What was deleted until then stays deleted.
    """
    incidents_end = at_utc - timedelta(days=retention.incidents)
    tests_end = at_utc - timedelta(days=retention.tests)
    others_end = at_utc - timedelta(days=retention.others)
    newest = newest_tallies().subquery()
    gone: dict[str, int] = {}
    rules: tuple[tuple[Table, ColumnElement[bool]], ...] = (
        (events, _is_past(others_end, incidents_end)),
        (incidents, and_(incidents.c.reset_utc < incidents_end, ~exists().where(_belongs(events)))),
        (flips, flips.c.at_utc < others_end),
        (findings, findings.c.cleared_utc < others_end),
        (pauses, pauses.c.ended_utc < others_end),
        (
            notices,
            and_(notices.c.at_utc < others_end, ~exists().where(_belongs(notices), incidents.c.reset_utc.is_(None))),
        ),
        (tests, tests.c.at_utc < tests_end),
        (walk_tests, walk_tests.c.ended_utc < tests_end),
        (tallies, tallies.c.id.not_in(select(newest.c.id))),
    )
    for table, is_due in rules:
        gone[table.name] = _delete(database, table, is_due)
    return gone


def newest_heard(connection: Connection) -> datetime | None:
    """When the newest event was heard; None if there is no event."""
    return connection.execute(select(func.max(events.c.heard_utc))).scalar()


def _is_past(others_end: datetime, incidents_end: datetime) -> ColumnElement[bool]:
    """Events to delete: outside incidents by their own time, those of an incident together with it."""
    alone = and_(events.c.incident.is_(None), events.c.heard_utc < others_end)
    still = or_(incidents.c.reset_utc.is_(None), incidents.c.reset_utc >= incidents_end)
    kept = exists().where(_belongs(events), still)
    return or_(alone, and_(events.c.incident.is_not(None), events.c.heard_utc < incidents_end, ~kept))


def _belongs(table: Table) -> ColumnElement[bool]:
    return and_(
        incidents.c.site == table.c.site, incidents.c.node == table.c.node, incidents.c.incident == table.c.incident
    )


def _delete(database: Database, table: Table, is_due: ColumnElement[bool]) -> int:
    key = next(iter(table.primary_key.columns))
    count = 0
    while True:
        with database.writing() as connection:
            due = list(connection.scalars(select(key).where(is_due).limit(_AT_ONCE)))
            if due:
                connection.execute(delete(table).where(key.in_(due)))
        count += len(due)
        if len(due) < _AT_ONCE:
            return count

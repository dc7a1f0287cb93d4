"""Queries of the history, newest first, page by page. A reader never delays a writer, however slowly it reads.

A cursor is the ``id`` of its page's last row. What is stored meanwhile doesn't move the pages that follow.
"""

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from msgspec import Struct
from sqlalchemy import Column, Select, Table, exists, or_, select

from node.monitor.core.model.records import ButtonTest, Flip, HeardEvent, IncidentRecord, PastFinding
from node.monitor.core.model.requests import RecordFilter
from node.monitor.history.database.connection import Database
from node.monitor.history.schema.rows import made
from node.monitor.history.schema.tables import events, findings, flips, incidents, tests

S = TypeVar("S", bound=Struct)


class _Kind(Struct, Generic[S], frozen=True):
    """What is read where. ``instant``: the column of its time. ``columns``: those that can be asked for, by name.

    ``later``: the columns of what happened to it later, perhaps by a clock that was set meanwhile. ``told_by``: an
    event belongs to the record if it has the same values in these columns. Such events matter because ``instant`` may
    be by the node's clock, which may not have been set.
    """

    record: type[S]
    table: Table
    instant: Column[Any]
    columns: Mapping[str, Column[Any]]
    later: tuple[Column[Any], ...] = ()
    told_by: tuple[str, ...] = ()


def _columns(table: Table, *names: str) -> dict[str, Column[Any]]:
    return {name: table.c[name] for name in names}


_EVENTS = _Kind(HeardEvent, events, events.c.heard_utc, _columns(events, "site", "node", "input", "kind", "incident"))
_INCIDENTS = _Kind(
    IncidentRecord,
    incidents,
    incidents.c.raised_utc,
    _columns(incidents, "site", "node", "input", "incident"),
    later=(incidents.c.held_utc, incidents.c.told_utc, incidents.c.acknowledged_utc, incidents.c.reset_utc),
    told_by=("site", "node", "incident"),
)
_FLIPS = _Kind(Flip, flips, flips.c.at_utc, _columns(flips, "site", "node"))
_TESTS = _Kind(
    ButtonTest,
    tests,
    tests.c.at_utc,
    _columns(tests, "site", "node", "input"),
    told_by=("site", "node", "boot", "seq"),
)
_FINDINGS = _Kind(
    PastFinding,
    findings,
    findings.c.since_utc,
    _columns(findings, "site", "node") | {"kind": findings.c.code},
    later=(findings.c.cleared_utc,),
)

Page = tuple[tuple[S, ...], str | None]
"""Records, and the cursor for the next page; None at the end."""


class StoredReading:
    """Reads the records in ``database``.

    Every method raises HistoryError, and ValueError for a cursor that none of them returned. Asking for a field that a
    record doesn't have (such as ``input`` of flips) has no effect.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def events(self, which: RecordFilter, limit: int, cursor: str | None = None) -> Page[HeardEvent]:
        """Events. Their time is when they were heard."""
        return self._page(_EVENTS, which, limit, cursor)

    def incidents(self, which: RecordFilter, limit: int, cursor: str | None = None) -> Page[IncidentRecord]:
        """Incidents, also open ones. Their time is when they were raised."""
        return self._page(_INCIDENTS, which, limit, cursor)

    def flips(self, which: RecordFilter, limit: int, cursor: str | None = None) -> Page[Flip]:
        """Changes of a node's status."""
        return self._page(_FLIPS, which, limit, cursor)

    def tests(self, which: RecordFilter, limit: int, cursor: str | None = None) -> Page[ButtonTest]:
        """Tests of buttons."""
        return self._page(_TESTS, which, limit, cursor)

    def findings(self, which: RecordFilter, limit: int, cursor: str | None = None) -> Page[PastFinding]:
        """Findings, also open ones. Their time is when they were raised."""
        return self._page(_FINDINGS, which, limit, cursor)

    def _page(self, kind: _Kind[S], which: RecordFilter, limit: int, cursor: str | None) -> Page[S]:
        asked = _asked(kind, which, limit, cursor)
        with self._database.reading() as connection:
            rows = connection.execute(asked).mappings().all()
            records = tuple(made(kind.record, row) for row in rows[:limit])
        return records, str(rows[limit - 1]["id"]) if len(rows) > limit else None


def _asked(kind: _Kind[S], which: RecordFilter, limit: int, cursor: str | None) -> Select[Any]:
    table = kind.table
    asked = select(table).order_by(table.c.id.desc()).limit(limit + 1)
    for name, column in kind.columns.items():
        value = getattr(which, name)
        if value is not None:
            asked = asked.where(column == value)
    if which.since_utc is not None:
        begun = [instant >= which.since_utc for instant in (kind.instant, *kind.later)]
        if kind.told_by:
            its_own = [events.c[name] == table.c[name] for name in kind.told_by]
            begun.append(exists().where(events.c.heard_utc >= which.since_utc, *its_own))
        asked = asked.where(or_(*begun))
    if which.until_utc is not None:
        asked = asked.where(kind.instant < which.until_utc)
    return asked if cursor is None else asked.where(table.c.id < _place(cursor))


def _place(cursor: str) -> int:
    if not cursor.isascii() or not cursor.isdecimal() or len(cursor) > 18:
        raise ValueError("no cursor of this history")
    return int(cursor)

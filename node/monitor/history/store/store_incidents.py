"""Stores incidents. Whichever monitors write them in whatever order, the result is what all of them know together.

What is there is read, merged (merge.py) and written back. Only one transaction writes at a time, on both databases
(connection.py), so nothing is lost in between.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, bindparam, or_, select, update

from node.monitor.core.incidents.known.merge import merge
from node.monitor.core.model.records import IncidentKey, IncidentRecord, Notice, NoticeKind
from node.monitor.history.schema.rows import columns_of, flat, made
from node.monitor.history.schema.tables import incidents
from node.monitor.history.store.upserts import among, chunks


def keep(connection: Connection, records: Sequence[IncidentRecord]) -> dict[IncidentKey, IncidentRecord]:
    """Merge these records with those that are there. Returns each incident as it is then."""
    there = _stored(connection, [each.key for each in records])
    known = dict(there)
    for record in records:
        known[record.key] = merge(known[record.key], record) if record.key in known else record
    new = [flat(record) for key, record in known.items() if key not in there]
    if new:
        connection.execute(incidents.insert(), new)
    changed = [record for key, record in known.items() if key in there and record != there[key]]
    if changed:
        connection.execute(_CHANGE, [{f"new_{name}": value for name, value in flat(each).items()} for each in changed])
    return known


def tell(connection: Connection, calls: Iterable[Notice], at_utc: datetime) -> None:
    """A channel took messages with these notices at ``at_utc``: note how many presses people were told of."""
    told: dict[tuple[str, str, str], int] = {}
    for call in calls:
        if call.is_call:
            told[_incident_of(call)] = max(call.presses, told.get(_incident_of(call), 0))
    if told:
        statement = (
            update(incidents)
            .where(
                incidents.c.site == bindparam("of_site"),
                incidents.c.node == bindparam("of_node"),
                incidents.c.incident == bindparam("of_incident"),
                incidents.c.told_presses < bindparam("counted"),
            )
            .values(told_presses=bindparam("counted"), told_utc=at_utc)
        )
        rows = [
            {"of_site": site, "of_node": node, "of_incident": incident, "counted": presses}
            for (site, node, incident), presses in told.items()
        ]
        connection.execute(statement, rows)


def needless(connection: Connection, notices: Sequence[Notice]) -> set[str]:
    """The keys of the notices that must not be told, because the history knows more than the monitor that made them.

    One calls a next group although somebody is coming or the incident is over. Another says that an incident is over
    although it goes on. Two monitors may know different things: what a node that is dead now said, perhaps only one of
    them heard.
    """
    answered = _of_those(connection, [each for each in notices if each.level], _IS_ANSWERED)
    ends = [each for each in notices if each.kind is NoticeKind.RESET]
    going_on = _of_those(connection, ends, incidents.c.reset_utc.is_(None))
    return {
        each.key
        for each in notices
        if (each.level and each.kind is NoticeKind.ALARM and _incident_of(each) in answered)
        or (each.kind is NoticeKind.RESET and _incident_of(each) in going_on)
    }


_KEY = ("site", "node", "incident")
_CHANGE = (
    update(incidents)
    .where(*(incidents.c[name] == bindparam(f"new_{name}") for name in _KEY))
    .values({name: bindparam(f"new_{name}") for name in columns_of(IncidentRecord) if name not in _KEY})
)


def _stored(connection: Connection, keys: Iterable[IncidentKey]) -> dict[IncidentKey, IncidentRecord]:
    found: dict[IncidentKey, IncidentRecord] = {}
    for chunk in chunks(keys):
        is_one = among((incidents.c.site, incidents.c.node, incidents.c.incident), chunk)
        rows = connection.execute(select(incidents).where(is_one)).mappings()
        found.update((record.key, record) for record in (made(IncidentRecord, row) for row in rows))
    return found


_IS_ANSWERED = or_(
    and_(incidents.c.acknowledged_utc.is_not(None), incidents.c.answered >= incidents.c.presses),
    incidents.c.reset_utc.is_not(None),
)
"""This incident needs no next group any more. The monitor that would call it may not have heard why."""


def _of_those(
    connection: Connection, about: Sequence[Notice], condition: ColumnElement[bool]
) -> set[tuple[str, str, str]]:
    """The incidents of these notices for which the condition is true."""
    columns = (incidents.c.site, incidents.c.node, incidents.c.incident)
    found: set[tuple[str, str, str]] = set()
    for chunk in chunks(_incident_of(notice) for notice in about):
        rows = connection.execute(select(*columns).where(condition, among(columns, chunk)))
        found.update((site, node, incident) for site, node, incident in rows)
    return found


def _incident_of(notice: Notice) -> tuple[str, str, str]:
    return notice.site, notice.node, notice.incident

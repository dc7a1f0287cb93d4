"""How batches are stored: within one transaction, in which nobody else writes, so that what is read still holds.

Several batches in one transaction end as one after the other would. What needs no look at what is there goes into the
database in bulk; what does (flips, findings, notices) is read in bulk and decided here, in the batches' order.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

import msgspec
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Table,
    UniqueConstraint,
    and_,
    bindparam,
    case,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from node.monitor.batch import Batch, Stored
from node.monitor.history.rows import flat, made
from node.monitor.history.tables import (
    buttons,
    deliveries,
    events,
    findings,
    flips,
    incidents,
    nodes,
    notices,
    pauses,
    tallies,
    tests,
    walk_tests,
)
from node.monitor.model import FindingKey, Flip, IncidentKey, IncidentRecord, NodeKey, Notice, NoticeKind, Status
from node.monitor.tally import RANGES_KEPT, merged

TargetsOf = Callable[[Notice], Collection[str]]
"""The names of the targets that are told this notice."""

_AT_ONCE = 1_000  # keys in one question: SQLite takes 32,766 values, PostgreSQL 65,535

K = TypeVar("K", bound=tuple[object, ...])


def store(connection: Connection, batches: Sequence[Batch], targets_of: TargetsOf) -> tuple[Stored, ...]:
    """Store these batches, as if one after the other; of each what came of it, once this is committed."""
    _add_missing(connection, events, [flat(event) for batch in batches for event in batch.events if event.body])
    _join_tallies(connection, batches)
    won_flips = _flip(connection, batches)
    for records in _up_to_ends([incident for batch in batches for incident in batch.incidents]):
        _reopen(connection, records)
        _fill(
            connection,
            incidents,
            [flat(incident) for incident in records],
            grows=("presses", "told_steps"),
            once=(("received_utc",),),
            newest=("answered", "acknowledged_utc", "acknowledged_by"),
            whole=("presses", "reset_utc", "reset_by", "reset_reason"),
        )
    known = _as_they_are(connection, [incident.key for batch in batches for incident in batch.incidents])
    won_findings = _find(connection, batches)
    _add_missing(connection, pauses, [flat(pause) for batch in batches for pause in batch.pauses])
    _end_pauses(connection, [end for batch in batches for end in batch.pause_ends])
    _fill(
        connection,
        walk_tests,
        [flat(test) for batch in batches for test in batch.walk_tests],
        once=(("ended_utc",),),
    )
    _fill(connection, tests, [flat(test) for batch in batches for test in batch.tests], once=(("reaction_s",),))
    _fill(
        connection,
        buttons,
        [flat(button) for batch in batches for button in batch.buttons],
        grows=("last_test_utc",),
    )
    won_notices = _tell(connection, batches, won_findings, targets_of)
    return tuple(
        Stored(
            events=tuple(event.key for event in batch.events),
            flips=held,
            raised=raised,
            cleared=cleared,
            incidents=tuple(known[key] for key in dict.fromkeys(incident.key for incident in batch.incidents)),
            notices=new,
            settled=tuple(notice.key for notice in batch.notices),
        )
        for batch, held, (raised, cleared), new in zip(batches, won_flips, won_findings, won_notices, strict=True)
    )


def _insert(connection: Connection, table: Table) -> Any:
    """Both dialects have the same ON CONFLICT, but no common type that says so."""
    return (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)


def _identity(table: Table) -> list[Column[Any]]:
    """What a row is known by: the columns of its unique constraint, or of its primary key."""
    unique = next((each for each in table.constraints if isinstance(each, UniqueConstraint)), table.primary_key)
    return list(unique.columns)


def _add_missing(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        connection.execute(_insert(connection, table).on_conflict_do_nothing(index_elements=_identity(table)), rows)


def _upsert(connection: Connection, table: Table, rows: Sequence[dict[str, Any]], changes: Iterable[str]) -> None:
    if rows:
        statement = _insert(connection, table)
        newer = {name: statement.excluded[name] for name in changes}
        connection.execute(statement.on_conflict_do_update(index_elements=_identity(table), set_=newer), rows)


def _fill(
    connection: Connection,
    table: Table,
    rows: Sequence[dict[str, Any]],
    *,
    grows: Iterable[str] = (),
    once: Iterable[tuple[str, ...]] = (),
    newest: tuple[str, ...] = (),
    whole: tuple[str, ...] = (),
) -> None:
    """Of rows that are there ``grows`` takes the greater value; a group of ``once`` is filled while its first isn't.

    ``newest`` is taken as a whole where its first is greater. What follows the first of ``whole`` is filled once, where
    that one isn't less than it is there.
    """
    if not rows:
        return
    statement = _insert(connection, table)
    new, there = statement.excluded, table.c
    changes: dict[str, ColumnElement[Any]] = {
        name: case((or_(there[name].is_(None), new[name] > there[name]), new[name]), else_=there[name])
        for name in grows
    }
    for group in once:
        for name in group:
            changes[name] = case((there[group[0]].is_(None), new[name]), else_=there[name])
    for name in newest:
        changes[name] = case((new[newest[0]] > there[newest[0]], new[name]), else_=there[name])
    for name in whole[1:]:
        fills = and_(there[whole[1]].is_(None), new[whole[0]] >= there[whole[0]])
        changes[name] = case((fills, new[name]), else_=there[name])
    connection.execute(statement.on_conflict_do_update(index_elements=_identity(table), set_=changes), rows)


def _up_to_ends(records: Iterable[IncidentRecord]) -> Iterator[list[IncidentRecord]]:
    """In their order, cut where an incident is called after its end: whether it wasn't over is seen in what is there.

    After an outage of the database all that waited is one transaction, the end at the desk and the next press with it.
    """
    group: list[IncidentRecord] = []
    ended: set[IncidentKey] = set()
    for record in records:
        if record.key in ended and record.reset_utc is None:
            yield group
            group, ended = [], set()
        group.append(record)
        if record.reset_utc is not None:
            ended.add(record.key)
    yield group


def _reopen(connection: Connection, records: Sequence[IncidentRecord]) -> None:
    """An incident that was ended is open again where it was called once more than its end knew of: it wasn't over."""
    calls = [
        {"of_site": each.key.site, "of_node": each.key.node, "of_incident": each.key.incident, "counted": each.presses}
        for each in records
        if each.reset_utc is None
    ]
    if calls:
        statement = (
            update(incidents)
            .where(
                incidents.c.site == bindparam("of_site"),
                incidents.c.node == bindparam("of_node"),
                incidents.c.incident == bindparam("of_incident"),
                incidents.c.reset_utc.is_not(None),
                incidents.c.presses < bindparam("counted"),
            )
            .values(
                reset_utc=None,
                reset_by=None,
                reset_reason=None,
                acknowledged_utc=None,
                acknowledged_by=None,
                answered=incidents.c.presses,
                told_steps=0,
            )
        )
        connection.execute(statement, calls)


def _as_they_are(connection: Connection, keys: Iterable[IncidentKey]) -> dict[IncidentKey, IncidentRecord]:
    found: dict[IncidentKey, IncidentRecord] = {}
    for chunk in _chunks(keys):
        is_one = _among((incidents.c.site, incidents.c.node, incidents.c.incident), chunk)
        rows = connection.execute(select(incidents).where(is_one)).mappings()
        found.update((record.key, record) for record in (made(IncidentRecord, row) for row in rows))
    return found


def _chunks(keys: Iterable[K]) -> Iterator[list[K]]:
    rest = iter(dict.fromkeys(keys))
    while chunk := list(islice(rest, _AT_ONCE)):
        yield chunk


def _among(columns: Sequence[Column[Any]], keys: Sequence[tuple[object, ...]]) -> ColumnElement[bool]:
    """Whether a row has one of these keys, or parts of several: PostgreSQL compares whole keys one by one."""
    return and_(*(column.in_(set(parts)) for column, parts in zip(columns, zip(*keys, strict=True), strict=True)))


def _join_tallies(connection: Connection, batches: Sequence[Batch]) -> None:
    newest: dict[tuple[str, str, str], dict[str, Any]] = {}
    ranges: dict[tuple[str, str, str], list[tuple[int, int]]] = {}
    for tally in (tally for batch in batches for tally in batch.tallies):
        key = (*tally.node, tally.boot)
        newest[key] = flat(tally)
        ranges.setdefault(key, []).extend(tally.ranges)
    columns = (tallies.c.site, tallies.c.node, tallies.c.boot)
    for chunk in _chunks(newest):
        found = select(*columns, tallies.c.ranges).where(_among(columns, chunk))
        for site, node, boot, there in connection.execute(found):
            ranges.setdefault((site, node, boot), []).extend((first, last) for first, last in there)
    rows = [row | {"ranges": merged(ranges[key])[-RANGES_KEPT:]} for key, row in newest.items()]
    _upsert(connection, tallies, rows, ("ranges", "previous_boot", "previous_seq"))


def _flip(connection: Connection, batches: Sequence[Batch]) -> list[tuple[Flip, ...]]:
    """Of each batch the flips that held; and what else is new of nodes."""
    columns = (nodes.c.site, nodes.c.node)
    now: dict[NodeKey, tuple[str, str]] = {}
    for chunk in _chunks(flip.node for batch in batches for flip in batch.flips):
        found = select(*columns, nodes.c.status, nodes.c.reason).where(_among(columns, chunk))
        now.update((NodeKey(site, node), (status, reason)) for site, node, status, reason in connection.execute(found))
    held: list[tuple[Flip, ...]] = []
    newest: dict[NodeKey, Flip] = {}
    for batch in batches:
        won = [flip for flip in batch.flips if _holds(flip, now, newest)]
        held.append(tuple(won))
    _upsert(connection, nodes, [flat(node) for batch in batches for node in batch.nodes], ("boot", "period_s"))
    if newest:
        changing = (
            update(nodes)
            .where(nodes.c.site == bindparam("of_site"), nodes.c.node == bindparam("of_node"))
            .values(status=bindparam("is"), since_utc=bindparam("since"), reason=bindparam("why"))
        )
        changes = [
            {"of_site": key.site, "of_node": key.node, "is": flip.after.value, "since": flip.at_utc, "why": flip.reason}
            for key, flip in newest.items()
        ]
        connection.execute(changing, changes)
        connection.execute(flips.insert(), [flat(flip) for won in held for flip in won])
    return held


_HEARD = (Status.UP, Status.LATE)
"""A start takes a node that was late for one that is up: between the two nobody else's claim is lost."""


def _holds(flip: Flip, now: dict[NodeKey, tuple[str, str]], newest: dict[NodeKey, Flip]) -> bool:
    status, reason = now.get(flip.node, (flip.before, ""))
    same = flip.before == status or (flip.before in _HEARD and status in _HEARD)
    if not same or (status, reason) == (flip.after, flip.reason):
        return False
    now[flip.node] = (flip.after, flip.reason)
    newest[flip.node] = flip
    return True


Claims = tuple[tuple[FindingKey, ...], tuple[FindingKey, ...]]
"""The findings that a batch has raised, and those that it has cleared."""


def _find(connection: Connection, batches: Sequence[Batch]) -> list[Claims]:
    there = _open_findings(connection, batches)
    is_open = dict.fromkeys(there, True)
    added: list[dict[str, Any]] = []
    latest: dict[FindingKey, dict[str, Any]] = {}
    ended: list[tuple[int, datetime]] = []
    claims: list[Claims] = []
    for batch in batches:
        raised, cleared = [], []
        for finding in batch.raised:
            if not is_open.get(finding.key, False):
                latest[finding.key] = flat(finding) | {"cleared_utc": None}
                added.append(latest[finding.key])
                is_open[finding.key] = True
                raised.append(finding.key)
        for key, at_utc in batch.cleared:
            if is_open.get(key, False):
                if key in latest:
                    latest[key]["cleared_utc"] = at_utc
                else:
                    ended.append((there[key], at_utc))
                is_open[key] = False
                cleared.append(key)
        claims.append((tuple(raised), tuple(cleared)))
    if ended:
        clearing = update(findings).where(findings.c.id == bindparam("of")).values(cleared_utc=bindparam("at"))
        connection.execute(clearing, [{"of": number, "at": at_utc} for number, at_utc in ended])
    if added:
        connection.execute(findings.insert(), added)
    return claims


def _open_findings(connection: Connection, batches: Sequence[Batch]) -> dict[FindingKey, int]:
    columns = (findings.c.code, findings.c.site, findings.c.node, findings.c.subject)
    asked = [finding.key for batch in batches for finding in batch.raised]
    asked += [key for batch in batches for key, _ in batch.cleared]
    found: dict[FindingKey, int] = {}
    for chunk in _chunks(asked):
        is_one = and_(findings.c.cleared_utc.is_(None), _among(columns, chunk))
        rows = connection.execute(select(findings.c.id, *columns).where(is_one))
        found.update((FindingKey(*key), number) for number, *key in rows)
    return found


def _end_pauses(connection: Connection, ends: Sequence[tuple[NodeKey, datetime]]) -> None:
    if ends:
        ending = (
            update(pauses)
            .where(pauses.c.site == bindparam("of_site"), pauses.c.node == bindparam("of_node"))
            .where(pauses.c.ended_utc.is_(None))
            .values(ended_utc=bindparam("at"))
        )
        connection.execute(ending, [{"of_site": key.site, "of_node": key.node, "at": at_utc} for key, at_utc in ends])


def _tell(
    connection: Connection, batches: Sequence[Batch], claims: Sequence[Claims], targets_of: TargetsOf
) -> list[tuple[str, ...]]:
    known: set[str] = set()
    for chunk in _chunks((notice.key,) for batch in batches for notice in batch.notices):
        found = select(notices.c.key).where(notices.c.key.in_([key for (key,) in chunk]))
        known.update(connection.scalars(found))
    all_notices = [notice for batch in batches for notice in batch.notices]
    answered = _of_those(connection, [each for each in all_notices if each.step], _IS_ANSWERED)
    is_open = incidents.c.reset_utc.is_(None)
    going_on = _of_those(connection, [each for each in all_notices if each.kind is NoticeKind.RESET], is_open)
    new: list[Notice] = []
    told: list[tuple[str, ...]] = []
    for batch, (raised, cleared) in zip(batches, claims, strict=True):
        lost = {(NoticeKind.FINDING, key) for key in {finding.key for finding in batch.raised} - set(raised)}
        lost |= {(NoticeKind.CLEARED, key) for key in {key for key, _ in batch.cleared} - set(cleared)}
        ours = []
        for notice in batch.notices:
            if notice.key in known or (notice.finding is not None and (notice.kind, notice.finding) in lost):
                continue
            if notice.step and notice.kind is NoticeKind.ALARM and _incident_of(notice) in answered:
                continue
            if notice.kind is NoticeKind.RESET and _incident_of(notice) in going_on:
                continue
            known.add(notice.key)
            ours.append(notice)
        new += ours
        told.append(tuple(notice.key for notice in ours))
    if new:
        connection.execute(notices.insert(), [_row_of(notice) for notice in new])
    owed = [
        {"notice": notice.key, "target": target, "attempts": 0, "uncertain": False, "reason": ""}
        for notice in new
        for target in targets_of(notice)
    ]
    if owed:
        connection.execute(deliveries.insert(), owed)
    return told


_IS_ANSWERED = or_(
    and_(incidents.c.acknowledged_utc.is_not(None), incidents.c.answered >= incidents.c.presses),
    incidents.c.reset_utc.is_not(None),
)
"""Needs no next group any more: what one monitor was told of a dead node, no other one hears."""


def _of_those(
    connection: Connection, about: Sequence[Notice], condition: ColumnElement[bool]
) -> set[tuple[str, str, str]]:
    """Of the incidents of these notices those of which this is so."""
    columns = (incidents.c.site, incidents.c.node, incidents.c.incident)
    found: set[tuple[str, str, str]] = set()
    for chunk in _chunks(_incident_of(notice) for notice in about):
        rows = connection.execute(select(*columns).where(condition, _among(columns, chunk)))
        found.update((site, node, incident) for site, node, incident in rows)
    return found


def _incident_of(notice: Notice) -> tuple[str, str, str]:
    return notice.site, notice.node, notice.incident


def _row_of(notice: Notice) -> dict[str, Any]:
    return {
        "key": notice.key,
        "kind": notice.kind.value,
        "site": notice.site,
        "node": notice.node,
        "at_utc": notice.at_utc,
        "incident": notice.incident,
        "code": notice.finding.code if notice.finding is not None else "",
        "gather": notice.gather,
        "body": msgspec.json.encode(notice).decode(),
    }

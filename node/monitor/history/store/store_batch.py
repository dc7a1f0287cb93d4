"""Stores batches within one transaction. Nobody else writes during it, so what was read stays true.

Several batches in one transaction have the same result as one after the other. What doesn't depend on existing rows is
written in bulk. What does (flips, findings, notices) is read in bulk and decided here, in the order of the batches.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import (
    Connection,
    and_,
    bindparam,
    delete,
    select,
    update,
)

from node.monitor.core.decisions.batch import Batch, Stored
from node.monitor.core.decisions.deliveries import urgency
from node.monitor.core.model.records import FindingKey, Flip, NodeKey, Notice, NoticeKind, Status, Tally
from node.monitor.core.nodes.events.sequence import RANGES_KEPT, merged
from node.monitor.history.schema.rows import flat
from node.monitor.history.schema.tables import (
    buttons,
    deliveries,
    events,
    findings,
    flips,
    nodes,
    notices,
    pauses,
    tallies,
    targets,
    tests,
    walk_tests,
)
from node.monitor.history.store.store_incidents import keep, needless
from node.monitor.history.store.upserts import add_missing, among, chunks, fill, upsert

TargetsOf = Callable[[Notice], Collection[str]]
"""Returns the names of the targets that are told this notice."""


def store(connection: Connection, batches: Sequence[Batch], targets_of: TargetsOf) -> tuple[Stored, ...]:
    """Store these batches as if one after the other. Returns the result of each, which is true after the commit."""
    add_missing(connection, events, [flat(event) for batch in batches for event in batch.events if event.body])
    joined = _join_tallies(connection, batches)
    won_flips = _flip(connection, batches)
    known = keep(connection, [incident for batch in batches for incident in batch.incidents])
    won_findings = _find(connection, batches)
    add_missing(connection, pauses, [flat(pause) for batch in batches for pause in batch.pauses])
    _end_pauses(connection, [end for batch in batches for end in batch.pause_ends])
    fill(
        connection,
        walk_tests,
        [flat(test) for batch in batches for test in batch.walk_tests],
        keep_first=("ended_utc",),
    )
    fill(connection, tests, [flat(test) for batch in batches for test in batch.tests], keep_first=("reaction_s",))
    fill(
        connection,
        buttons,
        [flat(button) for batch in batches for button in batch.buttons],
        keep_greatest=("last_test_utc",),
    )
    _forget(connection, batches)
    upsert(
        connection,
        targets,
        [flat(target) for batch in batches for target in batch.targets],
        ("tested_utc", "test_passed", "isolated_by", "isolated_until_utc"),
    )
    won_notices = _tell(connection, batches, won_findings, targets_of)
    return tuple(
        Stored(
            events=tuple(event.key for event in batch.events),
            tallies=tuple(joined[each.node, each.boot] for each in batch.tallies if not each.ranges),
            flips=held,
            raised=raised,
            cleared=cleared,
            incidents=tuple(known[key] for key in dict.fromkeys(incident.key for incident in batch.incidents)),
            notices=new,
            settled=tuple(notice.key for notice in batch.notices),
        )
        for batch, held, (raised, cleared), new in zip(batches, won_flips, won_findings, won_notices, strict=True)
    )


def _join_tallies(connection: Connection, batches: Sequence[Batch]) -> dict[tuple[NodeKey, str], Tally]:
    """Join the tallies with those that are there. Returns them all, as they are then."""
    newest: dict[tuple[str, str, str], Tally] = {}
    ranges: dict[tuple[str, str, str], list[tuple[int, int]]] = {}
    given: set[tuple[str, str, str]] = set()
    for tally in (tally for batch in batches for tally in batch.tallies):
        key = (*tally.node, tally.boot)
        newest[key] = tally
        ranges.setdefault(key, []).extend(tally.ranges)
        if tally.ranges:
            given.add(key)
    columns = (tallies.c.site, tallies.c.node, tallies.c.boot)
    for chunk in chunks(newest):
        found = select(*columns, tallies.c.ranges).where(among(columns, chunk))
        for site, node, boot, there in connection.execute(found):
            ranges.setdefault((site, node, boot), []).extend((first, last) for first, last in there)
    joined = {
        key: msgspec.structs.replace(tally, ranges=tuple(merged(ranges[key])[-RANGES_KEPT:]))
        for key, tally in newest.items()
    }
    rows = [flat(tally) for key, tally in joined.items() if key in given]
    upsert(connection, tallies, rows, ("ranges", "previous_boot", "previous_seq"))
    return {(tally.node, tally.boot): tally for tally in joined.values()}


def _flip(connection: Connection, batches: Sequence[Batch]) -> list[tuple[Flip, ...]]:
    """Store the flips and the new facts about nodes. Returns for each batch the flips that counted."""
    columns = (nodes.c.site, nodes.c.node)
    now: dict[NodeKey, tuple[str, str]] = {}
    for chunk in chunks(flip.node for batch in batches for flip in batch.flips):
        found = select(*columns, nodes.c.status, nodes.c.reason).where(among(columns, chunk))
        now.update((NodeKey(site, node), (status, reason)) for site, node, status, reason in connection.execute(found))
    held: list[tuple[Flip, ...]] = []
    newest: dict[NodeKey, Flip] = {}
    for batch in batches:
        won = [flip for flip in batch.flips if _holds(flip, now, newest)]
        held.append(tuple(won))
    upsert(connection, nodes, [flat(node) for batch in batches for node in batch.nodes], ("boot", "period_s"))
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
"""After a monitor's start a node that was late counts as up. So a flip from one of these two states also counts if the
stored state is the other one."""


def _holds(flip: Flip, now: dict[NodeKey, tuple[str, str]], newest: dict[NodeKey, Flip]) -> bool:
    status, reason = now.get(flip.node, (flip.before, ""))
    same = flip.before == status or (flip.before in _HEARD and status in _HEARD)
    if not same or (status, reason) == (flip.after, flip.reason):
        return False
    now[flip.node] = (flip.after, flip.reason)
    newest[flip.node] = flip
    return True


Claims = tuple[tuple[FindingKey, ...], tuple[FindingKey, ...]]
"""The keys of the findings that a batch has really raised, and of those that it has really cleared."""


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
    for chunk in chunks(asked):
        is_one = and_(findings.c.cleared_utc.is_(None), among(columns, chunk))
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


def _forget(connection: Connection, batches: Sequence[Batch]) -> None:
    """Delete forgotten nodes. A node that was heard again after that in these batches stays."""
    forgotten: dict[NodeKey, None] = {}
    for batch in batches:
        for record in batch.nodes:
            forgotten.pop(record.node, None)
        forgotten.update(dict.fromkeys(batch.forgotten))
    for table in (nodes, buttons, tallies):
        for chunk in chunks(forgotten):
            connection.execute(delete(table).where(among((table.c.site, table.c.node), chunk)))


def _tell(
    connection: Connection, batches: Sequence[Batch], claims: Sequence[Claims], targets_of: TargetsOf
) -> list[tuple[str, ...]]:
    known: set[str] = set()
    for chunk in chunks((notice.key,) for batch in batches for notice in batch.notices):
        found = select(notices.c.key).where(notices.c.key.in_([key for (key,) in chunk]))
        known.update(connection.scalars(found))
    idle = needless(connection, [notice for batch in batches for notice in batch.notices])
    new: list[Notice] = []
    told: list[tuple[str, ...]] = []
    for batch, (raised, cleared) in zip(batches, claims, strict=True):
        lost = {(NoticeKind.FINDING, key) for key in {finding.key for finding in batch.raised} - set(raised)}
        lost |= {(NoticeKind.CLEARED, key) for key in {key for key, _ in batch.cleared} - set(cleared)}
        ours = []
        for notice in batch.notices:
            if notice.key in known or (notice.finding is not None and (notice.kind, notice.finding) in lost):
                continue
            if notice.key in idle:
                continue
            known.add(notice.key)
            ours.append(notice)
        new += ours
        told.append(tuple(notice.key for notice in ours))
    if new:
        connection.execute(notices.insert(), [_row_of(notice) for notice in new])
    resync = [
        {"notice": notice.key, "target": target, "attempts": 0, "uncertain": False, "reason": ""}
        for notice in new
        for target in targets_of(notice)
    ]
    if resync:
        connection.execute(deliveries.insert(), resync)
    return told


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
        "urgency": urgency(notice),
        "body": msgspec.json.encode(notice).decode(),
    }

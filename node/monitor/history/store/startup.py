"""What a start reads: everything that is open, and the closed records that later decisions need."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, Select, case, exists, func, or_, select

from node.monitor.core.decisions.batch import Remembered
from node.monitor.core.incidents.known.ended_incidents import CLOSED_KEPT
from node.monitor.core.model.records import (
    Button,
    ButtonTest,
    Finding,
    IncidentKey,
    IncidentRecord,
    NodeKey,
    NodeRecord,
    NoticeKind,
    Pause,
    Tally,
    TargetRecord,
    WalkTest,
)
from node.monitor.core.nodes.events.sequence import BOOTS_KEPT
from node.monitor.history.schema.rows import columns_of, made
from node.monitor.history.schema.tables import (
    buttons,
    deliveries,
    findings,
    incidents,
    nodes,
    notices,
    pauses,
    tallies,
    targets,
    tests,
    walk_tests,
)

MISTAKEN = timedelta(days=365)
"""For how long a mistaken call is counted."""

UNCONFIRMED = timedelta(hours=1)
"""For how long a test can still be confirmed: the longest walk test."""


def remember(connection: Connection, at_utc: datetime) -> Remembered:
    """Everything that a start at ``at_utc`` must know."""
    open_findings = select(findings).where(findings.c.cleared_utc.is_(None)).order_by(findings.c.id)
    open_incidents = select(incidents).where(incidents.c.reset_utc.is_(None)).order_by(incidents.c.id)
    running = select(walk_tests).where(walk_tests.c.ended_utc.is_(None)).order_by(walk_tests.c.started_utc)
    unconfirmed = select(tests).where(tests.c.reaction_s.is_(None), tests.c.at_utc > at_utc - UNCONFIRMED)
    holding = select(pauses).where(pauses.c.ended_utc.is_(None)).order_by(pauses.c.id)
    return Remembered(
        nodes=tuple(made(NodeRecord, row) for row in connection.execute(select(nodes)).mappings()),
        incidents=tuple(made(IncidentRecord, row) for row in connection.execute(open_incidents).mappings()),
        closed=_closed(connection),
        findings=tuple(made(Finding, row) for row in connection.execute(open_findings).mappings()),
        tallies=tuple(made(Tally, row) for row in connection.execute(newest_tallies()).mappings()),
        buttons=tuple(made(Button, row) for row in connection.execute(select(buttons)).mappings()),
        pauses=tuple(made(Pause, row) for row in connection.execute(holding).mappings()),
        walk_tests=tuple(made(WalkTest, row) for row in connection.execute(running).mappings()),
        mistaken=_mistaken(connection, at_utc),
        unconfirmed=tuple(
            made(ButtonTest, row) for row in connection.execute(unconfirmed.order_by(tests.c.id)).mappings()
        ),
        targets=tuple(made(TargetRecord, row) for row in connection.execute(select(targets)).mappings()),
        uncalled=_uncalled(connection),
    )


def newest_tallies() -> Select[*tuple[object, ...]]:
    """The tallies of each node's newest boots, oldest first. The tally of its present boot comes last."""
    rank = func.row_number().over(partition_by=(tallies.c.site, tallies.c.node), order_by=tallies.c.id.desc())
    ranked = select(tallies, rank.label("rank"), nodes.c.boot.label("boot_now")).select_from(
        tallies.outerjoin(nodes, (nodes.c.site == tallies.c.site) & (nodes.c.node == tallies.c.node))
    )
    each = ranked.subquery()
    kept = or_(each.c.rank <= BOOTS_KEPT, each.c.boot == each.c.boot_now)
    is_now = case((each.c.boot == each.c.boot_now, 1), else_=0)
    return select(each.c.id, *(each.c[name] for name in columns_of(Tally))).where(kept).order_by(is_now, each.c.id)


def _uncalled(connection: Connection) -> tuple[IncidentKey, ...]:
    key = (incidents.c.site, incidents.c.node, incidents.c.incident)
    is_about = [getattr(notices.c, column.name) == column for column in key]
    waits = exists().select_from(notices.join(deliveries)).where(deliveries.c.outcome.is_(None), *is_about)
    asked = select(*key).where(incidents.c.reset_utc.is_(None), ~waits.where(notices.c.kind == NoticeKind.ALARM))
    return tuple(IncidentKey(*row) for row in connection.execute(asked))


def _closed(connection: Connection) -> tuple[tuple[IncidentKey, int], ...]:
    newest = (
        select(incidents.c.site, incidents.c.node, incidents.c.incident, incidents.c.presses)
        .where(incidents.c.reset_utc.is_not(None))
        .order_by(incidents.c.id.desc())
        .limit(CLOSED_KEPT)
    )
    rows = reversed(connection.execute(newest).all())
    return tuple((IncidentKey(site, node, incident), presses) for site, node, incident, presses in rows)


def _mistaken(connection: Connection, at_utc: datetime) -> tuple[tuple[NodeKey, str, datetime], ...]:
    calls = (
        select(incidents.c.site, incidents.c.node, incidents.c.input, incidents.c.reset_utc)
        .where(incidents.c.reset_reason == "mistaken", incidents.c.reset_utc >= at_utc - MISTAKEN)
        .where(incidents.c.test.is_(False))
        .order_by(incidents.c.reset_utc)
    )
    return tuple((NodeKey(site, node), name, reset) for site, node, name, reset in connection.execute(calls))

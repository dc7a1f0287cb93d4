"""Restores the nodes and pauses of an earlier run. Pure."""

from collections.abc import Iterable
from datetime import timedelta
from math import inf

from node.monitor.core.decisions.ledger import Ledger, Moment, counted_from
from node.monitor.core.model.catalogue import OVERDUE_BACK
from node.monitor.core.model.records import DownReason, FindingKey, NodeRecord, Pause, Status
from node.monitor.core.nodes.roster import Roster

GOODBYE_S = 120.0
"""How long a clean stop without a planned end may take."""


def restore_nodes(members: Roster, ledger: Ledger, now: Moment, known: Iterable[NodeRecord]) -> None:
    """Restore nodes. One that was there has its whole time to be heard."""
    for record in known:
        tracked = members.remember(now, record.node)
        if tracked is None:
            continue
        tracked.status = Status.UP if record.status is Status.LATE else record.status
        tracked.since = Moment(now.at, record.since_utc)
        tracked.reason = record.reason
        tracked.boot = record.boot
        tracked.period_s = record.period_s
        tracked.expected = now.at + record.period_s
        if tracked.status is Status.DOWN:
            tracked.expected = inf
            is_found = FindingKey(OVERDUE_BACK.code, *tracked.key, "") in ledger.open
            if tracked.reason == DownReason.GOODBYE and not is_found:
                tracked.back_due = now.at + GOODBYE_S


def restore_pauses(members: Roster, now: Moment, pauses: Iterable[Pause]) -> None:
    """Restore the pauses of known nodes."""
    for pause in pauses:
        tracked = members.nodes.get(pause.node)
        if tracked is not None:
            tracked.pause = pause
            tracked.status = Status.PAUSED
            tracked.pause_ends = now.at + left_s(pause, now)


def left_s(pause: Pause, now: Moment) -> float:
    """How long a pause still lasts: never longer than it was made for, whatever the clock showed at a start."""
    made_for = pause.until_utc - pause.since_utc
    if counted_from(now, pause.since_utc) != pause.since_utc:
        return made_for.total_seconds()
    return min(max(pause.until_utc - now.utc, timedelta(0)), made_for).total_seconds()

"""Makes a View of the hub: what tools and people are shown. Runs on the deciding thread; pure."""

from collections.abc import Mapping

from msgspec.structs import replace

from node.monitor.core.commands.button_tests import Walk
from node.monitor.core.decisions.ledger import Moment, ends_utc
from node.monitor.core.hub import Hub
from node.monitor.core.incidents.escalation import Open
from node.monitor.core.model.catalogue import kind_of
from node.monitor.core.model.monitor_settings import Target
from node.monitor.core.model.next_steps import next_step
from node.monitor.core.model.records import Finding, NodeKey, Status
from node.monitor.core.nodes.node import HEARD, Tracked
from node.monitor.core.view.view_types import (
    BrokerView,
    ButtonView,
    FindingView,
    IncidentView,
    NodeView,
    TargetView,
    View,
    WalkTestView,
    incident_view,
)

PAGE = "OPERATIONS.md#"


def view(hub: Hub, now: Moment, version: str, waiting: Mapping[str, tuple[int, int]]) -> View:
    """How the building is now. ``waiting``: for each target how many messages wait, and how many were told."""
    open_of: dict[NodeKey, int] = {}
    for key in hub.incidents.open:
        open_of[key.of] = open_of.get(key.of, 0) + 1
    return View(
        at=now.utc,
        monitor=hub.settings.monitor,
        version=version,
        uptime_s=round(now.at - hub.started.at, 3),
        blind=hub.fleet.blind,
        history_ok=hub.self_check.history_ok,
        nodes=tuple(_node(hub, each, now, open_of.get(each.key, 0)) for _, each in sorted(hub.fleet.nodes.items())),
        incidents=tuple(_incident(hub, each, now) for each in hub.incidents.open.values()),
        findings=tuple(sorted((_finding(hub, each) for each in hub.ledger.open.values()), key=_worst_first)),
        buttons=_buttons(hub, now),
        brokers=tuple(
            BrokerView(name=each.name, connected=each.up, since=each.since.utc, problem=each.problem)
            for each in hub.self_check.links.values()
        ),
        targets=tuple(_target(hub, each, *waiting.get(each.name, (0, 0))) for each in hub.settings.targets),
        walk_tests=tuple(_walk_test(hub, each, now) for each in hub.button_tests.walks.values()),
        counters=replace(hub.counts),
    )


def place_of(hub: Hub, node: NodeKey) -> str:
    """Where a node is; "" if the roster doesn't say."""
    tracked = hub.fleet.nodes.get(node)
    return "" if tracked is None or tracked.place is None else tracked.place.location


def _worst_first(finding: FindingView) -> tuple[int, str, str, str, str]:
    return (finding.severity.rank, finding.site, finding.node, finding.code, finding.subject)


def _node(hub: Hub, tracked: Tracked, now: Moment, incidents: int) -> NodeView:
    beat = tracked.heartbeat
    pause = tracked.pause
    links = [] if beat is None else [each.rtt_ms for each in beat.links.values() if each.rtt_ms is not None]
    unseen = hub.fleet.unseen(tracked)
    remembered = tracked.status is Status.UP and tracked.heard_at is None  # it may have died while no monitor ran
    return NodeView(
        site=tracked.key.site,
        node=tracked.key.node,
        place=place_of(hub, tracked.key),
        floor="" if tracked.place is None else tracked.place.floor,
        known=tracked.known,
        status=Status.NEW if remembered else tracked.status,
        reason="broker-away" if unseen and tracked.status in HEARD else tracked.reason,
        since=tracked.since.utc,
        heard_s=None if tracked.heard_at is None else round(now.at - tracked.heard_at, 3),
        due_s=None if unseen else _rounded(hub.fleet.due_s(tracked, now.at)),
        period_s=tracked.period_s,
        planned_s=None if tracked.back_due is None else round(tracked.back_due - now.at, 3),
        boot=tracked.boot,
        incidents=incidents,
        missing=hub.receipts.missing(tracked.key, now.at),
        paused_by=None if pause is None else pause.by,
        paused_until=None if pause is None else ends_utc(now, tracked.pause_ends, pause.until_utc),
        pause_reason=None if pause is None else pause.reason,
        walk_test_s=None if beat is None else beat.walk_test_s,
        rtt_ms=min(links, default=None),
        version=None if beat is None else beat.version,
    )


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def _incident(hub: Hub, opened: Open, now: Moment) -> IncidentView:
    waits = opened.next_at < float("inf")
    next_level_s = round(max(0.0, opened.next_at - now.at), 3) if waits else None
    return incident_view(opened.record, place_of(hub, opened.record.key.of), next_level_s)


def _finding(hub: Hub, finding: Finding) -> FindingView:
    kind = kind_of(finding.key.code)
    return FindingView(
        code=finding.key.code,
        severity=finding.severity,
        site=finding.key.site,
        node=finding.key.node,
        subject=finding.key.subject,
        place=place_of(hub, finding.key.of),
        since=finding.since_utc,
        text=kind.text,
        next=next_step(finding.key, finding.detail),
        page=f"{PAGE}{finding.key.code.lower()}",
        count=finding.count,
        detail=finding.detail,
    )


def _buttons(hub: Hub, now: Moment) -> tuple[ButtonView, ...]:
    made = []
    for (node, name), button in sorted(hub.button_tests.buttons.items()):
        due = hub.button_tests.due_utc(button)
        each = ButtonView(
            site=node.site,
            node=node.node,
            input=name,
            place=place_of(hub, node),
            last_test=button.last_test_utc,
            due=due,
            overdue=now.utc >= due,
            mistaken_calls=hub.incidents.false_alarms.count(node, name),
        )
        made.append(each)
    return tuple(made)


def _target(hub: Hub, target: Target, waiting: int, told: int) -> TargetView:
    reached = hub.self_check.targets[target.name]
    record = hub.targets.records[target.name]
    return TargetView(
        name=target.name,
        level=target.level,
        failing=reached.failing,
        problem=reached.problem,
        waiting=waiting,
        told=told,
        tested=record.tested_utc,
        test_passed=record.test_passed,
        isolated_by=record.isolated_by,
        isolated_until=record.isolated_until_utc,
    )


def _walk_test(hub: Hub, walk: Walk, now: Moment) -> WalkTestView:
    return WalkTestView(
        id=walk.record.id,
        site=walk.record.site,
        by=walk.record.by,
        nodes=walk.record.nodes,
        left_s=round(max(0.0, walk.ends - now.at), 3),
        tested=tuple(f"{node.node}/{name}" for node, name in sorted(walk.tested)),
        untested=tuple(f"{node.node}/{name}" for node, name in hub.button_tests.untested(walk)),
        real=tuple(f"{node.node}/{name}" for node, name in hub.button_tests.real(walk)),
        not_testing=tuple(node.node for node in hub.button_tests.not_testing(walk)),
        unreadable=tuple(f"{node.node}/{name}" for node, name in hub.button_tests.unreadable(walk)),
    )

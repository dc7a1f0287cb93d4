"""Makes a View of the hub: what tools and people are shown. Runs on the deciding thread; pure."""

from collections import Counter
from collections.abc import Mapping
from itertools import islice
from operator import itemgetter

from msgspec.structs import replace

from node.monitor.core.commands.button_tests import Walk
from node.monitor.core.decisions.ledger import Moment, ends_utc
from node.monitor.core.hub import Hub
from node.monitor.core.incidents.escalation import Open
from node.monitor.core.model.catalogue import kind_of
from node.monitor.core.model.monitor_settings import Target
from node.monitor.core.model.next_steps import next_step
from node.monitor.core.model.records import Button, Finding, NodeKey, Status
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


class Building:
    """A view that is being made, in slices: the deciding thread has other things to do in between.

    Each node is shown as it was when its slice was made. What isn't there any more by then is left out, and what is new
    by then is in the next view.
    """

    def __init__(self, hub: Hub, version: str) -> None:
        self._hub = hub
        self._version = version
        self._incidents = Counter(key.of for key in hub.incidents.open)
        self._nodes = iter(sorted(hub.fleet.nodes))
        self._buttons = iter(sorted(hub.button_tests.buttons))
        self._findings = iter(list(hub.ledger.open))
        self._made_nodes: list[NodeView] = []
        self._made_buttons: list[ButtonView] = []
        self._made_findings: list[tuple[tuple[int, str, str, str, str], FindingView]] = []

    def go_on(self, now: Moment, most: int) -> bool:
        """Make up to ``most`` parts; whether none is left."""
        hub, left = self._hub, most
        for key in islice(self._nodes, left):
            left -= 1
            tracked = hub.fleet.nodes.get(key)
            if tracked is not None:
                self._made_nodes.append(_node(hub, tracked, now, self._incidents[key]))
        for name in islice(self._buttons, left):
            left -= 1
            button = hub.button_tests.buttons.get(name)
            if button is not None:
                self._made_buttons.append(_button(hub, button, now))
        for of in islice(self._findings, left):
            left -= 1
            finding = hub.ledger.open.get(of)
            if finding is not None:
                self._made_findings.append((_worst_first(finding), _finding(hub, finding)))
        return left > 0

    def done(self, now: Moment, waiting: Mapping[str, tuple[int, int]]) -> View:
        """The view. ``waiting``: for each target how many messages wait, and how many were told."""
        hub = self._hub
        return View(
            at=now.utc,
            monitor=hub.settings.monitor,
            version=self._version,
            uptime_s=round(now.at - hub.started.at, 3),
            blind=hub.fleet.blind,
            history_ok=hub.self_check.history_ok,
            nodes=tuple(self._made_nodes),
            incidents=tuple(_incident(hub, each, now) for each in hub.incidents.open.values()),
            findings=tuple(made for _, made in sorted(self._made_findings, key=itemgetter(0))),
            buttons=tuple(self._made_buttons),
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


def _worst_first(finding: Finding) -> tuple[int, str, str, str, str]:
    key = finding.key
    return (finding.severity.rank, key.site, key.node, key.code, key.subject)


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


def _button(hub: Hub, button: Button, now: Moment) -> ButtonView:
    due = hub.button_tests.due_utc(button)
    return ButtonView(
        site=button.node.site,
        node=button.node.node,
        input=button.input,
        place=place_of(hub, button.node),
        last_test=button.last_test_utc,
        due=due,
        overdue=now.utc >= due,
        mistaken_calls=hub.incidents.false_alarms.count(button.node, button.input),
    )


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

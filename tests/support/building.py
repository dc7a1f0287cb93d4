"""A building as the monitor sees it, for what shows it: some nodes, something wrong, somebody calling."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from node.errors.severity import Severity
from node.monitor.core.model.counters import Counters
from node.monitor.core.model.records import Status
from node.monitor.core.view.view_types import (
    BrokerView,
    ButtonView,
    FindingView,
    IncidentView,
    NodeView,
    TargetView,
    View,
    WalkTestView,
)

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
INCIDENT = "0badcafe-7"


def node(name: str, status: Status = Status.UP, **changes: Any) -> NodeView:
    """A node of the site mitte."""
    made = NodeView(
        site="mitte",
        node=name,
        place=f"Room {name}",
        floor="2",
        known=True,
        status=status,
        reason="",
        since=NOW - timedelta(hours=1),
        heard_s=3.5,
        due_s=6.5,
        period_s=10.0,
        planned_s=None,
        boot="0badcafe",
        incidents=0,
        missing=0,
        paused_by=None,
        paused_until=None,
        pause_reason=None,
        walk_test_s=None,
        rtt_ms=4.0,
        version="1.0.0",
    )
    return msgspec.structs.replace(made, **changes)


def finding(code: str, severity: Severity, name: str = "", **changes: Any) -> FindingView:
    """A finding about a node of the site mitte, or about the monitor itself."""
    made = FindingView(
        code=code,
        severity=severity,
        site="mitte" if name else "",
        node=name,
        subject="",
        place=f"Room {name}" if name else "",
        since=NOW - timedelta(minutes=5),
        text="something is wrong",
        next="mend it",
        page=f"OPERATIONS.md#{code.lower()}",
    )
    return msgspec.structs.replace(made, **changes)


def incident(name: str, **changes: Any) -> IncidentView:
    """An open incident at a node of the site mitte."""
    made = IncidentView(
        id=f"mitte/{name}/{INCIDENT}",
        site="mitte",
        node=name,
        incident=INCIDENT,
        input="button",
        place=f"Room {name}",
        alarm_class="threat",
        phase="told",
        presses=1,
        test=False,
        raised=NOW - timedelta(seconds=20),
        held=NOW - timedelta(seconds=20),
        told=NOW - timedelta(seconds=20),
        acknowledged=None,
        acknowledged_by=None,
        reset=None,
        reset_by=None,
        reset_reason=None,
        told_level=1,
        next_level_s=40.0,
    )
    return msgspec.structs.replace(made, **changes)


def button(name: str, *, overdue: bool = False) -> ButtonView:
    """The button of a node of the site mitte."""
    due = NOW - timedelta(days=1) if overdue else NOW + timedelta(days=20)
    return ButtonView(
        site="mitte",
        node=name,
        input="button",
        place=f"Room {name}",
        last_test=due - timedelta(days=31),
        due=due,
        overdue=overdue,
        mistaken_calls=0,
    )


def building(**changes: Any) -> View:
    """Five nodes of the site mitte, one of each status; ``desk-1`` is up and calls, ``desk-3`` is down."""
    view = View(
        at=NOW,
        monitor="guard",
        version="1.0.0",
        uptime_s=3600.0,
        blind=False,
        history_ok=True,
        nodes=(
            node("desk-1", incidents=1),
            node("desk-2", Status.LATE, heard_s=12.0, due_s=-2.0),
            node("desk-3", Status.DOWN, heard_s=60.0, due_s=-50.0, reason="will", missing=3),
            node("desk-4", Status.NEW, heard_s=None, due_s=None, rtt_ms=None, version=None),
            node(
                "desk-5",
                Status.PAUSED,
                paused_by="facilities",
                paused_until=NOW,
                pause_reason="painting",
                version="0.9.1",
            ),
        ),
        incidents=(incident("desk-1"),),
        findings=(
            finding("M001", Severity.CRITICAL, "desk-3"),
            finding("M003", Severity.WARNING, "desk-3", count=3),
            finding("M006", Severity.WARNING, "desk-2", subject="button"),
            finding("M007", Severity.NOTICE, "desk-2", subject="button", count=2),
            finding("M010", Severity.CRITICAL, subject="sms"),
        ),
        buttons=(button("desk-1"), button("desk-2", overdue=True)),
        brokers=(BrokerView(name="broker:8883", connected=True, since=NOW, problem=""),),
        targets=(TargetView(name="sms", level=1, failing=True, waiting=2, told=5, problem="refused"),),
        walk_tests=(
            WalkTestView(
                id="w-1",
                site="mitte",
                by="facilities",
                nodes=("desk-2",),
                left_s=600.0,
                tested=(),
                untested=("desk-2/button",),
                real=(),
                not_testing=("desk-2",),
            ),
        ),
        counters=Counters(
            heartbeats=1000,
            events=40,
            receipts=39,
            repeated=1,
            malformed=2,
            dropped=3,
            unknown_nodes=4,
            stored_s=0.25,
            stored=39,
        ),
    )
    return msgspec.structs.replace(view, **changes)

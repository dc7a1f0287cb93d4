"""How the building is at one moment: what the API, the metrics, the status table and the check plugin show.

Made by the deciding thread, never changed; JSON and its schema come from these types. ``…_s`` are seconds from now or
ago, None where there is no such thing.
"""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from node.monitor.core.model import IncidentRecord, Severity, Status

Phase = Literal["open", "held", "told", "acknowledged", "reset"]
"""How far an incident has got: ``open`` is one whose call never came here, of which only its node's list says."""


class FindingView(Struct, frozen=True, kw_only=True):
    """A finding with its words: ``place`` is where it is, ``page`` where OPERATIONS.md tells about it."""

    code: str
    severity: Severity
    site: str
    node: str
    subject: str
    place: str
    since: datetime
    text: str
    next: str
    page: str
    count: int | None = None
    detail: str = ""


class ButtonView(Struct, frozen=True, kw_only=True):
    """A button and its test: ``due`` is when the next one has to be."""

    site: str
    node: str
    input: str
    place: str
    last_test: datetime | None
    due: datetime
    overdue: bool
    mistaken_calls: int


class NodeView(Struct, frozen=True, kw_only=True):
    """A node. ``known``: the roster has it. ``planned_s``: how long a clean stop may still take; below 0 past that."""

    site: str
    node: str
    place: str
    floor: str
    known: bool
    status: Status
    reason: str
    since: datetime
    heard_s: float | None
    due_s: float | None
    period_s: float
    planned_s: float | None
    boot: str
    incidents: int
    missing: int
    paused_by: str | None
    paused_until: datetime | None
    pause_reason: str | None
    walk_test_s: float | None
    rtt_ms: float | None


class IncidentView(Struct, frozen=True, kw_only=True):
    """An open incident. ``phase`` is as the history has it; ``next_step_s``: when the next group is told.

    ``open`` and ``held``: nobody was told yet. ``told`` is when a channel took the newest message, ``acknowledged`` the
    newest one, also where a further press took it back: then ``phase`` says so.
    """

    id: str
    site: str
    node: str
    incident: str
    input: str
    place: str
    alarm_class: str
    phase: Phase
    presses: int
    test: bool
    raised: datetime
    held: datetime | None
    told: datetime | None
    acknowledged: datetime | None
    acknowledged_by: str | None
    reset: datetime | None
    reset_by: str | None
    reset_reason: str | None
    told_steps: int
    next_step_s: float | None


class BrokerView(Struct, frozen=True, kw_only=True):
    """A broker as the monitor reaches it."""

    name: str
    connected: bool
    since: datetime
    problem: str


class TargetView(Struct, frozen=True, kw_only=True):
    """Where people are told; ``waiting`` counts what it hasn't got yet.

    ``tested``: when it was sent a test message last; ``isolated_until``: until when it is told nothing.
    """

    name: str
    step: int
    failing: bool
    waiting: int
    told: int
    problem: str
    tested: datetime | None = None
    test_passed: bool = False
    isolated_by: str = ""
    isolated_until: datetime | None = None


class WalkTestView(Struct, frozen=True, kw_only=True):
    """A walk test that holds: which buttons were tested, which still wait, and how long it lasts.

    ``real``: its buttons that were pressed a moment ago, or in another walk test, and have no test in this one.
    ``not_testing``: its nodes that haven't said yet that they test, or have ended it: a press there is real.
    """

    id: str
    site: str
    by: str
    nodes: tuple[str, ...]
    left_s: float
    tested: tuple[str, ...]
    untested: tuple[str, ...]
    real: tuple[str, ...]
    not_testing: tuple[str, ...]


class Counters(Struct, kw_only=True):
    """What has happened since the monitor's start; a view has a copy. ``…_s`` are sums of what was measured.

    ``receipts``: that events are held. ``told``: calls of which people were told, ``told_s`` how long that took.
    """

    heartbeats: int = 0
    events: int = 0
    receipts: int = 0
    repeated: int = 0
    malformed: int = 0
    dropped: int = 0
    unknown_nodes: int = 0
    stored_s: float = 0.0
    stored: int = 0
    told_s: float = 0.0
    told: int = 0


class View(Struct, frozen=True, kw_only=True):
    """The whole building at ``at``. ``blind``: no broker is reached, so nothing here says how the nodes are now."""

    at: datetime
    monitor: str
    version: str
    uptime_s: float
    blind: bool
    history_ok: bool
    nodes: tuple[NodeView, ...]
    incidents: tuple[IncidentView, ...]
    findings: tuple[FindingView, ...]
    buttons: tuple[ButtonView, ...]
    brokers: tuple[BrokerView, ...]
    targets: tuple[TargetView, ...]
    walk_tests: tuple[WalkTestView, ...]
    counters: Counters


def incident_view(record: IncidentRecord, place: str, next_step_s: float | None = None) -> IncidentView:
    """An incident, open or past."""
    phase: Phase = "open"
    if record.reset_utc is not None:
        phase = "reset"
    elif record.is_answered:
        phase = "acknowledged"
    elif record.is_told:
        phase = "told"
    elif record.held_utc is not None:
        phase = "held"
    return IncidentView(
        id=str(record.key),
        site=record.key.site,
        node=record.key.node,
        incident=record.key.incident,
        input=record.input,
        place=place,
        alarm_class=record.alarm_class.value,
        phase=phase,
        presses=record.presses,
        test=record.test,
        raised=record.raised_utc,
        held=record.held_utc,
        told=record.told_utc,
        acknowledged=record.acknowledged_utc,
        acknowledged_by=record.acknowledged_by,
        reset=record.reset_utc,
        reset_by=record.reset_by,
        reset_reason=record.reset_reason,
        told_steps=record.told_steps,
        next_step_s=next_step_s,
    )

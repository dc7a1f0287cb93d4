"""How the building is at one moment: what the API, the metrics, the status table and the check plugin show.

The deciding thread makes these, and nobody changes them. JSON and its schema are made from these types. ``…_s`` are
seconds from now or ago; None if there is no such time.
"""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from node.errors.severity import Severity
from node.monitor.core.model.counters import Counters
from node.monitor.core.model.records import IncidentRecord, Status

Phase = Literal["open", "held", "told", "acknowledged", "reset"]
"""How far an incident has got. ``open``: its call never came here, only its node's list names it."""


class FindingView(Struct, frozen=True, kw_only=True, gc=False):
    """A finding with its texts. ``place``: where it is. ``page``: its section in OPERATIONS.md."""

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


class ButtonView(Struct, frozen=True, kw_only=True, gc=False):
    """A button and its tests. ``due``: when the next test must be done."""

    site: str
    node: str
    input: str
    place: str
    last_test: datetime | None
    due: datetime
    overdue: bool
    mistaken_calls: int


class NodeView(Struct, frozen=True, kw_only=True, gc=False):
    """A node. ``known``: in the roster. ``planned_s``: how long a clean stop may still take; below 0 past that.

    ``version``: that of its program by its newest heartbeat; None if no heartbeat came yet, or this one has none.
    """

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
    version: str | None


class IncidentView(Struct, frozen=True, kw_only=True, gc=False):
    """An open incident. ``phase``: how far it has got by the history. ``next_level_s``: when the next group is told.

    ``open`` and ``held``: nobody was told yet. ``told``: when a channel took the newest message. ``acknowledged``: the
    newest acknowledgement, even if a further press took it back; ``phase`` says whether one did. ``told_level``: the
    level of the last group that was called.
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
    told_level: int
    next_level_s: float | None


class BrokerView(Struct, frozen=True, kw_only=True, gc=False):
    """A broker, and the monitor's connection to it."""

    name: str
    connected: bool
    since: datetime
    problem: str


class TargetView(Struct, frozen=True, kw_only=True, gc=False):
    """Where people are told. ``waiting``: how many deliveries it hasn't got yet.

    ``tested``: when a test message was last sent to it. ``isolated_until``: until when it is told nothing.
    """

    name: str
    level: int
    failing: bool
    waiting: int
    told: int
    problem: str
    tested: datetime | None = None
    test_passed: bool = False
    isolated_by: str = ""
    isolated_until: datetime | None = None


class WalkTestView(Struct, frozen=True, kw_only=True, gc=False):
    """A walk test that is running: which buttons were tested, which weren't yet, and how long it lasts.

    ``real``: its buttons without a test in it, because they were pressed a moment ago or in another walk test.
    ``unreadable``: its buttons that their nodes can't read (F001), so that they can't be tested now.
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
    unreadable: tuple[str, ...] = ()


class OwnView(Struct, frozen=True, kw_only=True, gc=False):
    """The monitor itself at ``at``, and whom it reaches. ``blind``: no broker, so how the nodes are now isn't known."""

    at: datetime
    monitor: str
    version: str
    uptime_s: float
    blind: bool
    history_ok: bool
    brokers: tuple[BrokerView, ...]
    targets: tuple[TargetView, ...]
    walk_tests: tuple[WalkTestView, ...]
    counters: Counters


class View(OwnView, frozen=True, kw_only=True):
    """The whole building."""

    nodes: tuple[NodeView, ...]
    incidents: tuple[IncidentView, ...]
    findings: tuple[FindingView, ...]
    buttons: tuple[ButtonView, ...]


def incident_view(record: IncidentRecord, place: str, next_level_s: float | None = None) -> IncidentView:
    """The view of an incident, open or past."""
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
        told_level=record.told_level,
        next_level_s=next_level_s,
    )

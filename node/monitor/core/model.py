"""What the parts of the monitor tell each other: identities, states, and the records of the history.

Pure types. Instants named ``…_utc`` are aware datetimes in UTC, labels that decide nothing; durations are seconds.
"""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from node.core.settings import AlarmClass


class NodeKey(NamedTuple):
    """A node of the building; sorted, nodes stand by site."""

    site: str
    node: str

    def __str__(self) -> str:
        return f"{self.site}/{self.node}"


class EventKey(NamedTuple):
    """An event's identity in the building."""

    site: str
    node: str
    boot: str
    seq: int

    @property
    def of(self) -> NodeKey:
        """The node that says it."""
        return NodeKey(self.site, self.node)


class IncidentKey(NamedTuple):
    """An incident's identity in the building; ``incident`` is the node's own ``<boot>-<seq>``."""

    site: str
    node: str
    incident: str

    @property
    def of(self) -> NodeKey:
        """The node at which it was raised."""
        return NodeKey(self.site, self.node)

    def __str__(self) -> str:
        return f"{self.site}/{self.node}/{self.incident}"


class Status(StrEnum):
    """What is known of a node: never heard since the start; heard in time; past its period; past the grace; paused."""

    NEW = "new"
    UP = "up"
    LATE = "late"
    DOWN = "down"
    PAUSED = "paused"


class DownReason(StrEnum):
    """How a node went: no heartbeat in time, the broker told its will, or it said goodbye."""

    SILENT = "silent"
    WILL = "will"
    GOODBYE = "goodbye"


class Severity(StrEnum):
    """How much a finding is somebody's business: a button may be dead; go when you can; good to know."""

    CRITICAL = "critical"
    WARNING = "warning"
    NOTICE = "notice"

    @property
    def rank(self) -> int:
        """From 0 for what matters most."""
        return tuple(Severity).index(self)


class Role(StrEnum):
    """What a token may do: look; also act on incidents and identify; also pause, test and everything else."""

    VIEWER = "viewer"
    RESPONDER = "responder"
    MANAGER = "manager"

    def may(self, needed: "Role") -> bool:
        """Whether this role includes what ``needed`` may do."""
        return tuple(Role).index(self) >= tuple(Role).index(needed)


class FindingKey(NamedTuple):
    """What a finding is about: its code, the node ("" for the monitor itself and its site), and the thing in it."""

    code: str
    site: str
    node: str
    subject: str

    @property
    def of(self) -> NodeKey:
        """The node that it is about."""
        return NodeKey(self.site, self.node)


class Finding(Struct, frozen=True, kw_only=True):
    """Something that needs somebody. ``count``, where it isn't None, says how many (events, calls, days)."""

    key: FindingKey
    severity: Severity
    since_utc: datetime
    count: int | None = None
    detail: str = ""


class PastFinding(Finding, frozen=True, kw_only=True):
    """A finding of the history, as it was when it was raised; ``cleared_utc`` is None while it is open."""

    cleared_utc: datetime | None = None


class Flip(Struct, frozen=True, kw_only=True):
    """A node's status changed."""

    node: NodeKey
    before: Status
    after: Status
    at_utc: datetime
    reason: str = ""


class Pause(Struct, frozen=True, kw_only=True):
    """Maintenance of a node: its silence is nobody's business until ``until_utc``."""

    node: NodeKey
    by: str
    reason: str
    since_utc: datetime
    until_utc: datetime


class HeardEvent(Struct, frozen=True, kw_only=True):
    """An event as it is kept. ``body`` is its JSON; "" where its content mustn't be kept: then only its number is."""

    key: EventKey
    kind: str
    at_utc: str
    heard_utc: datetime
    urgent: bool
    incident: str | None = None
    input: str | None = None
    body: str = ""


class IncidentRecord(Struct, frozen=True, kw_only=True):
    """One incident from raised to reset, as the history keeps it. ``told_steps``: how many groups were called.

    ``held_utc``: when the event that calls for help was first stored. ``told_presses``: how many presses the newest
    message about it named that a channel took, and ``told_utc`` when that was.
    ``answered``: how many of its presses the newest acknowledgement knew of, or an end that wasn't one. ``beyond``: how
    many presses there are more than its node counts.
    """

    key: IncidentKey
    input: str
    alarm_class: AlarmClass
    raised_utc: datetime
    presses: int = 1
    test: bool = False
    held_utc: datetime | None = None
    told_utc: datetime | None = None
    told_presses: int = 0
    acknowledged_utc: datetime | None = None
    acknowledged_by: str | None = None
    answered: int = 0
    reset_utc: datetime | None = None
    reset_by: str | None = None
    reset_reason: str | None = None
    told_steps: int = 0
    beyond: int = 0

    @property
    def is_answered(self) -> bool:
        """Whether somebody is coming who knows of every press."""
        return self.acknowledged_utc is not None and self.answered >= self.presses

    @property
    def is_told(self) -> bool:
        """Whether people were told of every press."""
        return self.told_presses >= max(self.presses, 1)

    @property
    def is_untold(self) -> bool:
        """Whether this calls for help, and nobody knows of it."""
        return not (self.test or self.is_told or self.is_answered or self.reset_utc is not None)


class ButtonTest(Struct, frozen=True, kw_only=True):
    """A test of one button. ``reaction_s`` from the press to the receipt at the node; None while it wasn't confirmed.

    ``walk_test`` is the id of the walk test that it was part of, "" where the node was asked by somebody else.
    """

    event: EventKey
    input: str
    at_utc: datetime
    walk_test: str = ""
    reaction_s: float | None = None


class WalkTest(Struct, frozen=True, kw_only=True):
    """A walk test: whose buttons, by whom, and its mandatory end."""

    id: str
    site: str
    nodes: tuple[str, ...]
    by: str
    started_utc: datetime
    until_utc: datetime
    ended_utc: datetime | None = None


class Button(Struct, frozen=True, kw_only=True):
    """A button that a node has: known from its heartbeat, and since when."""

    node: NodeKey
    input: str
    since_utc: datetime
    last_test_utc: datetime | None = None


class Tally(Struct, frozen=True, kw_only=True):
    """Which events of one boot are accounted for (stored, or told as evicted): ranges from, to; in order, apart."""

    node: NodeKey
    boot: str
    ranges: tuple[tuple[int, int], ...]
    previous_boot: str = ""
    previous_seq: int = 0


class NodeRecord(Struct, frozen=True, kw_only=True):
    """A node as a restart must know it."""

    node: NodeKey
    status: Status
    since_utc: datetime
    boot: str = ""
    period_s: float = 10.0
    reason: str = ""


class TargetRecord(Struct, frozen=True, kw_only=True):
    """What is kept of a target: when it was tested last and whether it took the message; until when it is isolated."""

    name: str
    tested_utc: datetime | None = None
    test_passed: bool = False
    isolated_by: str = ""
    isolated_until_utc: datetime | None = None


class NoticeKind(StrEnum):
    """What people are told about."""

    ALARM = "alarm"
    ACKNOWLEDGED = "acknowledged"
    RESET = "reset"
    FINDING = "finding"
    CLEARED = "cleared"


class Notice(Struct, frozen=True, kw_only=True):
    """One thing that people are told, once: ``key`` is its identity in the building, whoever of us finds it.

    ``step``: which groups are told, 0 those that are told at once. ``alarm_class`` and ``incident`` where it is about
    an incident, ``finding`` where it is about one. ``gather``: others like it may join its message. ``yields``: its
    node calls more often than people can, and other nodes' calls are told first.
    """

    key: str
    kind: NoticeKind
    site: str
    node: str
    at_utc: datetime
    step: int = 0
    input: str = ""
    alarm_class: AlarmClass | None = None
    incident: str = ""
    presses: int = 0
    by: str = ""
    reason: str = ""
    test: bool = False
    finding: FindingKey | None = None
    severity: Severity | None = None
    count: int | None = None
    detail: str = ""
    gather: bool = False
    yields: bool = False

    @property
    def is_call(self) -> bool:
        """Whether whoever is told it knows that somebody calls for help."""
        return self.kind is NoticeKind.ALARM and not self.test

"""The types that the parts of the monitor share: identities, states, and the records of the history.

Pure types. Instants named ``…_utc`` are aware datetimes in UTC; they are labels and decide nothing. Durations are in
seconds.
"""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from node.core.settings import AlarmClass
from node.errors.severity import Severity


class NodeKey(NamedTuple):
    """A node of the building. Sorted keys are in the order of their sites."""

    site: str
    node: str

    def __str__(self) -> str:
        return f"{self.site}/{self.node}"


class EventKey(NamedTuple):
    """The identity of an event in the building."""

    site: str
    node: str
    boot: str
    seq: int

    @property
    def of(self) -> NodeKey:
        """The node that sent it."""
        return NodeKey(self.site, self.node)


class IncidentKey(NamedTuple):
    """The identity of an incident in the building. ``incident`` is the node's own ``<boot>-<seq>``."""

    site: str
    node: str
    incident: str

    @property
    def of(self) -> NodeKey:
        """The node where it was raised."""
        return NodeKey(self.site, self.node)

    def __str__(self) -> str:
        return f"{self.site}/{self.node}/{self.incident}"


class Status(StrEnum):
    """The status of a node: not heard since the start; in time; past half of the grace; past the grace; maintenance."""

    NEW = "new"
    UP = "up"
    LATE = "late"
    DOWN = "down"
    PAUSED = "paused"


class DownReason(StrEnum):
    """Why a node is down: no heartbeat in time, the broker sent its will, or it said goodbye."""

    SILENT = "silent"
    WILL = "will"
    GOODBYE = "goodbye"


class Role(StrEnum):
    """What a token may do: look; also act on incidents and identify nodes; also pause, test and everything else."""

    VIEWER = "viewer"
    RESPONDER = "responder"
    MANAGER = "manager"

    def may(self, needed: "Role") -> bool:
        """Whether this role includes what ``needed`` may do."""
        return tuple(Role).index(self) >= tuple(Role).index(needed)


class FindingKey(NamedTuple):
    """What a finding is about: its code, site and node ("" for the monitor itself), and the part that is concerned."""

    code: str
    site: str
    node: str
    subject: str

    @property
    def of(self) -> NodeKey:
        """The node that it is about."""
        return NodeKey(self.site, self.node)


class Finding(Struct, frozen=True, kw_only=True, gc=False):
    """Something that needs somebody. ``count``: how many events, calls, days and so on; None if it counts nothing."""

    key: FindingKey
    severity: Severity
    since_utc: datetime
    count: int | None = None
    detail: str = ""


class PastFinding(Finding, frozen=True, kw_only=True):
    """A finding in the history, as it was when it was raised. ``cleared_utc`` is None while it is open."""

    cleared_utc: datetime | None = None


class Flip(Struct, frozen=True, kw_only=True, gc=False):
    """A node's status changed."""

    node: NodeKey
    before: Status
    after: Status
    at_utc: datetime
    reason: str = ""


class Pause(Struct, frozen=True, kw_only=True, gc=False):
    """Maintenance of a node: don't report it as down until ``until_utc``."""

    node: NodeKey
    by: str
    reason: str
    since_utc: datetime
    until_utc: datetime


class HeardEvent(Struct, frozen=True, kw_only=True, gc=False):
    """An event as the history keeps it. ``body`` is its JSON, or "" if only its number may be kept."""

    key: EventKey
    kind: str
    at_utc: str
    heard_utc: datetime
    urgent: bool
    incident: str | None = None
    input: str | None = None
    body: str = ""


class IncidentRecord(Struct, frozen=True, kw_only=True, gc=False):
    """One incident from raised to reset, as the history keeps it. ``told_level``: the level of the last called group.

    ``held_utc``: when the event that calls for help was first stored. ``told_presses``: how many presses were named by
    the newest message about it that a channel took; ``told_utc``: when it took that. ``answered``: how many of its
    presses the newest acknowledgement knew of, or an end after which it turned out not to be over. ``ended``: how many
    presses the newest such end counted. ``beyond``: how many more presses it has here than its node counts.
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
    told_level: int = 0
    beyond: int = 0
    ended: int = 0

    @property
    def is_answered(self) -> bool:
        """Whether somebody who knows of every press is coming."""
        return self.acknowledged_utc is not None and self.answered >= self.presses

    @property
    def is_told(self) -> bool:
        """Whether people were told of every press."""
        return self.told_presses >= max(self.presses, 1)

    @property
    def is_untold(self) -> bool:
        """Whether this calls for help, and nobody was told of it yet."""
        return not (self.test or self.is_told or self.is_answered or self.reset_utc is not None)


class ButtonTest(Struct, frozen=True, kw_only=True, gc=False):
    """A test of one button. ``reaction_s``: from the press to the receipt at the node; None until it is confirmed.

    ``walk_test``: the id of the walk test that it was part of; "" if somebody else asked the node for the test.
    """

    event: EventKey
    input: str
    at_utc: datetime
    walk_test: str = ""
    reaction_s: float | None = None


class WalkTest(Struct, frozen=True, kw_only=True, gc=False):
    """A walk test: the nodes whose buttons are tested, who started it, and its mandatory end."""

    id: str
    site: str
    nodes: tuple[str, ...]
    by: str
    started_utc: datetime
    until_utc: datetime
    ended_utc: datetime | None = None


class Button(Struct, frozen=True, kw_only=True, gc=False):
    """A button of a node, and when it first became known."""

    node: NodeKey
    input: str
    since_utc: datetime
    last_test_utc: datetime | None = None


class Tally(Struct, frozen=True, kw_only=True, gc=False):
    """The numbers of a boot's events that are accounted for (stored or evicted), as ordered ranges that don't touch."""

    node: NodeKey
    boot: str
    ranges: tuple[tuple[int, int], ...]
    previous_boot: str = ""
    previous_seq: int = 0


class NodeRecord(Struct, frozen=True, kw_only=True, gc=False):
    """A node, as a restart must know it."""

    node: NodeKey
    status: Status
    since_utc: datetime
    boot: str = ""
    period_s: float = 10.0
    reason: str = ""


class TargetRecord(Struct, frozen=True, kw_only=True, gc=False):
    """What is kept of a target: its last test, whether it took the message, and until when it is isolated."""

    name: str
    tested_utc: datetime | None = None
    test_passed: bool = False
    isolated_by: str = ""
    isolated_until_utc: datetime | None = None


class NoticeKind(StrEnum):
    """The kinds of things that people are told."""

    ALARM = "alarm"
    ACKNOWLEDGED = "acknowledged"
    RESET = "reset"
    FINDING = "finding"
    CLEARED = "cleared"


class Notice(Struct, frozen=True, kw_only=True, gc=False):
    """One thing that people are told once. Its ``key`` is the same whichever monitor finds it.

    ``level``: the group that is told; 0 is the one that is told at once. ``alarm_class`` and ``incident`` are set if it
    is about an incident, ``finding`` if it is about a finding. ``gather``: it may join a message with others.
    ``yields``: its node calls more often than a person can, so other nodes' calls are told first.
    """

    key: str
    kind: NoticeKind
    site: str
    node: str
    at_utc: datetime
    level: int = 0
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
        """Whether its readers learn by it that somebody calls for help."""
        return self.kind is NoticeKind.ALARM and not self.test

"""What people and tools ask of the monitor, and the answers. Whether the caller is allowed to is checked in api/."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from node.monitor.core.model.records import IncidentKey, NodeKey

Outcome = Literal["done", "refused", "unanswered", "unknown"]


@dataclass(frozen=True, slots=True)
class Replaced:
    """The pause or isolation that was in force until now: who made it, and when it would have ended."""

    by: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request.

    ``done``; ``refused`` by the node or by us, with the ``reason``; ``unanswered``: the node was asked and didn't
    answer; ``unknown``: there is no such node or incident. ``id``: of a walk test that was started. ``stored``: False
    if the history should have what was done, but doesn't. ``until``: when what was done ends by itself. ``replaces``:
    the pause or isolation that this one takes the place of.
    """

    outcome: Outcome
    reason: str = ""
    id: str = ""
    stored: bool = True
    until: datetime | None = None
    replaces: Replaced | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFilter:
    """Which records of the history are wanted: those that match every field that isn't None.

    ``kind``: of an event, or a finding's code. ``incident``: the node's own ``<boot>-<seq>``. The records began at
    ``since_utc`` or later, and before ``until_utc``. Records that began earlier are wanted, too, if they were for
    example acknowledged or ended since, or if an event of theirs was heard since: the node's clock may not have been
    set.
    """

    site: str | None = None
    node: str | None = None
    input: str | None = None
    kind: str | None = None
    incident: str | None = None
    since_utc: datetime | None = None
    until_utc: datetime | None = None


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Say that somebody is coming."""

    incident: IncidentKey
    by: str


@dataclass(frozen=True, slots=True)
class Reset:
    """End an incident; ``reason`` is real, drill, mistaken or technical."""

    incident: IncidentKey
    by: str
    reason: Literal["real", "drill", "mistaken", "technical"]


@dataclass(frozen=True, slots=True)
class Silence:
    """Stop the sound of an incident."""

    incident: IncidentKey
    by: str


@dataclass(frozen=True, slots=True)
class Identify:
    """Let a node show where it is, for ``for_s`` seconds (1 to 60)."""

    node: NodeKey
    by: str
    for_s: float = 10.0


@dataclass(frozen=True, slots=True)
class PauseNode:
    """Maintenance: don't report the node as down for ``for_s`` (60 s to 30 days). Its alarms are told as always."""

    node: NodeKey
    by: str
    reason: str
    for_s: float


@dataclass(frozen=True, slots=True)
class Resume:
    """End a pause before its time."""

    node: NodeKey
    by: str


@dataclass(frozen=True, slots=True)
class StartWalkTest:
    """Start a walk test at ``site`` for ``for_s`` (60 to 3600 s), at the named nodes, or those of a floor, or all."""

    site: str
    by: str
    for_s: float
    floor: str = ""
    nodes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EndWalkTest:
    """End a walk test before its time."""

    id: str
    by: str


@dataclass(frozen=True, slots=True)
class Forget:
    """Remove a node that was renamed or taken away, here and from the brokers."""

    node: NodeKey
    by: str


@dataclass(frozen=True, slots=True)
class TryTarget:
    """Send a target a message that says that it is a test."""

    name: str
    by: str


@dataclass(frozen=True, slots=True)
class IsolateTarget:
    """Tell a target nothing for ``for_s`` (60 s to 30 days), for example while somebody repairs it."""

    name: str
    by: str
    reason: str
    for_s: float


@dataclass(frozen=True, slots=True)
class RestoreTarget:
    """End an isolation before its time."""

    name: str
    by: str


TargetRequest = TryTarget | IsolateTarget | RestoreTarget
NodeRequest = Acknowledge | Reset | Silence | Identify | PauseNode | Resume | StartWalkTest | EndWalkTest | Forget
Request = NodeRequest | TargetRequest


_OURS = (PauseNode, Resume, StartWalkTest, EndWalkTest, Forget, IsolateTarget, RestoreTarget)
_HERE = "only-here"


def must_be_stored(request: Request, answer: Answer) -> bool:
    """Whether only this monitor knows what was done, so that a restart would forget what the history doesn't have."""
    return answer.outcome == "done" and (isinstance(request, _OURS) or answer.reason == _HERE)

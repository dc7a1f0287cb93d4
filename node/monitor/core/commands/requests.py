"""What people and tools ask of the monitor, and what came of it. Whether who asks may is for api/ to know."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from node.monitor.core.model import IncidentKey, NodeKey

Outcome = Literal["done", "refused", "unanswered", "unknown"]


@dataclass(frozen=True, slots=True)
class Replaced:
    """What held until now in the place of what was asked for: by whom, and when it would have ended."""

    by: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request.

    ``done``; ``refused`` by the node or by us, ``reason`` says why; ``unanswered``: the node was asked and doesn't
    answer; ``unknown``: there is no such node or incident. ``id``: of what was made (a walk test). ``stored``: False
    where what is done would have to be in the history, and isn't. ``until``: when what is done ends by itself.
    ``replaces``: the pause or the isolation whose place it takes.
    """

    outcome: Outcome
    reason: str = ""
    id: str = ""
    stored: bool = True
    until: datetime | None = None
    replaces: Replaced | None = None


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Somebody is coming."""

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
    """End the sound of an incident."""

    incident: IncidentKey
    by: str


@dataclass(frozen=True, slots=True)
class Identify:
    """Let a node show where it is, for ``for_s`` (1 to 60)."""

    node: NodeKey
    by: str
    for_s: float = 10.0


@dataclass(frozen=True, slots=True)
class PauseNode:
    """Maintenance: the node's silence is nobody's business for ``for_s`` (60 s to 30 days). Its alarms stay alarms."""

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
    """A walk test of ``site``: of the nodes named, or of a floor's, or of all; for ``for_s`` (60 to 3600)."""

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
    """A node was renamed or taken away: nothing of it is to stand any more, here and on the brokers."""

    node: NodeKey
    by: str


@dataclass(frozen=True, slots=True)
class TryTarget:
    """Send a target a message that is marked as a test."""

    name: str
    by: str


@dataclass(frozen=True, slots=True)
class IsolateTarget:
    """A target is told nothing for ``for_s`` (60 s to 30 days): it is being mended, say."""

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
    """Whether what is done is known to this monitor alone, so that a restart forgets what the history doesn't have."""
    return answer.outcome == "done" and (isinstance(request, _OURS) or answer.reason == _HERE)

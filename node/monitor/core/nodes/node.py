"""What is known of one node while it is supervised. Pure."""

from dataclasses import dataclass, field
from math import inf

from node.monitor.core.decisions import Moment
from node.monitor.core.model import NodeKey, Pause, Status
from node.monitor.core.monitor_settings import Place
from node.protocol.messages import HeartbeatMessage

PERIOD_S = 10.0
"""What is supposed of a node that hasn't said its period yet."""

PATH_S = 60.0
"""For how long a broker that brought a node counts as its way."""

HEARD = (Status.UP, Status.LATE)


@dataclass(slots=True)
class Tracked:
    """One node. Instants are monotonic; ``due`` is the next one at which something may have to be decided.

    ``born``: the (boot, session) that each broker told as its birth. ``ways``: when each broker brought it last, -inf
    where it only kept something of it. ``will_by``: the broker that told its will, until it is heard or down. ``gone``:
    the boot that said goodbye; ``back_due``: when it has to be back from that. ``proven_at``: when it is one of ours,
    if it is heard then.
    """

    key: NodeKey
    place: Place | None
    known: bool
    status: Status
    since: Moment
    boot: str = ""
    reason: str = ""
    period_s: float = PERIOD_S
    heard: float | None = None
    expected: float = inf
    back_due: float | None = None
    will_by: str = ""
    gone: str = ""
    pause: Pause | None = None
    pause_ends: float = inf
    heartbeat: HeartbeatMessage | None = None
    born: dict[str, tuple[str, int]] = field(default_factory=dict)
    ways: dict[str, float] = field(default_factory=dict)
    queued: float = inf
    proven_at: float = inf

    @property
    def is_reached(self) -> bool:
        """Whether a command may reach it."""
        return self.status in HEARD and bool(self.boot)

    def recent_ways(self) -> list[str]:
        """The brokers that brought it within ``PATH_S`` before it was heard last."""
        latest = max(self.ways.values())
        return [name for name, at in self.ways.items() if at >= latest - PATH_S]

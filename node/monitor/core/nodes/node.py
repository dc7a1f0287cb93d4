"""What is known of one node while it is supervised. Pure."""

from dataclasses import dataclass, field
from math import inf

from node.monitor.core.decisions.ledger import Moment
from node.monitor.core.model.monitor_settings import Place
from node.monitor.core.model.records import NodeKey, NodeRecord, Pause, Status
from node.protocol.messages import HeartbeatMessage

PERIOD_S = 10.0
"""The period that is assumed of a node that hasn't said its own yet."""

PATH_S = 60.0
"""For how long a broker counts as a way to a node that it brought."""

HEARD = (Status.UP, Status.LATE)


@dataclass(slots=True)
class Tracked:
    """One node. Instants are monotonic.

    ``heard_at``: when it last said something. ``expected``: when its next sign of life is due; inf if none is awaited.
    ``births``: the (boot, session) of the birth that each broker brought. ``brought_at``: when each broker brought the
    node last; -inf if it only retained something of it. ``will_by``: the broker that sent its will, until the node is
    heard or down. ``goodbye_boot``: the boot that said goodbye; ``back_due``: when the node must be back from that.
    ``queued``: when its entry in the heap of deadlines comes up. ``proven_at``: from then on it is one of ours if it is
    heard.
    """

    key: NodeKey
    place: Place | None
    known: bool
    status: Status
    since: Moment
    boot: str = ""
    reason: str = ""
    period_s: float = PERIOD_S
    heard_at: float | None = None
    expected: float = inf
    back_due: float | None = None
    will_by: str = ""
    goodbye_boot: str = ""
    pause: Pause | None = None
    pause_ends: float = inf
    heartbeat: HeartbeatMessage | None = None
    births: dict[str, tuple[str, int]] = field(default_factory=dict)
    brought_at: dict[str, float] = field(default_factory=dict)
    queued: float = inf
    proven_at: float = inf

    @property
    def is_reached(self) -> bool:
        """Whether commands can reach it."""
        return self.status in HEARD and bool(self.boot)

    @property
    def may_be_late(self) -> bool:
        """Whether silence makes it late before it is down."""
        return self.status is Status.UP and not self.will_by

    def record(self) -> NodeRecord:
        """What a restart must know of it."""
        return NodeRecord(
            node=self.key,
            status=self.status,
            since_utc=self.since.utc,
            boot=self.boot,
            period_s=self.period_s,
            reason=self.reason,
        )

    def recent_brokers(self) -> list[str]:
        """The brokers that brought it within ``PATH_S`` before it was last heard."""
        latest = max(self.brought_at.values())
        return [name for name, at in self.brought_at.items() if at >= latest - PATH_S]

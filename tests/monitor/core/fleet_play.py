"""The supervision of nodes as its tests play it: in virtual time, with every deadline on the way."""

from collections.abc import Iterable

from node.monitor.core.decisions.ledger import Ledger
from node.monitor.core.model.monitor_settings import Place
from node.monitor.core.model.records import NodeKey, NodeRecord, Pause, Status
from node.monitor.core.nodes.node_supervision import Fleet
from node.protocol.messages import HeartbeatMessage, State
from tests.monitor.core.node_messages import (
    BROKER,
    ROOM,
    START,
    moment,
)

GRACE_S = 9.0


DOWN_S = 19.0


LATE_S = 14.5


class Play:
    """A fleet whose time passes at every deadline that it names, as the service lets it."""

    def __init__(
        self,
        roster: Iterable[NodeKey] | None = None,
        known: Iterable[NodeRecord] = (),
        pauses: Iterable[Pause] = (),
        brokers: tuple[str, ...] = (BROKER,),
        reached: tuple[str, ...] | None = None,
    ) -> None:
        self.ledger = Ledger()
        places = None if roster is None else [Place(each) for each in roster]
        self.fleet = Fleet(
            self.ledger, moment(0.0), grace_s=GRACE_S, roster=places, known=known, pauses=pauses, brokers=brokers
        )
        for broker in brokers if reached is None else reached:
            self.fleet.broker_up(moment(0.0), broker)

    def until(self, at: float) -> None:
        """Let time pass, up to and with ``at``."""
        while self.fleet.next_due <= at:
            self.fleet.time_passed(moment(self.fleet.next_due))
        self.fleet.time_passed(moment(at))

    def say(
        self,
        at: float,
        message: HeartbeatMessage | State,
        node: NodeKey = ROOM,
        broker: str = BROKER,
        *,
        retained: bool = False,
    ) -> None:
        """A node says something at ``at``."""
        self.until(at)
        now = moment(at)
        tracked = self.fleet.find(node, now)
        if tracked is None:
            return
        if isinstance(message, HeartbeatMessage):
            self.fleet.heartbeat(now, tracked, broker, message)
        else:
            self.fleet.state(now, tracked, broker, message, retained=retained)

    def status(self, node: NodeKey = ROOM) -> Status:
        """What is known of a node now."""
        return self.fleet.nodes[node].status

    def found(self) -> list[str]:
        """The codes of the open findings, sorted."""
        return sorted(key.code for key in self.ledger.open)

    def flips(self) -> list[tuple[str, str, float]]:
        """The flips since the last time: before, after, when."""
        return [(each.before, each.after, (each.at_utc - START).total_seconds()) for each in self.ledger.take().flips]

"""What each node says last about its open incidents: at the wall they are open, whatever is known here. Pure."""

from collections.abc import Iterator

from node.messages import Alarm, OpenIncident
from node.monitor.model import IncidentKey, NodeKey

KEPT = 10_000
"""Listed incidents of all nodes: whoever invents some fills no memory. Those whose nodes said them last are kept."""


class Lists:
    """The newest list of each node. Of one boot an older list, as a broker may keep it, takes no newer one's place."""

    def __init__(self) -> None:
        self._count = 0
        self._newest: dict[NodeKey, tuple[str, int]] = {}
        self._of: dict[NodeKey, dict[IncidentKey, OpenIncident]] = {}

    def take(self, node: NodeKey, message: Alarm) -> None:
        """A node's list came."""
        boot, seq = self._newest.get(node, (message.boot, 0))
        if boot == message.boot and message.seq < seq:
            return
        self._newest[node] = message.boot, message.seq
        self._count -= len(self._of.pop(node, ()))
        if message.incidents:
            self._of[node] = {IncidentKey(*node, each.incident): each for each in message.incidents}
            self._count += len(self._of[node])
        while self._count > KEPT:
            self._count -= len(self._of.pop(next(iter(self._of))))

    def forget(self, node: NodeKey) -> None:
        """It is no node any more."""
        self._newest.pop(node, None)
        self._count -= len(self._of.pop(node, ()))

    def get(self, key: IncidentKey) -> OpenIncident | None:
        """This incident as its node has it, None where it doesn't list it, or nobody remembers."""
        return self._of.get(key.of, {}).get(key)

    def has_said(self, node: NodeKey) -> bool:
        """Whether this node has said any list since our start."""
        return node in self._newest

    def all(self) -> Iterator[tuple[IncidentKey, OpenIncident]]:
        """Whatever is listed by anybody."""
        for listed in self._of.values():
            yield from listed.items()

"""Keeps each node's newest list of open incidents: they are open at the node, whatever is known here. Pure."""

from collections.abc import Iterator

from node.monitor.core.model.records import IncidentKey, NodeKey
from node.protocol.messages import Alarm, Event, OpenIncident

BOOTS = 4
"""A list is kept of so many boots of a node. A broker that the node doesn't reach may still retain an older one."""

KEPT = 10_000
"""Listed incidents of all nodes; invented ones can't fill the memory. The lists that came last are kept."""


class Reported:
    """The newest list of each node: the newest of its present boot if that is known, else the newest of its last boot.

    A broker may retain an older list; that never replaces a newer one.
    """

    def __init__(self) -> None:
        self._count = 0
        self._speaks: dict[NodeKey, str] = {}
        self._boots: dict[NodeKey, dict[str, Alarm]] = {}
        self._of: dict[NodeKey, dict[IncidentKey, OpenIncident]] = {}

    def take(self, node: NodeKey, message: Alarm) -> bool:
        """Take a node's list. Returns whether it is its newest one."""
        boots = self._boots.setdefault(node, {})
        known, speaks = boots.pop(message.boot, message), self._speaks.get(node, message.boot)
        is_older = message.seq < known.seq
        boots[message.boot] = known if is_older else message
        while len(boots) > BOOTS:
            del boots[next(boot for boot in boots if boot != speaks)]
        if is_older or message.boot != speaks:
            return False
        self._show(node, message)
        return True

    def spoke(self, node: NodeKey, boot: str) -> Alarm | None:
        """Note that this boot of the node lives. Returns its retained list if that becomes the newest one by this."""
        if self._speaks.get(node) == boot:
            return None
        self._speaks[node] = boot
        kept = self._boots.get(node, {}).get(boot)
        if kept is not None:
            self._show(node, kept)
        return kept

    def _show(self, node: NodeKey, message: Alarm) -> None:
        self._count -= len(self._of.pop(node, ()))
        if message.incidents:
            self._of[node] = {IncidentKey(*node, each.incident): each for each in message.incidents}
            self._count += len(self._of[node])
        while self._count > KEPT:
            self._count -= len(self._of.pop(next(iter(self._of))))

    def forget(self, node: NodeKey) -> None:
        """Drop what is kept of a node that was removed."""
        self._boots.pop(node, None)
        self._speaks.pop(node, None)
        self._count -= len(self._of.pop(node, ()))

    def get(self, key: IncidentKey) -> OpenIncident | None:
        """This incident as its node lists it; None if it doesn't, or if the list isn't known."""
        return self._of.get(key.of, {}).get(key)

    def after(self, node: NodeKey, event: Event) -> Alarm | None:
        """The node's newest list if it was sent after this event; None if there is no such list.

        A node sends its birth before anything else. So an event of another boot than the present one is older.
        """
        newest = self._boots.get(node, {}).get(self._speaks.get(node, event.boot))
        return None if newest is None or (newest.boot == event.boot and newest.seq < event.seq) else newest

    def has_said(self, node: NodeKey) -> bool:
        """Whether any list of this node came since our start."""
        return node in self._boots

    def all(self) -> Iterator[tuple[IncidentKey, OpenIncident]]:
        """All incidents that are listed by any node."""
        for listed in self._of.values():
            yield from listed.items()

"""What each node says last about its open incidents: at the wall they are open, whatever is known here. Pure."""

from collections.abc import Iterator

from node.monitor.core.model import IncidentKey, NodeKey
from node.protocol.messages import Alarm, Event, OpenIncident

BOOTS = 4
"""Of so many boots of a node a list is kept: brokers that it doesn't reach have those of earlier ones."""

KEPT = 10_000
"""Listed incidents of all nodes: whoever invents some fills no memory. Those whose nodes said them last are kept."""


class Reported:
    """The newest list of each node: of the boot that speaks, where it is known, and of that the one said last.

    A broker may keep an older list, which takes no newer one's place.
    """

    def __init__(self) -> None:
        self._count = 0
        self._speaks: dict[NodeKey, str] = {}
        self._boots: dict[NodeKey, dict[str, Alarm]] = {}
        self._of: dict[NodeKey, dict[IncidentKey, OpenIncident]] = {}

    def take(self, node: NodeKey, message: Alarm) -> bool:
        """A node's list came; whether it is its newest one."""
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
        """It lives, and this is its boot; the list that a broker had kept of it, where that is the newest one now."""
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
        """It is no node any more."""
        self._boots.pop(node, None)
        self._speaks.pop(node, None)
        self._count -= len(self._of.pop(node, ()))

    def get(self, key: IncidentKey) -> OpenIncident | None:
        """This incident as its node has it, None where it doesn't list it, or nobody remembers."""
        return self._of.get(key.of, {}).get(key)

    def after(self, node: NodeKey, event: Event) -> Alarm | None:
        """Its newest list, where that was said after this event; None where nobody knows of one.

        A node says its birth before anything else: an event of another boot than the one that speaks is an older one.
        """
        newest = self._boots.get(node, {}).get(self._speaks.get(node, event.boot))
        return None if newest is None or (newest.boot == event.boot and newest.seq < event.seq) else newest

    def has_said(self, node: NodeKey) -> bool:
        """Whether this node has said any list since our start."""
        return node in self._boots

    def all(self) -> Iterator[tuple[IncidentKey, OpenIncident]]:
        """Whatever is listed by anybody."""
        for listed in self._of.values():
            yield from listed.items()

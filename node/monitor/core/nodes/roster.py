"""Which nodes there are: those in the roster, those that an earlier run knew, and strangers that speak. Pure.

Invented nodes can't fill the memory or anybody's mail. Without a roster no node is a stranger.
"""

from collections.abc import Iterable, Mapping
from math import inf

from node.monitor.core.decisions.ledger import Ledger, Moment
from node.monitor.core.model.catalogue import NOT_OURS
from node.monitor.core.model.monitor_settings import Place
from node.monitor.core.model.records import FindingKey, NodeKey, Status
from node.monitor.core.nodes.node import PERIOD_S, Tracked

NODES_LIMIT = 20_000
"""How many nodes are kept where no roster lists them. A roster may be longer."""

STRANGERS_LIMIT = 200
"""How many strangers (nodes that aren't in the roster) are kept. Further ones are only counted."""

PROVEN_S = 60.0
"""Without a roster a node must be heard for so long before it is one of ours. So thousands of nodes that somebody
invents at once wait behind those that were there before."""


class Roster:
    """``nodes``: all nodes that are known.

    ``ours``: the nodes in the roster. Without a roster: the nodes that an earlier run knew, and those that sent
    heartbeats for ``PROVEN_S``. Other threads may read it.
    """

    def __init__(self, ledger: Ledger, now: Moment, roster: Iterable[Place] | None) -> None:
        self.nodes: dict[NodeKey, Tracked] = {}
        self._ledger = ledger
        self._strangers = 0
        self._roster: Mapping[NodeKey, Place] | None = None if roster is None else {each.key: each for each in roster}
        for key in self._roster or {}:
            self._add(now, key)
        self.ours = set(self.nodes)

    def remember(self, now: Moment, key: NodeKey) -> Tracked | None:
        """Restore a node of an earlier run. None if it isn't in the roster any more: it is a stranger if it speaks."""
        tracked = self.nodes.get(key)
        if tracked is None and self._roster is None:
            tracked = self._add(now, key)
            self.ours.add(key)
        return tracked

    def admit(self, now: Moment, key: NodeKey) -> Tracked | None:
        """Add a node that wasn't known. None if too many strangers are known already."""
        is_full = len(self.nodes) >= NODES_LIMIT if self._roster is None else self._strangers >= STRANGERS_LIMIT
        if is_full:
            return None
        return self._add(now, key)

    def speaks(self, now: Moment, tracked: Tracked) -> None:
        """Find a stranger that speaks now. A retained message doesn't count: its node may not exist any more."""
        if not tracked.known:
            self._ledger.raise_finding(now, FindingKey(NOT_OURS.code, *tracked.key, ""))

    def forget(self, tracked: Tracked) -> None:
        """Remove a node."""
        del self.nodes[tracked.key]
        self.ours.discard(tracked.key)
        self._strangers -= not tracked.known

    def prove(self, now: Moment, tracked: Tracked) -> None:
        """Note a heartbeat. Without a roster the node is one of ours once it has sent them for long enough."""
        if self._roster is None and tracked.key not in self.ours:
            if tracked.proven_at == inf:
                tracked.proven_at = now.at + PROVEN_S
            elif tracked.proven_at <= now.at:
                self.ours.add(tracked.key)

    def _add(self, now: Moment, key: NodeKey) -> Tracked:
        place = None if self._roster is None else self._roster.get(key)
        known = self._roster is None or place is not None
        tracked = Tracked(key, place, known, Status.NEW, now, expected=now.at + PERIOD_S)
        self.nodes[key] = tracked
        self._strangers += not known
        return tracked

"""Which nodes there are: those of the roster, those that an earlier run knew, and whoever else speaks. Pure.

Whoever invents nodes fills neither the memory nor anybody's mail. Where there is no roster, nobody is a stranger.
"""

from collections.abc import Iterable, Mapping
from math import inf

from node.monitor.core.decisions import Ledger, Moment
from node.monitor.core.findings.catalogue import NOT_OURS
from node.monitor.core.model import FindingKey, NodeKey, Status
from node.monitor.core.monitor_settings import Place
from node.monitor.core.nodes.node import PERIOD_S, Tracked

NODES_LIMIT = 20_000
STRANGERS_LIMIT = 200
"""How many nodes that the roster doesn't know are kept apart; the rest is counted."""

PROVEN_S = 60.0
"""How long a node that nobody has listed has to be heard before it is one of ours: whoever invents thousands of nodes
in a burst stands behind those that have been there."""


class Roster:
    """``nodes``: all that are known.

    ``ours``: those of the roster; where there is none, those that an earlier run knew, and whoever has its heartbeats
    for ``PROVEN_S``. Other threads may look into it.
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
        """A node that an earlier run knew; None where it was taken out of the roster: a stranger, once it speaks."""
        tracked = self.nodes.get(key)
        if tracked is None and self._roster is None:
            tracked = self._add(now, key)
            self.ours.add(key)
        return tracked

    def admit(self, now: Moment, key: NodeKey) -> Tracked | None:
        """A node that wasn't known; None where too many strangers are known already."""
        stranger = self._roster is not None and key not in self._roster
        if len(self.nodes) >= NODES_LIMIT or (stranger and self._strangers >= STRANGERS_LIMIT):
            return None
        return self._add(now, key)

    def speaks(self, now: Moment, tracked: Tracked) -> None:
        """It says something now: what a broker kept of it may be from a node that is no more."""
        if not tracked.known:
            self._ledger.find(now, FindingKey(NOT_OURS.code, *tracked.key, ""))

    def forget(self, tracked: Tracked) -> None:
        """It is no node any more."""
        del self.nodes[tracked.key]
        self.ours.discard(tracked.key)
        self._strangers -= not tracked.known

    def prove(self, now: Moment, tracked: Tracked) -> None:
        """It has its heartbeat: where nobody has listed the nodes, it is one of ours once it has for long enough."""
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

"""Limits how often a node may call before the calls of other nodes are told first. Pure.

A node that is broken, or whose login was stolen, may open and reset hundreds of alarms. All of them are told. But those
beyond ``CALLS`` at once, and one more every ``ANOTHER_S``, are told after the calls of all other nodes. A further press
counts less than a new call, because a frightened person presses often.
"""

from node.monitor.core.decisions.ledger import Ledger, Moment
from node.monitor.core.model.catalogue import MANY_CALLS
from node.monitor.core.model.records import FindingKey, NodeKey

CALLS = 5
ANOTHER_S = 12.0
CALL = 1.0
FURTHER_PRESS = 1 / 6
"""One press every two seconds is allowed without end."""

SHOWN_S = 60.0
"""How long the finding stays after the last call beyond the limit."""


class CallRate:
    """Counts the calls of each node."""

    def __init__(self, ledger: Ledger, now: Moment) -> None:
        self._ledger = ledger
        self._left: dict[NodeKey, tuple[float, float]] = {}
        self._shown = {key: now.at + SHOWN_S for key in ledger.open if key.code == MANY_CALLS.code}

    def is_too_many(self, now: Moment, node: NodeKey, weight: float) -> bool:
        """Count a call of this node, and say if it is beyond the limit. ``weight``: ``CALL`` or ``FURTHER_PRESS``."""
        left, since = self._left.get(node, (float(CALLS), now.at))
        left = min(float(CALLS), left + (now.at - since) / ANOTHER_S)
        if left >= weight:
            self._left[node] = left - weight, now.at
            return False
        self._left[node] = left, now.at
        key = FindingKey(MANY_CALLS.code, *node, "")
        self._shown[key] = now.at + SHOWN_S
        self._ledger.raise_finding(now, key)
        return True

    def time_passed(self, now: Moment) -> None:
        """Clear the findings about calls beyond the limit that were long ago."""
        for key, until in list(self._shown.items()):
            if until <= now.at:
                del self._shown[key]
                self._ledger.clear(now, key)
        rested = [node for node, (_, since) in self._left.items() if now.at - since >= CALLS * ANOTHER_S]
        for node in rested:
            del self._left[node]

"""How often a node may call before the calls of others are told first. Pure.

A node that is mad, or whose login was stolen, opens and resets hundreds of alarms. Each is told, but beyond
``CALLS`` at once, and one every ``ANOTHER_S`` from then on, they stand behind those of every other node. A further
press counts less than a new call: a frightened person presses often.
"""

from node.monitor.core.decisions import Ledger, Moment
from node.monitor.core.findings.catalogue import MANY_CALLS
from node.monitor.core.model import FindingKey, NodeKey

CALLS = 5
ANOTHER_S = 12.0
CALL = 1.0
FURTHER_PRESS = 1 / 6
"""One every two seconds, for as long as it takes."""

SHOWN_S = 60.0
"""How long the finding stands after the last call that was too many."""


class CallRate:
    """Counts the calls of each node."""

    def __init__(self, ledger: Ledger, now: Moment) -> None:
        self._ledger = ledger
        self._left: dict[NodeKey, tuple[float, float]] = {}
        self._shown = {key: now.at + SHOWN_S for key in ledger.open if key.code == MANY_CALLS.code}

    def is_too_many(self, now: Moment, node: NodeKey, weight: float) -> bool:
        """It calls now: whether that is beyond what it may. ``weight``: ``CALL``, or ``FURTHER_PRESS``."""
        left, since = self._left.get(node, (float(CALLS), now.at))
        left = min(float(CALLS), left + (now.at - since) / ANOTHER_S)
        if left >= weight:
            self._left[node] = left - weight, now.at
            return False
        self._left[node] = left, now.at
        key = FindingKey(MANY_CALLS.code, *node, "")
        self._shown[key] = now.at + SHOWN_S
        self._ledger.find(now, key)
        return True

    def time_passed(self, now: Moment) -> None:
        """What was too many a while ago isn't any more."""
        for key, until in list(self._shown.items()):
            if until <= now.at:
                del self._shown[key]
                self._ledger.clear(now, key)
        rested = [node for node, (_, since) in self._left.items() if now.at - since >= CALLS * ANOTHER_S]
        for node in rested:
            del self._left[node]

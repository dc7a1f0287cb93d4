"""Mistaken calls of each button: the second one in twelve months is a finding. Pure.

After a few of them nobody runs any more, so somebody has to see why this button is pressed by mistake.
"""

from collections.abc import Iterable
from datetime import datetime

from node.monitor.decisions import Ledger, Moment
from node.monitor.findings import MISTAKEN_CALLS
from node.monitor.model import FindingKey, NodeKey

COUNTED_S = 365 * 86400.0
MANY = 2


class Mistakes:
    """``known``: the mistaken calls of a year: node, input, and when they were ended."""

    def __init__(self, ledger: Ledger, now: Moment, known: Iterable[tuple[NodeKey, str, datetime]] = ()) -> None:
        self._ledger = ledger
        self._of: dict[tuple[NodeKey, str], list[datetime]] = {}
        for node, name, at_utc in known:
            self._of.setdefault((node, name), []).append(at_utc)
        self.review(now)

    def count(self, node: NodeKey, name: str) -> int:
        """How often this button called by mistake in the last twelve months."""
        return len(self._of.get((node, name), ()))

    def add(self, now: Moment, node: NodeKey, name: str, at_utc: datetime) -> None:
        """It did so once more."""
        self._of.setdefault((node, name), []).append(at_utc)
        self._review(now, node, name)

    def review(self, now: Moment) -> None:
        """Forget what is longer ago than twelve months."""
        for node, name in self._of:
            self._review(now, node, name)

    def _review(self, now: Moment, node: NodeKey, name: str) -> None:
        recent = [each for each in self._of[node, name] if (now.utc - each).total_seconds() < COUNTED_S]
        self._of[node, name] = recent
        key = FindingKey(MISTAKEN_CALLS.code, *node, name)
        if len(recent) >= MANY:
            self._ledger.find(now, key, count=len(recent))
        else:
            self._ledger.clear(now, key)

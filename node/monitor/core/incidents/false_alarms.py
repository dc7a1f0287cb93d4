"""Counts the mistaken calls of each button: the second one in twelve months is a finding. Pure.

After a few false alarms people stop reacting, so somebody must find out why this button is pressed by mistake.
"""

from collections.abc import Iterable
from datetime import datetime

from node.monitor.core.decisions.ledger import Ledger, Moment, counted_from
from node.monitor.core.model.catalogue import MISTAKEN_CALLS
from node.monitor.core.model.records import FindingKey, NodeKey

COUNTED_S = 365 * 86400.0
MANY = 2
LIMIT = 50_000
"""As many buttons as are known (button_tests.py). A sender that invents inputs can't fill the memory."""


class FalseAlarms:
    """``known``: the mistaken calls of the last year: node, input, and when each was ended."""

    def __init__(self, ledger: Ledger, now: Moment, known: Iterable[tuple[NodeKey, str, datetime]] = ()) -> None:
        self._ledger = ledger
        self._of: dict[tuple[NodeKey, str], list[datetime]] = {}
        for node, name, at_utc in known:
            self._of.setdefault((node, name), []).append(at_utc)
        self.review(now)

    def count(self, node: NodeKey, name: str) -> int:
        """How many mistaken calls this button made in the last twelve months."""
        return len(self._of.get((node, name), ()))

    def add(self, now: Moment, node: NodeKey, name: str, at_utc: datetime) -> None:
        """Count one more mistaken call."""
        if (node, name) not in self._of and len(self._of) >= LIMIT:
            return
        self._of.setdefault((node, name), []).append(at_utc)
        self._review(now, node, name)

    def review(self, now: Moment) -> None:
        """Drop calls that are older than twelve months."""
        for node, name in list(self._of):
            self._review(now, node, name)

    def _review(self, now: Moment, node: NodeKey, name: str) -> None:
        dated = [counted_from(now, each) for each in self._of[node, name]]
        recent = [each for each in dated if (now.utc - each).total_seconds() < COUNTED_S]
        self._of[node, name] = recent
        if not recent:
            del self._of[node, name]
        key = FindingKey(MISTAKEN_CALLS.code, *node, name)
        if len(recent) >= MANY:
            self._ledger.raise_finding(now, key, count=len(recent))
        else:
            self._ledger.clear(now, key)

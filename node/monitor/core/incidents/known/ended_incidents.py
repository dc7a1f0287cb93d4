"""Remembers the incidents that ended last, and with how many presses: a call that counts more wasn't over. Pure."""

from collections import OrderedDict
from collections.abc import Iterable

from node.monitor.core.decisions.ledger import Moment
from node.monitor.core.model.records import IncidentKey

CLOSED_KEPT = 10_000


class EndedIncidents:
    """``known``: those that ended before the start, oldest first, each with its number of presses."""

    def __init__(self, now: Moment, known: Iterable[tuple[IncidentKey, int]]) -> None:
        self.presses: OrderedDict[IncidentKey, int] = OrderedDict(known)
        self._ended_at: dict[IncidentKey, float] = {}
        self._began = now.at

    def add(self, now: Moment, key: IncidentKey, presses: int) -> None:
        """Remember one more, and drop the oldest one if there are too many."""
        self.presses[key], self._ended_at[key] = presses, now.at
        if len(self.presses) > CLOSED_KEPT:
            gone, _ = self.presses.popitem(last=False)
            self._ended_at.pop(gone, None)

    def ended_at(self, key: IncidentKey) -> float:
        """When it ended (monotonic); when this run began if it ended before that."""
        return self._ended_at.get(key, self._began)

    def remove(self, key: IncidentKey) -> int:
        """Forget one, because it wasn't over. Returns the number of presses with which it seemed to end, or 0."""
        self._ended_at.pop(key, None)
        return self.presses.pop(key, 0)

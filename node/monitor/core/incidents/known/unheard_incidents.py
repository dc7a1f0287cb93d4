"""Keeps incidents that a node lists as open before any event of them has come: it may be on its way. Pure."""

from collections.abc import Iterable, Iterator

from node.monitor.core.decisions.ledger import Moment
from node.monitor.core.model.records import IncidentKey, NodeKey
from node.protocol.messages import OpenIncident

LISTED_S = 10.0
"""How long a listed incident may lack its event: the event was sent together with the list."""


class UnheardIncidents:
    """Each with the instant (monotonic) since when it is listed, and as it was listed with most presses."""

    def __init__(self) -> None:
        self._of_node: dict[NodeKey, dict[IncidentKey, tuple[float, OpenIncident]]] = {}

    def listed(
        self, now: Moment, node: NodeKey, unheard: Iterable[tuple[IncidentKey, OpenIncident]], *, is_newest: bool
    ) -> None:
        """Take what of a node's list is unheard. Only its newest list removes what an earlier one named."""
        waiting = self._of_node.pop(node, {})
        kept = {} if is_newest else dict(waiting)
        for key, newest in unheard:
            since, known = waiting.get(key, (now.at, newest))
            kept[key] = since, newest if newest.presses >= known.presses else known
        if kept:
            self._of_node[node] = kept

    def due(self, now: Moment) -> Iterator[tuple[IncidentKey, OpenIncident]]:
        """Those whose event should have come by now. They are removed."""
        for unheard in list(self._of_node.values()):
            for key, (since, listed) in list(unheard.items()):
                if since + LISTED_S <= now.at:
                    self.remove(key)
                    yield key, listed

    def remove(self, key: IncidentKey) -> None:
        """Its event came, or it is over."""
        unheard = self._of_node.get(key.of, {})
        unheard.pop(key, None)
        if not unheard:
            self._of_node.pop(key.of, None)

    def forget(self, node: NodeKey) -> None:
        """Drop what is kept of a removed node."""
        self._of_node.pop(node, None)

"""Keeps the open incidents, by key and by node, and limits how many there are. Pure.

Each node may have as many as it can list. Beyond ``OPEN_LIMIT`` each node has one. So a node that invents incidents
can't keep out the first call of another node.
"""

from node.monitor.core.decisions.ledger import Ledger, Moment
from node.monitor.core.incidents.escalation import Open
from node.monitor.core.model.catalogue import FLOOD
from node.monitor.core.model.records import FindingKey, IncidentKey, IncidentRecord, NodeKey
from node.protocol.messages import INCIDENTS_LIMIT

OPEN_LIMIT = 5_000
"""Beyond this limit each node has one open incident. None ever has more than ``INCIDENTS_LIMIT``, all it can list."""


class OpenIncidents:
    """All of them: ``all``, by their keys."""

    def __init__(self, ledger: Ledger) -> None:
        self.all: dict[IncidentKey, Open] = {}
        self._ledger = ledger
        self._of_node: dict[NodeKey, dict[IncidentKey, Open]] = {}

    def of(self, node: NodeKey) -> list[Open]:
        """Those of this node."""
        return list(self._of_node.get(node, {}).values())

    def has_room(self, now: Moment, node: NodeKey) -> bool:
        """Whether this node may have one more. If not, that becomes a finding."""
        others = len(self._of_node.get(node, ()))
        is_full = bool(others) and (others >= INCIDENTS_LIMIT or len(self.all) >= OPEN_LIMIT)
        if is_full:
            self.find_too_many(now, node)
        return not is_full

    def find_too_many(self, now: Moment, node: NodeKey) -> None:
        """Raise the finding that this node has more incidents than there is room for."""
        self._ledger.raise_finding(now, _too_many(node))

    def least(self, node: NodeKey) -> Open | None:
        """One of this node that makes room for a call: it calls nobody now, or only a list names it."""
        return next((each for each in self.of(node) if _matters_less(each.record)), None)

    def put(self, opened: Open) -> None:
        """Add one."""
        key = opened.record.key
        self.all[key] = self._of_node.setdefault(key.of, {})[key] = opened

    def take(self, now: Moment, key: IncidentKey) -> Open | None:
        """Remove and return one; None if there is none with this key."""
        opened = self.all.pop(key, None)
        if opened is not None:
            others = self._of_node[key.of]
            del others[key]
            self._ledger.clear(now, _too_many(key.of))
            if not others:
                del self._of_node[key.of]
        return opened


def _matters_less(record: IncidentRecord) -> bool:
    return record.test or record.is_answered or record.held_utc is None


def _too_many(node: NodeKey) -> FindingKey:
    return FindingKey(FLOOD.code, *node, "incidents")

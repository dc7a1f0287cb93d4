"""Finds what was decided at a desk while a node was away, and is different at the node. Pure.

1. Somebody may end or acknowledge an alarm while its node is away. That is meant for the node, too. Once the node is
   back and has listed the old state for ``LISTED_S``, it is asked again in that person's name. Otherwise its lamp would
   go on showing that nobody is coming.
2. An incident may be over here while its living node still lists it. After ``NORMAL_S`` that is a finding: sound and
   lamp at the node call for help, and nobody here sees an alarm. After a restart nobody knows who ended it, so somebody
   must go there.
3. If the node lists more presses than were answered or ended, this file leaves it alone: that incident is open
   (lifecycle.py).
"""

from collections.abc import Iterator

from node.monitor.core.decisions.ledger import Ledger, Moment
from node.monitor.core.incidents.known.reported import Reported
from node.monitor.core.incidents.known.unheard_incidents import LISTED_S
from node.monitor.core.incidents.lifecycle import NORMAL_S, Incidents
from node.monitor.core.model.catalogue import OPEN_AT_THE_WALL
from node.monitor.core.model.records import FindingKey, IncidentKey
from node.monitor.core.model.requests import Acknowledge, Reset
from node.monitor.core.nodes.node_supervision import Fleet
from node.protocol.messages import OpenIncident


class Resync:
    """Compares what is known here with what the nodes list."""

    def __init__(self, ledger: Ledger, fleet: Fleet, incidents: Incidents, reported: Reported) -> None:
        self._ledger = ledger
        self._fleet = fleet
        self._incidents = incidents
        self._reported = reported
        self._ended: dict[IncidentKey, Reset] = {}
        self._since: dict[IncidentKey, float] = {}
        self._refused: set[IncidentKey] = set()
        self._found = {IncidentKey(*key.of, key.subject) for key in ledger.open if key.code == OPEN_AT_THE_WALL.code}

    def ended_here(self, request: Reset) -> None:
        """Note that this end was recorded only here."""
        self._ended[request.incident] = request

    def refused(self, key: IncidentKey) -> None:
        """Note that the node refused: somebody may still be pressing. It isn't asked again."""
        self._refused.add(key)

    def due(self, now: Moment) -> Iterator[Acknowledge | Reset]:
        """What nodes must be asked again. Also raises and clears the findings of rule 2."""
        differing = {key: listed for key, listed in self._reported.all() if self._differs(key, listed)}
        self._since = {key: self._since.get(key, now.at) for key in differing}
        self._ended = {key: each for key, each in self._ended.items() if self._incidents.ended(key) is not None}
        self._refused &= self._since.keys()
        self._find(now)
        for key, since in self._since.items():
            wanted = self._wanted(key)
            if wanted is not None and since + LISTED_S <= now.at and key not in self._refused:
                yield wanted

    def _differs(self, key: IncidentKey, listed: OpenIncident) -> bool:
        tracked = self._fleet.nodes.get(key.of)
        if tracked is None or not tracked.is_reached:
            return False
        opened = self._incidents.open.get(key)
        if opened is None:
            return listed.presses <= (self._incidents.ended(key) or 0)
        record = opened.record
        return (
            record.is_answered and listed.phase != "acknowledged" and listed.presses + record.beyond <= record.answered
        )

    def _wanted(self, key: IncidentKey) -> Acknowledge | Reset | None:
        opened = self._incidents.open.get(key)
        if opened is None:
            return self._ended.get(key)
        by = opened.record.acknowledged_by
        return Acknowledge(key, by) if by else None

    def _find(self, now: Moment) -> None:
        for key, since in self._since.items():
            if key not in self._incidents.open and since + NORMAL_S <= now.at:
                self._found.add(key)
                self._ledger.raise_finding(now, _at_the_wall(key))
        for key in list(self._found):
            if key not in self._since and self._reported.has_said(key.of):
                self._found.discard(key)
                self._ledger.clear(now, _at_the_wall(key))


def _at_the_wall(key: IncidentKey) -> FindingKey:
    return FindingKey(OPEN_AT_THE_WALL.code, *key.of, key.incident)

"""What was decided at a desk while a node was away, and isn't so at its wall. Pure.

1. Whoever ended an alarm, or said to be coming, while its node was away has meant the wall, too: once the node is back
   and has its old list for ``LISTED_S``, it is asked again, in their name. The lamp must not say that nobody comes.
2. An incident that is over here, and that a living node lists for ``NORMAL_S`` all the same, is a finding: its sound
   and its lamp call for help, and here nobody sees an alarm. After a restart nobody knows who ended it: somebody goes.
3. What its node lists with more presses than were answered or ended is no matter of this: it is open (lifecycle.py).
"""

from collections.abc import Iterator

from node.monitor.core.commands.requests import Acknowledge, Reset
from node.monitor.core.decisions import Ledger, Moment
from node.monitor.core.findings.catalogue import OPEN_AT_THE_WALL
from node.monitor.core.incidents.lifecycle import LISTED_S, NORMAL_S, Incidents
from node.monitor.core.incidents.reported import Reported
from node.monitor.core.model import FindingKey, IncidentKey
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
        """This end was noted here alone."""
        self._ended[request.incident] = request

    def refused(self, key: IncidentKey) -> None:
        """Its node has a reason not to: somebody may still be pressing."""
        self._refused.add(key)

    def due(self, now: Moment) -> Iterator[Acknowledge | Reset]:
        """What nodes are to be asked again; and the findings of rule 2."""
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
                self._ledger.find(now, _at_the_wall(key))
        for key in list(self._found):
            if key not in self._since and self._reported.has_said(key.of):
                self._found.discard(key)
                self._ledger.clear(now, _at_the_wall(key))


def _at_the_wall(key: IncidentKey) -> FindingKey:
    return FindingKey(OPEN_AT_THE_WALL.code, *key.of, key.incident)

"""Makes findings of the faults that nodes report. Pure.

1. A fault is a finding from the first heartbeat that names it to the first that doesn't.
2. All codes of a node that this version doesn't know are one finding. So invented codes can't fill the history or the
   labels of the metrics.
3. A node may raise ``ROOM`` findings at once, and one more each ``REFILL_S``. Faults beyond that are left out until
   then, and that is a finding of its own. Otherwise faults that come and go with each heartbeat would fill the history
   and people's mail.
"""

from dataclasses import dataclass
from math import inf

from node.errors.faults import FAULTS
from node.monitor.core.decisions.ledger import Ledger, Moment, plain
from node.monitor.core.model.catalogue import FLOOD, UNKNOWN_FAULTS
from node.monitor.core.model.records import FindingKey, NodeKey
from node.protocol.messages import FAULTS_LIMIT, HeartbeatMessage

ROOM = 2 * FAULTS_LIMIT
REFILL_S = 30.0
SHOWN_S = 60.0
"""How long the finding about faults that were left out stays after the last one."""

NAMED = 3


@dataclass(slots=True)
class _Said:
    """A node's faults that are findings. ``room``: how many more it could raise at ``at`` (monotonic).

    ``owes``: some of its faults were left out. ``left_out_until``: when the finding about that ends; inf once it has.
    """

    reported: frozenset[FindingKey] = frozenset()
    room: float = ROOM
    at: float = -inf
    left_out_until: float = -inf
    owes: bool = False


class NodeFaults:
    """The faults of all nodes, as far as they are findings."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._of: dict[NodeKey, _Said] = {}
        for key in ledger.open:
            if key.code.startswith("F") or (key.code, key.subject) == (UNKNOWN_FAULTS.code, ""):
                said = self._of.setdefault(key.of, _Said())
                said.reported |= {key}

    def forget(self, node: NodeKey) -> None:
        """Drop what is kept of a node that was removed."""
        self._of.pop(node, None)

    def heartbeat(self, now: Moment, node: NodeKey, message: HeartbeatMessage, *, is_new: bool) -> None:
        """Take a node's heartbeat. ``is_new``: its faults differ from those before."""
        said = self._of.get(node)
        if said is None:
            said = self._of[node] = _Said()
        if is_new or said.owes:
            self._compare(now, node, said, message)
        if said.left_out_until <= now.at:
            said.left_out_until = inf
            self._ledger.clear(now, _too_many(node))

    def _compare(self, now: Moment, node: NodeKey, said: _Said, message: HeartbeatMessage) -> None:
        said.room = min(ROOM, said.room + (now.at - said.at) / REFILL_S)
        said.at = now.at
        named = [(plain(each.code, 8), plain(each.subject, 200)) for each in message.faults[:FAULTS_LIMIT]]
        unknown = sorted({code for code, _ in named if code not in FAULTS})
        wanted = {FindingKey(code, *node, subject) for code, subject in named if code in FAULTS}
        if unknown:
            wanted.add(FindingKey(UNKNOWN_FAULTS.code, *node, ""))
        fresh = sorted(wanted - said.reported)
        taken = fresh[: int(said.room)]
        said.room -= len(taken)
        said.owes = len(taken) < len(fresh)
        if said.owes:
            said.left_out_until = now.at + SHOWN_S
            self._ledger.raise_finding(now, _too_many(node))
        for key in sorted(said.reported - wanted):
            self._ledger.clear(now, key)
        said.reported = frozenset((said.reported & wanted) | {*taken})
        for key in sorted(said.reported):
            if key.code == UNKNOWN_FAULTS.code:
                self._ledger.raise_finding(now, key, count=len(unknown), detail=", ".join(unknown[:NAMED]))
            else:
                self._ledger.raise_finding(now, key)


def _too_many(node: NodeKey) -> FindingKey:
    return FindingKey(FLOOD.code, *node, "faults")

"""Finds out whether commands reach the nodes: sends each node probes and looks at its answers. Pure.

A probe is a command that changes nothing at the node, and the node answers it like any other. A probe goes out at each
birth, when a node is first heard to be up, and then four times an hour. A node that answers "no-expiry" gets all
commands without their expiry (a bridge that speaks MQTT 3.1.1 removes it). A node that doesn't answer hears no
commands at all. In both cases nobody can end a call there from afar.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from node.monitor.core.decisions.ledger import Ledger, Moment
from node.monitor.core.findings.self_check import SelfCheck
from node.monitor.core.model.catalogue import COMMANDS_EXPIRED, COMMANDS_UNHEARD, FindingKind
from node.monitor.core.model.records import FindingKey, NodeKey, Status
from node.monitor.core.nodes.node_supervision import Fleet
from node.protocol.messages import ReplyMessage

PROBE_S = 900.0
ANSWER_S = 15.0
"""A probe lives for 10 s (monitor_codec.TTL_S), and its answer may take longer on a slow path."""

TRIES = 3
AT_ONCE = 10
"""How many probes go out in a tick, besides those at births. A whole building takes minutes; nobody waits for that."""

LOOKED_AT = 1_000
"""How many nodes are looked at in a tick, one after the other in turns: all messages wait meanwhile."""

_NO_EXPIRY = "no-expiry"


@dataclass(slots=True)
class _Way:
    """``due``: when the next probe goes out. ``unanswered``: how many probes were sent since the newest answer."""

    due: float
    unanswered: int = 0


class Probes:
    """Probes all nodes. ``send`` sends a probe to a node of this boot. The ids of our commands begin with ``mine``."""

    def __init__(
        self, ledger: Ledger, fleet: Fleet, self_check: SelfCheck, send: Callable[[NodeKey, str], object], mine: str
    ) -> None:
        self._ledger = ledger
        self._fleet = fleet
        self._self_check = self_check
        self._send = send
        self._mine = mine
        self._probes: dict[NodeKey, _Way] = {}
        self._round: Iterator[NodeKey] = iter(())

    def probe(self, now: Moment, node: NodeKey, boot: str) -> None:
        """Send a node a probe, and wait for its answer."""
        way = self._probes.setdefault(node, _Way(now.at))
        way.due = now.at + ANSWER_S
        way.unanswered += 1
        self._send(node, boot)

    def reply(self, now: Moment, node: NodeKey, reply: ReplyMessage) -> None:
        """Take a node's answer to one of our commands: commands reach it, as we sent them or without their expiry."""
        way = self._probes.get(node)
        if way is None or not (reply.id or "").startswith(self._mine):
            return
        self._probes[node] = _Way(now.at + PROBE_S)
        self._ledger.clear(now, self._key(COMMANDS_UNHEARD, node))
        if reply.outcome == "refused" and reply.reason == _NO_EXPIRY:
            self._ledger.raise_finding(now, self._key(COMMANDS_EXPIRED, node))
        else:
            self._ledger.clear(now, self._key(COMMANDS_EXPIRED, node))

    def time_passed(self, now: Moment) -> None:
        """Send the probes that are due, and find nodes that don't answer."""
        if not any(link.up for link in self._self_check.links.values()):
            return
        nodes = self._fleet.nodes
        left, sent = min(len(nodes), LOOKED_AT), 0
        while left > 0 and sent < AT_ONCE:
            node = next(self._round, None)
            if node is None:
                self._round = iter(list(nodes))
                continue
            left -= 1
            tracked = nodes.get(node)
            if tracked is None or tracked.status is not Status.UP or not tracked.boot:
                self._probes.pop(node, None)
                continue
            way = self._probes.get(node)
            if way is None:
                way = self._probes[node] = _Way(now.at)
            if way.due > now.at:
                continue
            if way.unanswered >= TRIES:
                self._ledger.raise_finding(now, self._key(COMMANDS_UNHEARD, node))
            sent += 1
            self.probe(now, node, tracked.boot)

    def forget(self, node: NodeKey) -> None:
        """Drop what is kept of a removed node."""
        self._probes.pop(node, None)

    @staticmethod
    def _key(kind: FindingKind, node: NodeKey) -> FindingKey:
        return FindingKey(kind.code, *node, "")

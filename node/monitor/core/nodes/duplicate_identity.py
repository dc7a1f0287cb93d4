"""Finds two processes that speak as the same node, such as a copied memory card, because their lives overlap. Pure.

A node has one process at a time, and each start of it has a new boot. If an older boot speaks after a newer one was
heard, both are alive. One of the two buttons may be dead, and nobody sees which. This is found whether the two share a
broker, throw each other off it, or have a broker each.
"""

from dataclasses import dataclass, field
from math import inf

from node.monitor.core.decisions.ledger import Ledger, Moment
from node.monitor.core.model.catalogue import DOUBLED
from node.monitor.core.model.records import FindingKey, NodeKey
from node.protocol.messages import HeartbeatMessage

MARGIN_S = 5.0
"""How much later than the newest boot an older one must speak to count, and how late a heartbeat may come.

The last messages of a node that was restarted come within the round trip of its broker. A link gives up an unanswered
connection after 3 to 24 s (node/io/mqtt/answer_timeout.py), so on a very slow network a message may come later than
``MARGIN_S``. Then a restarted node is reported as two for ``SHOWN_S``. That is a finding, never an alarm.
"""

SHOWN_S = 120.0
"""How long the finding stays after the last sign of it: twice the longest period of a node."""

BOOTS_KEPT = 4


@dataclass(slots=True)
class _Life:
    """One boot: when it began, which follows from the uptime that it reports, and when it was first heard."""

    began: float
    first_heard: float


@dataclass(slots=True)
class _Voices:
    """The newest boots of a node, in the order in which they were first heard.

    ``until``: when the finding ends; inf once it has ended.
    """

    lives: dict[str, _Life] = field(default_factory=dict)
    until: float = -inf


class DuplicateIdentity:
    """The boots of all nodes, by their heartbeats."""

    def __init__(self, ledger: Ledger, now: Moment) -> None:
        self._ledger = ledger
        self._voices: dict[NodeKey, _Voices] = {
            key.of: _Voices(until=now.at + SHOWN_S) for key in ledger.open if key.code == DOUBLED.code
        }

    def heartbeat(self, now: Moment, node: NodeKey, message: HeartbeatMessage) -> None:
        """Take a node's heartbeat. ``now`` is when it came."""
        voices = self._voices.get(node)
        if voices is None:
            voices = self._voices[node] = _Voices()
        began = now.at - max(0.0, message.uptime_s)
        life = voices.lives.get(message.boot)
        if life is None:
            life = voices.lives[message.boot] = _Life(began, now.at)
        is_late = began > life.began + MARGIN_S
        life.began = min(life.began, began)
        if len(voices.lives) > BOOTS_KEPT:
            del voices.lives[next(iter(voices.lives))]
        others = voices.lives.values() if len(voices.lives) > 1 and not is_late else ()
        if any(_overlaps(life, other, now.at) for other in others):
            voices.until = now.at + SHOWN_S
            self._ledger.raise_finding(now, _key(node))
        elif voices.until <= now.at:
            voices.until = inf
            self._ledger.clear(now, _key(node))

    def forget(self, node: NodeKey) -> None:
        """Drop what is kept of a node that was removed."""
        self._voices.pop(node, None)


def _overlaps(older: _Life, newer: _Life, at: float) -> bool:
    """Whether the boot that speaks ``at`` this instant began before the other one, and is still alive."""
    return older.began < newer.began and newer.first_heard + MARGIN_S <= at


def _key(node: NodeKey) -> FindingKey:
    return FindingKey(DOUBLED.code, *node, "")

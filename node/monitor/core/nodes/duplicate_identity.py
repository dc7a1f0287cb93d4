"""Two processes that speak as one node, such as a copied memory card: found by their lives, which overlap. Pure.

A node has one process at a time, and each start of it has another boot. Whoever speaks with an older boot after a newer
one has been heard shows that both live: one of the two buttons may be dead, and nobody sees which. This holds whether
they share a broker, throw each other off it, or have one each.
"""

from dataclasses import dataclass, field
from math import inf

from node.monitor.core.decisions import Ledger, Moment
from node.monitor.core.findings.catalogue import DOUBLED
from node.monitor.core.model import FindingKey, NodeKey
from node.protocol.messages import HeartbeatMessage

MARGIN_S = 5.0
"""How much later than the newest one an older boot has to speak, and how late a heartbeat may come: the last words of a
node that was restarted may overtake nothing by more (a link gives a connection up for less, retry_times.py)."""

SHOWN_S = 120.0
"""How long it is shown after it was seen last: twice the longest period of a node."""

BOOTS_KEPT = 4


@dataclass(slots=True)
class _Life:
    """One boot: when it began, by its own clock that says for how long it has run, and when it was first heard."""

    began: float
    first_heard: float


@dataclass(slots=True)
class _Voices:
    """The newest boots of a node, by the order of their first words; ``until``: how long it counts as doubled."""

    lives: dict[str, _Life] = field(default_factory=dict)
    until: float = -inf


class DuplicateIdentity:
    """All nodes' boots, as far as they beat."""

    def __init__(self, ledger: Ledger, now: Moment) -> None:
        self._ledger = ledger
        self._voices: dict[NodeKey, _Voices] = {
            key.of: _Voices(until=now.at + SHOWN_S) for key in ledger.open if key.code == DOUBLED.code
        }

    def heartbeat(self, now: Moment, node: NodeKey, message: HeartbeatMessage) -> None:
        """A node beats; ``now`` is when that came."""
        voices = self._voices.setdefault(node, _Voices())
        began = now.at - max(0.0, message.uptime_s)
        life = voices.lives.setdefault(message.boot, _Life(began, now.at))
        is_late = began > life.began + MARGIN_S
        life.began = min(life.began, began)
        if len(voices.lives) > BOOTS_KEPT:
            del voices.lives[next(iter(voices.lives))]
        if not is_late and any(_overlaps(life, other, now.at) for other in voices.lives.values()):
            voices.until = now.at + SHOWN_S
            self._ledger.find(now, _key(node))
        elif voices.until <= now.at:
            self._ledger.clear(now, _key(node))

    def forget(self, node: NodeKey) -> None:
        """It is no node any more."""
        self._voices.pop(node, None)


def _overlaps(older: _Life, newer: _Life, at: float) -> bool:
    """Whether the one that speaks ``at`` this instant was there before the other, and still is."""
    return older.began < newer.began and newer.first_heard + MARGIN_S <= at


def _key(node: NodeKey) -> FindingKey:
    return FindingKey(DOUBLED.code, *node, "")

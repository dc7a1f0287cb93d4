"""Finds nodes that say words this version doesn't know: a kind of event, or an alarm class. Pure.

Such a node is newer than the monitor, or somebody else writes in its name. No event is lost for such a word: one
of an unknown kind is stored and gets its receipt, and an unknown class counts as a threat (monitor_codec.py).

1. All unknown words of a node are one finding. It names only the first ``NAMED``, so that invented words can't fill the
   memory or the history.
2. It stays for ``SHOWN_S`` after the last of them. A node that is newer than its monitor will say such words again.
"""

from collections.abc import Iterable

from node.monitor.core.decisions.ledger import Ledger, Moment, plain
from node.monitor.core.model.catalogue import UNKNOWN_FAULTS
from node.monitor.core.model.records import FindingKey, NodeKey

SHOWN_S = 24 * 3600.0
NAMED = 3

MESSAGES = "messages"
"""The finding's subject. Unknown faults of a heartbeat are the same finding without a subject (node_faults.py)."""


class UnknownWords:
    """The unknown words of all nodes, as far as a finding names them."""

    def __init__(self, ledger: Ledger, now: Moment) -> None:
        self._ledger = ledger
        self._words: dict[NodeKey, list[str]] = {}
        self._until = {
            key: now.at + SHOWN_S for key in ledger.open if (key.code, key.subject) == (UNKNOWN_FAULTS.code, MESSAGES)
        }

    def heard(self, now: Moment, node: NodeKey, words: Iterable[str]) -> None:
        """A message of this node has these words."""
        named = self._words.setdefault(node, [])
        named += [plain(word, 63) for word in words if plain(word, 63) not in named][: NAMED - len(named)]
        key = _key(node)
        self._until[key] = now.at + SHOWN_S
        self._ledger.raise_finding(now, key, detail=", ".join(named))

    def forget(self, node: NodeKey) -> None:
        """Drop what is kept of a node that was removed."""
        self._words.pop(node, None)
        self._until.pop(_key(node), None)

    def time_passed(self, now: Moment) -> None:
        """Clear the findings of nodes that have said only known words for a while."""
        for key in [key for key, until in self._until.items() if until <= now.at]:
            self.forget(key.of)
            self._ledger.clear(now, key)


def _key(node: NodeKey) -> FindingKey:
    return FindingKey(UNKNOWN_FAULTS.code, *node, MESSAGES)

"""Notes of which calls people were told, and tells the nodes: then the lamp says *received*. Pure.

1. A call is told once a channel has taken a message that names all its presses.
2. The node gets a receipt *told* at once, for the event that it waits for: the one that its list names, or a further
   press that came. It gets the receipt again at its birth, when a link is back, and when it sends anything about the
   call again. While it still lists the call as active, the receipt is repeated after ``AGAIN_S``, doubling to
   ``SELDOM_S``. So a lost receipt does no harm.
3. Another monitor on the same history may have told people. The history is asked about that every ``ASK_S``, after a
   minute every ``ASK_SELDOM_S``. It is asked about at most ``ASKED`` calls at once, those that waited longest first.
4. A call that nobody was told of for ``UNTOLD_S`` is a finding.
"""

from dataclasses import dataclass
from math import inf

from msgspec.structs import replace

from node.core.back_off import BackOff
from node.core.model import CALLS
from node.monitor.core.decisions.ledger import Ledger, Moment
from node.monitor.core.findings.self_check import SelfCheck
from node.monitor.core.incidents.escalation import Open
from node.monitor.core.incidents.known.reported import Reported
from node.monitor.core.incidents.lifecycle import Incidents
from node.monitor.core.model.catalogue import UNTOLD
from node.monitor.core.model.counters import Counters
from node.monitor.core.model.records import EventKey, FindingKey, IncidentKey, IncidentRecord, NodeKey
from node.monitor.core.nodes.events.receipts import Receipts
from node.protocol.messages import Alarm, Event

UNTOLD_S = 10.0
"""As long as a node waits (its ``receipt_s``) before its lamp says that nobody has the call."""

AGAIN_S = 1.0
SELDOM_S = 60.0
_REPEAT = BackOff(AGAIN_S, SELDOM_S)
ASK_S = 2.0
ASK_SELDOM_S = 5.0
ASK_OFTEN_S = 60.0
ASKED = 50
AT_ONCE = 100
"""How many *told* receipts a node gets within a second: twice as many as incidents that it may list."""


@dataclass(slots=True)
class _Call:
    """What is known of an open call besides its record.

    ``came``: the newest of its presses that came; ``presses``: that press's number. ``said``: the event that the last
    receipt named, ``said_at`` when it was sent, ``say_at`` when it may be sent again. ``untold_at``: since when nobody
    was told, ``ask_at``: when the history is asked next.
    """

    came: EventKey | None = None
    presses: int = 0
    said: EventKey | None = None
    said_at: float = -inf
    say_at: float = -inf
    untold_at: float = inf
    ask_at: float = inf


class ToldCalls:
    """Sends the receipts and raises the findings that follow from what people were told."""

    def __init__(
        self,
        ledger: Ledger,
        self_check: SelfCheck,
        incidents: Incidents,
        reported: Reported,
        receipts: Receipts,
        counts: Counters,
    ) -> None:
        self._ledger = ledger
        self._self_check = self_check
        self._incidents = incidents
        self._reported = reported
        self._receipts = receipts
        self._counts = counts
        self._calls = {key: _Call() for key in incidents.open}
        self._second: dict[NodeKey, tuple[float, int]] = {}

    def accepted(self, now: Moment, key: IncidentKey, presses: int) -> None:
        """A channel took a message about this call that named so many presses."""
        opened = self._incidents.open.get(key)
        if opened is None or presses <= opened.record.told_presses:
            return  # the call is over, or was told before; the outbox has noted that
        untold_at = self._call(key).untold_at
        opened.record = replace(opened.record, told_presses=presses, told_utc=now.utc)
        self._ledger.out.incidents.append(opened.record)
        if opened.record.is_told and untold_at < inf:
            self._counts.told += 1
            self._counts.told_s += now.at - untold_at
        self._look(now, key, opened)

    def heard(self, now: Moment, node: NodeKey, event: Event) -> None:
        """An event came, for the first time or again."""
        if event.incident is None:
            return
        key = IncidentKey(*node, event.incident)
        opened = self._incidents.open.get(key)
        if opened is None:
            return
        call = self._call(key)
        if event.kind in CALLS and event.presses and event.presses >= call.presses:
            call.came, call.presses = EventKey(*node, event.boot, event.seq), event.presses
        self._again(now, key, opened)

    def listed(self, now: Moment, node: NodeKey, message: Alarm) -> None:
        """A node's list came. ``reported`` has taken it already."""
        for each in message.incidents:
            key = IncidentKey(*node, each.incident)
            opened = self._incidents.open.get(key)
            if opened is None:
                continue
            if each.phase == "received" and opened.record.is_untold:
                call = self._call(key)  # another monitor may have told it
                call.ask_at = min(call.ask_at, now.at)
            self._again(now, key, opened)

    def say_all(self, now: Moment, node: NodeKey | None = None) -> None:
        """Send the receipts again: this node was born, or (None) a link is back. Earlier ones may be lost."""
        opened = list(self._incidents.open.values()) if node is None else self._incidents.of(node)
        for each in opened:
            self._again(now, each.record.key, each)

    def stored(self, now: Moment, there: IncidentRecord) -> None:
        """The history has answered what it knows of this incident. ``incidents`` has taken the answer already."""
        opened = self._incidents.open.get(there.key)
        if opened is not None:
            self._look(now, there.key, opened)

    def time_passed(self, now: Moment) -> None:
        """Repeat receipts, ask the history, and find calls that nobody was told of."""
        for key in self._calls.keys() - self._incidents.open.keys():
            del self._calls[key]
            self._ledger.clear(now, _untold(key))
        for key, opened in self._incidents.open.items():
            self._look(now, key, opened)
            if now.at - self._call(key).untold_at >= UNTOLD_S:
                self._ledger.raise_finding(now, _untold(key))
        self._ask(now)

    def forget(self, node: NodeKey) -> None:
        """Drop what is kept of a removed node. It has no open incident."""
        self._second.pop(node, None)

    def _ask(self, now: Moment) -> None:
        """Ask the history about the calls that are due."""
        due = [key for key, call in self._calls.items() if call.ask_at <= now.at]
        for key in sorted(due, key=lambda each: self._calls[each].ask_at)[:ASKED]:
            call = self._calls[key]
            call.ask_at = now.at + (ASK_S if now.at - call.untold_at < ASK_OFTEN_S else ASK_SELDOM_S)
            if self._self_check.history_ok:  # else all these questions would be stored once it is back
                self._ledger.out.incidents.append(self._incidents.open[key].record)

    def _again(self, now: Moment, key: IncidentKey, opened: Open) -> None:
        """Send the receipt again soon: the node may not have got the last one."""
        call = self._call(key)
        call.say_at = min(call.say_at, call.said_at + AGAIN_S)
        self._look(now, key, opened)

    def _look(self, now: Moment, key: IncidentKey, opened: Open) -> None:
        """Send the receipt if people were told, the node waits for it and it is time. Keep ``untold_at``."""
        call = self._call(key)
        if opened.record.is_untold and opened.answered_since is None:
            if call.untold_at == inf:
                call.untold_at = now.at
                call.ask_at = min(call.ask_at, now.at + ASK_S)
            return
        call.untold_at = call.ask_at = inf
        self._ledger.clear(now, _untold(key))
        if opened.record.is_answered or opened.answered_since is not None or not opened.record.is_told:
            return
        awaited = self._awaited(key, call)
        if awaited is None or (awaited == call.said and now.at < call.say_at) or not self._may(now, key.of):
            return
        wait_s = _REPEAT.longer_s(call.say_at - call.said_at if awaited == call.said else 0.0)
        call.said, call.said_at, call.say_at = awaited, now.at, now.at + wait_s
        self._receipts.say(awaited, "told")

    def _awaited(self, key: IncidentKey, call: _Call) -> EventKey | None:
        """The event for which the node waits for a receipt, as far as known; None if it waits for none."""
        listed = self._reported.get(key)
        if listed is None or listed.presses < call.presses:
            return call.came
        return EventKey(*key.of, listed.press.boot, listed.press.seq) if listed.phase == "active" else None

    def _may(self, now: Moment, node: NodeKey) -> bool:
        """Count a receipt for this node. Returns whether it is within the limit of this second."""
        since, count = self._second.get(node, (-inf, 0))
        if now.at - since >= 1.0:
            since, count = now.at, 0
        self._second[node] = since, count + 1
        return count < AT_ONCE

    def _call(self, key: IncidentKey) -> _Call:
        call = self._calls.get(key)
        if call is None:
            call = self._calls[key] = _Call()
        return call


def _untold(key: IncidentKey) -> FindingKey:
    return FindingKey(UNTOLD.code, *key.of, key.incident)

"""Keeps account of events: those that are held and get a receipt, those being stored, and those that never came. Pure.

The receipt *held* is sent once the event is stored, and again whenever the node sends the event again. Never otherwise.

While the history is away, events wait for it. Each node has ``ROOM`` for them: a node that is broken, or whose login
was stolen, must not fill the memory. A real call has ``CALLS_ROOM`` more. An event without room isn't taken: it gets no
receipt, and its node sends it again.
"""

from collections import Counter
from collections.abc import Iterable

from node.core.model import EventKind
from node.monitor.core.decisions.ledger import Ledger, Moment, SendReceipt
from node.monitor.core.model.catalogue import EVENTS_MISSING, FLOOD
from node.monitor.core.model.counters import Counters
from node.monitor.core.model.records import EventKey, FindingKey, NodeKey, Tally
from node.monitor.core.nodes.events.sequence import Account
from node.protocol.messages import Event
from node.protocol.monitor_messages import ReceiptKind

STORING_S = 30.0
"""If the history works, an event that isn't stored after this time may be taken from its node again."""

ROOM = 256
"""A node has at most 20 unanswered events under way (PROTOCOL.md 7.1). The rest is for those of a long outage."""

CALLS_ROOM = 64
"""More than the open incidents of a node (INCIDENTS_LIMIT)."""

_WAITING = "events"


class Receipts:
    """The accounts of all nodes. ``tallies``: those of earlier runs. ``missing_s``: how long a gap is no finding."""

    def __init__(self, ledger: Ledger, counts: Counters, missing_s: float, tallies: Iterable[Tally]) -> None:
        self._ledger = ledger
        self._counts = counts
        self._missing_s = missing_s
        self._accounts: dict[NodeKey, Account] = {}
        self._storing: dict[EventKey, float] = {}
        self._waiting: Counter[NodeKey] = Counter()
        self._full = {key.of for key in ledger.open if (key.code, key.subject) == (FLOOD.code, _WAITING) and key.node}
        for tally in tallies:
            account = self._account(tally.node)
            for first, last in tally.ranges:
                account.account(tally.boot, first, last)

    def expect(self, node: NodeKey, boot: str, seq: int, *, whole: bool = False, retained: bool = False) -> None:
        """The node named this number as its newest. ``whole``: we have heard this boot from its beginning."""
        account = self._account(node)
        if not retained or not account.now:
            account.now = boot
        account.expect(boot, seq, whole=whole)

    def is_held(self, key: EventKey) -> bool:
        """Whether the event is stored."""
        boot = self._account(key.of).boots.get(key.boot)
        return boot is not None and boot.holds(key.seq)

    def is_awaited(self, key: EventKey) -> bool:
        """Whether the event is being stored."""
        return key in self._storing

    def is_known(self, key: EventKey) -> bool:
        """Whether the event came: it is stored, or being stored."""
        return self.is_awaited(key) or self.is_held(key)

    def finds_room(self, now: Moment, node: NodeKey, *, calls: bool) -> bool:
        """Whether another event of this node may wait for the history. ``calls``: it is a real call for help."""
        waiting = self._waiting[node]
        if waiting >= ROOM:
            self._full.add(node)
            self._ledger.raise_finding(now, _too_many(node))
        return waiting < ROOM + (CALLS_ROOM if calls else 0)

    def take(self, now: Moment, key: EventKey, event: Event) -> None:
        """Account for an event that is given to the history, and for what it says of other events."""
        self._let_go(key)
        self._storing[key] = now.at
        self._waiting[key.of] += 1
        self._ledger.out.tallies.append(Tally(node=key.of, boot=key.boot, ranges=((key.seq, key.seq),)))
        account = self._account(key.of)
        account.expect(event.boot, event.seq, whole=event.kind == EventKind.STARTED and event.boot == account.now)
        if event.kind == EventKind.EVICTED:
            for each in event.ranges:
                account.evict(each.boot, each.first, each.last)
                tally = Tally(node=key.of, boot=each.boot, ranges=((each.first, each.last),))
                self._ledger.out.tallies.append(tally)
        if event.previous is not None and event.previous.boot in account.boots:
            account.expect(event.previous.boot, event.previous.seq)

    def stored(self, now: Moment, events: Iterable[EventKey]) -> None:
        """The history has stored these events: send their receipts."""
        for key in events:
            begun = self._let_go(key)
            if begun is not None:
                self._counts.stored += 1
                self._counts.stored_s += now.at - begun
            self._account(key.of).account(key.boot, key.seq, key.seq)
            self.say(key)

    def counted(self, tallies: Iterable[Tally]) -> None:
        """The history answered what it has of these boots."""
        for tally in tallies:
            self._account(tally.node).answered(tally.boot, tally.ranges)

    def unstored(self, events: Iterable[EventKey]) -> None:
        """The history refused these events: their nodes may send them again."""
        for key in events:
            self._let_go(key)

    def say(self, key: EventKey, kind: ReceiptKind = "held") -> None:
        """Send the receipt that this event is held, or that people were told of it (told_calls.py)."""
        self._counts.receipts += kind == "held"
        self._ledger.out.says.append(SendReceipt(key, kind))

    def say_newest(self, node: NodeKey, boot: str) -> None:
        """Send a node, at its birth, the receipt of this boot's newest held event, if there is one."""
        held = self._account(node).boots[boot].ranges
        if held:
            self.say(EventKey(*node, boot, held[-1][1]))

    def missing(self, node: NodeKey, at: float) -> int:
        """How many events of a node never came."""
        account = self._accounts.get(node)
        return 0 if account is None else account.missing(at, self._missing_s)

    def heartbeat(self, now: Moment, node: NodeKey, boot: str, seq: int) -> None:
        """A heartbeat named this number as the node's newest: find what is missing."""
        if not self._account(node).is_settled(boot, seq):
            self.expect(node, boot, seq)
            self.find_missing(now, node)

    def find_missing(self, now: Moment, node: NodeKey) -> None:
        """Raise a finding if events were missing for long enough and the history doesn't have them."""
        for boot in self._account(node).ask(now.at, self._missing_s):
            self._ledger.out.tallies.append(Tally(node=node, boot=boot, ranges=()))
        missing = self.missing(node, now.at)
        key = FindingKey(EVENTS_MISSING.code, *node, "")
        if missing:
            self._ledger.raise_finding(now, key, count=missing)
        elif key in self._ledger.open:
            self._ledger.clear(now, key)

    def forget(self, node: NodeKey) -> None:
        """Remove a node. Its missing events won't come any more."""
        self._accounts.pop(node, None)
        self._full.discard(node)

    def time_passed(self, now: Moment, *, history_ok: bool) -> None:
        """Let events that have waited for long be taken again, unless the history is away: then they must wait."""
        for event, begun in list(self._storing.items()):
            if history_ok and now.at - begun > STORING_S:
                self._let_go(event)
        for node in [each for each in self._full if self._waiting[each] < ROOM]:
            self._full.discard(node)
            self._ledger.clear(now, _too_many(node))

    def _let_go(self, key: EventKey) -> float | None:
        """The event waits no longer. Returns since when it waited, None if it didn't."""
        begun = self._storing.pop(key, None)
        if begun is not None:
            self._waiting[key.of] -= 1
            if not self._waiting[key.of]:
                del self._waiting[key.of]
        return begun

    def _account(self, node: NodeKey) -> Account:
        account = self._accounts.get(node)
        if account is None:
            account = self._accounts[node] = Account()
        return account


def _too_many(node: NodeKey) -> FindingKey:
    return FindingKey(FLOOD.code, *node, _WAITING)

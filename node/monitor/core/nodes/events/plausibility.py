"""Finds what a node can't have sent. It is refused, or told to people all the same, and it becomes a finding. Pure.

Somebody who has a node's login may write anything on its branch. A press of the real node must still reach people:

1. An incident has the number of the event that began it, so no message names an incident with a later number than its
   own. No node counts more than ``PRESSES_LIMIT`` presses, and no list names a test. A message that breaks this is
   refused and gets no receipt.
2. A call for help that comes again is the same call, whatever time its clock shows by then, and however late this copy
   comes. It is another call, under a number that somebody used before the node did, if its content differs, or if both
   its clock and its age say that it happened later. Such a call gets no receipt, and is told under a name of its own
   (lifecycle.py).
"""

from collections import OrderedDict

from msgspec.structs import replace

from node.core.alarm import PRESSES_LIMIT
from node.monitor.core.decisions.ledger import Ledger, Moment
from node.monitor.core.model.catalogue import IMPLAUSIBLE
from node.monitor.core.model.records import EventKey, FindingKey, NodeKey
from node.protocol.messages import Alarm, Event, OpenIncident

LATE_S = 5.0
"""How much later than it says itself an event may have happened: a message may be on its way for so long."""

KEPT = 64
"""Calls that are kept of each node: more than a node sends without a receipt."""

SHOWN_S = 600.0
AHEAD = 1
"""A list may name the event whose number follows its own."""

_Call = tuple[float, str, tuple[object, ...]]


class Plausibility:
    """The newest calls of the nodes: when each came first, and its content."""

    def __init__(self, ledger: Ledger, now: Moment) -> None:
        self._ledger = ledger
        self._began = now.at
        self._calls: dict[NodeKey, OrderedDict[tuple[str, int], _Call]] = {}
        self._forgot: dict[NodeKey, float] = {}
        self._until = {key: now.at + SHOWN_S for key in ledger.open if key.code == IMPLAUSIBLE.code}

    def find(self, now: Moment, node: NodeKey, detail: str) -> None:
        """Raise the finding that this node can't have sent something."""
        key = FindingKey(IMPLAUSIBLE.code, *node, "")
        self._until[key] = now.at + SHOWN_S
        self._ledger.raise_finding(now, key, detail=detail)

    def refuses(self, now: Moment, node: NodeKey, event: Event) -> bool:
        """Whether no real node sends such an event."""
        is_refused = (event.presses or 0) > PRESSES_LIMIT or _is_ahead(event.incident, event.boot, event.seq)
        if is_refused:
            self.find(now, node, REFUSED)
        return is_refused

    def sifted(self, now: Moment, node: NodeKey, message: Alarm) -> Alarm:
        """The list without what no real node lists. Incidents of this boot come first."""
        kept = [each for each in message.incidents if _may_be_listed(each, message)]
        if len(kept) < len(message.incidents):
            self.find(now, node, REFUSED)
        kept.sort(key=lambda each: not each.incident.startswith(f"{message.boot}-"))
        return replace(message, incidents=kept)

    def came(self, now: Moment, key: EventKey, event: Event) -> None:
        """Note a call that came and was taken."""
        calls = self._calls.setdefault(key.of, OrderedDict())
        calls.setdefault((key.boot, key.seq), (now.at, event.at_utc, _said(event)))
        if len(calls) > KEPT:
            calls.popitem(last=False)
            self._forgot[key.of] = now.at

    def contradicts(self, now: Moment, key: EventKey, event: Event) -> bool:
        """Whether this call is another one than the one that came under this number before."""
        calls = self._calls.get(key.of)
        first = None if calls is None else calls.get((key.boot, key.seq))
        if first is not None:
            at, label, said = first
            return said != _said(event) or (label != event.at_utc and happened_after(now, event, at))
        return happened_after(now, event, self._forgot.get(key.of, self._began))

    def forget(self, node: NodeKey) -> None:
        """Drop what is kept of a node that was removed."""
        self._calls.pop(node, None)
        self._forgot.pop(node, None)
        self._until.pop(FindingKey(IMPLAUSIBLE.code, *node, ""), None)

    def time_passed(self, now: Moment) -> None:
        """Clear findings about nodes that sent nothing implausible for a while."""
        for key, until in list(self._until.items()):
            if until <= now.at:
                del self._until[key]
                self._ledger.clear(now, key)


REFUSED = "refused"
TOLD_ANEW = "told-anew"
"""The details of the finding. Their texts are in notify/texts/vocabulary.py."""


def happened_after(now: Moment, event: Event, at: float) -> bool:
    """Whether an event that comes now happened after this instant (monotonic), if the event says its age."""
    return isinstance(event.age_ms, int) and now.at - min(event.age_ms, 2**40) / 1000 > at + LATE_S


def _said(event: Event) -> tuple[object, ...]:
    """The content of an event, which is the same each time it is sent. Its clock is only a label, and may be set."""
    return event.kind, event.incident, event.input, event.alarm_class, event.presses, event.test


def _may_be_listed(listed: OpenIncident, message: Alarm) -> bool:
    is_sane = not listed.test and listed.presses <= PRESSES_LIMIT
    return is_sane and not _is_ahead(listed.incident, message.boot, message.seq + AHEAD)


def _is_ahead(incident: str | None, boot: str, seq: int) -> bool:
    """Whether this incident is of this boot, and of a number that it hasn't come to yet."""
    began, _, number = (incident or "").partition("-")
    return began == boot and int(number) > seq

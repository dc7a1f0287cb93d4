"""The life of an incident at the building's side: open, held, acknowledged, reset; and who is called when.

Rules:

1. An incident begins with the event that calls for help, or, where that never comes, with the node's retained list.
2. It ends with its reset event only. A ``normal`` alone is a finding; a person may then end it here.
3. Unacknowledged after ``escalate_s`` the next group is told, and so on (escalation.py).
4. A further press after somebody said to be coming takes that back, as the lamp at the button does: it may be another
   person. The ladder begins anew, as it does after an end of which its node doesn't know: it wasn't over. Where nobody
   has said so, all that were called are told of the further press at once, and the next group is called when it was to
   be. The node's list says it as well as the event, which another monitor may have had alone.
5. A list that says acknowledged comes just before the event that says by whom: for so long nobody else is called. It
   has all presses that are answered by it, however late their events come. One of before the newest press says nothing:
   it may have been kept by a broker that its node doesn't reach.
6. What follows from an event is decided again where it is heard again: the history may have refused it the first time.
7. No node's calls, however many it invents, keep the first one of another from being told. Where a node has too many,
   tests, alarms that are answered and such as are only listed make room for a call; else that isn't taken, and so has
   no receipt.
8. What the history says of an incident once ours is stored counts here: another monitor may have been told what we
   weren't. Before somebody is sent to ask for an end that never came, or to look for a call that never came, it is
   asked; for the call once more when the node lists it as received. Who was told of it: told_calls.py.
9. A press that happened after we were told of as many presses, or of an end that knew of so many, hadn't been counted,
   whoever said so: it is told by a name of its own, and counted. So is one that isn't the test, the input or the class
   that was told before.
10. After a restart the wait for the next group begins anew; what was told stays told, by its keys.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable
from datetime import datetime

from msgspec.structs import replace

from node.monitor.core.decisions import Ledger, Moment, plain
from node.monitor.core.findings.catalogue import FLOOD, OPEN_ALARM_UNSTORED, RESET_MISSING
from node.monitor.core.incidents.escalation import Escalation, Open
from node.monitor.core.incidents.false_alarms import FalseAlarms
from node.monitor.core.incidents.incident_record import answered, from_event, from_list
from node.monitor.core.model import FindingKey, IncidentKey, IncidentRecord, NodeKey
from node.monitor.core.nodes.plausibility import TOLD_ANEW, Plausibility, happened_after
from node.protocol.messages import INCIDENTS_LIMIT, Alarm, Event, OpenIncident

LISTED_S = 10.0
"""How long a listed incident may be without its event: the event was sent just after the list."""

NORMAL_S = 30.0
"""How long an incident may stay open here after its node no longer lists it: the reset event was sent with it."""

CLOSED_KEPT = 10_000
OPEN_LIMIT = 5_000
"""Beyond this a node has one open incident, and never more than ``INCIDENTS_LIMIT``, which is all that it may list."""

_PRESSES = ("pressed", "opened", "held-open")
CALLS = (*_PRESSES, "adopted")
"""Kinds of event that call for help."""


class Incidents:
    """All open incidents. ``steps``: how many groups there are beyond the one that is told at once.

    ``closed``: those that have ended, oldest first, each with how many presses it had.
    """

    def __init__(
        self,
        ledger: Ledger,
        now: Moment,
        *,
        escalate_s: float,
        steps: int,
        known: Iterable[IncidentRecord] = (),
        closed: Iterable[tuple[IncidentKey, int]] = (),
        false_alarms: Iterable[tuple[NodeKey, str, datetime]] = (),
    ) -> None:
        self.open: dict[IncidentKey, Open] = {}
        self.false_alarms = FalseAlarms(ledger, now, false_alarms)
        self._ledger = ledger
        self._escalation = Escalation(ledger, now, escalate_s, steps)
        self._of_node: dict[NodeKey, dict[IncidentKey, Open]] = {}
        self._closed: OrderedDict[IncidentKey, int] = OrderedDict(closed)
        self._closed_at: dict[IncidentKey, float] = {}
        self._began = now.at
        self.plausibility = Plausibility(ledger, now)
        self._listed: dict[NodeKey, dict[IncidentKey, tuple[float, OpenIncident]]] = {}
        for record in sorted(known, key=lambda each: each.test or each.is_answered or each.held_utc is None):
            if self._finds_room(now, record.key.of):
                self._resume(now, record)

    def of(self, node: NodeKey) -> list[Open]:
        """The open incidents of a node."""
        return list(self._of_node.get(node, {}).values())

    def ended(self, key: IncidentKey) -> int | None:
        """With how many presses it has ended; None where it hasn't, or nobody remembers."""
        return self._closed.get(key)

    def forget(self, node: NodeKey) -> None:
        """It is no node any more; it has no open incident. What its list alone named is nobody's call."""
        self._listed.pop(node, None)
        self.plausibility.forget(node)

    def call_untold(self, now: Moment, why: str, only: Collection[IncidentKey] | None = None) -> None:
        """Call anew for what nobody was told of, of ``only`` these: what was left out for a target isn't sent later."""
        for key, opened in list(self.open.items()):
            if opened.record.is_untold and (only is None or key in only):
                self._escalation.call_anew(now, opened, why)

    def lacks(self, node: NodeKey, event: Event) -> bool:
        """Whether this is a call for help of which nothing is known here."""
        if event.kind not in CALLS or not event.presses or event.incident is None:
            return False
        key = IncidentKey(*node, event.incident)
        opened = self.open.get(key)
        if opened is None:
            return event.presses > self._closed.get(key, 0)
        return _is_other(opened, event) or event.presses + opened.record.beyond > opened.record.presses

    def admits(self, now: Moment, node: NodeKey, event: Event) -> bool:
        """Whether there is room for what an event says: a call gets that of an alarm that matters less."""
        if event.kind not in CALLS or not event.presses or event.incident is None:
            return True
        if IncidentKey(*node, event.incident) in self.open or self._finds_room(now, node):
            return True
        least = next((each for each in self.of(node) if _matters_less(each.record)), None)
        if least is None:
            return False
        self._take(now, least.record.key)
        self._ledger.clear(now, _call_missing(least.record.key))
        self._ledger.clear(now, _reset_missing(least.record.key))
        self._ledger.find(now, _too_many(node))
        return True

    def call_anew(self, now: Moment, node: NodeKey, event: Event, at_utc: datetime) -> None:
        """A call that isn't what is known of its incident; ``event`` has an incident and presses."""
        key = IncidentKey(*node, event.incident or "")
        why, opened = f"{event.boot}-{event.seq}", self.open.get(key)
        if opened is not None and opened.anew == why:
            return
        self.plausibility.find(now, node, TOLD_ANEW)
        record = replace(from_event(key, event, at_utc), held_utc=now.utc)
        if opened is None:
            ended = self._reopen(key)
            opened = Open(replace(record, presses=max(record.presses, ended + 1), answered=ended))
            if self._finds_room(now, node):
                self._put(opened)
        else:
            known = opened.record
            worst = max(known.alarm_class, record.alarm_class, key=lambda each: each.rank)
            test = known.test and record.test
            changes = {
                "input": record.input,
                "alarm_class": worst,
                "test": test,
                "presses": max(known.presses + 1, record.presses),
            }
            opened.record = replace(known, **changes)
        opened.answered_since, opened.counted_at = None, now.at
        opened.record = replace(opened.record, beyond=opened.record.presses - (event.presses or 0))
        self._ledger.out.incidents.append(opened.record)
        self._escalation.call_anew(now, opened, why)

    def event(self, now: Moment, node: NodeKey, event: Event, at_utc: datetime) -> None:
        """An event that hadn't been heard before."""
        if event.incident is None:
            return
        key = IncidentKey(*node, event.incident)
        if key in self.open and event.presses is not None:
            event = replace(event, presses=event.presses + self.open[key].record.beyond)
        if event.kind == "reset":
            self._reset(now, key, at_utc, by=plain(event.by), reason=plain(event.reason) or None, event=event)
        elif event.kind == "acknowledged" and key in self.open:
            self._acknowledged(now, key, at_utc, plain(event.by), event.presses)
        elif event.kind == "acknowledged" and (key not in self._closed or (event.presses or 0) > self._closed[key]):
            # Another monitor, which is gone by now, took the call: the history has it, and we don't know of it. Or it
            # was ended here, and the press that shows that it wasn't over is still on its way.
            by = plain(event.by)
            opened = Open(answered(from_event(key, event, at_utc), at_utc, by), counted_at=now.at)
            if key in self._closed and self._finds_room(now, node):
                self._reopen(key)
                self._put(opened)
            self._ledger.out.incidents.append(opened.record)
            self._escalation.answered(now, opened, by)
        elif event.kind in CALLS and event.presses:
            self._call(now, key, event, event.presses, at_utc)

    def alarm(self, now: Moment, node: NodeKey, message: Alarm, *, is_newest: bool = True) -> None:
        """A node's list of its open incidents. One that isn't its newest, which a broker kept, says what is open."""
        listed = {IncidentKey(*node, each.incident): each for each in message.incidents}
        waiting = self._listed.pop(node, {})
        unheard: dict[IncidentKey, tuple[float, OpenIncident]] = {}
        for key, newest in listed.items():
            if key not in self.open and newest.presses > self._closed.get(key, -1):
                since, known = waiting.get(key, (now.at, newest))
                unheard[key] = since, newest if newest.presses >= known.presses else known
        if not is_newest:
            unheard = {**waiting, **unheard}
        if unheard:
            self._listed[node] = unheard
        for opened in self.of(node):
            each = listed.get(opened.record.key)
            if each is not None and opened.record.beyond:
                each = replace(each, presses=each.presses + opened.record.beyond)
            if each is None:
                if is_newest and opened.unlisted_since is None:
                    opened.unlisted_since = now.at
                    self._ledger.out.incidents.append(opened.record)
                continue
            opened.unlisted_since = None
            self._ledger.clear(now, _reset_missing(opened.record.key))
            if each.phase != "active" and opened.record.held_utc is None:
                self._ledger.out.incidents.append(opened.record)
            if each.presses < opened.record.presses:
                continue
            if each.phase != "acknowledged" or opened.record.is_answered:
                if each.phase != "acknowledged" and each.presses > opened.record.presses:
                    self._press_again(now, opened, each.presses)
                opened.answered_since = None
            elif opened.answered_since is None or each.presses > opened.answered_for:
                opened.answered_since, opened.answered_for = now.at, each.presses
                self._count(now, opened, each.presses)

    def stored(self, now: Moment, there: IncidentRecord) -> None:
        """The history has it so now. What we have heard since, and have yet to store, it doesn't know."""
        opened = self.open.get(there.key)
        if opened is None:
            if there.reset_utc is None and there.presses > self._closed.get(there.key, there.presses):
                self._reopen(there.key)  # whoever ended it here knew of fewer presses
                self._resume(now, there)
            return
        record = opened.record
        if there.told_presses > record.told_presses:
            record = replace(record, told_presses=there.told_presses, told_utc=there.told_utc)
            opened.record = record
        if there.presses < record.presses:
            return
        if there.reset_utc is not None:
            self._take(now, there.key)
            self._close(now, there.key, there.presses)
            return
        held = record.held_utc or there.held_utc
        if held is None:
            self._ledger.find(now, _call_missing(there.key))
        else:
            self._ledger.clear(now, _call_missing(there.key))
        opened.record = replace(record, held_utc=held, beyond=max(record.beyond, there.beyond))
        self._count(now, opened, there.presses)
        if there.answered > record.answered:
            opened.answered_since = None
            opened.record = replace(
                opened.record,
                answered=there.answered,
                acknowledged_utc=there.acknowledged_utc,
                acknowledged_by=there.acknowledged_by,
            )
            self._escalation.wait(now, opened)
        if not opened.record.is_answered and (record.is_answered or there.answered > record.answered):
            self._escalation.begin(now, opened)

    def acknowledge_here(self, now: Moment, key: IncidentKey, by: str) -> None:
        """Somebody is coming, and the node couldn't be told: nobody else needs to be called."""
        self._acknowledged(now, key, now.utc, by)

    def reset_here(self, now: Moment, key: IncidentKey, by: str, reason: str) -> None:
        """A person ends an incident of which its node doesn't know any more."""
        self._reset(now, key, now.utc, by=by, reason=reason)

    def time_passed(self, now: Moment) -> None:
        """Tell whoever is next; find what never came."""
        self._escalation.time_passed(now)
        self.plausibility.time_passed(now)
        for opened in list(self.open.values()):
            if opened.answered_since is not None:
                if opened.answered_since + LISTED_S <= now.at:
                    self._acknowledged(now, opened.record.key, now.utc, "", opened.answered_for)
            else:
                self._escalation.go_on(now, opened)
            if opened.unlisted_since is not None and opened.unlisted_since + NORMAL_S <= now.at:
                missing = _reset_missing(opened.record.key)
                if missing not in self._ledger.open:
                    self._ledger.find(now, missing)
                    self._ledger.out.incidents.append(opened.record)
        for unheard in list(self._listed.values()):
            for key, (since, listed) in list(unheard.items()):
                if since + LISTED_S <= now.at:
                    self._forget_listed(key)
                    self._adopt(now, key, listed)

    def _call(self, now: Moment, key: IncidentKey, event: Event, presses: int, at_utc: datetime) -> None:
        self._forget_listed(key)
        ended = self._closed.get(key)
        if ended is not None and presses <= ended:
            if self._is_uncounted(now, event, self._closed_at.get(key, self._began)):
                self.call_anew(now, key.of, event, at_utc)
            return
        opened = self.open.get(key)
        if opened is not None:
            is_uncounted = presses <= opened.record.presses and self._is_uncounted(now, event, opened.counted_at)
            if _is_other(opened, event) or is_uncounted:
                self.call_anew(now, key.of, replace(event, presses=presses - opened.record.beyond), at_utc)
            else:
                self._call_again(now, opened, presses)
            return
        record = from_event(key, event, at_utc)
        self._begin(now, replace(record, held_utc=now.utc, answered=ended or 0))

    def _adopt(self, now: Moment, key: IncidentKey, listed: OpenIncident) -> None:
        ended = self._closed.get(key, 0)
        record = from_list(key, listed, now.utc)
        record = replace(record, answered=max(ended, record.answered))
        self._begin(now, record)

    def _begin(self, now: Moment, record: IncidentRecord) -> None:
        if not self._finds_room(now, record.key.of):
            return
        self._reopen(record.key)
        opened = Open(record, counted_at=now.at)
        self._put(opened)
        self._ledger.out.incidents.append(record)
        self._escalation.begin(now, opened)

    def _finds_room(self, now: Moment, node: NodeKey) -> bool:
        others = len(self._of_node.get(node, ()))
        is_full = bool(others) and (others >= INCIDENTS_LIMIT or len(self.open) >= OPEN_LIMIT)
        if is_full:
            self._ledger.find(now, _too_many(node))
        return not is_full

    @staticmethod
    def _is_uncounted(now: Moment, event: Event, since: float) -> bool:
        """Whether this press happened after that."""
        return event.kind in _PRESSES and happened_after(now, event, since)

    def _resume(self, now: Moment, record: IncidentRecord) -> None:
        opened = Open(record, counted_at=now.at)
        self._put(opened)
        self._escalation.resume(now, opened)

    def _put(self, opened: Open) -> None:
        key = opened.record.key
        self.open[key] = self._of_node.setdefault(key.of, {})[key] = opened

    def _forget_listed(self, key: IncidentKey) -> None:
        unheard = self._listed.get(key.of, {})
        unheard.pop(key, None)
        if not unheard:
            self._listed.pop(key.of, None)

    def _call_again(self, now: Moment, opened: Open, presses: int) -> None:
        self._ledger.clear(now, _call_missing(opened.record.key))
        opened.record = replace(opened.record, held_utc=opened.record.held_utc or now.utc)
        listed = 0 if opened.answered_since is None else opened.answered_for
        known = opened.record.presses if opened.record.is_answered else listed
        if presses > max(opened.told_for, known):
            self._press_again(now, opened, presses)
            return
        self._ledger.out.incidents.append(opened.record)
        if presses <= opened.told_for:
            self._escalation.repeat(now, opened, presses)

    def _press_again(self, now: Moment, opened: Open, presses: int) -> None:
        """There were more presses than anybody was told of here."""
        if opened.answered_since is not None:  # the event that says who answered those before it may never come
            self._acknowledged(now, opened.record.key, now.utc, "", opened.answered_for)
        record = opened.record
        self._count(now, opened, max(presses, record.presses))
        self._ledger.out.incidents.append(opened.record)
        if record.is_answered:
            self._escalation.begin(now, opened)
        else:
            self._escalation.call_once_more(now, opened)

    def _acknowledged(
        self, now: Moment, key: IncidentKey, at_utc: datetime, by: str, presses: int | None = None
    ) -> None:
        opened = self.open.get(key)
        if opened is None:
            return
        record = opened.record
        if (presses or record.presses) <= record.answered and not record.is_answered:
            # Heard again, and taken back since: who was called for the press after it mustn't take that for answered.
            return
        opened.answered_since = None
        opened.record = answered(record, at_utc, by, presses)
        if opened.record.presses > record.presses:
            opened.counted_at = now.at
        self._ledger.out.incidents.append(opened.record)
        self._escalation.answered(now, opened, by)
        if not opened.record.is_answered:  # it came late: there was a further press after it
            self._escalation.begin(now, opened)

    def _reset(
        self,
        now: Moment,
        key: IncidentKey,
        at_utc: datetime,
        *,
        by: str,
        reason: str | None,
        event: Event | None = None,
    ) -> None:
        self._forget_listed(key)
        ended = self._closed.pop(key, None)
        opened = self._take(now, key)
        if opened is None and event is not None:
            opened = Open(from_event(key, event, at_utc))
        heard = 0 if event is None else event.presses or 0
        presses = max(ended or 0, heard, 0 if opened is None else opened.record.presses)
        self._close(now, key, presses)
        if opened is None:
            return
        opened.record = replace(opened.record, presses=presses, reset_utc=at_utc, reset_by=by, reset_reason=reason)
        self._ledger.out.incidents.append(opened.record)
        self._escalation.ended(now, opened, by, reason or "")
        if reason == "mistaken" and ended is None and not opened.record.test:
            self.false_alarms.add(now, key.of, opened.record.input, at_utc)

    def _close(self, now: Moment, key: IncidentKey, presses: int) -> None:
        self._ledger.clear(now, _reset_missing(key))
        self._ledger.clear(now, _call_missing(key))
        self._closed[key], self._closed_at[key] = presses, now.at
        if len(self._closed) > CLOSED_KEPT:
            gone, _ = self._closed.popitem(last=False)
            self._closed_at.pop(gone, None)

    def _reopen(self, key: IncidentKey) -> int:
        """It isn't over: with how many presses it seemed to be."""
        self._closed_at.pop(key, None)
        return self._closed.pop(key, 0)

    @staticmethod
    def _count(now: Moment, opened: Open, presses: int) -> None:
        """There are so many presses, no fewer than before."""
        if presses > opened.record.presses:
            opened.counted_at = now.at
        opened.record = replace(opened.record, presses=presses)

    def _take(self, now: Moment, key: IncidentKey) -> Open | None:
        opened = self.open.pop(key, None)
        if opened is not None:
            others = self._of_node[key.of]
            del others[key]
            self._ledger.clear(now, _too_many(key.of))
            if not others:
                del self._of_node[key.of]
        return opened


def _is_other(opened: Open, event: Event) -> bool:
    """Whether a call isn't as its incident was told: a real one that passed for a test, or at another input."""
    record = opened.record
    told = (record.test and not event.test, record.input, record.alarm_class)
    return told != (False, event.input or "", event.alarm_class or record.alarm_class)


def _matters_less(record: IncidentRecord) -> bool:
    """Whether it makes room for a call: it calls nobody, or only a list has it."""
    return record.test or record.is_answered or record.held_utc is None


def _reset_missing(key: IncidentKey) -> FindingKey:
    return FindingKey(RESET_MISSING.code, *key.of, key.incident)


def _call_missing(key: IncidentKey) -> FindingKey:
    return FindingKey(OPEN_ALARM_UNSTORED.code, *key.of, key.incident)


def _too_many(node: NodeKey) -> FindingKey:
    return FindingKey(FLOOD.code, *node, "incidents")

"""The life of an incident at the monitor: open, held, acknowledged, reset; and when which group is called.

Rules:

1. An incident begins with the event that calls for help or, if that never comes, with the node's retained list.
2. It ends only with its reset event. If its node merely says ``normal``, that is a finding, and a person may end the
   incident here.
3. If nobody acknowledges within ``escalate_s``, the next group is told, and so on (escalation.py).
4. A further press takes back an acknowledgement, as it does at the button's lamp: another person may have pressed. The
   escalation begins anew. It also begins anew after an end of which the node doesn't know, because the incident wasn't
   over. If nobody has acknowledged, everybody who was called is told of the further press at once, and the next group
   is called at the time that was planned. The node's list counts as much as the event, which perhaps only another
   monitor heard.
5. A list that says *acknowledged* comes just before the event that says by whom. While that event is awaited, no
   further group is called. The list counts all presses that the acknowledgement covers, however late their events come.
   A list from before the newest press is ignored: a broker that the node doesn't reach may have retained it.
6. When an event is heard again, everything that follows from it is decided again: the history may have refused it the
   first time.
7. However many calls a node invents, the first call of another node is told. If a node has too many incidents, its
   tests, its acknowledged alarms and those that are only listed make room for a call. If none of them can, the call
   isn't taken and gets no receipt.
8. After our record is stored, what the history says of the incident counts here: another monitor may have heard what we
   didn't. The history is asked before a person is sent to find an end or a call that never came. It is asked for the
   call once more when the node lists the incident as received. Who was told of it: told_calls.py.
9. A press counts as uncounted if it happened after we heard of at least as many presses, or of an end that counted as
   many. Whoever sent that count can't have known this press. It is told under a name of its own, and counted. The same
   holds for a call that differs from what was told before: it is no test, or it has another input or class.
10. After a restart the wait for the next group begins anew. The keys make sure that nobody is told the same twice.
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
from node.monitor.core.incidents.merge import merge
from node.monitor.core.model import FindingKey, IncidentKey, IncidentRecord, NodeKey
from node.monitor.core.nodes.plausibility import TOLD_ANEW, Plausibility, happened_after
from node.protocol.messages import INCIDENTS_LIMIT, Alarm, Event, OpenIncident

LISTED_S = 10.0
"""How long a listed incident may lack its event: the event was sent just after the list."""

NORMAL_S = 30.0
"""How long an incident may stay open here when its node doesn't list it any more: its reset was sent with that list."""

CLOSED_KEPT = 10_000
OPEN_LIMIT = 5_000
"""Beyond this limit each node has one open incident. None ever has more than ``INCIDENTS_LIMIT``, all it can list."""

_PRESSES = ("pressed", "opened", "held-open")
CALLS = (*_PRESSES, "adopted")
"""Kinds of event that call for help."""


class Incidents:
    """All open incidents. ``levels``: how many groups there are after the one that is told at once.

    ``closed``: the incidents that have ended, oldest first, each with its number of presses.
    """

    def __init__(
        self,
        ledger: Ledger,
        now: Moment,
        *,
        escalate_s: float,
        levels: int,
        known: Iterable[IncidentRecord] = (),
        closed: Iterable[tuple[IncidentKey, int]] = (),
        false_alarms: Iterable[tuple[NodeKey, str, datetime]] = (),
    ) -> None:
        self.open: dict[IncidentKey, Open] = {}
        self.false_alarms = FalseAlarms(ledger, now, false_alarms)
        self._ledger = ledger
        self._escalation = Escalation(ledger, now, escalate_s, levels)
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
        """The open incidents of this node."""
        return list(self._of_node.get(node, {}).values())

    def ended(self, key: IncidentKey) -> int | None:
        """With how many presses the incident ended; None if it is open, or not remembered."""
        return self._closed.get(key)

    def forget(self, node: NodeKey) -> None:
        """Drop what is kept of a removed node. It has no open incident; what only its list named is dropped, too."""
        self._listed.pop(node, None)
        self.plausibility.forget(node)

    def call_untold(self, now: Moment, why: str, only: Collection[IncidentKey] | None = None) -> None:
        """Call anew for incidents (of ``only`` these) that nobody was told of: what was left out isn't sent later."""
        for key, opened in list(self.open.items()):
            if opened.record.is_untold and (only is None or key in only):
                self._escalation.call_anew(now, opened, why)

    def lacks(self, node: NodeKey, event: Event) -> bool:
        """Whether this is a call for help that isn't known here."""
        if event.kind not in CALLS or not event.presses or event.incident is None:
            return False
        key = IncidentKey(*node, event.incident)
        opened = self.open.get(key)
        if opened is None:
            return event.presses > self._closed.get(key, 0)
        return _is_other(opened, event) or event.presses + opened.record.beyond > opened.record.presses

    def admits(self, now: Moment, node: NodeKey, event: Event) -> bool:
        """Whether there is room for what an event says. A call may take the room of an alarm that matters less."""
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
        self._ledger.raise_finding(now, _too_many(node))
        return True

    def call_anew(self, now: Moment, node: NodeKey, event: Event, at_utc: datetime) -> None:
        """Tell a call that contradicts what is known of its incident. ``event`` has an incident and presses."""
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
        """Take an event that hadn't been heard before."""
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
            # Either another monitor, which is gone by now, took the call: the history has it, and we don't know it. Or
            # the incident was ended here, and the press that shows that it wasn't over is still on its way.
            by = plain(event.by)
            opened = Open(answered(from_event(key, event, at_utc), at_utc, by), counted_at=now.at)
            if key in self._closed and self._finds_room(now, node):
                self._reopen(key)
                self._put(opened)
            self._ledger.out.incidents.append(opened.record)
            self._escalation.answered(now, opened, by)
        elif event.kind == "acknowledged":
            # Its end was heard first. The history gets it, but people don't: nobody is coming to what is over.
            record = from_event(key, replace(event, presses=event.presses or self._closed[key]), at_utc)
            self._ledger.out.incidents.append(answered(record, at_utc, plain(event.by)))
        elif event.kind in CALLS and event.presses:
            self._call(now, key, event, event.presses, at_utc)

    def alarm(self, now: Moment, node: NodeKey, message: Alarm, *, is_newest: bool = True) -> None:
        """Take a node's list of its open incidents. A retained list that isn't the newest only adds open incidents."""
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
        """Take the incident as the history has it now. It lacks what we have heard since and haven't stored yet."""
        opened = self.open.get(there.key)
        if opened is None:
            if there.reset_utc is None and there.presses > self._closed.get(there.key, there.presses):
                self._reopen(there.key)  # whoever ended it here knew of fewer presses
                self._resume(now, there)
            return
        record, merged = opened.record, merge(opened.record, there)
        if there.presses < record.presses:  # our newest press is still to be stored: its answer says the rest
            opened.record = replace(record, told_presses=merged.told_presses, told_utc=merged.told_utc)
            return
        if merged.reset_utc is not None:
            self._take(now, there.key)
            self._close(now, there.key, merged.presses)
            return
        if merged.held_utc is None:
            self._ledger.raise_finding(now, _call_missing(there.key))
        else:
            self._ledger.clear(now, _call_missing(there.key))
        if merged.presses > record.presses:
            opened.counted_at = now.at
        # The input is that of the newest call. The level is that of the last group that was called from here.
        opened.record = replace(merged, input=record.input, told_level=record.told_level)
        if merged.answered > record.answered:
            opened.answered_since = None
            self._escalation.wait(now, opened)
        if not merged.is_answered and (record.is_answered or merged.answered > record.answered):
            self._escalation.begin(now, opened)

    def acknowledge_here(self, now: Moment, key: IncidentKey, by: str) -> None:
        """Note that somebody is coming although the node can't be told, so that no further group is called."""
        self._acknowledged(now, key, now.utc, by)

    def reset_here(self, now: Moment, key: IncidentKey, by: str, reason: str) -> None:
        """End an incident for a person whose node doesn't know it any more, or can't be asked."""
        self._reset(now, key, now.utc, by=by, reason=reason)

    def time_passed(self, now: Moment) -> None:
        """Call the groups whose time has come; find calls and ends that never came."""
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
                    self._ledger.raise_finding(now, missing)
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
            self._ledger.raise_finding(now, _too_many(node))
        return not is_full

    @staticmethod
    def _is_uncounted(now: Moment, event: Event, since: float) -> bool:
        """Whether this press happened after that instant (monotonic), and so wasn't counted then."""
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
        """Count and tell presses beyond those that people were told of here."""
        if opened.answered_since is not None:  # the event that says who answered the earlier presses may never come
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
            # It is heard again, and was taken back since. People who were called for the later press must not read that
            # it is answered.
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
        """Take the incident out of those that ended. Returns the number of presses with which it seemed to end."""
        self._closed_at.pop(key, None)
        return self._closed.pop(key, 0)

    @staticmethod
    def _count(now: Moment, opened: Open, presses: int) -> None:
        """Set the number of presses; it never shrinks."""
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
    """Whether a call differs from what was told: it is no test but was told as one, or has another input or class."""
    record = opened.record
    told = (record.test and not event.test, record.input, record.alarm_class)
    return told != (False, event.input or "", event.alarm_class or record.alarm_class)


def _matters_less(record: IncidentRecord) -> bool:
    """Whether it makes room for a call: it calls nobody now, or only a list names it."""
    return record.test or record.is_answered or record.held_utc is None


def _reset_missing(key: IncidentKey) -> FindingKey:
    return FindingKey(RESET_MISSING.code, *key.of, key.incident)


def _call_missing(key: IncidentKey) -> FindingKey:
    return FindingKey(OPEN_ALARM_UNSTORED.code, *key.of, key.incident)


def _too_many(node: NodeKey) -> FindingKey:
    return FindingKey(FLOOD.code, *node, "incidents")

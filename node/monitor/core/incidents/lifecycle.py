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
5. A list that says *acknowledged* may come before the event that says by whom. While that event is awaited, no further
   group is called. The list counts all presses that the acknowledgement covers, however late their events come.
   A list from before the newest press is ignored: a broker that the node doesn't reach may have retained it.
6. When an event is heard again, everything that follows from it is decided again: the history may have refused it the
   first time.
7. However many calls a node invents, the first call of another node is told. If a node has too many incidents, its
   tests, its acknowledged alarms and those that are only listed make room for a call. If none of them can, the call
   isn't taken and gets no receipt.
8. After our record is stored, what the history says of the incident counts here: another monitor may have heard what we
   didn't. Before a missing end or a missing call becomes a finding, the history is asked for it. It is asked for the
   call once more when the node lists the incident as received. Who was told of it: told_calls.py.
9. A press counts as uncounted if it happened after we heard of at least as many presses, or of an end that counted as
   many. Whoever sent that count can't have known this press. It is told under a name of its own, and counted. The same
   holds for a call that differs from what was told before: it is no test, or it has another input or class.
10. After a restart the wait for the next group begins anew. The keys make sure that nobody is told the same twice.
"""

from collections.abc import Collection, Iterable
from datetime import datetime

from msgspec.structs import replace

from node.core.model import CALLS, EventKind
from node.monitor.core.decisions.ledger import Ledger, Moment, plain
from node.monitor.core.incidents.acknowledgements import Acknowledgements
from node.monitor.core.incidents.escalation import Escalation, Open
from node.monitor.core.incidents.false_alarms import FalseAlarms
from node.monitor.core.incidents.known.ended_incidents import EndedIncidents
from node.monitor.core.incidents.known.incident_record import (
    contradicted,
    from_event,
    from_list,
    is_other,
    is_uncounted,
)
from node.monitor.core.incidents.known.merge import merge
from node.monitor.core.incidents.known.open_incidents import OpenIncidents
from node.monitor.core.incidents.known.unheard_incidents import LISTED_S, UnheardIncidents
from node.monitor.core.model.catalogue import OPEN_ALARM_UNSTORED, RESET_MISSING, FindingKind
from node.monitor.core.model.records import FindingKey, IncidentKey, IncidentRecord, NodeKey
from node.monitor.core.nodes.events.plausibility import TOLD_ANEW, Plausibility
from node.protocol.messages import Alarm, Event, OpenIncident

NORMAL_S = 30.0
"""How long an incident may stay open here when its node doesn't list it any more: its reset was sent with that list."""


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
        self._room = OpenIncidents(ledger)
        self._ended = EndedIncidents(now, closed)
        self._unheard = UnheardIncidents()
        self.open = self._room.all
        self.false_alarms = FalseAlarms(ledger, now, false_alarms)
        self._ledger = ledger
        self._escalation = Escalation(ledger, now, escalate_s, levels)
        self._acknowledgements = Acknowledgements(ledger, self._escalation, self._room, self._ended)
        self.plausibility = Plausibility(ledger, now)
        for record in sorted(known, key=lambda each: each.test or each.is_answered or each.held_utc is None):
            if self._room.has_room(now, record.key.of):
                self._resume(now, record)

    def of(self, node: NodeKey) -> list[Open]:
        """The open incidents of this node."""
        return self._room.of(node)

    def ended(self, key: IncidentKey) -> int | None:
        """With how many presses the incident ended; None if it is open, or not remembered."""
        return self._ended.presses.get(key)

    def forget(self, node: NodeKey) -> None:
        """Drop what is kept of a removed node. It has no open incident; what only its list named is dropped, too."""
        self._unheard.forget(node)
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
            return event.presses > self._ended.presses.get(key, 0)
        return is_other(opened.record, event) or event.presses + opened.record.beyond > opened.record.presses

    def admits(self, now: Moment, node: NodeKey, event: Event) -> bool:
        """Whether there is room for what an event says. A call may take the room of an alarm that matters less."""
        if event.kind not in CALLS or not event.presses or event.incident is None:
            return True
        if IncidentKey(*node, event.incident) in self.open or self._room.has_room(now, node):
            return True
        least = self._room.least(node)
        if least is None:
            return False
        self._room.take(now, least.record.key)
        self._ledger.clear(now, _about(OPEN_ALARM_UNSTORED, least.record.key))
        self._ledger.clear(now, _about(RESET_MISSING, least.record.key))
        self._room.find_too_many(now, node)
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
            ended = self._ended.remove(key)
            opened = Open(replace(record, presses=max(record.presses, ended + 1), answered=ended))
            if self._room.has_room(now, node):
                self._room.put(opened)
        else:
            opened.record = contradicted(opened.record, record)
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
        if event.kind == EventKind.RESET:
            self._reset(now, key, at_utc, by=plain(event.by), reason=plain(event.reason) or None, event=event)
        elif event.kind == EventKind.ACKNOWLEDGED:
            self._acknowledgements.heard(now, key, event, at_utc)
        elif event.kind in CALLS and event.presses:
            self._call(now, key, event, event.presses, at_utc)

    def alarm(self, now: Moment, node: NodeKey, message: Alarm, *, is_newest: bool = True) -> None:
        """Take a node's list of its open incidents. A retained list that isn't the newest only adds open incidents."""
        listed = {IncidentKey(*node, each.incident): each for each in message.incidents}
        unheard = [
            (key, each)
            for key, each in listed.items()
            if key not in self.open and each.presses > self._ended.presses.get(key, -1)
        ]
        self._unheard.listed(now, node, unheard, is_newest=is_newest)
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
            self._ledger.clear(now, _about(RESET_MISSING, opened.record.key))
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
                opened.count(now, each.presses)

    def stored(self, now: Moment, there: IncidentRecord) -> None:
        """Take the incident as the history has it now. It lacks what we have heard since and haven't stored yet."""
        opened = self.open.get(there.key)
        if opened is None:
            if there.reset_utc is None and there.presses > self._ended.presses.get(there.key, there.presses):
                self._ended.remove(there.key)  # whoever ended it here knew of fewer presses
                self._resume(now, there)
            return
        record, merged = opened.record, merge(opened.record, there)
        if there.presses < record.presses:  # our newest press is still to be stored: its answer says the rest
            opened.record = replace(record, told_presses=merged.told_presses, told_utc=merged.told_utc)
            return
        if merged.reset_utc is not None:
            self._room.take(now, there.key)
            self._close(now, there.key, merged.presses)
            return
        if merged.held_utc is None:
            self._ledger.raise_finding(now, _about(OPEN_ALARM_UNSTORED, there.key))
        else:
            self._ledger.clear(now, _about(OPEN_ALARM_UNSTORED, there.key))
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
        self._acknowledgements.note(now, key, now.utc, by)

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
                    self._acknowledgements.note(now, opened.record.key, now.utc, "", opened.answered_for)
            else:
                self._escalation.go_on(now, opened)
            if opened.unlisted_since is not None and opened.unlisted_since + NORMAL_S <= now.at:
                missing = _about(RESET_MISSING, opened.record.key)
                if missing not in self._ledger.open:
                    self._ledger.raise_finding(now, missing)
                    self._ledger.out.incidents.append(opened.record)
        for key, listed in self._unheard.due(now):
            self._adopt(now, key, listed)

    def _call(self, now: Moment, key: IncidentKey, event: Event, presses: int, at_utc: datetime) -> None:
        self._unheard.remove(key)
        ended = self._ended.presses.get(key)
        if ended is not None and presses <= ended:
            if is_uncounted(now, event, self._ended.ended_at(key)):
                self.call_anew(now, key.of, event, at_utc)
            return
        opened = self.open.get(key)
        if opened is not None:
            comes_after = presses <= opened.record.presses and is_uncounted(now, event, opened.counted_at)
            if comes_after or is_other(opened.record, event):
                self.call_anew(now, key.of, replace(event, presses=presses - opened.record.beyond), at_utc)
            else:
                self._call_again(now, opened, presses)
            return
        self._begin(now, replace(from_event(key, event, at_utc), held_utc=now.utc, answered=ended or 0))

    def _adopt(self, now: Moment, key: IncidentKey, listed: OpenIncident) -> None:
        record = from_list(key, listed, now.utc)
        self._begin(now, replace(record, answered=max(self._ended.presses.get(key, 0), record.answered)))

    def _begin(self, now: Moment, record: IncidentRecord) -> None:
        if not self._room.has_room(now, record.key.of):
            return
        self._ended.remove(record.key)
        opened = Open(record, counted_at=now.at)
        self._room.put(opened)
        self._ledger.out.incidents.append(record)
        self._escalation.begin(now, opened)

    def _resume(self, now: Moment, record: IncidentRecord) -> None:
        opened = Open(record, counted_at=now.at)
        self._room.put(opened)
        self._escalation.resume(now, opened)

    def _call_again(self, now: Moment, opened: Open, presses: int) -> None:
        self._ledger.clear(now, _about(OPEN_ALARM_UNSTORED, opened.record.key))
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
            self._acknowledgements.note(now, opened.record.key, now.utc, "", opened.answered_for)
        record = opened.record
        opened.count(now, max(presses, record.presses))
        self._ledger.out.incidents.append(opened.record)
        if record.is_answered:
            self._escalation.begin(now, opened)
        else:
            self._escalation.call_once_more(now, opened)

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
        self._unheard.remove(key)
        ended = self._ended.presses.pop(key, None)
        opened = self._room.take(now, key)
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
        self._ledger.clear(now, _about(RESET_MISSING, key))
        self._ledger.clear(now, _about(OPEN_ALARM_UNSTORED, key))
        self._ended.add(now, key, presses)


def _about(kind: FindingKind, key: IncidentKey) -> FindingKey:
    return FindingKey(kind.code, *key.of, key.incident)

"""The life of an incident at the building's side: open, received, acknowledged, reset; and who is told when.

Rules:

1. An incident begins with the event that calls for help, or, where that never comes, with the node's retained list.
2. It ends with its reset event only. A ``normal`` alone is a finding; a person may then end it here.
3. Unacknowledged after ``escalate_s`` the next group is told, and so on. Each group is told once, whoever of several
   monitors finds it: the notice's key says which incident and which group.
4. A further press after somebody said to be coming is told again, and so is one after all were told and nobody came:
   it may be another person. So is one after an end that its node doesn't know of: it wasn't over.
5. A list that says acknowledged comes just before the event that says by whom: for so long nobody else is called. It
   has all presses that are answered by it, however late their events come.
6. What follows from an event is decided again where it is heard again: the history may have refused it the first time.
7. No node's calls, however many it invents, keep the first one of another from being told.
8. After a restart the wait for the next group begins anew; what was told stays told.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from math import inf

from msgspec.structs import replace

from node.core.settings import AlarmClass
from node.messages import INCIDENTS_LIMIT, Alarm, Event, OpenIncident
from node.monitor.decisions import Ledger, Moment, plain
from node.monitor.findings import FLOOD, MISTAKEN_CALLS, OPEN_ALARM_UNSTORED, RESET_MISSING
from node.monitor.model import FindingKey, IncidentKey, IncidentRecord, NodeKey, Notice, NoticeKind

LISTED_S = 10.0
"""How long a listed incident may be without its event: the event was sent just after the list."""

NORMAL_S = 30.0
"""How long an incident may stay open here after its node no longer lists it: the reset event was sent with it."""

CLOSED_KEPT = 10_000
OPEN_LIMIT = 5_000
"""Beyond this a node has one open incident, and never more than ``INCIDENTS_LIMIT``, which is all that it may list."""

MISTAKES_S = 365 * 86400.0

_CALLS = ("pressed", "opened", "held-open", "adopted")


@dataclass(slots=True)
class Open:
    """An open incident. ``next_at``: when the next group is told, inf when nobody is left or somebody is coming.

    ``told_at``: when somebody was called last; ``told_as``: for which press, and how that notice's key ends.
    ``answered``: how many presses there were when somebody said to be coming. ``unlisted_since``: since when its node
    doesn't list it, None while it does or hasn't said anything. ``answered_since``: since when its node lists it as
    acknowledged without our having heard by whom.
    """

    record: IncidentRecord
    told_at: float
    told_as: tuple[int, str] = (0, "")
    next_at: float = inf
    answered: int = 0
    unlisted_since: float | None = None
    answered_since: float | None = None


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
        mistakes: Iterable[tuple[NodeKey, str, datetime]] = (),
    ) -> None:
        self.open: dict[IncidentKey, Open] = {}
        self._ledger = ledger
        self._escalate_s = escalate_s
        self._steps = steps
        self._of_node: dict[NodeKey, dict[IncidentKey, Open]] = {}
        self._closed: OrderedDict[IncidentKey, int] = OrderedDict(closed)
        self._listed: dict[NodeKey, dict[IncidentKey, tuple[float, OpenIncident]]] = {}
        self._mistakes: dict[tuple[NodeKey, str], list[datetime]] = {}
        for record in known:
            self._put(now, Open(record, now.at, (record.presses, "0")))
        for node, name, at_utc in mistakes:
            self._mistakes.setdefault((node, name), []).append(at_utc)
        self._review_mistakes(now)

    def mistaken_calls(self, node: NodeKey, name: str) -> int:
        """How often this button called by mistake in the last twelve months."""
        return len(self._mistakes.get((node, name), ()))

    def of(self, node: NodeKey) -> list[Open]:
        """The open incidents of a node."""
        return list(self._of_node.get(node, {}).values())

    def lacks(self, node: NodeKey, event: Event) -> bool:
        """Whether this is a call for help of which nothing is known here."""
        if event.kind not in _CALLS or not event.presses or event.incident is None:
            return False
        key = IncidentKey(*node, event.incident)
        return key not in self.open and key not in self._closed

    def event(self, now: Moment, node: NodeKey, event: Event, at_utc: datetime) -> None:
        """An event that hadn't been heard before."""
        if event.incident is None:
            return
        key = IncidentKey(*node, event.incident)
        if event.kind == "reset":
            self._reset(now, key, at_utc, by=plain(event.by), reason=plain(event.reason) or None, event=event)
        elif event.kind == "acknowledged" and (key in self.open or key in self._closed):
            self._acknowledged(now, key, at_utc, plain(event.by), event.presses)
        elif event.kind == "acknowledged":
            # Another monitor, which is gone by now, took the call: the history has it, and we don't know of it.
            by = plain(event.by)
            record = replace(_unheard(key, event, at_utc), acknowledged_utc=at_utc, acknowledged_by=by)
            self._ledger.out.incidents.append(record)
            self._tell(now, Open(record, now.at), NoticeKind.ACKNOWLEDGED, "", by=by)
        elif event.kind in _CALLS and event.presses:
            self._call(now, key, event, event.presses, at_utc)

    def alarm(self, now: Moment, node: NodeKey, message: Alarm) -> None:
        """A node's list of its open incidents."""
        listed = {IncidentKey(*node, each.incident): each for each in message.incidents}
        waiting = self._listed.pop(node, {})
        unheard = {
            key: waiting.get(key, (now.at, each))
            for key, each in listed.items()
            if key not in self.open and key not in self._closed
        }
        if unheard:
            self._listed[node] = unheard
        for opened in self.of(node):
            each = listed.get(opened.record.key)
            if each is None:
                opened.unlisted_since = now.at if opened.unlisted_since is None else opened.unlisted_since
                continue
            opened.unlisted_since = None
            self._ledger.clear(now, _reset_missing(opened.record.key))
            if each.phase != "acknowledged" or opened.record.acknowledged_utc is not None:
                opened.answered_since = None
            elif opened.answered_since is None:
                opened.answered_since = now.at
                opened.record = replace(opened.record, presses=max(each.presses, opened.record.presses))

    def acknowledge_here(self, now: Moment, key: IncidentKey, by: str) -> None:
        """Somebody is coming, and the node couldn't be told: nobody else needs to be called."""
        self._acknowledged(now, key, now.utc, by)

    def reset_here(self, now: Moment, key: IncidentKey, by: str, reason: str) -> None:
        """A person ends an incident of which its node doesn't know any more."""
        self._reset(now, key, now.utc, by=by, reason=reason)

    def time_passed(self, now: Moment) -> None:
        """Tell whoever is next; find what never came."""
        for opened in list(self.open.values()):
            if opened.answered_since is not None:
                if opened.answered_since + LISTED_S <= now.at:
                    self._acknowledged(now, opened.record.key, now.utc, "")
            elif opened.next_at <= now.at:
                self._tell_next(now, opened)
            if opened.unlisted_since is not None and opened.unlisted_since + NORMAL_S <= now.at:
                self._ledger.find(now, _reset_missing(opened.record.key))
        for unheard in list(self._listed.values()):
            for key, (since, listed) in list(unheard.items()):
                if since + LISTED_S <= now.at:
                    self._forget_listed(key)
                    self._adopt(now, key, listed)

    def day_passed(self, now: Moment) -> None:
        """Forget what is longer ago than twelve months."""
        self._review_mistakes(now)

    def _call(self, now: Moment, key: IncidentKey, event: Event, presses: int, at_utc: datetime) -> None:
        self._forget_listed(key)
        ended = self._closed.get(key)
        if ended is not None and presses <= ended:
            return
        opened = self.open.get(key)
        if opened is not None:
            self._call_again(now, opened, presses)
            return
        record = IncidentRecord(
            key=key,
            input=event.input or "",
            alarm_class=event.alarm_class or AlarmClass.THREAT,
            raised_utc=at_utc,
            presses=presses,
            test=event.test,
            received_utc=now.utc,
        )
        self._begin(now, record, (presses, "0" if ended is None else f"again:{presses}"))

    def _adopt(self, now: Moment, key: IncidentKey, listed: OpenIncident) -> None:
        self._ledger.find(now, FindingKey(OPEN_ALARM_UNSTORED.code, *key.of, listed.incident))
        record = IncidentRecord(
            key=key,
            input=listed.input,
            alarm_class=listed.alarm_class,
            raised_utc=now.utc,
            presses=listed.presses,
            test=listed.test,
            acknowledged_utc=now.utc if listed.phase == "acknowledged" else None,
        )
        self._begin(now, record, (listed.presses, "0"))

    def _begin(self, now: Moment, record: IncidentRecord, told_as: tuple[int, str]) -> None:
        others = len(self._of_node.get(record.key.of, ()))
        if others and (others >= INCIDENTS_LIMIT or len(self.open) >= OPEN_LIMIT):
            self._ledger.find(now, _too_many(record.key.of))
            return
        self._closed.pop(record.key, None)
        opened = Open(record, now.at, told_as)
        self._put(now, opened)
        self._ledger.out.incidents.append(record)
        self._tell(now, opened, NoticeKind.ALARM, told_as[1])

    def _put(self, now: Moment, opened: Open) -> None:
        key = opened.record.key
        self.open[key] = self._of_node.setdefault(key.of, {})[key] = opened
        if opened.record.acknowledged_utc is None:
            self._await_next(now, opened)
        else:
            opened.answered = opened.record.presses

    def _forget_listed(self, key: IncidentKey) -> None:
        unheard = self._listed.get(key.of, {})
        unheard.pop(key, None)
        if not unheard:
            self._listed.pop(key.of, None)

    def _call_again(self, now: Moment, opened: Open, presses: int) -> None:
        record = opened.record
        self._ledger.clear(now, FindingKey(OPEN_ALARM_UNSTORED.code, *record.key.of, record.key.incident))
        received = record.received_utc or now.utc
        opened.record = replace(record, presses=max(presses, record.presses), received_utc=received)
        self._ledger.out.incidents.append(opened.record)
        exhausted = opened.next_at == inf and (opened.answered or now.at - opened.told_at >= self._escalate_s)
        if presses <= opened.told_as[0]:
            self._tell(now, opened, NoticeKind.ALARM, opened.told_as[1] if presses == opened.told_as[0] else "0")
        elif exhausted and presses > record.presses:
            opened.told_as = (presses, f"again:{presses}")
            self._tell(now, opened, NoticeKind.ALARM, opened.told_as[1])

    def _acknowledged(
        self, now: Moment, key: IncidentKey, at_utc: datetime, by: str, presses: int | None = None
    ) -> None:
        opened = self.open.get(key)
        if opened is None:
            return
        if opened.record.acknowledged_utc is None:
            opened.record = replace(opened.record, acknowledged_utc=at_utc, acknowledged_by=by)
        counted = opened.record.presses
        opened.next_at, opened.answered, opened.answered_since = inf, presses or counted, None
        self._ledger.out.incidents.append(opened.record)
        self._tell(now, opened, NoticeKind.ACKNOWLEDGED, "", by=by)
        if opened.answered < counted:  # it came late: there was a further press after it
            opened.told_as = (counted, f"again:{counted}")
            self._tell(now, opened, NoticeKind.ALARM, opened.told_as[1])

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
        self._ledger.clear(now, _reset_missing(key))
        self._ledger.clear(now, FindingKey(OPEN_ALARM_UNSTORED.code, *key.of, key.incident))
        opened = self._take(now, key)
        if opened is None and event is not None:
            opened = Open(_unheard(key, event, at_utc), now.at)
        heard = 0 if event is None else event.presses or 0
        self._closed[key] = presses = max(ended or 0, heard, 0 if opened is None else opened.record.presses)
        if len(self._closed) > CLOSED_KEPT:
            self._closed.popitem(last=False)
        if opened is None:
            return
        opened.record = replace(opened.record, presses=presses, reset_utc=at_utc, reset_by=by, reset_reason=reason)
        self._ledger.out.incidents.append(opened.record)
        self._tell(now, opened, NoticeKind.RESET, "", by=by, reason=reason or "")
        if reason == "mistaken" and ended is None:
            name = (key.of, opened.record.input)
            self._mistakes.setdefault(name, []).append(at_utc)
            self._review_mistakes(now, name)

    def _take(self, now: Moment, key: IncidentKey) -> Open | None:
        opened = self.open.pop(key, None)
        if opened is not None:
            others = self._of_node[key.of]
            del others[key]
            self._ledger.clear(now, _too_many(key.of))
            if not others:
                del self._of_node[key.of]
        return opened

    def _await_next(self, now: Moment, opened: Open) -> None:
        opened.next_at = now.at + self._escalate_s if opened.record.told_steps < self._steps else inf

    def _tell_next(self, now: Moment, opened: Open) -> None:
        step = opened.record.told_steps + 1
        opened.record = replace(opened.record, told_steps=step)
        self._ledger.out.incidents.append(opened.record)
        self._tell(now, opened, NoticeKind.ALARM, str(step), step=step)
        self._await_next(now, opened)

    def _tell(
        self, now: Moment, opened: Open, kind: NoticeKind, which: str, *, step: int = 0, by: str = "", reason: str = ""
    ) -> None:
        record = opened.record
        if kind is NoticeKind.ALARM:
            opened.told_at = now.at
        notice = Notice(
            key=f"{kind}:{record.key}:{which}",
            kind=kind,
            site=record.key.site,
            node=record.key.node,
            at_utc=record.raised_utc if kind is NoticeKind.ALARM else now.utc,
            step=step if kind is NoticeKind.ALARM else record.told_steps,
            input=record.input,
            alarm_class=record.alarm_class,
            incident=record.key.incident,
            presses=record.presses,
            by=by,
            reason=reason,
            test=record.test,
        )
        self._ledger.out.notices.append(notice)

    def _review_mistakes(self, now: Moment, only: tuple[NodeKey, str] | None = None) -> None:
        for name in [only] if only else list(self._mistakes):
            recent = [each for each in self._mistakes[name] if (now.utc - each).total_seconds() < MISTAKES_S]
            self._mistakes[name] = recent
            key = FindingKey(MISTAKEN_CALLS.code, *name[0], name[1])
            if len(recent) >= 2:
                self._ledger.find(now, key, count=len(recent))
            else:
                self._ledger.clear(now, key)


def _reset_missing(key: IncidentKey) -> FindingKey:
    return FindingKey(RESET_MISSING.code, *key.of, key.incident)


def _too_many(node: NodeKey) -> FindingKey:
    return FindingKey(FLOOD.code, *node, "incidents")


def _unheard(key: IncidentKey, event: Event, at_utc: datetime) -> IncidentRecord:
    """An incident of which only the end came."""
    return IncidentRecord(
        key=key,
        input=event.input or "",
        alarm_class=event.alarm_class or AlarmClass.THREAT,
        raised_utc=at_utc,
        presses=event.presses or 0,
        test=event.test,
    )

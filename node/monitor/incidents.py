"""The life of an incident at the building's side: open, received, acknowledged, reset; and who is told when.

Rules:

1. An incident begins with the event that calls for help, or, where that never comes, with the node's retained list.
2. It ends with its reset event only. A ``normal`` alone is a finding; a person may then end it here.
3. Unacknowledged after ``escalate_s`` the next group is told, and so on. Each group is told once, whoever of several
   monitors finds it: the notice's key says which incident and which group.
4. A further press after somebody said to be coming is told again: it may be another person. A list that says so has
   all presses that are answered by it, however late their events come.
5. After a restart the wait for the next group begins anew; what was told stays told.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import TypeVar

from msgspec.structs import replace

from node.core.settings import AlarmClass
from node.messages import Alarm, Event, OpenIncident
from node.monitor.decisions import Ledger, Moment
from node.monitor.findings import FLOOD, MISTAKEN_CALLS, OPEN_ALARM_UNSTORED, RESET_MISSING
from node.monitor.model import FindingKey, IncidentKey, IncidentRecord, NodeKey, Notice, NoticeKind

LISTED_S = 10.0
"""How long a listed incident may be without its event: the event was sent just after the list."""

NORMAL_S = 30.0
"""How long an incident may stay open here after its node no longer lists it: the reset event was sent with it."""

CLOSED_KEPT = 10_000
OPEN_LIMIT = 5_000
MISTAKES_S = 365 * 86400.0

T = TypeVar("T")

_CALLS = ("pressed", "opened", "held-open", "adopted")


@dataclass(slots=True)
class Open:
    """An open incident. ``next_at``: when the next group is told, inf when nobody is left or somebody is coming.

    ``unlisted_since``: since when its node doesn't list it, None while it does or hasn't said anything.
    """

    record: IncidentRecord
    next_at: float
    stored: bool
    unlisted_since: float | None = None


class Incidents:
    """All open incidents. ``steps``: how many groups there are beyond the one that is told at once."""

    def __init__(
        self,
        ledger: Ledger,
        now: Moment,
        *,
        escalate_s: float,
        steps: int,
        known: Iterable[IncidentRecord] = (),
        closed: Iterable[IncidentKey] = (),
        mistakes: Iterable[tuple[NodeKey, str, datetime]] = (),
    ) -> None:
        self.open: dict[IncidentKey, Open] = {}
        self._ledger = ledger
        self._escalate_s = escalate_s
        self._steps = steps
        self._closed: OrderedDict[IncidentKey, None] = OrderedDict.fromkeys(closed)
        self._of: dict[NodeKey, dict[IncidentKey, Open]] = {}
        self._listed: dict[NodeKey, dict[IncidentKey, tuple[float, OpenIncident]]] = {}
        self._awaited = 0
        self._mistakes: dict[tuple[NodeKey, str], list[datetime]] = {}
        for record in known:
            opened = Open(record, inf, stored=True)
            self._add(opened)
            if record.acknowledged_utc is None:
                self._await_next(now, opened)
        for node, name, at_utc in mistakes:
            self._mistakes.setdefault((node, name), []).append(at_utc)
        self._review_mistakes(now)

    def mistaken_calls(self, node: NodeKey, name: str) -> int:
        """How often this button called by mistake in the last twelve months."""
        return len(self._mistakes.get((node, name), ()))

    def of(self, node: NodeKey) -> list[Open]:
        """The open incidents of a node."""
        return list(self._of.get(node, {}).values())

    def event(self, now: Moment, node: NodeKey, event: Event, at_utc: datetime) -> None:
        """An event that hadn't been heard before."""
        if event.incident is None:
            return
        key = IncidentKey(*node, event.incident)
        if event.kind == "reset":
            self._reset(now, key, at_utc, by=event.by or "", reason=event.reason, event=event)
        elif event.kind == "acknowledged":
            self._acknowledged(now, key, at_utc, event.by or "")
        elif event.kind in _CALLS and event.presses and key not in self._closed:
            self._call(now, key, event, at_utc)

    def alarm(self, now: Moment, node: NodeKey, message: Alarm) -> None:
        """A node's list of its open incidents."""
        listed = {IncidentKey(*node, each.incident): each for each in message.incidents}
        for key, each in listed.items():
            known = self.open.get(key)
            if known is not None:
                known.unlisted_since = None
                self._ledger.clear(now, _reset_missing(key))
                if each.phase == "acknowledged" and known.record.acknowledged_utc is None:
                    known.record = replace(known.record, presses=max(each.presses, known.record.presses))
                    self._acknowledged(now, key, now.utc, "")
            elif key not in self._closed and key not in self._listed.get(node, ()) and self._awaited < OPEN_LIMIT:
                self._listed.setdefault(node, {})[key] = (now.at, each)
                self._awaited += 1
        for key in [key for key in self._listed.get(node, ()) if key not in listed]:
            self._unlist(key)
        for opened in self.of(node):
            if opened.record.key not in listed and opened.unlisted_since is None:
                opened.unlisted_since = now.at

    def acknowledge_here(self, now: Moment, key: IncidentKey, by: str) -> None:
        """Somebody is coming, and the node couldn't be told: nobody else needs to be called."""
        self._acknowledged(now, key, now.utc, by)

    def reset_here(self, now: Moment, key: IncidentKey, by: str, reason: str) -> None:
        """A person ends an incident of which its node doesn't know any more."""
        self._reset(now, key, now.utc, by=by, reason=reason)

    def time_passed(self, now: Moment) -> None:
        """Tell whoever is next; find what never came."""
        for opened in list(self.open.values()):
            if opened.next_at <= now.at:
                self._tell_next(now, opened)
            if opened.unlisted_since is not None and opened.unlisted_since + NORMAL_S <= now.at:
                self._ledger.find(now, _reset_missing(opened.record.key))
        for key, (since, listed) in [each for of_node in self._listed.values() for each in of_node.items()]:
            if since + LISTED_S <= now.at:
                self._unlist(key)
                self._adopt(now, key, listed)

    def day_passed(self, now: Moment) -> None:
        """Forget what is longer ago than twelve months."""
        self._review_mistakes(now)

    def _add(self, opened: Open) -> None:
        key = opened.record.key
        self.open[key] = opened
        self._of.setdefault(key.of, {})[key] = opened

    def _remove(self, key: IncidentKey) -> Open | None:
        _forget(self._of, key)
        return self.open.pop(key, None)

    def _unlist(self, key: IncidentKey) -> None:
        self._awaited -= _forget(self._listed, key)

    def _call(self, now: Moment, key: IncidentKey, event: Event, at_utc: datetime) -> None:
        self._unlist(key)
        opened = self.open.get(key)
        if opened is not None:
            self._call_again(now, opened, event.presses or 0)
            return
        record = IncidentRecord(
            key=key,
            input=event.input or "",
            alarm_class=event.alarm_class or AlarmClass.THREAT,
            raised_utc=at_utc,
            presses=event.presses or 1,
            test=event.test,
            received_utc=now.utc,
        )
        self._begin(now, record, stored=True)

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
        self._begin(now, record, stored=False)

    def _begin(self, now: Moment, record: IncidentRecord, *, stored: bool) -> None:
        if len(self.open) >= OPEN_LIMIT:
            self._ledger.find(now, FindingKey(FLOOD.code, record.key.site, record.key.node, "incidents"))
            return
        opened = Open(record, inf, stored)
        self._add(opened)
        self._ledger.out.incidents.append(record)
        self._tell(now, opened, NoticeKind.ALARM, "0")
        if record.acknowledged_utc is None:
            self._await_next(now, opened)

    def _call_again(self, now: Moment, opened: Open, presses: int) -> None:
        record = opened.record
        self._ledger.clear(now, FindingKey(OPEN_ALARM_UNSTORED.code, *record.key.of, record.key.incident))
        received = record.received_utc or now.utc
        if presses <= record.presses and record.received_utc is not None:
            return
        opened.record = replace(record, presses=max(presses, record.presses), received_utc=received)
        opened.stored = True
        self._ledger.out.incidents.append(opened.record)
        if record.acknowledged_utc is not None and presses > record.presses:
            self._tell(now, opened, NoticeKind.ALARM, f"again:{presses}")

    def _acknowledged(self, now: Moment, key: IncidentKey, at_utc: datetime, by: str) -> None:
        opened = self.open.get(key)
        if opened is None or opened.record.acknowledged_utc is not None:
            return
        opened.record = replace(opened.record, acknowledged_utc=at_utc, acknowledged_by=by)
        opened.next_at = inf
        self._ledger.out.incidents.append(opened.record)
        self._tell(now, opened, NoticeKind.ACKNOWLEDGED, "", by=by)

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
        self._unlist(key)
        if key in self._closed:
            return
        self._closed[key] = None
        if len(self._closed) > CLOSED_KEPT:
            self._closed.popitem(last=False)
        self._ledger.clear(now, _reset_missing(key))
        self._ledger.clear(now, FindingKey(OPEN_ALARM_UNSTORED.code, *key.of, key.incident))
        opened = self._remove(key)
        if opened is None:
            if event is None:
                return
            opened = Open(_unheard(key, event, at_utc), inf, stored=True)
        opened.record = replace(opened.record, reset_utc=at_utc, reset_by=by, reset_reason=reason)
        self._ledger.out.incidents.append(opened.record)
        self._tell(now, opened, NoticeKind.RESET, "", by=by, reason=reason or "")
        if reason == "mistaken":
            name = (key.of, opened.record.input)
            self._mistakes.setdefault(name, []).append(at_utc)
            self._review_mistakes(now, name)

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


def _forget(of_nodes: dict[NodeKey, dict[IncidentKey, T]], key: IncidentKey) -> bool:
    """Whether it was there."""
    of_node = of_nodes.get(key.of, {})
    known = of_node.pop(key, None) is not None
    if known and not of_node:
        del of_nodes[key.of]
    return known


def _reset_missing(key: IncidentKey) -> FindingKey:
    return FindingKey(RESET_MISSING.code, *key.of, key.incident)


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

"""Decides whom an incident calls, and when: one group after the other until somebody says to be coming. Pure.

1. The first group is told at once. Each further group is told ``escalate_s`` after the one before, until somebody is
   coming.
2. A further press is told at once to all groups that were called so far. If it takes back an acknowledgement, the wait
   for the next group begins anew, too.
3. Several monitors may find the same call, more than once; the key makes sure that people are told once. A notice's key
   names the incident, the call and the group. The call is named by the number of presses and by how many of them are
   answered. The history keeps both numbers. So a monitor that was started later, or has told fewer groups, uses the
   same key, and never the key of a call that was already answered.
4. The calls of a node that calls too often are told after those of all other nodes (call_rate.py).
5. Everybody who was called is also told how the incident goes on (routing.py).
"""

from dataclasses import dataclass
from math import inf

from msgspec.structs import replace

from node.monitor.core.decisions.ledger import Ledger, Moment
from node.monitor.core.incidents.call_rate import CALL, FURTHER_PRESS, CallRate
from node.monitor.core.model.records import IncidentRecord, Notice, NoticeKind


@dataclass(slots=True)
class Open:
    """An open incident. ``next_at``: when the next group is told; inf if no group is left or somebody is coming.

    ``told_for``: the number of presses when somebody was called last. ``names``: for each group that was called, the
    name of its last call; the name and the group's number end the notice's key. ``anew``: why all were called anew, if
    they ever were. ``unlisted_since``: since when its node's list lacks it; None while it is listed, or if there was no
    list yet. ``answered_since``: since when its node lists it as acknowledged, while the event that says by whom hasn't
    come; ``answered_for``: the number of presses in that list. ``yields``: its node called too often when this call
    began. ``counted_at``: when the number of presses last grew.
    """

    record: IncidentRecord
    told_for: int = 0
    names: tuple[str, ...] = ()
    anew: str = ""
    next_at: float = inf
    unlisted_since: float | None = None
    answered_since: float | None = None
    answered_for: int = 0
    yields: bool = False
    counted_at: float = -inf

    def count(self, now: Moment, presses: int) -> None:
        """Set the number of presses; it never shrinks."""
        if presses > self.record.presses:
            self.counted_at = now.at
        self.record = replace(self.record, presses=presses)


class Escalation:
    """Calls the groups. ``levels``: how many groups there are after the one that is told at once."""

    def __init__(self, ledger: Ledger, now: Moment, escalate_s: float, levels: int) -> None:
        self._call_rate = CallRate(ledger, now)
        self._ledger = ledger
        self._escalate_s = escalate_s
        self._levels = levels

    def begin(self, now: Moment, opened: Open) -> None:
        """Call for help: for a first press, or for one that the last acknowledgement (or end) didn't cover."""
        self._call_now(now, opened, _name(opened.record), CALL)
        self.wait(now, opened)

    def call_once_more(self, now: Moment, opened: Open) -> None:
        """Call for a further press while nobody is coming. The time of the next group stays as it is."""
        self._call_now(now, opened, _name(opened.record), FURTHER_PRESS)

    def call_anew(self, now: Moment, opened: Open, why: str) -> None:
        """Call all groups again for a special reason. ``why`` names the event, or the target that came back."""
        opened.anew = why
        self._call_now(now, opened, f"anew:{why}:", CALL)
        self.wait(now, opened)

    def resume(self, now: Moment, opened: Open) -> None:
        """Go on with an incident from the history. If another monitor stored it, maybe nobody was called: call now."""
        record, name = opened.record, _name(opened.record)
        if name and (record.answered or record.is_untold):
            self._call_as(now, opened, name)
        else:
            opened.told_for, opened.names = record.presses, (name,) * (record.told_level + 1)
        self.wait(now, opened)

    def repeat(self, now: Moment, opened: Open, presses: int) -> None:
        """Repeat the notices for a press that is heard again: the history may have refused them the first time."""
        if presses == opened.told_for:
            for level, name in enumerate(opened.names):
                self._call(now, opened, level, name)
        else:
            self._tell(now, opened, NoticeKind.ALARM, "0", 0)

    def wait(self, now: Moment, opened: Open) -> None:
        """Begin the wait for the next group, if there is one and nobody is coming."""
        is_over = opened.record.is_answered or opened.record.told_level >= self._levels
        opened.next_at = inf if is_over else now.at + self._escalate_s

    def go_on(self, now: Moment, opened: Open) -> None:
        """Call the next group if its time has come."""
        if opened.next_at > now.at:
            return
        level = opened.record.told_level + 1
        opened.record = replace(opened.record, told_level=level)
        self._ledger.out.incidents.append(opened.record)
        opened.names += (_name(opened.record),)
        self._call(now, opened, level, opened.names[-1])
        self.wait(now, opened)

    def time_passed(self, now: Moment) -> None:
        """Drop the record of nodes that called too often a while ago."""
        self._call_rate.time_passed(now)

    def answered(self, now: Moment, opened: Open, by: str) -> None:
        """Tell everybody who was called that somebody is coming."""
        opened.next_at = inf
        self._tell(now, opened, NoticeKind.ACKNOWLEDGED, str(opened.record.answered), opened.record.told_level, by=by)

    def ended(self, now: Moment, opened: Open, by: str, reason: str) -> None:
        """Tell everybody who was called that the incident is over."""
        record = opened.record
        self._tell(now, opened, NoticeKind.RESET, str(record.presses), record.told_level, by=by, reason=reason)

    def _call_now(self, now: Moment, opened: Open, name: str, weight: float) -> None:
        opened.yields = not opened.record.test and self._call_rate.is_too_many(now, opened.record.key.of, weight)
        self._call_as(now, opened, name)

    def _call_as(self, now: Moment, opened: Open, name: str) -> None:
        """Call all groups that were called before."""
        opened.told_for, opened.names = opened.record.presses, (name,) * (opened.record.told_level + 1)
        for level in range(len(opened.names)):
            self._call(now, opened, level, name)

    def _call(self, now: Moment, opened: Open, level: int, name: str) -> None:
        self._tell(now, opened, NoticeKind.ALARM, f"{name}{level}", level)

    def _tell(
        self, now: Moment, opened: Open, kind: NoticeKind, which: str, level: int, *, by: str = "", reason: str = ""
    ) -> None:
        record = opened.record
        notice = Notice(
            key=f"{kind}:{record.key}:{which}",
            kind=kind,
            site=record.key.site,
            node=record.key.node,
            at_utc=record.raised_utc if kind is NoticeKind.ALARM else now.utc,
            level=level,
            input=record.input,
            alarm_class=record.alarm_class,
            incident=record.key.incident,
            presses=record.presses,
            by=by,
            reason=reason,
            test=record.test,
            yields=opened.yields,
        )
        self._ledger.out.notices.append(notice)


def _name(record: IncidentRecord) -> str:
    """Names the call for the newest press: "" for the first one, and a new name after each answer or further press.

    Also "" for an answered incident: nobody is called for it. If its press is heard again, its notice has the key of
    the first call, so the history tells it to nobody.
    """
    if record.is_answered:
        return ""
    again = f"again:{record.answered + 1}:" if record.answered else ""
    return f"{again}more:{record.presses}:" if record.presses > record.answered + 1 else again

"""Whom an incident calls, and when: from group to group until somebody says to be coming. Pure.

1. The first group is told at once, each further one ``escalate_s`` after the one before, until somebody is coming.
2. A further press is told at once to all that were called so far. Where it takes an answer back, the wait for the next
   group begins anew, too.
3. Each notice's key says which incident, which call and which group: whoever of several monitors finds it, and however
   often, people are told once. Which call it is follows from the presses and from how many of them are answered, which
   the history keeps, so that a monitor that was started later, or has told fewer groups, says it by the same key, and
   no group by that of a call which was answered.
4. A node that calls too often is called for after every other one (call_rate.py).
5. Whoever was called hears how it goes on (routing.py).
"""

from dataclasses import dataclass
from math import inf

from msgspec.structs import replace

from node.monitor.core.decisions import Ledger, Moment
from node.monitor.core.incidents.call_rate import CALL, FURTHER_PRESS, CallRate
from node.monitor.core.model import IncidentRecord, Notice, NoticeKind


@dataclass(slots=True)
class Open:
    """An open incident. ``next_at``: when the next group is told, inf when nobody is left or somebody is coming.

    ``told_for``: for which press somebody was called last. ``names``: of each group that was called, by what name it
    was last: with the group's number the end of its notice's key. ``anew``: why all were called anew, if ever.
    ``unlisted_since``: since when its node doesn't list it, None while it does or hasn't said anything.
    ``answered_since``: since when its node lists it as acknowledged without our having heard by whom; ``answered_for``:
    with how many presses. ``yields``: its node called too often when this call began. ``counted_at``: since when there
    are so many presses.
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


class Escalation:
    """Calls the groups; ``steps``: how many there are beyond the one that is told at once."""

    def __init__(self, ledger: Ledger, now: Moment, escalate_s: float, steps: int) -> None:
        self._call_rate = CallRate(ledger, now)
        self._ledger = ledger
        self._escalate_s = escalate_s
        self._steps = steps

    def begin(self, now: Moment, opened: Open) -> None:
        """Call for help: there was a first press, or one of which whoever answered those before it knew nothing."""
        self._call_now(now, opened, _name(opened.record), CALL)
        self.wait(now, opened)

    def call_once_more(self, now: Moment, opened: Open) -> None:
        """There was a further press, and nobody has said to be coming: the next group's turn stays as it is."""
        self._call_now(now, opened, _name(opened.record), FURTHER_PRESS)

    def call_anew(self, now: Moment, opened: Open, why: str) -> None:
        """Call all for a reason of its own: ``why`` says which event, or which target that wasn't there before."""
        opened.anew = why
        self._call_now(now, opened, f"anew:{why}:", CALL)
        self.wait(now, opened)

    def resume(self, now: Moment, opened: Open) -> None:
        """Go on with what the history has. What another monitor stored may have been told to nobody: it knew less."""
        record, name = opened.record, _name(opened.record)
        if name and (record.answered or record.is_untold):
            self._call_as(now, opened, name)
        else:
            opened.told_for, opened.names = record.presses, (name,) * (record.told_steps + 1)
        self.wait(now, opened)

    def repeat(self, now: Moment, opened: Open, presses: int) -> None:
        """A press is heard again that was told: the history may have refused it."""
        if presses == opened.told_for:
            for step, name in enumerate(opened.names):
                self._call(now, opened, step, name)
        else:
            self._tell(now, opened, NoticeKind.ALARM, "0", 0)

    def wait(self, now: Moment, opened: Open) -> None:
        """The wait for the next group begins, where anybody is left and nobody is coming."""
        is_over = opened.record.is_answered or opened.record.told_steps >= self._steps
        opened.next_at = inf if is_over else now.at + self._escalate_s

    def go_on(self, now: Moment, opened: Open) -> None:
        """Call the next group, if it is time."""
        if opened.next_at > now.at:
            return
        step = opened.record.told_steps + 1
        opened.record = replace(opened.record, told_steps=step)
        self._ledger.out.incidents.append(opened.record)
        opened.names += (_name(opened.record),)
        self._call(now, opened, step, opened.names[-1])
        self.wait(now, opened)

    def time_passed(self, now: Moment) -> None:
        """Forget who called too often a while ago."""
        self._call_rate.time_passed(now)

    def answered(self, now: Moment, opened: Open, by: str) -> None:
        """Tell that somebody is coming."""
        opened.next_at = inf
        self._tell(now, opened, NoticeKind.ACKNOWLEDGED, str(opened.record.answered), opened.record.told_steps, by=by)

    def ended(self, now: Moment, opened: Open, by: str, reason: str) -> None:
        """Tell that it is over."""
        record = opened.record
        self._tell(now, opened, NoticeKind.RESET, str(record.presses), record.told_steps, by=by, reason=reason)

    def _call_now(self, now: Moment, opened: Open, name: str, weight: float) -> None:
        opened.yields = not opened.record.test and self._call_rate.is_too_many(now, opened.record.key.of, weight)
        self._call_as(now, opened, name)

    def _call_as(self, now: Moment, opened: Open, name: str) -> None:
        """Call all groups that were called so far."""
        opened.told_for, opened.names = opened.record.presses, (name,) * (opened.record.told_steps + 1)
        for step in range(len(opened.names)):
            self._call(now, opened, step, name)

    def _call(self, now: Moment, opened: Open, step: int, name: str) -> None:
        self._tell(now, opened, NoticeKind.ALARM, f"{name}{step}", step)

    def _tell(
        self, now: Moment, opened: Open, kind: NoticeKind, which: str, step: int, *, by: str = "", reason: str = ""
    ) -> None:
        record = opened.record
        notice = Notice(
            key=f"{kind}:{record.key}:{which}",
            kind=kind,
            site=record.key.site,
            node=record.key.node,
            at_utc=record.raised_utc if kind is NoticeKind.ALARM else now.utc,
            step=step,
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
    """The call for its newest press: "" for the first one, and another one after each answer and each further press."""
    if record.is_answered:
        return ""
    again = f"again:{record.answered + 1}:" if record.answered else ""
    return f"{again}more:{record.presses}:" if record.presses > record.answered + 1 else again

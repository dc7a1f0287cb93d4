"""Whom an incident calls, and when: from group to group until somebody says to be coming. Pure.

1. The first group is told at once, each further one ``escalate_s`` after the one before, until somebody is coming.
2. Where the call begins anew, all that were called so far are told at once: they took it for answered, or nobody came.
   It goes on with the next group.
3. Each notice's key says which incident, which call and which group: whoever of several monitors finds it, and however
   often, people are told once. Which call it is follows from what the history keeps, so that a monitor that was started
   later, or has told fewer groups, says it by the same key, and no group by that of a call which was answered.
4. A node that calls too often is called for after every other one (bursts.py).
5. Whoever was called hears how it goes on (tell/routing.py).
"""

from dataclasses import dataclass
from math import inf

from msgspec.structs import replace

from node.monitor.bursts import Bursts
from node.monitor.decisions import Ledger, Moment
from node.monitor.model import IncidentRecord, Notice, NoticeKind


@dataclass(slots=True)
class Open:
    """An open incident. ``next_at``: when the next group is told, inf when nobody is left or somebody is coming.

    ``told_at``: when somebody was called last, -inf where that was before our start. ``told_as``: for which press, and
    which call that was: with the group's number the end of its notices' keys.
    ``unlisted_since``: since when its node doesn't list it, None while it does or hasn't said anything.
    ``answered_since``: since when its node lists it as acknowledged without our having heard by whom; ``answered_for``:
    with how many presses. ``yields``: its node called too often when this call began. ``counted_at``: since when there
    are so many presses.
    """

    record: IncidentRecord
    told_at: float = -inf
    told_as: tuple[int, str] = (0, "")
    next_at: float = inf
    unlisted_since: float | None = None
    answered_since: float | None = None
    answered_for: int = 0
    yields: bool = False
    counted_at: float = -inf


class Ladder:
    """Calls the groups; ``steps``: how many there are beyond the one that is told at once."""

    def __init__(self, ledger: Ledger, now: Moment, escalate_s: float, steps: int) -> None:
        self._bursts = Bursts(ledger, now)
        self._ledger = ledger
        self._escalate_s = escalate_s
        self._steps = steps

    def begin(self, now: Moment, opened: Open, name: str = "") -> None:
        """Call for help. ``name`` is "" for an incident's first call."""
        opened.told_as = (opened.record.presses, name)
        opened.yields = not opened.record.test and self._bursts.is_too_many(now, opened.record.key.of)
        opened.told_at = now.at
        self._call_all(now, opened)
        self.wait(now, opened)

    def begin_again(self, now: Moment, opened: Open) -> None:
        """There was a further press, of which whoever answered or ended the ones before it knew nothing."""
        self.begin(now, opened, _taken_back(opened.record))

    def call_once_more(self, now: Moment, opened: Open) -> None:
        """There was a further press, and nobody has come who was called before it."""
        self.begin(now, opened, f"more:{opened.record.presses}:")

    def call_anew(self, now: Moment, opened: Open, why: str) -> None:
        """Nobody was told of it, and there is a target now that wasn't there when it was called; ``why`` says which."""
        self.begin(now, opened, f"anew:{why}:")

    def resume(self, now: Moment, opened: Open) -> None:
        """Go on with what the history has. What another monitor stored may have been told to nobody: it knew less."""
        record = opened.record
        if record.answered and not record.is_answered:
            opened.told_as = (record.presses, _taken_back(record))
            self._call_all(now, opened)
        else:
            opened.told_as = (record.presses, "")
        self.wait(now, opened)

    def repeat(self, now: Moment, opened: Open, presses: int) -> None:
        """A press is heard again that was told: the history may have refused it."""
        if presses == opened.told_as[0]:
            self._call_all(now, opened)
        else:
            self._tell(now, opened, NoticeKind.ALARM, "0", 0)

    def wait(self, now: Moment, opened: Open) -> None:
        """The wait for the next group begins, where anybody is left and nobody is coming."""
        is_over = opened.record.is_answered or opened.record.told_steps >= self._steps
        opened.next_at = inf if is_over else now.at + self._escalate_s

    def is_exhausted(self, now: Moment, opened: Open) -> bool:
        """Whether all were called, and had their time to come."""
        return opened.next_at == inf and now.at - opened.told_at >= self._escalate_s

    def go_on(self, now: Moment, opened: Open) -> None:
        """Call the next group, if it is time."""
        if opened.next_at > now.at:
            return
        step = opened.record.told_steps + 1
        opened.record = replace(opened.record, told_steps=step)
        self._ledger.out.incidents.append(opened.record)
        opened.told_at = now.at
        self._call(now, opened, step)
        self.wait(now, opened)

    def time_passed(self, now: Moment) -> None:
        """Forget who called too often a while ago."""
        self._bursts.time_passed(now)

    def answered(self, now: Moment, opened: Open, by: str) -> None:
        """Tell that somebody is coming."""
        opened.next_at = inf
        self._tell(now, opened, NoticeKind.ACKNOWLEDGED, str(opened.record.answered), opened.record.told_steps, by=by)

    def ended(self, now: Moment, opened: Open, by: str, reason: str) -> None:
        """Tell that it is over."""
        record = opened.record
        self._tell(now, opened, NoticeKind.RESET, str(record.presses), record.told_steps, by=by, reason=reason)

    def _call_all(self, now: Moment, opened: Open) -> None:
        for step in range(opened.record.told_steps + 1):
            self._call(now, opened, step)

    def _call(self, now: Moment, opened: Open, step: int) -> None:
        self._tell(now, opened, NoticeKind.ALARM, f"{opened.told_as[1]}{step}", step)

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


def _taken_back(record: IncidentRecord) -> str:
    """The call that begins with the first press that nobody has answered."""
    return f"again:{record.answered + 1}:"

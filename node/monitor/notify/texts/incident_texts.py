"""What people are told of incidents: who needs help, where, what to do; that somebody comes; that it is over.

1. The title says the worst in its first 60 characters. The body repeats whatever was cut from the title.
2. A message about a test begins with the word for it.
3. All that waits of one node is one message: its title has the worst call that isn't over, the rest follows.
"""

from collections.abc import Sequence

from node.monitor.core.decisions.deliveries import urgency
from node.monitor.core.model.records import IncidentKey, NodeKey, Notice, NoticeKind
from node.monitor.locale.translation import Words, one_line
from node.monitor.notify.texts.message import NAMED, Message, Mood, rest_of
from node.monitor.notify.texts.vocabulary import CLASSES, REASONS, TO_DO


def bare_call(calls: Sequence[Notice], words: Words) -> Message:
    """Where somebody calls, if nothing else about these calls can be put into words."""
    where = str(NodeKey(calls[-1].site, calls[-1].node))
    title = words.title("ALARM, {what}: {where}", what=words.say("of an unknown kind"), where=where)
    incidents = [str(IncidentKey(each.site, each.node, each.incident)) for each in calls]
    lines = [
        words.say("Where: {where}", where=where),
        words.say("The rest of this message can't be shown here. Run: alarm-monitor status"),
        *(
            words.say("If you go there, acknowledge: alarm-monitor acknowledge {incident}", incident=each)
            for each in incidents
        ),
    ]
    return Message(title, "\n".join(lines), Mood.ALARM)


def told_incidents(notices: Sequence[Notice], words: Words) -> Message:
    """One message about a node: first the worst call that isn't over, or else the newest notice; the rest below it."""
    newest = {each.incident: each.kind for each in notices}
    calls = [
        each for each in notices if each.kind is NoticeKind.ALARM and newest[each.incident] is not NoticeKind.RESET
    ]
    first = min(reversed(calls), key=urgency) if calls else notices[-1]
    made = _incident(first, words)
    rest = [each for each in notices if each is not first and not _is_in(each, first)]
    if not rest:
        return made
    lines = [made.body, words.say("From there as well:"), *(_line(each, words) for each in rest[:NAMED])]
    if len(rest) > NAMED:
        lines.append(rest_of(rest[NAMED:], words))
    return made._replace(body="\n".join(lines))


def _is_in(older: Notice, newer: Notice) -> bool:
    """Whether the newer notice says the same with at least as many presses."""
    is_same = (older.kind, older.incident, older.level) == (newer.kind, newer.incident, newer.level)
    return is_same and older.presses <= newer.presses


def _line(notice: Notice, words: Words) -> str:
    title = TELLERS[notice.kind](notice, words)[0]
    about = f" ({one_line(notice.incident)})" if notice.kind is NoticeKind.ALARM and notice.incident else ""
    return "- " + words.say("{where}, {time}", where=title, time=words.time(notice.at_utc)) + about


def _incident(notice: Notice, words: Words) -> Message:
    title, lines, mood = TELLERS[notice.kind](notice, words)
    lines.insert(0, words.say("Where: {where}", where=words.whereabouts(notice.site, notice.node)))
    if notice.test:
        title = words.title("TEST, no danger: {title}", title=title)
        lines.insert(0, words.say("This is a test. Nobody is in danger."))
        mood = Mood.GOOD
    return Message(title, "\n".join(lines), mood)


def _alarm(notice: Notice, words: Words) -> tuple[str, list[str], Mood]:
    where = words.place(notice.site, notice.node)
    what = words.translate(CLASSES[notice.alarm_class]) if notice.alarm_class else words.say("of an unknown kind")
    if notice.level:
        title = words.title("NOT ACKNOWLEDGED! ALARM, {what}: {where}", what=what, where=where)
    else:
        title = words.title("ALARM, {what}: {where}", what=what, where=where)
    lines = [words.say("What: {what}, raised by {input}, {time}", what=what, **_when(notice, words))]
    if notice.presses > 1:
        lines.append(words.say("Pressed {count} times", count=words.number(notice.presses)))
    if notice.level:
        lines.append(words.say("Nobody has acknowledged this alarm yet. Please respond."))
    if notice.alarm_class:
        lines.append(words.translate(TO_DO[notice.alarm_class]))
    key = IncidentKey(notice.site, notice.node, notice.incident)
    lines.append(words.say("If you go there, acknowledge: alarm-monitor acknowledge {incident}", incident=key))
    return title, lines, Mood.ALARM


def _acknowledged(notice: Notice, words: Words) -> tuple[str, list[str], Mood]:
    title = words.title("Somebody is coming: {where}", where=words.place(notice.site, notice.node))
    if notice.by:
        return title, [words.say("acknowledged by {by}, {time}", by=notice.by, **_when(notice, words))], Mood.GOOD
    return title, [words.say("Acknowledged at {time}", **_when(notice, words))], Mood.GOOD


def _reset(notice: Notice, words: Words) -> tuple[str, list[str], Mood]:
    where = words.place(notice.site, notice.node)
    why = words.one_of(REASONS, notice.reason)
    if why:
        title = words.title("Alarm is over, {why}: {where}", why=why, where=where)
    else:
        title = words.title("Alarm is over: {where}", where=where)
    lines = [words.say("Why: {why}", why=why)] if why else []
    if notice.by:
        return title, [*lines, words.say("ended by {by}, {time}", by=notice.by, **_when(notice, words))], Mood.GOOD
    return title, [*lines, words.say("Ended at {time}", **_when(notice, words))], Mood.GOOD


TELLERS = {NoticeKind.ALARM: _alarm, NoticeKind.ACKNOWLEDGED: _acknowledged, NoticeKind.RESET: _reset}


def _when(notice: Notice, words: Words) -> dict[str, str]:
    return {"input": notice.input, "time": words.time(notice.at_utc)}

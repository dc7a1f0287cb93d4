"""The texts that people are told: class, place, what to do; findings with meaning and next step; many as one message.

Rules:

1. The title says the worst in its first 60 characters. The body repeats whatever was cut from the title.
2. A test is called a test before anything else.
3. All that waits of one node is one message: its title has the worst call that isn't over, the rest follows.
4. A message about many findings names the first NAMED and counts the rest by site, so its length doesn't grow with the
   fleet.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import Enum
from itertools import groupby
from typing import NamedTuple

from node.core.settings import AlarmClass
from node.errors.faults import Severity
from node.monitor.core.deliveries import Delivery, urgency
from node.monitor.core.findings.catalogue import UNREACHED, WOULD_TAKE, general_step, kind_of, next_step, own_parts
from node.monitor.core.model import FindingKey, IncidentKey, NodeKey, Notice, NoticeKind
from node.monitor.locale.translation import QUOTED, Words, mark, one_line

log = logging.getLogger(__name__)

NAMED = 20
SITES_NAMED = 10
KINDS_NAMED = 20
CODE_LENGTH = 8
PLACE_LENGTH = 32
"""The longest place in the title of a finding: the title must also say what is wrong."""

CLASSES = {
    AlarmClass.ASSIST: mark("colleague needs help"),
    AlarmClass.THREAT: mark("threat"),
    AlarmClass.AMOK: mark("amok"),
}
TO_DO = {
    AlarmClass.ASSIST: mark("Colleagues: go there, at least two of you."),
    AlarmClass.THREAT: mark("Guards: go there as your instructions say. Everybody else: stay away."),
    AlarmClass.AMOK: mark("Get safe: lock yourselves in or leave the building, stay away from there, call the police."),
}
REASONS = {
    "real": mark("it was real"),
    "drill": mark("it was a drill"),
    "mistaken": mark("called by mistake"),
    "technical": mark("technical cause"),
}
DETAILS = {
    "pause": mark("pause"),
    "silent": mark("its heartbeat stays away"),
    "will": mark("the broker lost its connection"),
    "goodbye": mark("it was stopped"),
    "refused": mark("what no node says was refused"),
    "hangs": mark("its database or disk doesn't answer"),
    "told-anew": mark("a call that doesn't fit what was heard before was told as a new one"),
}
COUNTED = {
    "M003": (mark("1 event"), mark("{count} events")),
    "M006": (mark("1 day"), mark("{count} days")),
    "M007": (mark("1 call"), mark("{count} calls")),
    "M019": (mark("1 node"), mark("{count} nodes")),
    "M023": (mark("1 fault"), mark("{count} faults")),
}
"""The unit of a finding's count, by its code: for one, and for any other number."""
BROKER_PROBLEMS = {
    "F015": mark("the name of the broker isn't found"),
    "F016": mark("no way leads to the broker"),
    "F017": mark("the certificate of the broker is by an authority that ca_file doesn't hold"),
    "F018": mark("the certificate of the broker, or of its authority, has expired"),
    "F019": mark("the certificate of the broker, or of its authority, isn't valid yet"),
    "F021": mark("the certificate of the broker is for another host name"),
    "F022": mark("refused: unknown login, wrong password or certificate"),
    "F023": mark("the broker breaks off TLS: this port speaks none, or nothing as new as TLS 1.2"),
    "F050": mark("it doesn't speak MQTT 5"),
    "F051": mark("it forbids retained messages or QoS 1"),
    "F052": mark("it takes only short messages"),
    "F053": mark("it refuses by a limit or rule of its own"),
    "F026": mark("our own certificate, key, authority or password for it can't be used"),
}
"""Why a monitor can't connect to a broker, by the code from connect_errors.py. The texts of these faults themselves
speak of a node."""


class Mood(Enum):
    """What a display may show beside a text."""

    ALARM = "alarm"
    WARNING = "warning"
    GOOD = "good"


class Message(NamedTuple):
    """A message in plain text. ``title`` is one line."""

    title: str
    body: str
    mood: Mood


def message(deliveries: Sequence[Delivery], words: Words) -> Message:
    """One message about all these deliveries: one notice, or several that were gathered."""
    notices = [each.notice for each in deliveries]
    if all(each.kind in _TELLERS for each in notices):
        made = _incidents(notices, words)
    elif len(notices) > 1:
        made = _many(notices, words)
    else:
        made = _finding(notices[0], words)
    if any(each.uncertain for each in deliveries):
        made = made._replace(body=made.body + "\n" + words.say("Perhaps you were told this before."))
    return made


def worded(deliveries: Sequence[Delivery], words: Words) -> tuple[Message | None, Sequence[Delivery]]:
    """The message about these deliveries (None if there is nothing to say), and those that can't be put into words.

    A notice that no test thought of doesn't hold back the others. If it is a call, the message at least says where.
    """
    try:
        return message(deliveries, words), ()
    except Exception:
        # If this were raised, the whole claim would fail, and another room's call in it would be told to nobody.
        log.exception("a message can't be put into words")
    said = [each for each in deliveries if _can_be_said(each, words)]
    unsaid = [each for each in deliveries if each not in said]
    calls = [each.notice for each in unsaid if each.notice.is_call]
    made = [_bare(calls, words)] if calls else []
    if said:
        made.append(message(said, words))
    aside = [each for each in unsaid if not each.notice.is_call]
    if not made:
        return None, aside
    rest = [line for each in made[1:] for line in ("", each.title, each.body)]
    return made[0]._replace(body="\n".join([made[0].body, *rest])), aside


def _can_be_said(delivery: Delivery, words: Words) -> bool:
    try:
        message([delivery], words)
    except Exception:  # what is wrong with this notice isn't wrong with the others
        log.exception("notice %s can't be put into words", one_line(delivery.notice.key))
        return False
    return True


def _bare(calls: Sequence[Notice], words: Words) -> Message:
    where = str(NodeKey(calls[-1].site, calls[-1].node))
    title = words.title("ALARM, {what}: {where}", what=words.say("of an unknown kind"), where=where)
    incidents = [str(IncidentKey(each.site, each.node, each.incident)) for each in calls]
    lines = [
        words.say("Where: {where}", where=where),
        words.say("The rest of this message can't be put into words: look at alarm-monitor status."),
        *(
            words.say("Whoever goes there says so: alarm-monitor acknowledge {incident}", incident=each)
            for each in incidents
        ),
    ]
    return Message(title, "\n".join(lines), Mood.ALARM)


def trial(monitor: str, at_utc: datetime, languages: Sequence[Words]) -> Message:
    """The message that tests a target. It is in several languages, so that nobody takes it for an alarm."""
    lines = []
    for words in languages:
        lines.append(words.say("This is a test. Nobody is in danger."))
        time = words.time(at_utc)
        lines.append(words.say("{monitor} tries whether its messages arrive here, {time}", monitor=monitor, time=time))
    return Message(languages[0].title("TEST / PROBE: {monitor}", monitor=monitor), "\n".join(lines), Mood.GOOD)


def _incidents(notices: Sequence[Notice], words: Words) -> Message:
    """What a node has to say: the worst call that isn't over, or else the newest notice, and the rest below it."""
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
        lines.append(_rest(rest[NAMED:], words))
    return made._replace(body="\n".join(lines))


def _is_in(older: Notice, newer: Notice) -> bool:
    """Whether the newer notice says the same with at least as many presses."""
    is_same = (older.kind, older.incident, older.level) == (newer.kind, newer.incident, newer.level)
    return is_same and older.presses <= newer.presses


def _line(notice: Notice, words: Words) -> str:
    title = _TELLERS[notice.kind](notice, words)[0]
    about = f" ({one_line(notice.incident)})" if notice.kind is NoticeKind.ALARM and notice.incident else ""
    return "- " + words.say("{where}, {time}", where=title, time=words.time(notice.at_utc)) + about


def _incident(notice: Notice, words: Words) -> Message:
    title, lines, mood = _TELLERS[notice.kind](notice, words)
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
        title = words.title("NOBODY COMES YET! ALARM, {what}: {where}", what=what, where=where)
    else:
        title = words.title("ALARM, {what}: {where}", what=what, where=where)
    lines = [words.say("What: {what}, raised by {input}, {time}", what=what, **_when(notice, words))]
    if notice.presses > 1:
        lines.append(words.say("Called {count} times", count=words.number(notice.presses)))
    if notice.level:
        lines.append(words.say("Nobody has said yet that they are coming: now you are asked."))
    if notice.alarm_class:
        lines.append(words.translate(TO_DO[notice.alarm_class]))
    key = IncidentKey(notice.site, notice.node, notice.incident)
    lines.append(words.say("Whoever goes there says so: alarm-monitor acknowledge {incident}", incident=key))
    return title, lines, Mood.ALARM


def _acknowledged(notice: Notice, words: Words) -> tuple[str, list[str], Mood]:
    title = words.title("Somebody is coming: {where}", where=words.place(notice.site, notice.node))
    if notice.by:
        return title, [words.say("{by} has said so, {time}", by=notice.by, **_when(notice, words))], Mood.GOOD
    return title, [words.say("Said at {time}", **_when(notice, words))], Mood.GOOD


def _reset(notice: Notice, words: Words) -> tuple[str, list[str], Mood]:
    where = words.place(notice.site, notice.node)
    why = words.one_of(REASONS, notice.reason)
    if why:
        title = words.title("Alarm is over, {why}: {where}", why=why, where=where)
    else:
        title = words.title("Alarm is over: {where}", where=where)
    lines = [words.say("Why: {why}", why=why)] if why else []
    if notice.by:
        return title, [*lines, words.say("{by} has ended it, {time}", by=notice.by, **_when(notice, words))], Mood.GOOD
    return title, [*lines, words.say("Ended at {time}", **_when(notice, words))], Mood.GOOD


_TELLERS = {NoticeKind.ALARM: _alarm, NoticeKind.ACKNOWLEDGED: _acknowledged, NoticeKind.RESET: _reset}


def _when(notice: Notice, words: Words) -> dict[str, str]:
    return {"input": notice.input, "time": words.time(notice.at_utc)}


def _code(notice: Notice) -> str:
    return one_line(notice.finding.code, CODE_LENGTH) if notice.finding is not None else ""


def _brief(code: str, words: Words) -> str:
    """A kind of finding in a few words: its text up to the colon, after which it says what that means for people."""
    return words.translate(kind_of(code).text).partition(":")[0]


def _about(notice: Notice, words: Words) -> str:
    """What is special about this finding: its subject, its count and its detail."""
    subject = "" if notice.finding is None or _calls(notice, words) else notice.finding.subject
    count = counted(_code(notice), notice.count, words)
    detail = detail_of(notice.detail, words)
    named = words.one_of(DETAILS, subject)
    return one_line(", ".join(each for each in (named, count, detail) if each))


def counted(code: str, count: int | None, words: Words) -> str:
    """A finding's count with its unit; "" if it has none."""
    if count is None:
        return ""
    one, many = COUNTED.get(code, ("1", "{count}"))  # a code of a newer monitor isn't known here
    return words.say(one if count == 1 else many, count=words.number(count))


def detail_of(told: str, words: Words) -> str:
    """A finding's detail in the language of people."""
    if told.startswith(WOULD_TAKE):
        return words.say("isolated: {targets}", targets=told.removeprefix(WOULD_TAKE))
    code, _, reason = told.partition(" ")
    if code in BROKER_PROBLEMS:
        return f"{words.translate(BROKER_PROBLEMS[code])} ({code} {words.foreign(reason, QUOTED)})"
    if told in DETAILS:
        return words.translate(DETAILS[told])
    is_words = any(map(str.islower, told))  # codes such as F998, F999 belong to no language
    return words.foreign(told, QUOTED) if is_words else told


def _step(notices: Sequence[Notice], words: Words) -> str:
    """The next step for findings of one kind. Names what they are about if all of them have the same next step."""
    steps = {next_step(each.finding, each.detail) for each in notices if each.finding is not None}
    return words.retold(steps.pop()) if len(steps) == 1 else words.retold(general_step(kind_of(_code(notices[0]))))


def calls_of(code: str, subject: str, words: Words) -> str:
    """The calls that a finding says nobody takes: of a site and a class, or of a site; "" for any other finding."""
    if code != UNREACHED.code:
        return ""
    site, _, name = own_parts(FindingKey(code, "", "", subject))[1].partition("/")
    if not name:
        return words.say("{site}: all calls", site=site)
    known = next((words.translate(CLASSES[each]) for each in AlarmClass if each == name), name)
    return f"{site}: {known}" if known == name else f"{site}: {known} ({name})"


def _calls(notice: Notice, words: Words) -> str:
    return calls_of(_code(notice), "" if notice.finding is None else notice.finding.subject, words)


def _finding(notice: Notice, words: Words) -> Message:
    code, about, calls = _code(notice), _about(notice, words), _calls(notice, words)
    where = one_line(calls or words.place(notice.site, notice.node), PLACE_LENGTH)
    over = notice.kind is NoticeKind.CLEARED
    if over:
        title = words.title("Over: {where}: {brief}", where=where, brief=_brief(code, words))
    else:
        title = words.title("{where}: {brief}", where=where, brief=_brief(code, words))
    lines = [
        words.say("Where: {where}", where=calls or words.whereabouts(notice.site, notice.node)),
        f"{code}: {words.translate(kind_of(code).text)}",
    ]
    if about:
        lines.append(words.say("More: {about}", about=about))
    if over:
        lines.append(words.say("This is over since {time}", time=words.time(notice.at_utc)))
        return Message(title, "\n".join(lines), Mood.GOOD)
    lines.append(words.say("Since: {time}", time=words.time(notice.at_utc)))
    lines.append(words.say("Next: {next}", next=_step([notice], words)))
    return Message(title, "\n".join(lines), _mood(notice))


def _mood(notice: Notice) -> Mood:
    return Mood.ALARM if notice.severity is Severity.CRITICAL else Mood.WARNING


class _Group(NamedTuple):
    """Notices of one kind and code, which are told together."""

    kind: NoticeKind
    code: str
    notices: list[Notice]

    @property
    def rank(self) -> tuple[bool, int, int, str]:
        """The order of groups: the most important comes first."""
        return self.kind is NoticeKind.CLEARED, kind_of(self.code).severity.rank, -len(self.notices), self.code


def _many(notices: Iterable[Notice], words: Words) -> Message:
    ordered = sorted(notices, key=lambda each: (each.kind, _code(each), each.site, each.node, each.key))
    groups = sorted(
        (_Group(*key, list(each)) for key, each in groupby(ordered, lambda each: (each.kind, _code(each)))),
        key=lambda group: group.rank,
    )
    first = groups[0]
    headline = _counted(first, words)
    if len(groups) == 1:
        title = words.title("{headline}: {sites}", headline=headline, sites=_by_site(first.notices, words))
    else:
        more = words.number(sum(len(group.notices) for group in groups[1:]))
        title = words.title("{headline}, and {more} more", headline=headline, more=more)
    lines: list[str] = []
    left = NAMED
    for group in groups[:KINDS_NAMED]:
        lines += _section(group, left, words)
        left = max(0, left - len(group.notices))
    rest = [notice for group in groups[KINDS_NAMED:] for notice in group.notices]
    if rest:
        lines.append(_rest(rest, words))
    mood = Mood.GOOD if first.kind is NoticeKind.CLEARED else _mood(first.notices[0])
    return Message(title, "\n".join(lines).strip(), mood)


def _counted(group: _Group, words: Words) -> str:
    """How many of which kind. It avoids plurals, which each language forms differently."""
    count, brief = words.number(len(group.notices)), _brief(group.code, words)
    if group.kind is NoticeKind.CLEARED:
        return words.say("over: {count} x {brief}", count=count, brief=brief)
    return words.say("{count} x {brief}", count=count, brief=brief)


def _section(group: _Group, most: int, words: Words) -> list[str]:
    lines = ["", f"{_counted(group, words)} ({group.code})"]
    if group.kind is NoticeKind.FINDING:
        kind = kind_of(group.code)
        lines += [words.translate(kind.text), words.say("Next: {next}", next=_step(group.notices, words))]
    for notice in group.notices[:most]:
        where = _calls(notice, words) or words.whereabouts(notice.site, notice.node)
        about = _about(notice, words)
        when = words.time(notice.at_utc)
        lines.append("- " + words.say("{where}, {time}", where=where, time=when) + (f" ({about})" if about else ""))
    if len(group.notices) > most:
        lines.append(_rest(group.notices[most:], words))
    return lines


def _rest(notices: Sequence[Notice], words: Words) -> str:
    count = words.number(len(notices))
    return words.say("- and {count} more: {sites}", count=count, sites=_by_site(notices, words))


def _by_site(notices: Sequence[Notice], words: Words) -> str:
    counted = Counter(each.site or words.say("the monitor") for each in notices)
    named = [f"{site} {words.number(count)}" for site, count in counted.most_common(SITES_NAMED)]
    return ", ".join(named) + (", …" if len(counted) > SITES_NAMED else "")

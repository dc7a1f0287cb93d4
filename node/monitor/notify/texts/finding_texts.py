"""What people are told of findings: what is wrong, where, since when, and what to do next; many as one message.

A message about many findings names the first NAMED and counts the rest by site, so its length doesn't grow with the
fleet. A title begins with the place, also that of many findings: whoever reads no more knows where to go.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from node.errors.severity import Severity
from node.monitor.core.model.catalogue import kind_of
from node.monitor.core.model.next_steps import general_step, next_step
from node.monitor.core.model.records import Notice, NoticeKind
from node.monitor.locale.translation import Words, one_line
from node.monitor.notify.texts.message import NAMED, Message, Mood, by_site, rest_of
from node.monitor.notify.texts.vocabulary import DETAILS, calls_of, counted, detail_of

KINDS_NAMED = 20
CODE_LENGTH = 8
PLACE_LENGTH = 32
"""How long the place, or the places, in a title may be: the title must also say what is wrong."""

PLACES_NAMED = 3
"""As many places a title names at most; it counts more than these by site."""


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


def _step(notices: Sequence[Notice], words: Words) -> str:
    """The next step for findings of one kind. Names what they are about if all of them have the same next step."""
    steps = {next_step(each.finding, each.detail) for each in notices if each.finding is not None}
    return words.retold(steps.pop()) if len(steps) == 1 else words.retold(general_step(kind_of(_code(notices[0]))))


def _calls(notice: Notice, words: Words) -> str:
    return calls_of(_code(notice), "" if notice.finding is None else notice.finding.subject, words)


def told_finding(notice: Notice, words: Words) -> Message:
    """One finding, or its end."""
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
        lines.append(words.say("Details: {about}", about=about))
    if over:
        lines.append(words.say("Over since {time}", time=words.time(notice.at_utc)))
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


def told_findings(notices: Iterable[Notice], words: Words) -> Message:
    """Several findings and their ends as one message, the most important kind first."""
    ordered = sorted(notices, key=lambda each: (each.kind, _code(each), each.site, each.node, each.key))
    groups = sorted(
        (_Group(*key, list(each)) for key, each in groupby(ordered, lambda each: (each.kind, _code(each)))),
        key=lambda group: group.rank,
    )
    first = groups[0]
    where, brief = _places([each for group in groups for each in group.notices], words), _counted(first, words)
    if len(groups) == 1:
        title = words.title("{where}: {brief}", where=where, brief=brief)
    else:
        more = words.number(sum(len(group.notices) for group in groups[1:]))
        title = words.title("{where}: {brief}, and {more} more", where=where, brief=brief, more=more)
    lines: list[str] = []
    left = NAMED
    for group in groups[:KINDS_NAMED]:
        lines += _section(group, left, words)
        left = max(0, left - len(group.notices))
    rest = [notice for group in groups[KINDS_NAMED:] for notice in group.notices]
    if rest:
        lines.append(rest_of(rest, words))
    mood = Mood.GOOD if first.kind is NoticeKind.CLEARED else _mood(first.notices[0])
    return Message(title, "\n".join(lines).strip(), mood)


def _places(notices: Sequence[Notice], words: Words) -> str:
    """Where these findings are, in PLACE_LENGTH at most: the places by name if they are few, else how many by site."""
    places = list(dict.fromkeys(_calls(each, words) or words.place(each.site, each.node) for each in notices))
    if len(places) > PLACES_NAMED:
        return one_line(by_site(notices, words), PLACE_LENGTH)
    for named in range(len(places), 0, -1):
        rest = f" +{words.number(len(places) - named)}" if named < len(places) else ""
        told = "; ".join(places[:named]) + rest
        if len(told) <= PLACE_LENGTH:
            return told
    return one_line(places[0], PLACE_LENGTH - len(rest)) + rest


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
        lines.append(rest_of(group.notices[most:], words))
    return lines

"""The words for classes, reasons and details, and a count with its unit. Messages, tables and exports use the same."""

from node.core.settings import AlarmClass
from node.errors.faults import FAULTS
from node.monitor.core.model.catalogue import FINDINGS, UNREACHED, WOULD_TAKE, own_parts
from node.monitor.core.model.records import FindingKey
from node.monitor.locale.translation import QUOTED, Words, mark

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
    "mistaken": mark("pressed by mistake"),
    "technical": mark("technical cause"),
}
DETAILS = {
    "pause": mark("pause"),
    "silent": mark("no heartbeat arrives"),
    "will": mark("the broker reports that the connection broke"),
    "goodbye": mark("it was stopped"),
    "refused": mark("the monitor refused a message that no node sends"),
    "hangs": mark("its database or disk doesn't answer"),
    "told-anew": mark("an alarm that contradicts earlier messages was reported as a new one"),
}


def counted(code: str, count: int | None, words: Words) -> str:
    """A finding's count with its unit; "" if it has none."""
    if count is None:
        return ""
    kind = FINDINGS.get(code)  # None: a code of a newer monitor
    one, many = (kind.counted if kind is not None else None) or ("1", "{count}")
    return words.say(one if count == 1 else many, count=words.number(count))


def detail_of(told: str, words: Words) -> str:
    """A finding's detail in the language of people."""
    if told.startswith(WOULD_TAKE):
        return words.say("isolated: {targets}", targets=told.removeprefix(WOULD_TAKE))
    code, _, reason = told.partition(" ")
    fault = FAULTS.get(code)
    if fault is not None and fault.link_problem:
        return f"{words.translate(fault.link_problem)} ({code} {words.foreign(reason, QUOTED)})"
    if told in DETAILS:
        return words.translate(DETAILS[told])
    is_words = any(map(str.islower, told))  # codes such as F998, F999 belong to no language
    return words.foreign(told, QUOTED) if is_words else told


def calls_of(code: str, subject: str, words: Words) -> str:
    """The calls that no target takes, by this finding: of a site, or of a site and a class; "" for other findings."""
    if code != UNREACHED.code:
        return ""
    site, _, name = own_parts(FindingKey(code, "", "", subject))[1].partition("/")
    if not name:
        return words.say("{site}: all alarms", site=site)
    known = next((words.translate(CLASSES[each]) for each in AlarmClass if each == name), name)
    return f"{site}: {known}" if known == name else f"{site}: {known} ({name})"

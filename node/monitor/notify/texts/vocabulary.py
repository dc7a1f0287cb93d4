"""The words for classes, reasons, details and counts. Messages, tables and exports use the same ones."""

from node.core.settings import AlarmClass
from node.monitor.core.model.catalogue import UNREACHED, WOULD_TAKE, own_parts
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
COUNTED = {
    "M003": (mark("1 event"), mark("{count} events")),
    "M006": (mark("1 day"), mark("{count} days")),
    "M007": (mark("1 alarm"), mark("{count} alarms")),
    "M019": (mark("1 node"), mark("{count} nodes")),
    "M023": (mark("1 fault"), mark("{count} faults")),
}
"""The unit of a finding's count, by its code: for one, and for any other number."""
BROKER_PROBLEMS = {
    "F015": mark("the broker's host name can't be resolved"),
    "F016": mark("there is no network route to the broker"),
    "F017": mark("ca_file lacks the authority that signed the broker's certificate"),
    "F018": mark("the broker's certificate, or its authority's, has expired"),
    "F019": mark("the broker's certificate, or its authority's, isn't valid yet"),
    "F021": mark("the broker's certificate is for another host name"),
    "F022": mark("the broker refuses the login: unknown name, wrong password or certificate"),
    "F023": mark("TLS fails: this port has no TLS, or none as new as TLS 1.2"),
    "F050": mark("it doesn't support MQTT 5"),
    "F051": mark("it doesn't allow retained messages or QoS 1"),
    "F052": mark("it accepts only short messages"),
    "F053": mark("it refuses because of a limit"),
    "F026": mark("a certificate, key or password file for it can't be used"),
}
"""Why a monitor can't connect to a broker, by the code from connect_errors.py. The texts of these faults themselves
speak of a node."""


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


def calls_of(code: str, subject: str, words: Words) -> str:
    """The calls that no target takes, by this finding: of a site, or of a site and a class; "" for other findings."""
    if code != UNREACHED.code:
        return ""
    site, _, name = own_parts(FindingKey(code, "", "", subject))[1].partition("/")
    if not name:
        return words.say("{site}: all alarms", site=site)
    known = next((words.translate(CLASSES[each]) for each in AlarmClass if each == name), name)
    return f"{site}: {known}" if known == name else f"{site}: {known} ({name})"

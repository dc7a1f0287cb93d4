"""What the commands answer, in people's words: what is done, and what of it isn't as whoever asked would take it."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from babel.dates import LOCALTZ

from node.errors import AlarmNodeError
from node.io.terminal.check_result import CheckResult
from node.monitor.cli.api_client.monitor_client import ApiError
from node.monitor.cli.state_words import STATES
from node.monitor.core.model.monitor_settings import Language
from node.monitor.locale.translation import SYSTEM, Words, mark

DONE = {
    "acknowledge": mark("acknowledged"),
    "silence": mark("the sound is off; the alarm stays open"),
    "reset": mark("the alarm is ended"),
    "identify": mark("{node} signals for {seconds} s"),
    "pause": mark("{node} is paused until {until}: until then nobody is notified if it fails. Its alarms still count."),
    "resume": mark("{node} is no longer paused: if it fails, that is reported again"),
    "forget": mark(
        "{node} is removed from this monitor and from its brokers. If there is a second monitor, run this "
        "command there, too."
    ),
    "tell": mark("{name}: the test message was accepted. {said}"),
    "isolate": mark(
        "{target} is isolated until {until}: until then it gets no messages. "
        "If no other target gets these alarms, M018 reports that."
    ),
    "restore-target": mark("{target} is restored: it gets messages again"),
    "walk-test": mark(
        "{id} runs until {until}. At each node, wait until its lamp flashes every second, "
        "then press each button once, for less than 2 s."
    ),
    "walk-test-end": mark("{id} is ended: every press is real again"),
    "token": mark("Copy this token now: it isn't shown again. Its role is {role}."),
    "token-revoke": mark("the token {name} is revoked: it no longer gives access"),
}
"""Of each action that is done."""

_SAID = {
    "detail": mark("the monitor says: {words}"),
    "said": mark("the other side says: {words}"),
    "why": SYSTEM,
}
"""The values of what is said that are somebody else's words, and how those are quoted."""

_REPLACES = {
    "pause": mark("This replaces the pause by {desk} until {until}."),
    "isolate": mark("This replaces the isolation by {desk} until {until}."),
}

_BUT = mark("Note: {note}.")
_NAMES = re.compile(r"(?P<what>[^:]+): (?P<names>.+?)(?: and (?P<count>\d+) more)?")
"""How walk_tests.py names the nodes that a walk test leaves out, and the buttons that it doesn't test."""

_WAIT = re.compile(r"wait until (?P<time>\S+), end this walk test, then start a new one for them")

_NAMED = {
    "left out": (mark("left out: {names}"), mark("left out: {names} and {count} more")),
    "can't be tested now": (
        mark("can't be tested now: {names}"),
        mark("can't be tested now: {names} and {count} more"),
    ),
    "pressed a moment ago or in another walk test, so their next press raises an alarm": (
        mark("pressed a moment ago or in another walk test, so their next press raises an alarm: {names}"),
        mark(
            "pressed a moment ago or in another walk test, so their next press raises an alarm: {names} and "
            "{count} more"
        ),
    ),
    "also in another walk test, so a first press there is a test until that one ends": (
        mark("also in another walk test, so a first press there is a test until that one ends: {names}"),
        mark(
            "also in another walk test, so a first press there is a test until that one ends: {names} and {count} more"
        ),
    ),
}


_MARKS = {True: mark("ok"), False: mark("FINDING"), None: mark("UNKNOWN")}


def words_of(language: Language) -> Words:
    """The words of this language, with the times of this machine's zone."""
    return Words(language, LOCALTZ, {})


def chosen(by_flag: Language | None, by_file: Language | None, words: Words) -> str:
    """In which language ``init`` writes, and why: what the flag says, else the file that it replaces, else the account.

    ``words`` are those of that language.
    """
    if by_flag:
        text = mark("language: English, as --language says")
    elif by_file:
        text = mark("language: English, as in the file that was there; --language de changes it")
    else:
        text = mark("language: English, as this account has it; --language de changes it")
    return words.translate(text)


def done(action: str, made: Mapping[str, Any], words: Words, **values: object) -> str:
    """What is said of ``action``, for which the API has answered ``made``; times among the values are local ones."""
    said = {
        name: words.time(each) if isinstance(each, datetime) else _quoted(name, each, words)
        for name, each in values.items()
    }
    lines = [words.say(DONE[action], **said)]
    # A monitor that was started before this command was installed says neither what is replaced nor a note.
    if action in _REPLACES and made.get("replaced_until"):
        ended = words.time(datetime.fromisoformat(made["replaced_until"]))
        lines.append(words.say(_REPLACES[action], desk=made["replaced_by"], until=ended))
    if made.get("note"):
        lines.append(words.translate(_BUT).format(note=_note(made["note"], words)))
    return "\n".join(lines)


def found(result: CheckResult, words: Words) -> str:
    """A line of the doctor."""
    text = f"{words.translate(_MARKS[result.ok]):7} {words.retold(result.text)}"
    if not result.next_step:
        return text
    return words.translate(mark("{text}. Next: {step}.")).format(text=text, step=words.retold(result.next_step))


def refused(error: AlarmNodeError, words: Words) -> str:
    """What is said where something isn't done; what a monitor says in words that nobody here knows is quoted."""
    if isinstance(error, ApiError):
        known = {name: _quoted(name, value, words) for name, value in error.values.items()}
        text, step = words.translate(error.template).format(**known), words.retold(error.next_step)
    else:
        text, step = words.retold(error.text), words.retold(error.next_step)
    return words.translate(mark("{code} {text}. Next: {step}.")).format(code=error.code, text=text, step=step)


def _quoted(name: str, value: object, words: Words) -> object:
    """This value, in the language or quoted where it is somebody else's words."""
    return words.foreign(str(value), _SAID[name]) if name in _SAID else value


def _note(note: str, words: Words) -> str:
    lists = [told for each in note.split("; ") if (told := _part(each, words))]
    return "; ".join(lists) if lists else words.foreign(note, _SAID["detail"])


def _part(part: str, words: Words) -> str:
    """A part of a walk test's note, in the language; "" for one that nobody here knows."""
    wait = _WAIT.fullmatch(part)
    if wait is not None:
        time = words.time(datetime.fromisoformat(wait["time"]))
        return words.say(mark("wait until {time}, end this walk test, then start a new one for them"), time=time)
    found = _NAMES.fullmatch(part)
    return _listed(found, words) if found is not None and found["what"] in _NAMED else ""


def _listed(found: re.Match[str], words: Words) -> str:
    names = re.sub(r"\((\w+)\)", lambda state: f"({words.one_of(STATES, state[1])})", found["names"])
    text = _NAMED[found["what"]][found["count"] is not None]
    return words.translate(text).format(names=names, count=found["count"])  # as long as it is: none must be missed

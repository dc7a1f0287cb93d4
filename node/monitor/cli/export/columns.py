"""The history as people read it: what each column is called, and its values in words, with times of this machine.

Tools get the names and values of the API, and times in UTC.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from babel.dates import LOCALTZ

from node.core.settings import AlarmClass
from node.monitor.cli.export.csv_cells import Sheet, csv_lines
from node.monitor.cli.state_words import STATES
from node.monitor.locale.translation import Words, local, mark
from node.monitor.notify.texts.vocabulary import CLASSES, DETAILS, REASONS, detail_of

HEADINGS = {
    "about": mark("About"),
    "acknowledged": mark("Acknowledged"),
    "acknowledged_by": mark("Acknowledged by"),
    "after": mark("After"),
    "alarm_class": mark("Class"),
    "at": mark("Date"),
    "before": mark("Before"),
    "boot": mark("Start of the node"),
    "change": mark("Change"),
    "code": mark("Code"),
    "count": mark("Count"),
    "detail": mark("Detail"),
    "due": mark("Next test due"),
    "heard": mark("Heard"),
    "held": mark("Held"),
    "id": mark("Alarm"),
    "incident": mark("Number of the alarm"),
    "input": mark("Input"),
    "kind": mark("Kind"),
    "message": mark("Message"),
    "next_level_s": mark("Next level in (s)"),
    "node": mark("Node"),
    "number": mark("Number"),
    "overdue": mark("Overdue"),
    "phase": mark("Status"),
    "place": mark("Where"),
    "presses": mark("Presses"),
    "raised": mark("Begin"),
    "reaction": mark("Reaction"),
    "reaction_ms": mark("Reaction (ms)"),
    "reaction_s": mark("Reaction (s)"),
    "reason": mark("Reason"),
    "reset": mark("End"),
    "reset_by": mark("Ended by"),
    "reset_reason": mark("What it was"),
    "result": mark("Result"),
    "seq": mark("Number of the event"),
    "severity": mark("Severity"),
    "since": mark("Since"),
    "site": mark("Site"),
    "subject": mark("Subject"),
    "test": mark("Test"),
    "text": mark("What"),
    "told": mark("Notified"),
    "told_level": mark("Notified up to level"),
    "until": mark("Until"),
    "walk_test": mark("Walk test"),
}
"""What people call each column."""

_TIMES = {"acknowledged", "at", "due", "heard", "held", "raised", "reset", "since", "told", "until"}

_ANSWERS = {"yes": mark("yes"), "no": mark("no")}
_WORDS: Mapping[str, Mapping[str, str]] = {
    "after": STATES,
    "alarm_class": {str(each): CLASSES[each] for each in AlarmClass},
    "before": STATES,
    "overdue": _ANSWERS,
    "phase": STATES,
    "reason": DETAILS,
    "reset_reason": REASONS,
    "result": {
        "passed": mark("passed"),
        "not confirmed": mark("not confirmed"),
        "never heard": mark("never heard"),
    },
    "severity": {"critical": mark("critical"), "warning": mark("warning"), "notice": mark("notice")},
    "test": _ANSWERS,
}
"""The columns whose values are the program's own words."""


def heading(name: str, words: Words) -> str:
    """What this column is called; that of a time says in which zone it is."""
    text = words.translate(HEADINGS[name])
    return f"{text} ({zone()})" if name in _TIMES else text


def headings(names: Iterable[str], words: Words) -> list[str]:
    """Those of a spreadsheet that somebody opens."""
    return [heading(name, words) for name in names]


def for_people(item: Mapping[str, Any], words: Words) -> dict[str, Any]:
    """One record under people's headings, its times as datetimes of this machine's zone."""
    return {heading(name, words): _value(name, value, words) for name, value in item.items()}


def csv_of(items: Iterable[Mapping[str, Any]], names: Sequence[str], sheet: Sheet, words: Words) -> Iterator[str]:
    """The lines of a CSV with these columns: for tools as the API has them, for Excel under people's headings."""
    if sheet.excel:
        return csv_lines((for_people(item, words) for item in items), headings(names, words), sheet)
    return csv_lines(items, names, sheet)


def _value(name: str, value: Any, words: Words) -> Any:
    if isinstance(value, bool):
        value = "yes" if value else "no"
    if not isinstance(value, str):
        return value
    if name in _TIMES:
        return _instant(value)
    if name == "detail":
        return detail_of(value, words)
    if name in ("kind", "text"):
        return words.retold(value)
    known = _WORDS.get(name, {}).get(value)
    return value if known is None else words.translate(known)


def _instant(text: str) -> datetime | str:
    """In this machine's zone; text that is no instant, as a node may write it, stays as it is."""
    try:
        return local(datetime.fromisoformat(text))
    except ValueError:
        return text


def zone() -> str:
    """The zone of this machine, by its name: Europe/Berlin, or in short where it has no such name (CET)."""
    return getattr(LOCALTZ, "key", None) or str(datetime.now(UTC).astimezone().tzname())

"""The history at a terminal and as an export: all of it, or it is said on standard error that it isn't all."""

import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from shutil import get_terminal_size
from typing import Any, Literal

from node.core.settings import AlarmClass
from node.monitor.cli.api_client.monitor_client import ApiError
from node.monitor.cli.export.columns import csv_of, headings
from node.monitor.cli.export.csv_cells import PLAIN, Sheet
from node.monitor.cli.state_words import STATES
from node.monitor.locale.translation import Words, local, mark
from node.monitor.notify.texts.vocabulary import CLASSES, DETAILS, REASONS, calls_of
from node.sanitize import as_json, plain

NARROWEST = 20
"""No terminal is taken for narrower than that."""

COLUMNS = {
    "events": ("site", "node", "boot", "seq", "kind", "at", "heard", "input", "incident", "message"),
    "findings": ("code", "severity", "site", "node", "subject", "place", "since", "until", "text", "count", "detail"),
    "flips": ("site", "node", "before", "after", "at", "reason"),
    "incidents": (
        *("id", "site", "node", "incident", "input", "place", "alarm_class", "phase", "presses", "test", "raised"),
        *("held", "told", "acknowledged", "acknowledged_by", "reset", "reset_by", "reset_reason"),
        *("told_level", "next_level_s"),
    ),
    "tests": ("site", "node", "input", "at", "walk_test", "reaction_s"),
}
"""What records have, for a CSV without any: as representations.py has it, whose package takes too long to import."""


_SHOWN = {
    "events": ("heard", "node", "number", "kind", "about"),
    "findings": ("since", "node", "code", "subject", "until", "text"),
    "flips": ("at", "node", "change", "reason"),
    "incidents": ("raised", "id", "input", "alarm_class", "presses", "told", "phase"),
    "tests": ("at", "node", "input", "reaction", "walk_test"),
}
"""What a line at a terminal has of each, in this order."""


def show(
    what: str,
    items: Iterator[Mapping[str, Any]],
    form: Literal["table", "json", "csv"],
    most: int | None,
    words: Words,
    sheet: Sheet = PLAIN,
) -> None:
    """Print these records, of which the newest comes first; at most so many. Raises ApiError as they do.

    A table has headings, the newest last, and times as this machine's clock shows them; what Excel opens has words and
    times of the same kind. An export is printed as it comes, so that little of it is in memory.
    """
    found = islice(items, most)
    lines: Iterable[str]
    if form == "csv":
        lines = csv_of(found, COLUMNS[what], sheet, words)
    elif form == "json":
        lines = (f"{as_json(item)}\n" for item in found)
    else:
        told = [line_of(what, item, words) for item in found]
        head = ["  ".join(headings(_SHOWN[what], words))] if told else []
        lines = [f"{_fitted(plain(each))}\n" for each in (*head, *reversed(told))]
    line = ""
    try:
        for line in lines:
            sys.stdout.write(line)
        sys.stdout.flush()
        is_more = next(items, None) is not None
    except (ApiError, KeyboardInterrupt):
        if line:  # a file with some of it looks like one with all
            sys.stderr.write(words.say("the output is incomplete") + "\n")
        raise
    if form == "table" and not line:
        sys.stderr.write(words.say("the history has no such entry") + "\n")
    if is_more:
        rest = mark("--most N for more, --json or --csv for all") if form == "table" else mark("--most N for more")
        text = words.say("these are the newest {count}; for others: {how}", count=most, how=words.translate(rest))
        sys.stderr.write(text + "\n")


def line_of(what: str, item: Mapping[str, Any], words: Words) -> str:
    """One record of the history on one line."""
    where = f"{item['site']}/{item['node']}"
    if what == "incidents":
        alarm_class = words.translate(CLASSES[AlarmClass(item["alarm_class"])])
        called = f"{item['input']}  {alarm_class}  {item['presses']}x"
        line = (_local(item["raised"]), item["id"], called, _told(item, words), _end(item, words))
        return "  ".join(filter(None, line))
    if what == "flips":
        change = f"{words.translate(STATES[item['before']])} -> {words.translate(STATES[item['after']])}"
        reason = words.one_of(DETAILS, item["reason"])
        return f"{_local(item['at'])}  {where}  {change}  {reason}".rstrip()
    if what == "tests":
        took = words.say("not confirmed") if item["reaction_s"] is None else f"{item['reaction_s'] * 1000:.0f} ms"
        return f"{_local(item['at'])}  {where}  {item['input']}  {took}  {item['walk_test']}".rstrip()
    if what == "findings":
        ended = words.say("over {time}", time=_local(item["until"])) if item["until"] else words.say("open")
        calls = calls_of(item["code"], item["subject"], words)
        whose = calls or where.strip("/") or words.say("the monitor")
        since, text = _local(item["since"]), words.translate(item["text"])
        subject = "" if calls else item["subject"]
        return "  ".join(filter(None, (since, whose, item["code"], subject, ended, text)))
    said = item["message"] or {}  # a fault's code and subject are in no field of their own
    about = "  ".join(filter(None, (item["input"], item["incident"], said.get("fault"), said.get("subject"))))
    number = f"{item['boot']}-{item['seq']}"
    return f"{_local(item['heard'])}  {where}  {number}  {words.retold(item['kind'])}  {about}".rstrip()


def _fitted(line: str) -> str:
    """What doesn't fit on a line of the terminal stands below it; a file has a line for each record."""
    if not sys.stdout.isatty():
        return line
    width = max(get_terminal_size().columns, NARROWEST)
    return textwrap.fill(line, width, subsequent_indent="    ", break_on_hyphens=False)


def _told(incident: Mapping[str, Any], words: Words) -> str:
    if incident["told"]:
        return words.say("notified {time}", time=_local(incident["told"]))
    return "" if incident["test"] else words.say("nobody notified")


def _end(incident: Mapping[str, Any], words: Words) -> str:
    if not incident["reset"]:
        return words.translate(STATES[incident["phase"]]) if incident["phase"] == "acknowledged" else ""
    by, reason = incident["reset_by"] or "-", incident["reset_reason"]
    if not reason:
        return words.say("over (by {desk})", desk=by)
    return words.say("over: {reason} (by {desk})", reason=words.one_of(REASONS, reason), desk=by)


def _local(at: str) -> str:
    """As this machine's clock showed it, with how far that is from UTC: an hour comes twice in autumn."""
    return local(datetime.fromisoformat(at)).isoformat(timespec="seconds")

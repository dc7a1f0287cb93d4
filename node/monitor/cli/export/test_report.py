"""The record of tests, as facilities keep it: which button was tested when, with what result; no names of people.

HTML to be printed, in German or English; CSV for a spreadsheet, whose cells can't be taken for formulas.
"""

import html
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from babel.dates import LOCALTZ

from node.monitor.cli.export.columns import csv_of, zone
from node.monitor.cli.export.csv_cells import Sheet
from node.monitor.core.model.monitor_settings import Language
from node.monitor.locale.translation import Words, mark
from node.sanitize import plain

COLUMNS = (
    mark("Date"),
    mark("Site"),
    mark("Node"),
    mark("Button"),
    mark("Result"),
    mark("Reaction (ms)"),
    mark("Walk test"),
)

_SHEET_COLUMNS = ("kind", "at", "site", "node", "input", "result", "reaction_ms", "walk_test", "due", "overdue")

NAME_LENGTH = 20

_STYLE = """
body { font: 11pt sans-serif; margin: 2cm; color: #111 }
h1 { font-size: 16pt } h2 { font-size: 13pt; margin-top: 1.5em }
table { border-collapse: collapse; width: 100% }
th, td { border: 1px solid #888; padding: 1.5mm 2mm; text-align: left }
th { background: #eee } tr { break-inside: avoid } .failed { font-weight: bold } .name { white-space: nowrap }
@page { size: A4; margin: 1.5cm } @media print { body { margin: 0 1px } thead { display: table-header-group } }
"""


def in_order(buttons: Iterable[Mapping[str, Any]], nodes: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """All buttons there are, what needs somebody most first: nodes never heard, buttons never tested, overdue ones.

    A roster names no buttons: a node of it that was never heard stands here for its own.
    """
    listed = [*buttons]
    for node in nodes:
        if node["known"] and node["heard_s"] is None and not node["boot"]:
            where = {name: node[name] for name in ("site", "node", "place")}
            listed.append({**where, "input": "", "last_test": None, "due": None, "overdue": True})

    def needs(button: Mapping[str, Any]) -> tuple[bool, bool, bool, str, str, str]:
        unheard, untested = button["due"] is None, button["last_test"] is None
        return not unheard, not untested, not button["overdue"], button["site"], button["node"], button["input"]

    return sorted(listed, key=needs)


def tests_csv(
    tests: Iterable[Mapping[str, Any]], buttons: Iterable[Mapping[str, Any]], sheet: Sheet, words: Words
) -> str:
    """Each test, oldest first; then each button with its last test and its due date. Excel's has headings of words."""
    rows: list[dict[str, Any]] = []
    for test in _oldest_first(tests):
        told = {"result": _result(test), "reaction_ms": _ms(test), "walk_test": test["walk_test"]}
        rows.append({"kind": mark("test"), "at": test["at"], **_names(test), **told})
    for button in buttons:
        told = {"due": button["due"], "overdue": "yes" if button["overdue"] else "no"}
        told["result"] = "never heard" if button["due"] is None else None
        rows.append({"kind": mark("button"), "at": button["last_test"], **_names(button), **told})
    whole = [{name: row.get(name) for name in _SHEET_COLUMNS} for row in rows]
    return "".join(csv_of(whole, _SHEET_COLUMNS, sheet, words))


def _names(what: Mapping[str, Any]) -> dict[str, Any]:
    return {name: what[name] for name in ("site", "node", "input")}


def tests_html(
    tests: Iterable[Mapping[str, Any]], buttons: Iterable[Mapping[str, Any]], language: Language, site: str | None
) -> str:
    """A page to be printed: the buttons with their due dates, then each test, oldest first."""
    words = Words(language, LOCALTZ, {})
    title = words.say("Tests of the hold-up buttons")
    whole = f"{title}: {site}" if site else title
    buttons, tests = list(buttons), _oldest_first(tests)
    overdue = [button["overdue"] for button in buttons]
    unheard = sum(button["due"] is None for button in buttons)
    untested = sum(not button["last_test"] for button in buttons) - unheard
    failed = [test["reaction_s"] is None for test in tests]
    due = [
        (
            button["site"],
            button["node"],
            button["input"] or "-",
            button["place"],
            _last(button, words),
            _due(button, words),
        )
        for button in buttons
    ]
    done = [
        (
            words.time(_at(test["at"])),
            test["site"],
            test["node"],
            test["input"],
            words.say("passed") if test["reaction_s"] is not None else words.say("not confirmed: not passed"),
            "" if test["reaction_s"] is None else str(_ms(test)),
            test["walk_test"],
        )
        for test in tests
    ]
    heads = [words.say(each) for each in (mark("Site"), mark("Node"), mark("Button"), mark("Where"))]
    heads += [words.say("Last test"), words.say("Next test due")]
    headings = words.say("Buttons"), words.say("Tests")
    summaries = (
        ", ".join(
            (
                words.say("{count} in all, {overdue} overdue", count=words.number(len(due)), overdue=sum(overdue)),
                *([words.say("{count} never tested", count=words.number(untested))] if untested else ()),
                *([words.say("{count} never heard", count=words.number(unheard))] if unheard else ()),
            )
        ),
        words.say("{count} in all, {failed} not passed", count=words.number(len(done)), failed=sum(failed)),
    )
    printed = words.say("Printed {time}; times are those of {zone}", time=words.time(datetime.now(UTC)), zone=zone())
    parts = [
        f'<!DOCTYPE html>\n<html lang="{language}"><head><meta charset="utf-8"><title>{escape(whole)}</title>',
        f"<style>{_STYLE}</style></head><body><h1>{escape(whole)}</h1><p>{escape(printed)}</p>",
        f"<h2>{escape(headings[0])}</h2><p>{escape(summaries[0])}</p>{_table(heads, zip(due, overdue, strict=True))}",
        f"<h2>{escape(headings[1])}</h2><p>{escape(summaries[1])}</p>",
        _table([words.translate(each) for each in COLUMNS], zip(done, failed, strict=True)),
        "</body></html>",
    ]
    return "\n".join(parts)


def _last(button: Mapping[str, Any], words: Words) -> str:
    if button["last_test"]:
        return words.time(_at(button["last_test"]))
    return words.say("the node was never heard") if button["due"] is None else words.say("never")


def _due(button: Mapping[str, Any], words: Words) -> str:
    if button["due"] is None:
        return words.say("now")
    due = words.time(_at(button["due"]))
    return words.say("{time} (overdue)", time=due) if button["overdue"] else due


def _table(heads: Iterable[str], rows: Iterable[tuple[Iterable[str], bool]]) -> str:
    """Each row with whether it wants somebody."""
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    body = "\n".join(
        f"<tr{' class=failed' if is_failed else ''}>" + "".join(_cell(str(cell)) for cell in row) + "</tr>"
        for row, is_failed in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>"


def _cell(text: str) -> str:
    """A name isn't broken at its hyphens where it is short enough to stand beside the others."""
    is_short_name = " " not in text and len(text) <= NAME_LENGTH
    return f"<td{' class=name' if is_short_name else ''}>{escape(text)}</td>"


def escape(text: str) -> str:
    """Words in HTML, as they are."""
    return html.escape(plain(text))


def _oldest_first(tests: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(tests, key=lambda test: (test["at"], test["site"], test["node"], test["input"]))


def _result(test: Mapping[str, Any]) -> str:
    return "passed" if test["reaction_s"] is not None else "not confirmed"


def _ms(test: Mapping[str, Any]) -> int | None:
    return None if test["reaction_s"] is None else round(test["reaction_s"] * 1000)


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)

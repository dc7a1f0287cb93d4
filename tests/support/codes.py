"""What both guides have of the codes: a section for each, and the rows of the tables that say whom to ask."""

import re
from collections.abc import Iterable
from datetime import UTC
from itertools import groupby

from node.errors.faults import FAULTS
from node.monitor.core.model.catalogue import FINDINGS
from node.monitor.core.model.monitor_settings import Language
from node.monitor.core.model.next_steps import general_step
from node.monitor.locale.translation import Words

NEXT = {"en": "Next", "de": "Zu tun"}
TO = {"en": "to", "de": "bis"}
KINDS = dict(sorted({**FAULTS, **FINDINGS}.items()))


def with_codes(language: Language, present: str) -> str:
    """This guide with every code. A new one comes after the code before it: in a section, and in that code's row.

    A section begins with its code's text and severity. One that has nothing but a next step is made whole: its text
    says in short what it means. What people add (meaning, risk, and a longer next step) stays, and so does a code that
    they move into another row.
    """
    words = Words(language, UTC, {})
    parts = re.split(r"^(?=<a id=|##)", present, flags=re.MULTILINE)
    for code, kind in KINDS.items():
        head = f"### {code}\n\n**{words.translate(kind.text)}** ({words.translate(kind.severity)})\n\n"
        step = f"- {NEXT[language]}: {words.retold(general_step(kind))}\n\n"
        places = {found[1]: place for place, part in enumerate(parts) if (found := re.match(r"### ([FM]\d+)\n", part))}
        if code not in places:
            parts.insert(places[_before(code, places)] + 1, head + step)
            continue
        _, _, added = parts[places[code]].split("\n\n", 2)
        is_bare = re.fullmatch(rf"- {NEXT[language]}: .*\n\n", added) is not None
        parts[places[code]] = head + (step if is_bare else added)
    return _with_rows(TO[language], "".join(parts))


def _with_rows(to: str, present: str) -> str:
    """The rows of codes, each code in one of them."""
    row_of = {
        code: number
        for number, cell in enumerate(re.findall(r"^\| ([FM]\d{3}[^|]*) \|", present, re.MULTILINE))
        for first, last in re.findall(rf"(\w+)(?: {to} (\w+))?", cell)
        for code in KINDS
        if first <= code <= (last or first)
    }
    for code in KINDS:
        if code not in row_of:
            row_of[code] = row_of[_before(code, row_of)]
    rows = [[code for code in KINDS if row_of[code] == number] for number in range(max(row_of.values()) + 1)]
    cells = iter([_listed(each, to) for each in rows])
    return re.sub(r"^\| [FM]\d{3}[^|]* \|", lambda _: f"| {next(cells)} |", present, flags=re.MULTILINE)


def _before(code: str, others: Iterable[str]) -> str:
    return max(each for each in others if each[0] == code[0] and each < code)


def _listed(codes: list[str], to: str) -> str:
    """Codes in their order, three or more in a row as a range."""
    told = []
    for _, run in groupby(enumerate(codes), lambda pair: (pair[1][0], int(pair[1][1:]) - pair[0])):
        each = [code for _, code in run]
        told += [f"{each[0]} {to} {each[-1]}"] if len(each) > 2 else each
    return ", ".join(told)

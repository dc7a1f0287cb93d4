"""What goes into a CSV that people open with a spreadsheet."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from io import StringIO
from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet takes for the beginning of a formula (OWASP, "CSV Injection")."""


def harmless(text: str) -> str:
    """A cell as a spreadsheet shows it: one that it would run as a formula gets an apostrophe before it."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def csv_lines(items: Iterable[Mapping[str, Any]], columns: Iterable[str]) -> Iterator[str]:
    """Items that all have the same fields, one at a time, after a line of their names: ``columns`` where there is none.

    Nothing comes before the first item is there: what fails at once leaves an empty file, and none that looks whole.
    """
    is_first = True
    for item in items:
        if is_first:
            yield _line(item)
        is_first = False
        yield _line(_cell(value) for value in item.values())
    if is_first:
        yield _line(columns)


def _line(cells: Iterable[str]) -> str:
    made = StringIO()
    # With a mere "\n" it leaves "\r" unquoted: what follows one is a cell of its own, which a spreadsheet would run.
    csv.writer(made, lineterminator="\r\n").writerow(cells)
    return made.getvalue().removesuffix("\r\n") + "\n"


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return harmless(value)
    return "" if value is None else json.dumps(value, ensure_ascii=False)  # -3 stays a number

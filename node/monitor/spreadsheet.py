"""What goes into a CSV that people open with a spreadsheet."""

import csv
import json
from collections.abc import Iterable, Mapping
from io import StringIO
from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet takes for the beginning of a formula (OWASP, "CSV Injection")."""


def harmless(text: str) -> str:
    """A cell as a spreadsheet shows it: one that it would run as a formula gets an apostrophe before it."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def csv_of(items: Iterable[Mapping[str, Any]]) -> str:
    """Items that all have the same fields, with a line of their names; nothing where there are none."""
    made = StringIO()
    writer = csv.writer(made, lineterminator="\n")
    for number, item in enumerate(items):
        if number == 0:
            writer.writerow(item)
        writer.writerow([_cell(value) for value in item.values()])
    return made.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return harmless(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))

"""What goes into a CSV that people open with a spreadsheet: a cell is one line, and never a formula."""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from io import StringIO
from typing import Any, NamedTuple

from node.monitor.core.model.monitor_settings import Language
from node.sanitize import as_json, plain

_FORMULA = ("=", "+", "-", "@", "\N{FULLWIDTH EQUALS SIGN}", "\N{FULLWIDTH PLUS SIGN}", "\N{FULLWIDTH HYPHEN-MINUS}")
"""What a spreadsheet takes for the beginning of a formula (OWASP, "CSV Injection"), whatever space stands before it."""

_NUMBER = re.compile(r"[0-9][0-9.,:/e-]*", re.IGNORECASE)
"""What Excel takes for a number, a date or a time: the boot 0012e456 becomes 12 with 456 zeros."""


_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"


class Sheet(NamedTuple):
    """For whom a CSV is: what parts its cells, which mark stands before a fraction, how it begins, and how a date is.

    A date is a datetime; in what tools read there is none, but text as the API has it.
    """

    delimiter: str = ","
    decimal: str = "."
    beginning: str = ""
    date: str = "%Y-%m-%d %H:%M:%S"
    excel: bool = False


PLAIN = Sheet()
"""As RFC 4180 and every tool has it."""


def for_excel(language: Language) -> Sheet:
    """As Excel reads it when somebody opens the file: it takes its separator from the country, and UTF-8 by a mark."""
    if language == "de":
        return Sheet(";", ",", _MARK, "%d.%m.%Y %H:%M:%S", excel=True)
    return Sheet(",", ".", _MARK, excel=True)  # with a date that Excel knows in any country


def csv_lines(items: Iterable[Mapping[str, Any]], columns: Iterable[str], sheet: Sheet = PLAIN) -> Iterator[str]:
    """Items that all have the same fields, one at a time, after a line of their names: ``columns`` where there is none.

    Nothing comes before the first item is there: what fails at once leaves an empty file, and none that looks whole.
    """
    is_first = True
    for item in items:
        if is_first:
            yield sheet.beginning + csv_line(item, sheet)
        is_first = False
        yield csv_line(item.values(), sheet)
    if is_first:
        yield sheet.beginning + csv_line(columns, sheet)


def csv_line(cells: Iterable[Any], sheet: Sheet = PLAIN) -> str:
    """One line: texts as they are, None as an empty cell, anything else as JSON has it (-3 stays a number)."""
    made = StringIO()
    csv.writer(made, delimiter=sheet.delimiter, lineterminator="\n").writerow(_cell(each, sheet) for each in cells)
    return made.getvalue()


def _cell(value: Any, sheet: Sheet) -> str:
    if isinstance(value, str):
        return _harmless(plain(value), sheet)
    if isinstance(value, datetime):
        return value.strftime(sheet.date)
    if isinstance(value, float):
        return as_json(value).replace(".", sheet.decimal)
    return "" if value is None else as_json(value)


def _harmless(text: str, sheet: Sheet) -> str:
    """A cell as a spreadsheet shows it: what it would run, or Excel would reckon with, gets an apostrophe before it."""
    runs = text.lstrip().startswith(_FORMULA)
    return f"'{text}" if runs or (sheet.excel and _NUMBER.fullmatch(text)) else text

"""Records as CSV and as JSON lines, a line at a time: however much there is, little of it is in memory."""

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from node.monitor.history.rows import columns_of, flat
from node.monitor.spreadsheet import harmless


def csv_lines(kind: type[Struct], records: Iterable[Struct]) -> Iterator[str]:
    """A line with the names of the columns, then one for each record of this kind; instants as in RFC 3339, in UTC.

    A text that a spreadsheet would run as a formula gets an apostrophe before it.
    """
    columns = columns_of(kind)
    yield _csv_line(columns)
    for record in records:
        values = flat(record)
        yield _csv_line([_cell(values[column]) for column in columns])


def json_lines(records: Iterable[Struct]) -> Iterator[str]:
    """A JSON object for each record, in a line of its own; the body of an event is an object in it."""
    for record in records:
        values = {name: _instant(value) for name, value in flat(record).items()}
        if values.get("body"):
            values["body"] = msgspec.Raw(msgspec.json.format(values["body"].encode(), indent=-1))
        yield msgspec.json.encode(values).decode() + "\n"


def _csv_line(cells: Iterable[Any]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return harmless(value)
    return "true" if value is True else "false" if value is False else _instant(value)


def _instant(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value

"""Converts records to rows and back: one column for each field, and one for each part of a key that is a tuple."""

from datetime import UTC, datetime
from enum import Enum
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from sqlalchemy import RowMapping

S = TypeVar("S", bound=Struct)


@cache
def parts_of(kind: type[Struct]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Each field and the columns of its parts; no parts if the field is one column."""
    return tuple((field.name, getattr(field.type, "_fields", ())) for field in msgspec.structs.fields(kind))


@cache
def columns_of(kind: type[Struct]) -> tuple[str, ...]:
    """The columns that hold such a record, in the record's order."""
    return tuple(column for name, parts in parts_of(kind) for column in parts or (name,))


def flat(record: Struct) -> dict[str, Any]:
    """The record as values by column."""
    values: dict[str, Any] = {}
    for name, parts in parts_of(type(record)):
        value = getattr(record, name)
        if parts:
            values.update(zip(parts, value, strict=True))
        else:
            values[name] = _plain(value)
    return values


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str) and "\0" in value:
        return value.replace("\0", "\ufffd")  # PostgreSQL can't store this letter, and a node may send it
    return value


def made(kind: type[S], row: RowMapping) -> S:
    """The record in a row. Raises msgspec.ValidationError if the row doesn't fit the record."""
    fields = {name: tuple(row[part] for part in parts) if parts else row[name] for name, parts in parts_of(kind)}
    return msgspec.convert(fields, kind)


def in_utc(instant: datetime) -> datetime:
    """The same instant in UTC. Raises ValueError for one without a time zone, which would be ambiguous."""
    if instant.tzinfo is None:
        raise ValueError(f"{instant} has no time zone")
    return instant.astimezone(UTC)

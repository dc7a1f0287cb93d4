"""Records and rows: a column for each field; a key that is a tuple stands as the columns of its parts."""

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
    """Each field, and the columns of its parts; none where the field is a column itself."""
    return tuple((field.name, getattr(field.type, "_fields", ())) for field in msgspec.structs.fields(kind))


@cache
def columns_of(kind: type[Struct]) -> tuple[str, ...]:
    """The columns that hold such a record, in its order."""
    return tuple(column for name, parts in parts_of(kind) for column in parts or (name,))


def flat(record: Struct) -> dict[str, Any]:
    """The record by columns."""
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
        return value.replace("\0", "\ufffd")  # PostgreSQL has no such letter, and a node may say it
    return value


def made(kind: type[S], row: RowMapping) -> S:
    """The record that a row holds. Raises msgspec.ValidationError where it was never written so."""
    fields = {name: tuple(row[part] for part in parts) if parts else row[name] for name, parts in parts_of(kind)}
    return msgspec.convert(fields, kind)


def in_utc(instant: datetime) -> datetime:
    """The same instant in UTC. Raises ValueError for one without a zone, which could mean any."""
    if instant.tzinfo is None:
        raise ValueError(f"{instant} has no time zone")
    return instant.astimezone(UTC)

"""Writes for both databases: add rows that are missing, and change rows that are there.

SQLite and PostgreSQL have the same ON CONFLICT, but SQLAlchemy has a separate ``insert`` for each.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Column, ColumnElement, Connection, Table, UniqueConstraint, and_, case, func, or_
from sqlalchemy.dialects import postgresql, sqlite

_AT_ONCE = 1_000  # keys in one query: SQLite takes 32,766 values, PostgreSQL 65,535

K = TypeVar("K", bound=tuple[object, ...])


def _insert(connection: Connection, table: Table) -> Any:
    """The dialect's ``insert``. Both have the same ON CONFLICT, but no common type that has it."""
    return (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)


def _identity(table: Table) -> list[Column[Any]]:
    """The columns that identify a row: those of its unique constraint, or else of its primary key."""
    unique = next((each for each in table.constraints if isinstance(each, UniqueConstraint)), table.primary_key)
    return list(unique.columns)


def add_missing(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Add these rows, except those that are there already."""
    if rows:
        connection.execute(_insert(connection, table).on_conflict_do_nothing(index_elements=_identity(table)), rows)


def upsert(connection: Connection, table: Table, rows: Sequence[dict[str, Any]], changes: Iterable[str]) -> None:
    """Add these rows. In rows that are there already, these columns change."""
    if rows:
        statement = _insert(connection, table)
        newer = {name: statement.excluded[name] for name in changes}
        connection.execute(statement.on_conflict_do_update(index_elements=_identity(table), set_=newer), rows)


def fill(
    connection: Connection,
    table: Table,
    rows: Sequence[dict[str, Any]],
    *,
    keep_greatest: Iterable[str] = (),
    keep_first: Iterable[str] = (),
) -> None:
    """Add these rows. In rows that are there already, these columns are filled in.

    ``keep_greatest``: the greater value is kept. ``keep_first``: a value that is there already is kept.
    """
    if not rows:
        return
    statement = _insert(connection, table)
    new, there = statement.excluded, table.c
    changes: dict[str, ColumnElement[Any]] = {
        name: case((or_(there[name].is_(None), new[name] > there[name]), new[name]), else_=there[name])
        for name in keep_greatest
    }
    changes |= {name: func.coalesce(there[name], new[name]) for name in keep_first}
    connection.execute(statement.on_conflict_do_update(index_elements=_identity(table), set_=changes), rows)


def chunks(keys: Iterable[K]) -> Iterator[list[K]]:
    """These keys without duplicates, in lists that fit into one query."""
    rest = iter(dict.fromkeys(keys))
    while chunk := list(islice(rest, _AT_ONCE)):
        yield chunk


def among(columns: Sequence[Column[Any]], keys: Sequence[tuple[object, ...]]) -> ColumnElement[bool]:
    """Whether a row has one of these keys, or parts of several of them: PostgreSQL compares whole keys one by one."""
    return and_(*(column.in_(set(parts)) for column, parts in zip(columns, zip(*keys, strict=True), strict=True)))

"""Translates a database's failure for people: which error it is, and what to do next."""

import errno
import os
import sqlite3
from pathlib import Path

import msgspec
import psycopg
from sqlalchemy.exc import SQLAlchemyError, StatementError

from node.monitor.errors import (
    HistoryDamagedError,
    HistoryError,
    HistoryFullError,
    HistoryReadOnlyError,
    HistoryRefusedError,
    HistoryUnreachableError,
    UnstorableError,
)

_NEXT: dict[type[HistoryError], str] = {
    HistoryError: "look into the database's own log; the monitor retries by itself",
    HistoryUnreachableError: "check that the database runs and can be reached from here, or that the directory "
    "of the file exists",
    HistoryRefusedError: "compare user, password and database in history in monitor.toml with what the database knows",
    HistoryFullError: "make room on the disk of the database; the monitor retries by itself",
    HistoryReadOnlyError: "make its disk and directory writable for the monitor's account; the monitor retries "
    "by itself",
    HistoryDamagedError: "move the file away and restore it from a backup; without a backup the monitor begins "
    "a new one",
    UnstorableError: "nothing needs doing: it is left out, and the node says what comes of it",
}

_SQLITE: dict[int, type[HistoryError]] = {
    sqlite3.SQLITE_CANTOPEN: HistoryUnreachableError,
    sqlite3.SQLITE_FULL: HistoryFullError,
    sqlite3.SQLITE_READONLY: HistoryReadOnlyError,
    sqlite3.SQLITE_PERM: HistoryReadOnlyError,
    sqlite3.SQLITE_CORRUPT: HistoryDamagedError,
    sqlite3.SQLITE_NOTADB: HistoryDamagedError,
}

_OF_THE_DISK = (HistoryUnreachableError, HistoryError)
"""What SQLite reports when a disk became read-only: that it can't open its log there, or an I/O error."""

_POSTGRESQL: dict[str, type[HistoryError]] = {
    "22": UnstorableError,
    "23": UnstorableError,
    "28": HistoryRefusedError,
    "3D": HistoryRefusedError,
    "42501": HistoryRefusedError,
    "53100": HistoryFullError,
    "25006": HistoryReadOnlyError,
    "57P": HistoryUnreachableError,
    "08": HistoryUnreachableError,
}
"""The errors by the first characters of the SQLSTATE (PostgreSQL's appendix A)."""

_ANSWERED = "FATAL:"
"""In libpq's message this means that a server answered and refused. Without it no server answered. It is the same in
every language."""

_CANNOT_BE_BOUND = (sqlite3.InterfaceError, sqlite3.ProgrammingError, sqlite3.IntegrityError, sqlite3.DataError)


EXPECTED = (SQLAlchemyError, sqlite3.Error, psycopg.Error, OSError, OverflowError, ValueError)


def as_history_error(failure: Exception, name: str, directory: Path | None = None) -> HistoryError:
    """The error that people see. ``name``: the database, without a password; ``directory``: where its file is."""
    cause = failure.orig if isinstance(failure, StatementError) and failure.orig is not None else failure
    kind = _kind_of(cause)
    if kind in _OF_THE_DISK and directory is not None and _is_read_only(directory):
        kind = HistoryReadOnlyError
    reason = " ".join(str(cause).split())[:300]
    return kind(f"the history {name} can't be used: {reason}", _NEXT[kind])


def _is_read_only(directory: Path) -> bool:
    """Try it with a nameless file, which leaves nothing behind. After a disk error the mount table may be wrong."""
    try:
        os.close(os.open(directory, os.O_TMPFILE | os.O_WRONLY, 0o600))
    except OSError as refusal:
        return refusal.errno == errno.EROFS
    return False


def _kind_of(cause: BaseException) -> type[HistoryError]:
    if isinstance(cause, psycopg.Error):
        return _of_postgresql(cause)
    if isinstance(cause, _CANNOT_BE_BOUND):
        return UnstorableError
    if isinstance(cause, sqlite3.Error):
        return _SQLITE.get(getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF, HistoryError)
    if isinstance(cause, msgspec.ValidationError):
        return HistoryDamagedError
    if isinstance(cause, OSError):
        return HistoryUnreachableError
    return UnstorableError if isinstance(cause, (ValueError, OverflowError)) else HistoryError


def _of_postgresql(cause: psycopg.Error) -> type[HistoryError]:
    state = cause.sqlstate
    if state is not None:
        return next((kind for begin, kind in _POSTGRESQL.items() if state.startswith(begin)), HistoryError)
    if isinstance(cause, psycopg.DataError):
        return UnstorableError
    return HistoryRefusedError if _ANSWERED in str(cause) else HistoryUnreachableError

"""The database of the history: how it is opened, made one of today's, written by one at a time, and read.

Rules

1. One writes at a time, however many monitors share the database: BEGIN IMMEDIATE on SQLite, an advisory lock on
   PostgreSQL. So whoever reads and then decides, within ``writing``, decides alone: that is what claims rest on.
2. Whoever hangs while it writes is thrown out by the server, so that it doesn't keep the others from writing.
3. What was committed is on the disk: WAL with ``synchronous=FULL``; ``synchronous_commit``, whatever the default is.
4. Every failure is a HistoryError with its next step, and none tells a password.
"""

import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, func, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from node.monitor.errors import (
    HistoryError,
    HistoryNewerError,
    HistoryOlderError,
    HistoryUrlError,
)
from node.monitor.history.failures import EXPECTED, as_history_error

BUSY_S = 5.0
"""For how long one waits for another who writes."""

_HANGS_S = 10
_LOCK = 7_302_465_119
"""Any number that no other program takes for an advisory lock in the same database."""

_LOG_KEPT_BYTES = 4 * 2**20
_SCRIPTS = Path(__file__).parent / "migrations"

_log = logging.getLogger(__name__)


class Database:
    """The database at ``url``, SQLite's or PostgreSQL's. Raises HistoryUrlError for another; touches nothing yet."""

    def __init__(self, url: str) -> None:
        parsed = _parsed(url)
        self.name = parsed.render_as_string(hide_password=True)
        self._is_sqlite = parsed.get_backend_name() == "sqlite"
        self._path = Path(parsed.database or "") if self._is_sqlite else None
        self._engine = _engine(parsed, self._is_sqlite)
        if self._path is not None:
            event.listen(self._engine, "connect", _opener(self._path))
            event.listen(self._engine, "begin", _begin_sqlite)
        else:
            event.listen(self._engine, "connect", _open_postgresql)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that no other one writes beside; committed at its end, or rolled back. Raises HistoryError."""
        with self._translated(), self._engine.connect() as connection:
            with connection.execution_options(writes=True).begin():
                if not self._is_sqlite:
                    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
                yield connection
            self._see_file(connection)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one moment of the database throughout. Raises HistoryError."""
        options = {} if self._is_sqlite else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with (
            self._translated(),
            self._engine.connect().execution_options(**options) as connection,
            connection.begin(),
        ):
            yield connection

    def now(self, connection: Connection) -> datetime:
        """What the clock says that all share who share this database. Raises what a statement in ``writing`` raises.

        PostgreSQL's at this moment: its CURRENT_TIMESTAMP is of before the wait for others who write. A file's is this
        machine's.
        """
        if self._is_sqlite:
            return datetime.now(UTC)
        told: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
        return told

    def upgrade(self) -> None:
        """Make it one of today's, if it isn't; several may at once. Raises HistoryError, also for a newer one."""
        if self._path is not None:
            self._make_file(self._path)
        with self.writing() as connection:
            config = Config()
            config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
            config.attributes["connection"] = connection
            if self._is_behind(connection):
                command.upgrade(config, "head")
                _log.info("the history has the tables of this version")

    def check(self) -> None:
        """Raises HistoryOlderError where it isn't one of today's, HistoryNewerError where it is of a newer program."""
        if self._path is not None and not self._path.exists():
            raise self._older()
        with self.reading() as connection:
            if self._is_behind(connection):
                raise self._older()

    def close(self) -> None:
        """Let go of every connection."""
        self._engine.dispose()

    def _older(self) -> HistoryOlderError:
        return HistoryOlderError(
            f"the history {self.name} isn't one of this version yet",
            "start the monitor, which changes that: systemctl start alarm-monitor",
        )

    def _is_behind(self, connection: Connection) -> bool:
        scripts = ScriptDirectory(str(_SCRIPTS))
        known = {script.revision for script in scripts.walk_revisions()}
        found = set(MigrationContext.configure(connection).get_current_heads())
        if found - known:
            raise HistoryNewerError(
                f"the history {self.name} is of a newer alarm-monitor than this one",
                "install that version here too, or name another database as history in monitor.toml",
            )
        return found != set(scripts.get_heads())

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except EXPECTED as failure:
            raise self._error(failure) from failure

    def _error(self, failure: Exception) -> HistoryError:
        return as_history_error(failure, self.name, None if self._path is None else self._path.parent)

    def _make_file(self, path: Path) -> None:
        """SQLite gives its other files this one's mode."""
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            pass
        except OSError as failure:
            raise self._error(failure) from failure

    def _see_file(self, connection: Connection) -> None:
        """SQLite goes on writing into a file that was deleted or replaced, and reports success."""
        if self._path is None or os.path.samestat(self._path.stat(), connection.info["file"]):
            return
        connection.invalidate()
        raise HistoryError(
            f"another file has taken the place of {self.name}",
            "find out who replaced it; the monitor goes on by itself",
        )


def _parsed(url: str) -> URL:
    next_step = "write sqlite:///path or postgresql://user@host/name as history in monitor.toml"
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise HistoryUrlError("the address of the history can't be read", next_step) from None
    if parsed.get_backend_name() == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername != "sqlite" or not parsed.database or parsed.database == ":memory:":
        raise HistoryUrlError("the address of the history names neither a file of SQLite nor PostgreSQL", next_step)
    return parsed


def _engine(url: URL, is_sqlite: bool) -> Engine:
    if is_sqlite:
        return create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_S})
    arguments = {
        "connect_timeout": 5,
        "application_name": "alarm-monitor",
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": _HANGS_S * 1000,
    }
    return create_engine(url, hide_parameters=True, pool_pre_ping=True, connect_args=arguments)


def _opener(path: Path) -> Callable[[sqlite3.Connection, Any], None]:
    def open_sqlite(connection: sqlite3.Connection, record: Any) -> None:
        connection.isolation_level = None  # transactions begin where we say so
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA journal_size_limit = {_LOG_KEPT_BYTES}")
        record.info["file"] = path.stat()

    return open_sqlite


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _open_postgresql(connection: Any, _record: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = on")
        cursor.execute(f"SET lock_timeout = '{BUSY_S:.0f}s'")
        cursor.execute(f"SET idle_in_transaction_session_timeout = '{_HANGS_S}s'")
        cursor.execute("SET timezone = 'UTC'")
    connection.commit()

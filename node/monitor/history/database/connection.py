"""The history's database: how it is opened, upgraded, written by one writer at a time, and read.

Rules

1. Only one writer at a time, however many monitors share the database: BEGIN IMMEDIATE on SQLite, an advisory lock on
   PostgreSQL. So whoever reads and then decides within ``writing`` decides alone. Claims depend on that.
2. The server disconnects a writer that hangs, so that it doesn't keep the others from writing.
3. What was committed is on the disk: WAL with ``synchronous=FULL`` on SQLite; ``synchronous_commit`` on PostgreSQL,
   whatever its default is.
4. Every failure is a HistoryError with its next step, and none shows a password. Therefore libpq parses the address,
   also one with several hosts. An ambiguous address is refused: an ``@`` in a password would make half of the password
   the host's name.
5. Nothing depends on a PostgreSQL session, because a pool such as pgbouncer may give each transaction another one.
"""

import logging
import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL, Connection, Engine, create_engine, event, func, select, text

from node.monitor.errors import (
    HistoryEncodingError,
    HistoryError,
    HistoryNewerError,
    HistoryOlderError,
    HistoryUrlError,
)
from node.monitor.history.database.failures import EXPECTED, as_history_error

BUSY_S = 5.0
"""How long one writer waits for another."""

_HANGS_S = 10
_LOCK = 7_302_465_119
"""An arbitrary number. No other program may use it as an advisory lock in the same database."""

_SQLITE = "sqlite:///"
_POSTGRESQL = re.compile(r"[a-z+]+://([^/?#@]*@)?[^/?#@]*(/[^/?#@]*)?(\?[^#@]*)?")
_PORT = re.compile(r"[0-9]{1,5}")
_NEXT = "write sqlite:///path or postgresql://user@host/name as history in monitor.toml"
_ENCODED = "in a password @ is %40, : is %3A, / is %2F, ? is %3F, # is %23 and % is %25"

_LOG_KEPT_BYTES = 4 * 2**20
_SCRIPTS = Path(__file__).parents[1] / "schema" / "migrations"

_log = logging.getLogger(__name__)


class Database:
    """The database at ``url``, SQLite or PostgreSQL. With any other URL each use raises HistoryUrlError."""

    def __init__(self, url: str, problem: HistoryUrlError | None = None) -> None:
        self.name = "at its address"
        self._path: Path | None = None
        self._problem = problem
        try:
            if problem is not None:
                pass
            elif url.startswith(_SQLITE):
                self._path = _file(url)
                self.name = f"{_SQLITE}{self._path}"
                self._engine = _sqlite(self._path)
            else:
                parameters = _parameters(url)
                self.name = _shown(parameters)
                self._engine = _postgresql(parameters)
        except HistoryUrlError as found:
            self._problem = found
        self._is_sqlite = self._path is not None

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction during which no other one writes. Commits at its end, or rolls back. Raises HistoryError."""
        with self._translated(), self._connected() as connection:
            with connection.execution_options(writes=True).begin():
                if not self._is_sqlite:
                    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
                yield connection
            self._see_file(connection)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees the database at one moment throughout. Raises HistoryError."""
        options = {} if self._is_sqlite else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with (
            self._translated(),
            self._connected().execution_options(**options) as connection,
            connection.begin(),
        ):
            yield connection

    def now(self, connection: Connection) -> datetime:
        """The time by the database's clock, which all its users share. Raises what a statement in ``writing`` does.

        On PostgreSQL it is the server's present time; CURRENT_TIMESTAMP would be from before the wait for other
        writers. For a file it is this machine's time.
        """
        if self._is_sqlite:
            return datetime.now(UTC)
        told: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
        return told

    def upgrade(self) -> None:
        """Upgrade the database if needed; several monitors may at once. Raises HistoryError, also for a newer one."""
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
        """Raise HistoryOlderError if the database needs an upgrade, HistoryNewerError if a newer program made it."""
        with self._translated():  # a directory that this account may not enter, say
            if self._path is not None and not self._path.exists():
                raise self._older()
        with self.reading() as connection:
            if self._is_behind(connection):
                raise self._older()

    def close(self) -> None:
        """Close every connection."""
        if self._problem is None:
            self._engine.dispose()

    def _connected(self) -> Connection:
        if self._problem is not None:
            raise HistoryUrlError(self._problem.text, self._problem.next_step)
        return self._engine.connect()

    def _older(self) -> HistoryOlderError:
        return HistoryOlderError(
            f"the history {self.name} is of an older version",
            "start the monitor, which updates it: sudo systemctl start alarm-monitor",
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
        """Make the file with the right mode and owner. SQLite gives its other files the same ones.

        If root runs this, the owner of the directory becomes the owner of the file.
        """
        try:
            made = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            try:
                if os.geteuid() == 0:
                    owner = path.parent.stat()
                    os.fchown(made, owner.st_uid, owner.st_gid)
            finally:
                os.close(made)
        except FileExistsError:
            pass
        except OSError as failure:
            raise self._error(failure) from failure

    def _see_file(self, connection: Connection) -> None:
        """Raise if the file was deleted or replaced: SQLite goes on writing into the old one, and reports success."""
        if self._path is None or os.path.samestat(self._path.stat(), connection.info["file"]):
            return
        connection.invalidate()
        raise HistoryError(
            f"another file has taken the place of {self.name}",
            "find out who replaced it; the monitor goes on by itself",
        )


def _file(url: str) -> Path:
    path = url.removeprefix(_SQLITE)
    if not path or path == ":memory:":
        raise HistoryUrlError("the address of the history names neither a file of SQLite nor PostgreSQL", _NEXT)
    return Path(path)


def _parameters(url: str) -> dict[str, Any]:
    """What libpq reads from the address. Refuses an ambiguous address, whatever characters its password has."""
    if not url.startswith(("postgres:", "postgresql:", "postgresql+psycopg:")):
        raise HistoryUrlError("the address of the history names neither a file of SQLite nor PostgreSQL", _NEXT)
    problem = HistoryUrlError("the address of the history can't be read", f"{_NEXT}; {_ENCODED}")
    if _POSTGRESQL.fullmatch(url) is None:
        raise problem
    try:
        parameters: dict[str, Any] = conninfo_to_dict(url.replace("+psycopg", "", 1))
    except psycopg.Error:
        raise problem from None  # libpq's message quotes the address
    ports = str(parameters.get("port", "")).split(",")
    if not all(port == "" or (_PORT.fullmatch(port) and 0 < int(port) < 2**16) for port in ports):
        raise problem  # it is a part of somebody's password; the host is missing
    return parameters


def _shown(parameters: dict[str, Any]) -> str:
    """The address, made of only those parts that surely hold no secret."""
    user = f"{parameters['user']}@" if "user" in parameters else ""
    port = f":{parameters['port']}" if "port" in parameters else ""
    return f"postgresql://{user}{parameters.get('host', '')}{port}/{parameters.get('dbname', '')}"


def _sqlite(path: Path) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)), hide_parameters=True, connect_args={"timeout": BUSY_S}
    )
    event.listen(engine, "connect", _opener(path))
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _postgresql(parameters: dict[str, Any]) -> Engine:
    arguments = {
        "connect_timeout": 5,
        "application_name": "alarm-monitor",
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": _HANGS_S * 1000,
        **parameters,
        "client_encoding": "UTF8",
    }
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(**arguments, prepare_threshold=None),
        hide_parameters=True,
        pool_pre_ping=True,
    )
    event.listen(engine, "connect", _open_postgresql)
    event.listen(engine, "begin", _begin_postgresql)
    return engine


def _opener(path: Path) -> Callable[[sqlite3.Connection, Any], None]:
    def open_sqlite(connection: sqlite3.Connection, record: Any) -> None:
        connection.isolation_level = None  # transactions begin only where we begin them
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA journal_size_limit = {_LOG_KEPT_BYTES}")
        record.info["file"] = path.stat()

    return open_sqlite


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _open_postgresql(connection: psycopg.Connection, _record: Any) -> None:
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        name = connection.info.dbname
        connection.close()
        raise HistoryEncodingError(
            f"the database {name} has the encoding {encoding}, which can't store every name",
            "create another database and name that one: createdb --encoding=UTF8 --template=template0 NAME",
        )


def _begin_postgresql(connection: Connection) -> None:
    settings = {
        "synchronous_commit": "on",
        "lock_timeout": f"{BUSY_S:.0f}s",
        "idle_in_transaction_session_timeout": f"{_HANGS_S}s",
        "timezone": "UTC",
    }
    until_its_end = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in settings.items())
    connection.exec_driver_sql(f"SELECT {until_its_end}")

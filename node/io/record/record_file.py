"""The record's file: an append-only SQLite database, and how it is opened, written, read and set aside.

WAL with ``synchronous=FULL``: with NORMAL a power cut can take rows that were committed (HAZARDS.md H35).
"""

import logging
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from itertools import chain, islice
from pathlib import Path

from msgspec import Struct

from node.config.files import require_file
from node.core.model import Key, KeyRange, ranges_of
from node.io.record.record_schema import (
    OTHER_TELEMETRY,
    RECEIVED_TELEMETRY,
    TAKE_BACK,
    UNRECEIPTED,
    UNRECEIPTED_IN_1,
    UPGRADES,
    VERSION,
)
from node.protocol.messages import RANGES_LIMIT

FILE_NAME = "record.sqlite"
_BACKLOG = 1_000
_BUSY_S = 5.0
_LOG_KEPT_BYTES = 4 * 2**20  # of the write-ahead log, after a checkpoint
_EVICTED_TO = 0.9
_EVICTED_AT_LEAST, _EVICTED_AT_ONCE = 100, 1_000  # an alarm waits for at most one such transaction
_DAMAGED_KEPT = 10  # a card that garbles every file must not fill up with them

_ADD_EVENT = """INSERT INTO events (boot, seq, alarm, at, kernel_boot, body, closes, evicts)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (boot, seq) DO NOTHING"""
_ADD_RECEIPT = """INSERT OR IGNORE INTO receipts SELECT ?1, ?2, ?3, ?4
    WHERE EXISTS (SELECT 1 FROM events WHERE boot = ?1 AND seq = ?2)"""
_EVICT = "DELETE FROM events WHERE boot = ? AND seq BETWEEN ? AND ? AND alarm = 0"
_ADD_STEP = "INSERT OR IGNORE INTO steps VALUES (?, ?, ?, ?, ?)"
_REMEMBER = "INSERT OR REPLACE INTO memory VALUES ('snapshot', ?, ?)"
_log = logging.getLogger(__name__)


class Row(Struct, frozen=True):
    """An event as it is stored: ``at`` in monotonic seconds of the machine's boot ``kernel_boot``, ``body`` as sent.

    ``closes``: the id of the incident that this event reset. The telemetry in ``evicts`` is deleted when this event is
    stored, and not before.
    """

    key: Key
    alarm: bool
    at: float
    kernel_boot: str
    body: bytes
    closes: str | None = None
    evicts: tuple[KeyRange, ...] = ()


class UnusableError(Exception):
    """SQLite opens the file, but it isn't a record for this program; the text says why."""


class NewerError(UnusableError):
    """A newer version of the program has written the file."""


class DamagedError(UnusableError):
    """SQLite reads the file, but its content can't have been written so."""


EXPECTED = (OSError, sqlite3.Error, UnusableError)
_UNSTORABLE = (sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError, OverflowError, ValueError)


class File:
    """The file, open for writing. Only the thread that opened it may use it. Raises the errors in ``EXPECTED``."""

    def __init__(self, path: Path, limit_bytes: int) -> None:
        self._path = path
        self._limit_bytes, self._evicting = limit_bytes, False
        self.connection = open_to_write(path)
        self._opened = path.stat()

    def commit(
        self,
        rows: Sequence[Row],
        receipts: Mapping[Key, tuple[str, float]],
        steps: Mapping[tuple[Key, str], float],
        snapshot: bytes | None,
        kernel_boot: str,
    ) -> tuple[Key, ...]:
        """Write everything in one transaction; returns the keys of the events that are now on the disk."""
        if not rows and not receipts and not steps and snapshot is None:
            return ()
        self.connection.execute("BEGIN IMMEDIATE")
        stored = tuple(row.key for row in rows if self._add_event(row))
        for key, (by, at_utc) in receipts.items():
            self._add(key, _ADD_RECEIPT, (*key, by, at_utc))
        for (key, step), at in steps.items():
            self._add(key, _ADD_STEP, (*key, step, at, kernel_boot))
        if snapshot is not None:
            self.connection.execute(_REMEMBER, (snapshot, kernel_boot))
        self.connection.execute("COMMIT")
        # SQLite still writes into a file that was deleted or replaced, and reports success.
        if not os.path.samestat(self._path.stat(), self._opened):
            raise UnusableError("another file has taken its place")
        return stored

    def take_back(self) -> None:
        """Let the events that only a broker took be outstanding again."""
        self.connection.execute(TAKE_BACK)

    def to_evict(self) -> tuple[KeyRange, ...]:
        """The telemetry to delete next, empty while there is room: from the limit on, until 90 % of it is reached."""
        pages, free, size = (
            self.connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        used = (pages - free) * size
        self._evicting = used > self._limit_bytes * (_EVICTED_TO if self._evicting else 1.0)
        for statement in (RECEIVED_TELEMETRY, OTHER_TELEMETRY) if self._evicting else ():
            keys = [Key(*row) for row in self.connection.execute(statement, (_EVICTED_AT_ONCE,))]
            # A few aren't worth it: the event that names them takes room, too.
            if len(keys) >= _EVICTED_AT_LEAST:
                return ranges_of(keys, RANGES_LIMIT)
        return ()

    def close(self) -> None:
        """Close the file, and roll back a transaction that didn't end."""
        with suppress(sqlite3.Error):
            self.connection.close()

    def _add_event(self, row: Row) -> bool:
        values = (*row.key, row.alarm, row.at, row.kernel_boot, row.body, row.closes, bool(row.evicts))
        if not self._add(row.key, _ADD_EVENT, values):
            return False
        for each in row.evicts:
            self.connection.execute(_EVICT, (each.boot, each.first, each.last))
        return True

    def _add(self, key: Key, statement: str, values: tuple[object, ...]) -> bool:
        try:
            self.connection.execute(statement, values)
        except _UNSTORABLE as problem:  # one bad item never blocks the rest
            _log.error("what belongs to event %s can't be stored and is let go: %s", key, problem)
            return False
        return True


def open_to_write(path: Path) -> sqlite3.Connection:
    """A connection that writes; the file is made if there is none."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))  # SQLite gives its other files this mode
    _require_files(path)
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
    connection.text_factory = _text
    try:
        version = version_of(connection)
        _set_pragma(connection, "journal_mode", "WAL", "wal")
        _set_pragma(connection, "synchronous", "FULL", 2)
        _set_pragma(connection, "journal_size_limit", str(_LOG_KEPT_BYTES), _LOG_KEPT_BYTES)
        connection.execute("BEGIN IMMEDIATE")
        for statement in chain.from_iterable(UPGRADES[version:]):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")  # each time: it shows whether the disk can be written
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def open_to_read(path: Path) -> sqlite3.Connection:
    """The record, opened only to read, with or without its writer running. Raises the errors in ``EXPECTED``."""
    _require_files(path)
    try:
        return _open_address(f"{path.absolute().as_uri()}?mode=ro")
    except sqlite3.OperationalError as failure:
        # A read-only file system takes no write-ahead log; without a log, the file alone is the whole record.
        log = Path(f"{path}-wal")
        written = log.exists() and log.stat().st_size > 0
        if written or _code(failure) not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
        return _open_address(f"{path.absolute().as_uri()}?mode=ro&immutable=1")


def _require_files(path: Path) -> None:
    """SQLite would wait for ever to open a pipe, and has the same error for a missing file and one it may not read."""
    require_file(path)
    for suffix in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            require_file(Path(f"{path}{suffix}"))


def _open_address(address: str) -> sqlite3.Connection:
    connection = sqlite3.connect(address, timeout=_BUSY_S, isolation_level=None, uri=True)
    connection.text_factory = _text
    try:
        if version_of(connection) == 0:
            raise UnusableError("holds no record")  # noqa: TRY301
    except BaseException:
        connection.close()
        raise
    return connection


def version_of(connection: sqlite3.Connection) -> int:
    """The version of the file, 0 if it is still empty. Raises NewerError for a version of the future."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > VERSION:
        raise NewerError(f"has version {version}, and this program knows {VERSION}")
    return version


def _text(stored: bytes) -> str:
    try:
        return stored.decode()
    except UnicodeDecodeError:
        raise DamagedError("holds a text that was never written") from None


def _set_pragma(connection: sqlite3.Connection, name: str, value: str, wanted: str | int) -> None:
    connection.execute(f"PRAGMA {name} = {value}")
    real = connection.execute(f"PRAGMA {name}").fetchone()[0]
    if real != wanted:
        raise UnusableError(f"has {name} {real} in place of {wanted}")


def read_unreceipted(connection: sqlite3.Connection, known: frozenset[Key]) -> tuple[list[Row], bool]:
    """The first unreceipted events that aren't ``known``, alarms before all others; and whether there are more.

    The caller must check their content (``is_whole``): SQLite notices a garbled page only if the page's structure is
    broken.
    """
    statement = UNRECEIPTED if version_of(connection) == VERSION else UNRECEIPTED_IN_1
    with closing(connection.execute(statement)) as found:
        others = (
            Row(Key(boot, seq), bool(alarm), *rest) for boot, seq, alarm, *rest in found if Key(boot, seq) not in known
        )
        rows = list(islice(others, _BACKLOG + 1))
    return rows[:_BACKLOG], len(rows) > _BACKLOG


def flaw_in(connection: sqlite3.Connection) -> str | None:
    """The first flaw in the file, "" if there is none, None if the check was interrupted."""
    try:
        found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError as failure:
        if _code(failure) == sqlite3.SQLITE_INTERRUPT:
            return None
        raise
    return "" if found == "ok" else " ".join(found.split())


def is_whole(row: Row, is_event: Callable[[Key, bytes], bool]) -> bool:
    """Whether this event can have been stored so; ``is_event`` checks its body."""
    values: tuple[object, ...] = (*row.key, row.at, row.kernel_boot, row.body)
    kinds = (str, int, float, str, bytes)
    return all(map(isinstance, values, kinds)) and is_event(row.key, row.body)


def move_aside(path: Path) -> Path:
    """Rename a damaged record; returns the new name. Raises UnusableError if too many are already kept."""
    names = (f"{path.name}.corrupt-{number}" for number in range(1, _DAMAGED_KEPT + 1))
    name = next((name for name in names if not any(path.parent.glob(f"{name}*"))), None)
    if name is None:
        raise UnusableError(f"{_DAMAGED_KEPT} damaged ones are kept already")
    for suffix in ("-wal", "-shm", ""):  # the file itself last: after an interruption the next attempt still finds it
        with suppress(FileNotFoundError):
            Path(f"{path}{suffix}").rename(path.with_name(f"{name}{suffix}"))
    return path.with_name(name)


def _code(failure: BaseException) -> int:
    """SQLite's primary result code; SQLITE_OK for an error that isn't SQLite's."""
    return getattr(failure, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF


def is_damage(failure: BaseException) -> bool:
    """Whether the file itself is broken, so that no further attempt will help."""
    return isinstance(failure, DamagedError) or _code(failure) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def reason_of(failure: BaseException) -> str:
    """The failure in a few words."""
    if isinstance(failure, OSError) and failure.strerror:
        return failure.strerror
    return str(failure) if isinstance(failure, EXPECTED) else f"{type(failure).__name__}: {failure}"

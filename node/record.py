"""The durable memory: an append-only SQLite file, written by a thread of its own.

Rules

1. What the loop calls only queues: it never touches the disk and never waits for it. The writer answers with events.
2. All that waits is one transaction, synced before ``EventsStored``. It may be written twice, but counts once.
3. Events and receipts are only ever added. What a restart must know is one row: the newest snapshot.
4. While the disk is away the newest items are kept: telemetry is let go first, then receipts, alarms last. An event
   that is still held for sending isn't lost by that: the writer finds it there.
5. After a failure nobody knows what the disk really kept (a lost sync, another card, a deleted file), so all that is
   still in memory is written again.
6. A damaged file is set aside, never deleted, and another one begun.

Threads: the writer ("record") owns the connection. The lock guards memory alone and is never held during a write.
"""

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from node.core.events import BacklogRead, Event, EventsStored, RecordFailed, RecordLoaded, RecordRecovered
from node.core.memory import Key, Restored, Snapshot
from node.errors import StateDirectoryError

FILE_NAME = "record.sqlite"
_VERSION = 1
_BACKLOG = 1_000
_CLOSED = 256
_LOG_PAGE = 500
_BUSY_S = 5.0
_DAMAGED_KEPT = 10  # a card that garbles every file mustn't be filled with them

_SCHEMA = (
    """CREATE TABLE events (
        id INTEGER PRIMARY KEY, boot TEXT NOT NULL, seq INTEGER NOT NULL, alarm INTEGER NOT NULL, at REAL NOT NULL,
        kernel_boot TEXT NOT NULL, body BLOB NOT NULL, closes TEXT, UNIQUE (boot, seq))""",
    "CREATE INDEX events_to_send ON events (alarm DESC, id, boot, seq)",
    "CREATE INDEX events_that_close ON events (id) WHERE closes IS NOT NULL",
    """CREATE TABLE receipts (
        boot TEXT NOT NULL, seq INTEGER NOT NULL, received_by TEXT NOT NULL, received_at_utc REAL NOT NULL,
        PRIMARY KEY (boot, seq)) WITHOUT ROWID""",
    "CREATE TABLE memory (name TEXT PRIMARY KEY, value BLOB NOT NULL, kernel_boot TEXT NOT NULL) WITHOUT ROWID",
)
_ADD_EVENT = """INSERT INTO events (boot, seq, alarm, at, kernel_boot, body, closes) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (boot, seq) DO NOTHING"""
_ADD_RECEIPT = "INSERT INTO receipts VALUES (?, ?, ?, ?) ON CONFLICT (boot, seq) DO NOTHING"
_REMEMBER = "INSERT OR REPLACE INTO memory VALUES ('snapshot', ?, ?)"
_SNAPSHOT = "SELECT value, kernel_boot FROM memory WHERE name = 'snapshot'"
_PREVIOUS = """SELECT boot, seq FROM events
    WHERE boot = (SELECT boot FROM events WHERE boot != ? ORDER BY id DESC LIMIT 1) ORDER BY seq DESC LIMIT 1"""
_CLOSING = "SELECT closes FROM events WHERE closes IS NOT NULL ORDER BY id DESC LIMIT ?"
_UNRECEIPTED = """SELECT boot, seq, alarm, at, kernel_boot, body, closes
    FROM events LEFT JOIN receipts USING (boot, seq) WHERE received_by IS NULL ORDER BY alarm DESC, id"""
_LOG = """SELECT id, boot, seq, alarm, at, kernel_boot, body, received_by, received_at_utc
    FROM events LEFT JOIN receipts USING (boot, seq) WHERE id > ? ORDER BY id LIMIT ?"""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Row:
    """An event as it is stored: ``at`` in monotonic seconds of the machine's boot ``kernel_boot``, ``body`` as sent.

    ``closes`` is the id of the incident that this event reset.
    """

    key: Key
    alarm: bool
    at: float
    kernel_boot: str
    body: bytes
    closes: str | None = None


@dataclass(frozen=True, slots=True)
class LogRow:
    """An event as a reader sees it; ``received_by`` and ``received_at_utc`` are None as long as nobody holds it."""

    key: Key
    alarm: bool
    at: float
    kernel_boot: str
    body: bytes
    received_by: str | None
    received_at_utc: float | None


class _UnusableError(Exception):
    """SQLite opens the file, but it isn't a record for this program; the text says why."""


_EXPECTED = (OSError, sqlite3.Error, _UnusableError)
_UNSTORABLE = (sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError, OverflowError, ValueError)


@dataclass(slots=True)
class _Batch:
    """What waits for the writer, oldest first; of snapshots and questions (``known``) only the newest counts."""

    rows: dict[Key, Row] = field(default_factory=dict)
    receipts: dict[Key, tuple[str, float]] = field(default_factory=dict)
    snapshot: bytes | None = None
    known: frozenset[Key] | None = None

    def __len__(self) -> int:
        return len(self.rows) + len(self.receipts) or int(self.snapshot is not None)

    def then(self, later: "_Batch") -> "_Batch":
        """Both, as if they had been queued together."""
        return _Batch(
            rows=self.rows | later.rows,
            receipts=later.receipts | self.receipts,
            snapshot=self.snapshot if later.snapshot is None else later.snapshot,
            known=self.known if later.known is None else later.known,
        )


class Record:
    """The record, for the process whose boot is ``boot``; the loop may call every method but ``stop`` without waiting.

    ``put`` takes the writer's events. In an outage ``kept`` items wait in memory at most, and the writer tries again
    every ``retry_s`` seconds.
    """

    def __init__(
        self,
        directory: Path,
        *,
        boot: str,
        kernel_boot: str,
        put: Callable[[Event], None],
        decode_snapshot: Callable[[bytes], Snapshot],
        clock: Callable[[], float] = time.monotonic,
        retry_s: float = 5.0,
        kept: int = 2_000,
    ) -> None:
        self._path = directory / FILE_NAME
        self._boot, self._kernel_boot = boot, kernel_boot
        self._put, self._decode_snapshot, self._clock = put, decode_snapshot, clock
        self._retry_s, self._kept = retry_s, kept
        self._thread = threading.Thread(target=self._run, name="record", daemon=True)
        self._stopping, self._wake = threading.Event(), threading.Event()

        self._lock = threading.Lock()
        self._queued, self._writing = _Batch(), _Batch()
        self._payloads: dict[Key, Row] = {}
        self._displaced: set[Key] = set()  # pushed out of the queue, but still among the payloads
        self._let_go = 0
        self._newest_snapshot: bytes | None = None

        self._file: _File | None = None
        self._loaded = False
        self._outage: str | None = None

    def start(self) -> None:
        """Open and load; ``RecordLoaded`` or ``RecordFailed`` follows."""
        self._thread.start()

    def append(self, row: Row, snapshot: bytes) -> None:
        """Store an event together with what a restart must know after it; ``EventsStored`` follows."""
        with self._lock:
            self._payloads[row.key] = row
            self._queued.rows[row.key] = row
            self._queued.snapshot = self._newest_snapshot = snapshot
            self._note_change()

    def remember(self, snapshot: bytes) -> None:
        """Store what a restart must know."""
        with self._lock:
            self._queued.snapshot = self._newest_snapshot = snapshot
            self._note_change()

    def mark_received(self, key: Key, by: str, at_utc: float) -> None:
        """Note that ``by`` holds this event since ``at_utc`` (seconds since 1970); its payload is let go."""
        with self._lock:
            self._free(key)
            self._queued.receipts.setdefault(key, (by, at_utc))
            self._note_change()

    def spill(self, key: Key) -> None:
        """Let this event's payload go; once it is stored, ``read_backlog`` can bring it back."""
        with self._lock:
            self._free(key)

    def read_backlog(self, known: Sequence[Key]) -> None:
        """Ask for stored unreceipted events other than ``known``; one ``BacklogRead`` answers all that was asked."""
        with self._lock:
            self._queued.known = frozenset(known)
            self._note_change()

    def row(self, key: Key) -> Row | None:
        """The event, to be sent; None once it was received or spilled."""
        return self._payloads.get(key)

    @property
    def depth(self) -> int:
        """How many events and receipts wait to be written (a snapshot counts where it waits alone)."""
        with self._lock:
            return len(self._writing) + len(self._queued)

    def stop(self, timeout_s: float) -> bool:
        """Write what waits, in one last try, and end; False if the thread hangs (it dies with the process)."""
        if self._thread.ident is None:
            return True
        self._stopping.set()
        self._wake.set()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    # The next three need the lock.

    def _note_change(self) -> None:
        self._shorten()
        self._wake.set()

    def _shorten(self) -> None:
        rows, receipts = self._queued.rows, self._queued.receipts
        order: Iterator[tuple[dict[Key, Any], Key]] = chain(
            ((rows, key) for key, row in rows.items() if not row.alarm),
            ((receipts, key) for key in receipts),
            ((rows, key) for key, row in rows.items() if row.alarm),
        )
        for items, key in list(islice(order, max(0, len(rows) + len(receipts) - self._kept))):
            del items[key]
            if items is rows and key in self._payloads:
                self._displaced.add(key)
            else:
                self._let_go += 1

    def _free(self, key: Key) -> None:
        self._payloads.pop(key, None)
        if key in self._displaced:
            self._displaced.remove(key)
            self._let_go += 1

    # From here on: the writer's thread.

    def _run(self) -> None:
        while True:
            stopping = self._stopping.is_set()
            try:
                done = self._attempt()
            except Exception:  # noqa: BLE001 -- the queue refused what a failure had to tell; it is told next time
                _log.exception("the record's failure can't be reported")
                done = False
            if stopping:
                break
            if done:
                self._wake.wait()
                self._wake.clear()
            else:
                self._stopping.wait(self._retry_s)
        self._close()
        if left := self.depth:
            _log.error("the record ends with %d items that couldn't be written", left)

    def _attempt(self) -> bool:
        try:
            self._file = self._file or self._open()
            self._write(self._file)
        except Exception as failure:  # noqa: BLE001 -- whatever it was, the writer lives and tries again
            return self._fail(failure) and self._attempt()
        return True

    def _open(self) -> "_File":
        try:
            file = _File(self._path)
        except _EXPECTED:
            if not self._loaded:
                with suppress(*_EXPECTED):  # a card that can't be written may still remember
                    self._load()
            raise
        try:
            if not self._loaded:
                self._load()
        except BaseException:
            file.close()
            raise
        return file

    def _load(self) -> None:
        with closing(_open_to_read(self._path)) as connection:
            stored = connection.execute(_SNAPSHOT).fetchone()
            previous = connection.execute(_PREVIOUS, (self._boot,)).fetchone()
            closed = connection.execute(_CLOSING, (_CLOSED,)).fetchall()
            rows, more = _read_unreceipted(connection, frozenset())
        restored = Restored(
            snapshot=self._decoded(stored[0]) if stored else None,
            same_kernel=not stored or stored[1] == self._kernel_boot,
            previous=Key(*previous) if previous else None,
            closed=tuple(incident for (incident,) in reversed(closed)),
            backlog=self._hold(rows),
            more=more,
        )
        self._loaded = True
        self._put(RecordLoaded(self._clock(), restored))

    def _decoded(self, snapshot: bytes) -> Snapshot | None:
        try:
            return self._decode_snapshot(snapshot)
        except Exception:  # noqa: BLE001 -- it must not keep the record from being written
            _log.exception("the stored snapshot makes no sense: only the broker knows what was open")
            return None

    def _hold(self, rows: Sequence[Row]) -> tuple[tuple[Key, bool], ...]:
        with self._lock:
            held = [row for row in rows if row.key not in self._queued.receipts]
            self._payloads.update((row.key, row) for row in held)
        return tuple((row.key, row.alarm) for row in held)

    def _write(self, file: "_File") -> None:
        recovering = self._outage is not None
        with self._lock:
            batch, self._queued = self._queued, _Batch()
            batch.rows |= {key: self._payloads[key] for key in self._displaced}
            self._displaced.clear()
            self._writing = batch
            rows = list((self._payloads | batch.rows if recovering else batch.rows).values())
            snapshot = self._newest_snapshot if recovering else batch.snapshot
        rows.sort(key=lambda row: row.key.seq if row.key.boot == self._boot else -1)
        stored = file.commit(rows, batch.receipts, snapshot, self._kernel_boot)
        with self._lock:
            self._writing = _Batch(known=batch.known)
            let_go, self._let_go = self._let_go, 0
        if stored:
            self._put(EventsStored(self._clock(), stored))
        if let_go:
            _log.error("too much waited for the disk: %d items were let go, telemetry first", let_go)
        if recovering:
            self._outage = None
            _log.info("the record can be written again")
            self._put(RecordRecovered(self._clock()))
        if batch.known is not None:
            rows, more = _read_unreceipted(file.connection, batch.known)
            self._put(BacklogRead(self._clock(), self._hold(rows), more))
            with self._lock:
                self._writing = _Batch()

    def _fail(self, failure: Exception) -> bool:
        """Keep what waits, and say what happened; whether another try at once may help."""
        self._close()
        with self._lock:
            self._queued, self._writing = self._writing.then(self._queued), _Batch()
            self._shorten()
        reason, replaced = _reason(failure), False
        if _is_damage(failure):
            try:
                reason += f"; kept as {_move_aside(self._path).name}"
                replaced = True
            except _EXPECTED as second:
                reason += f"; can't be set aside: {_reason(second)}"
        if reason != self._outage:
            _log.error("the record can't be used: %s", reason, exc_info=not isinstance(failure, _EXPECTED))
        if self._outage is None:
            self._put(RecordFailed(self._clock(), reason))
        self._outage = reason
        return replaced

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class _File:
    """The file, open for writing; only the thread that opened it may use it. Raises what is in ``_EXPECTED``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.connection = _open_to_write(path)
        self._opened = path.stat()

    def commit(
        self,
        rows: Sequence[Row],
        receipts: Mapping[Key, tuple[str, float]],
        snapshot: bytes | None,
        kernel_boot: str,
    ) -> tuple[Key, ...]:
        """Write all of it in one transaction; the keys of the events that are now on the disk."""
        if not rows and not receipts and snapshot is None:
            return ()
        self.connection.execute("BEGIN IMMEDIATE")
        stored = tuple(row.key for row in rows if self._add_event(row))
        for key, (by, at_utc) in receipts.items():
            self._add(key, _ADD_RECEIPT, (*key, by, at_utc))
        if snapshot is not None:
            self.connection.execute(_REMEMBER, (snapshot, kernel_boot))
        self.connection.execute("COMMIT")
        # SQLite goes on writing into a file that was deleted or replaced, and reports success.
        if not os.path.samestat(self._path.stat(), self._opened):
            raise _UnusableError("another file has taken its place")
        return stored

    def close(self) -> None:
        """Let go of the file, and of a transaction that didn't end."""
        with suppress(sqlite3.Error):
            self.connection.close()

    def _add_event(self, row: Row) -> bool:
        return self._add(row.key, _ADD_EVENT, (*row.key, row.alarm, row.at, row.kernel_boot, row.body, row.closes))

    def _add(self, key: Key, statement: str, values: tuple[object, ...]) -> bool:
        try:
            self.connection.execute(statement, values)
        except _UNSTORABLE as problem:  # one bad item never blocks the rest
            _log.error("what belongs to event %s can't be stored and is let go: %s", key, problem)
            return False
        return True


def read_log(directory: Path) -> Iterator[LogRow]:
    """Everything the record holds, oldest first; it may be in use meanwhile. Raises StateDirectoryError."""
    path = directory / FILE_NAME
    as_its_user = "run this as root (sudo) or as the user that the node runs as"
    try:
        with closing(_open_to_read(path)) as connection:
            last = 0
            # A page at a time: a reader that stays in one query keeps the writer's log from being folded in.
            while page := connection.execute(_LOG, (last, _LOG_PAGE)).fetchall():
                for _, boot, seq, alarm, *rest in page:
                    yield LogRow(Key(boot, seq), bool(alarm), *rest)
                last = page[-1][0]
    except (FileNotFoundError, NotADirectoryError) as failure:
        raise StateDirectoryError(
            f"there is no record in {directory}", "check [node] state_directory, or start the node once"
        ) from failure
    except _UnusableError as failure:
        raise StateDirectoryError(f"{path} {failure}", "use the version of alarm-node that wrote it") from failure
    except _EXPECTED as failure:
        raise StateDirectoryError(
            f"{path} can't be read ({_reason(failure)})",
            "restart the node: it keeps a damaged record and begins another" if _is_damage(failure) else as_its_user,
        ) from failure


def _open_to_write(path: Path) -> sqlite3.Connection:
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))  # SQLite gives its other files this mode
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
    try:
        version = _version(connection)
        _set_pragma(connection, "journal_mode", "WAL", "wal")
        _set_pragma(connection, "synchronous", "FULL", 2)
        connection.execute("BEGIN IMMEDIATE")
        for statement in _SCHEMA if version == 0 else ():
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {_VERSION}")  # each time: it shows whether the disk can be written
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def _open_to_read(path: Path) -> sqlite3.Connection:
    path.stat()  # SQLite has one answer for a file that is missing and one that it may not read
    try:
        return _open_address(f"{path.absolute().as_uri()}?mode=ro")
    except sqlite3.OperationalError as failure:
        # A read-only file system takes no write-ahead log; where there is none, the file alone is the whole record.
        log = Path(f"{path}-wal")
        written = log.exists() and log.stat().st_size > 0
        if written or _code(failure) not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
        return _open_address(f"{path.absolute().as_uri()}?mode=ro&immutable=1")


def _open_address(address: str) -> sqlite3.Connection:
    connection = sqlite3.connect(address, timeout=_BUSY_S, isolation_level=None, uri=True)
    try:
        if _version(connection) == 0:
            raise _UnusableError("holds no record")  # noqa: TRY301
    except BaseException:
        connection.close()
        raise
    return connection


def _version(connection: sqlite3.Connection) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > _VERSION:
        raise _UnusableError(f"has version {version}, and this program knows {_VERSION}")
    return version


def _set_pragma(connection: sqlite3.Connection, name: str, value: str, wanted: str | int) -> None:
    connection.execute(f"PRAGMA {name} = {value}")
    real = connection.execute(f"PRAGMA {name}").fetchone()[0]
    if real != wanted:
        raise _UnusableError(f"has {name} {real} in place of {wanted}")


def _read_unreceipted(connection: sqlite3.Connection, known: frozenset[Key]) -> tuple[list[Row], bool]:
    """The first of the unreceipted events that aren't ``known``, alarms before all others; whether there are more."""
    with closing(connection.execute(_UNRECEIPTED)) as found:
        others = (
            Row(Key(boot, seq), bool(alarm), *rest) for boot, seq, alarm, *rest in found if Key(boot, seq) not in known
        )
        rows = list(islice(others, _BACKLOG + 1))
    return rows[:_BACKLOG], len(rows) > _BACKLOG


def _move_aside(path: Path) -> Path:
    names = (f"{path.name}.corrupt-{number}" for number in range(1, _DAMAGED_KEPT + 1))
    name = next((name for name in names if not any(path.parent.glob(f"{name}*"))), None)
    if name is None:
        raise _UnusableError(f"{_DAMAGED_KEPT} damaged ones are kept already")
    for suffix in ("-wal", "-shm", ""):  # the file itself last: an interrupted move is begun again, and finds it
        with suppress(FileNotFoundError):
            Path(f"{path}{suffix}").rename(path.with_name(f"{name}{suffix}"))
    return path.with_name(name)


def _code(failure: BaseException) -> int:
    """SQLite's primary result code; SQLITE_OK for what doesn't come from SQLite."""
    return getattr(failure, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF


def _is_damage(failure: BaseException) -> bool:
    return _code(failure) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _reason(failure: BaseException) -> str:
    if isinstance(failure, OSError) and failure.strerror:
        return failure.strerror
    return str(failure) if isinstance(failure, _EXPECTED) else f"{type(failure).__name__}: {failure}"

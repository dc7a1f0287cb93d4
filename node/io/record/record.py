"""The durable memory: an append-only SQLite file with a writer thread of its own.

Rules

1. A call from the loop only puts something on a queue: it never touches the disk and never waits for it. The writer
   answers with events.
2. All items that wait are written in one transaction, which is synced before ``EventsStored``. An item may be written
   twice, but counts once.
3. Events and receipts are only ever added; but a broker's word no longer counts once a monitor is awaited. What a
   restart must know is one row: the newest snapshot. At its size limit the file deletes telemetry, received before
   unreceived and the oldest first, in the transaction that stores the event that names it. Alarms are never deleted.
4. While the disk is away, the newest items are kept in memory: telemetry is dropped first, then receipts, alarms last.
   A dropped event isn't lost if it is still held for sending: the writer finds it there.
5. After a failure nobody knows what the disk really kept (a lost sync, another card, a deleted file). So everything
   that is still in memory is written again.
6. A damaged file is set aside, never deleted, and a new one is begun. The writer reads the whole file once while
   nothing else waits, so that damage is known before a write meets it.

Threads: the writer ("record") owns the connection; what it shares with the loop is in write_queue.py.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from sqlite3 import Connection

from node.core.events import BacklogRead, Event, EventsStored, EvictionDue, RecordFailed, RecordLoaded, RecordRecovered
from node.core.model import Key, Restored, Snapshot
from node.io.record.record_file import (
    EXPECTED,
    FILE_NAME,
    DamagedError,
    File,
    NewerError,
    Row,
    flaw_in,
    is_damage,
    is_whole,
    move_aside,
    open_to_read,
    read_unreceipted,
    reason_of,
)
from node.io.record.record_reader import LogRow, read_log
from node.io.record.record_schema import CLOSING, PREVIOUS, SNAPSHOT, TABLES
from node.io.record.write_queue import WriteQueue
from node.threads import new_thread

__all__ = ["FILE_NAME", "LogRow", "Record", "Row", "read_log"]

_CLOSED = 256

_log = logging.getLogger(__name__)


class Record:
    """The record of the process with the boot ``boot``. The loop may call every method except ``stop`` without waiting.

    ``put`` takes the writer's events. ``is_event``: whether a body belongs to the event with this key. The file may
    grow to ``limit_bytes``. While the disk is away, at most ``kept`` items wait in memory, and the writer tries again
    every ``retry_s`` seconds. ``awaits_monitor``: what only a broker took in an earlier process is unreceipted again.
    """

    def __init__(
        self,
        directory: Path,
        *,
        boot: str,
        kernel_boot: str,
        put: Callable[[Event], None],
        decode_snapshot: Callable[[bytes], Snapshot],
        is_event: Callable[[Key, bytes], bool] = lambda _key, _body: True,
        clock: Callable[[], float] = time.monotonic,
        retry_s: float = 5.0,
        kept: int = 2_000,
        limit_bytes: int = 64 * 2**20,
        awaits_monitor: bool = False,
    ) -> None:
        self._path = directory / FILE_NAME
        self._boot, self._kernel_boot = boot, kernel_boot
        self._put, self._decode_snapshot, self._clock = put, decode_snapshot, clock
        self._is_event = is_event
        self._retry_s, self._limit_bytes = retry_s, limit_bytes
        self._queue = WriteQueue(kept)
        if awaits_monitor:
            self._queue.ask((), taken=True)
        self._thread = new_thread("record", self._run)
        self._stopping = threading.Event()

        self._file: File | None = None
        self._loaded = self._caught_up = False
        self._outage: str | None = None
        self._newer = False
        self._looked = False
        self._proposed = False  # an eviction; it is performed when the event that names it is appended

    def start(self) -> None:
        """Open and load. ``RecordLoaded`` follows, and then ``BacklogRead``; or ``RecordFailed``."""
        self._thread.start()

    def append(self, row: Row, snapshot: bytes) -> None:
        """Store an event together with what a restart must know after it; ``EventsStored`` follows."""
        self._queue.append(row, snapshot)

    def remember(self, snapshot: bytes) -> None:
        """Store what a restart must know; ``EventsStored`` follows."""
        self._queue.remember(snapshot)

    def mark_received(self, key: Key, by: str, at_utc: float) -> None:
        """Note that ``by`` holds this event since ``at_utc`` (seconds since 1970); its payload leaves the memory."""
        self._queue.mark_received(key, by, at_utc)

    def note_step(self, key: Key, step: str, at: float) -> None:
        """Note when the call of this event reached a step. It is written with the next item: nothing waits for it."""
        self._queue.note_step(key, step, at)

    def spill(self, key: Key) -> None:
        """Drop this event's payload from memory; once the event is stored, ``read_backlog`` can bring it back."""
        self._queue.spill(key)

    def read_backlog(self, known: Sequence[Key], *, taken: bool = False) -> None:
        """Ask for stored unreceipted events other than ``known``; several requests may get one ``BacklogRead``.

        ``taken``: from here on a monitor is awaited, so what only a broker took is unreceipted again.
        """
        self._queue.ask(known, taken=taken)

    def row(self, key: Key) -> Row | None:
        """The event, to be sent; None after it was received or spilled."""
        return self._queue.row(key)

    @property
    def depth(self) -> int:
        """How many events and receipts wait to be written (a snapshot counts only if nothing else waits)."""
        return self._queue.depth()

    def stop(self, timeout_s: float) -> bool:
        """Try once to write what waits, and end. False if the thread hangs; then it ends with the process."""
        if self._thread.ident is None:
            return True
        self._stopping.set()
        self._queue.rouse()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    # From here on: the writer's thread.

    def _run(self) -> None:
        while True:
            stopping = self._stopping.is_set()
            try:
                done = self._attempt()
            except Exception:  # noqa: BLE001 -- the queue refused the report of a failure; the next attempt reports it
                _log.exception("the record's failure can't be reported")
                done = False
            if stopping:
                break
            if done:
                self._queue.wait()
            else:
                self._stopping.wait(self._retry_s)
        self._close()
        if left := self.depth:
            _log.error("the record ends with %d items that couldn't be written", left)

    def _attempt(self) -> bool:
        try:
            self._file = self._file or self._open()
            self._write(self._file)
            self._look_through()
        except Exception as failure:  # noqa: BLE001 -- after any error the writer goes on and tries again
            return self._fail(failure) and self._attempt()
        return True

    def _open(self) -> File:
        # Reading is quick even if writing stalls, and a card that can't be written may still be readable.
        with suppress(*EXPECTED):
            self._load()
        file = File(self._path, self._limit_bytes)
        try:
            self._load()
        except BaseException:
            file.close()
            raise
        return file

    def _load(self) -> None:
        """Report what the file remembers, once. Open incidents come first, because the start waits for them."""
        if self._caught_up:
            return
        with closing(open_to_read(self._path)) as connection:
            if not self._loaded:
                self._put(RecordLoaded(self._clock(), self._restored(connection)))
                self._loaded = True
            self._tell_backlog(connection, frozenset())
        self._caught_up = True

    def _restored(self, connection: Connection) -> Restored:
        stored = connection.execute(SNAPSHOT).fetchone()
        previous = connection.execute(PREVIOUS, (self._boot,)).fetchone()
        closed = connection.execute(CLOSING, (_CLOSED,)).fetchall()
        return Restored(
            snapshot=self._decoded(stored[0]) if stored else None,
            same_kernel=not stored or stored[1] == self._kernel_boot,
            previous=Key(*previous) if previous else None,
            closed=tuple(incident for (incident,) in reversed(closed)),
        )

    def _decoded(self, snapshot: bytes) -> Snapshot | None:
        try:
            return self._decode_snapshot(snapshot)
        except Exception:  # noqa: BLE001 -- it must not keep the record from being written
            _log.exception("the stored snapshot makes no sense: only the broker knows what was open")
            return None

    def _tell_backlog(self, connection: Connection, known: frozenset[Key]) -> None:
        """Hold and report intact events, so that the next file has them, too; then DamagedError if one isn't intact."""
        rows, more = read_unreceipted(connection, known)
        whole = [row for row in rows if is_whole(row, self._is_event)]
        self._put(BacklogRead(self._clock(), self._queue.keep_to_send(whole), more))
        if len(whole) < len(rows):
            raise DamagedError(f"holds {len(rows) - len(whole)} events that were never written so")

    def _write(self, file: File) -> None:
        recovering = self._outage is not None
        batch = self._queue.take(everything=recovering)
        rows = sorted(batch.rows.values(), key=lambda row: row.key.seq if row.key.boot == self._boot else -1)
        stored = file.commit(rows, batch.receipts, batch.steps, batch.snapshot, self._kernel_boot)
        if batch.taken:
            file.take_back()
        let_go = self._queue.written()
        if stored or batch.snapshot is not None:
            self._put(EventsStored(self._clock(), stored))
        if let_go:
            _log.error("too much waited for the disk: %d items were let go, telemetry first", let_go)
        if recovering:
            self._outage = None
            _log.info("the record can be written again")
            self._put(RecordRecovered(self._clock()))
        if batch.known is not None:
            self._tell_backlog(file.connection, batch.known)
            self._queue.answered()
        self._proposed = self._proposed and not any(row.evicts for row in rows)
        if not self._proposed and (ranges := file.to_evict()):
            self._put(EvictionDue(self._clock(), ranges))
            self._proposed = True

    def _look_through(self) -> None:
        """Read the whole file, once. If another call interrupts this, it starts again when nothing waits."""
        if self._looked:
            return
        # SQLite ignores an interrupt that comes before a statement, unless another statement is running.
        with closing(open_to_read(self._path)) as connection, closing(connection.execute(TABLES)) as under_way:
            under_way.fetchone()
            flaw = self._queue.unless_called(connection, flaw_in)
        if flaw is None:
            return
        if flaw:
            raise DamagedError(flaw)
        self._looked = True
        _log.info("the record was looked through, and nothing is damaged")

    def _fail(self, failure: Exception) -> bool:
        """Keep what waits, and report what happened; whether to try again at once."""
        self._close()
        self._proposed = False
        self._queue.put_back()
        reason, replaced = reason_of(failure), False
        if is_damage(failure):
            try:
                reason += f"; kept as {move_aside(self._path).name}"
                replaced = True
            except EXPECTED as second:
                reason += f"; can't be set aside: {reason_of(second)}"
        if reason != self._outage:
            _log.error("the record can't be used: %s", reason, exc_info=not isinstance(failure, EXPECTED))
        newer = isinstance(failure, NewerError)
        if self._outage is None or newer is not self._newer:
            self._put(RecordFailed(self._clock(), reason, newer))
        self._outage, self._newer = reason, newer
        return replaced

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

"""What the writer's thread and the other threads share: items that wait for the disk, and events held for sending.

The lock guards memory only and is never held during a write. If too much waits, the record's rule 4 applies.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from sqlite3 import Connection
from typing import Any

from msgspec.structs import replace

from node.core.model import Key
from node.io.record.record_file import Row
from node.io.record.write_batch import Batch


class WriteQueue:
    """Any thread may create it and call it; only the writer calls the second half. At most ``kept`` items wait."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._queued, self._writing = Batch(), Batch()
        self._payloads: dict[Key, Row] = {}
        self._displaced: set[Key] = set()  # dropped from the queue, but still among the payloads
        self._let_go = 0
        self._newest_snapshot: bytes | None = None
        self._looking: Connection | None = None  # it reads the whole file; a thread that calls the writer interrupts it

    def append(self, row: Row, snapshot: bytes) -> None:
        """Queue an event and a snapshot, and hold the event for sending."""
        with self._lock:
            self._payloads[row.key] = row
            self._queued.rows[row.key] = row
            self._queued.snapshot = self._newest_snapshot = snapshot
            self._note_change()

    def remember(self, snapshot: bytes) -> None:
        """Queue a snapshot."""
        with self._lock:
            self._queued.snapshot = self._newest_snapshot = snapshot
            self._note_change()

    def mark_received(self, key: Key, by: str, at_utc: float) -> None:
        """Queue a receipt, and stop holding its event."""
        with self._lock:
            self._free(key)
            self._queued.receipts.setdefault(key, (by, at_utc))
            self._note_change()

    def note_step(self, key: Key, step: str, at: float) -> None:
        """Queue a step; this wakes nobody."""
        with self._lock:
            steps = self._queued.steps
            steps.setdefault((key, step), at)
            if len(steps) > self._kept:
                del steps[next(iter(steps))]

    def spill(self, key: Key) -> None:
        """Stop holding this event."""
        with self._lock:
            self._free(key)

    def ask(self, known: Sequence[Key], *, taken: bool) -> None:
        """Queue the request for unreceipted events other than ``known``, with what only a broker took if ``taken``."""
        with self._lock:
            self._queued.known = frozenset(known)
            self._queued.taken |= taken
            self._note_change()

    def row(self, key: Key) -> Row | None:
        """The event, if it is held; else None."""
        return self._payloads.get(key)

    def depth(self) -> int:
        """How many events and receipts aren't written yet (a snapshot counts only if nothing else waits)."""
        with self._lock:
            return len(self._writing) + len(self._queued)

    def rouse(self) -> None:
        """Wake the writer, or interrupt its reading of the whole file."""
        with self._lock:
            self._rouse()

    # The next four need the lock.

    def _note_change(self) -> None:
        self._shorten()
        self._rouse()

    def _rouse(self) -> None:
        self._wake.set()
        if self._looking is not None:
            self._looking.interrupt()

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

    def wait(self) -> None:
        """Sleep until another thread calls."""
        self._wake.wait()
        self._wake.clear()

    def take(self, *, everything: bool) -> Batch:
        """What waits; with ``everything``, all that is in memory. It can be put back until ``written`` is called."""
        with self._lock:
            batch, self._queued = self._queued, Batch()
            batch.rows |= {key: self._payloads[key] for key in self._displaced}
            self._displaced.clear()
            self._writing = batch
            if everything:
                return replace(batch, rows=self._payloads | batch.rows, snapshot=self._newest_snapshot)
            return batch

    def written(self) -> int:
        """What was taken is on the disk, only its request is unanswered. How many items were dropped since the last."""
        with self._lock:
            self._writing = Batch(known=self._writing.known)
            let_go, self._let_go = self._let_go, 0
        return let_go

    def answered(self) -> None:
        """The request is answered, too."""
        with self._lock:
            self._writing = Batch()

    def put_back(self) -> None:
        """What was taken waits again, before what has come since."""
        with self._lock:
            self._queued, self._writing = self._writing.then(self._queued), Batch()
            self._shorten()

    def keep_to_send(self, rows: Sequence[Row]) -> tuple[tuple[Key, bool], ...]:
        """Hold these events, except those received meanwhile; returns their keys, and whether each is an alarm."""
        with self._lock:
            held = [row for row in rows if row.key not in self._queued.receipts]
            self._payloads.update((row.key, row) for row in held)
        return tuple((row.key, row.alarm) for row in held)

    def unless_called(self, connection: Connection, look: Callable[[Connection], str | None]) -> str | None:
        """The result of ``look``; None if another thread calls before or during it, which interrupts the connection."""
        with self._lock:
            if self._wake.is_set():
                return None
            self._looking = connection
        try:
            return look(connection)
        finally:
            with self._lock:
                self._looking = None

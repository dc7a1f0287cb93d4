"""What the writer's thread and all others share: what waits for the disk, and what is still held for sending.

The lock guards memory alone and is never held during a write. Where too much waits, the record's rule 4 holds.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice
from sqlite3 import Connection
from typing import Any

from node.core.model import Key
from node.io.record.record_file import Row
from node.io.record.write_batch import Batch


class WriteQueue:
    """Made and called by any thread; the writer's alone calls the second half. ``kept`` items wait at most."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._queued, self._writing = Batch(), Batch()
        self._payloads: dict[Key, Row] = {}
        self._displaced: set[Key] = set()  # pushed out of the queue, but still among the payloads
        self._let_go = 0
        self._newest_snapshot: bytes | None = None
        self._looking: Connection | None = None  # that reads the whole file; whoever calls the writer interrupts it

    def append(self, row: Row, snapshot: bytes) -> None:
        """Queue an event and a snapshot, and hold the event."""
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
        """Queue a receipt, and hold its event no longer."""
        with self._lock:
            self._free(key)
            self._queued.receipts.setdefault(key, (by, at_utc))
            self._note_change()

    def note_step(self, key: Key, step: str, at: float) -> None:
        """Queue a step; nobody is woken for it."""
        with self._lock:
            steps = self._queued.steps
            steps.setdefault((key, step), at)
            if len(steps) > self._kept:
                del steps[next(iter(steps))]

    def spill(self, key: Key) -> None:
        """Hold this event no longer."""
        with self._lock:
            self._free(key)

    def ask(self, known: Sequence[Key]) -> None:
        """Queue the question for unreceipted events other than ``known``."""
        with self._lock:
            self._queued.known = frozenset(known)
            self._note_change()

    def row(self, key: Key) -> Row | None:
        """The event, where it is held."""
        return self._payloads.get(key)

    def depth(self) -> int:
        """How many events and receipts aren't written yet (a snapshot counts where it waits alone)."""
        with self._lock:
            return len(self._writing) + len(self._queued)

    def rouse(self) -> None:
        """Wake the writer, or call it away from its look through the file."""
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
        """Sleep until somebody calls."""
        self._wake.wait()
        self._wake.clear()

    def take(self, *, everything: bool) -> Batch:
        """What waits; with ``everything`` all that is in memory. Until it is ``written`` it can be put back."""
        with self._lock:
            batch, self._queued = self._queued, Batch()
            batch.rows |= {key: self._payloads[key] for key in self._displaced}
            self._displaced.clear()
            self._writing = batch
            if everything:
                return replace(batch, rows=self._payloads | batch.rows, snapshot=self._newest_snapshot)
            return batch

    def written(self) -> int:
        """What was taken is on the disk, and only its question is open; how many items were let go since the last."""
        with self._lock:
            self._writing = Batch(known=self._writing.known)
            let_go, self._let_go = self._let_go, 0
        return let_go

    def answered(self) -> None:
        """The question is answered too."""
        with self._lock:
            self._writing = Batch()

    def put_back(self) -> None:
        """What was taken waits again, before what has come since."""
        with self._lock:
            self._queued, self._writing = self._writing.then(self._queued), Batch()
            self._shorten()

    def hold(self, rows: Sequence[Row]) -> tuple[tuple[Key, bool], ...]:
        """Hold what was read, but for what was received meanwhile; of each its key, and whether it is an alarm."""
        with self._lock:
            held = [row for row in rows if row.key not in self._queued.receipts]
            self._payloads.update((row.key, row) for row in held)
        return tuple((row.key, row.alarm) for row in held)

    def unless_called(self, connection: Connection, look: Callable[[Connection], str | None]) -> str | None:
        """What ``look`` finds; None where somebody calls before, or during it, which interrupts the connection."""
        with self._lock:
            if self._wake.is_set():
                return None
            self._looking = connection
        try:
            return look(connection)
        finally:
            with self._lock:
                self._looking = None

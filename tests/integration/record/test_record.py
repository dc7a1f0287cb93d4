"""The record: what is stored, in which order, and what a kill leaves of it."""

import os
import threading
from contextlib import closing

import pytest

import node.io.record.record
import node.io.record.record_file
from node.core.events import BacklogRead, EventsStored, RecordLoaded
from node.core.model import Key, Restored, Snapshot
from node.io.record.record import FILE_NAME, read_log
from tests.integration.record.desk import (
    BOOT,
    EARLIER,
    KERNEL,
    NOW,
    WAIT_LIMIT_S,
    Desk,
    Tap,
    hold_lock,
    keys_of,
    kill_in_its_work,
    row,
)


def test_an_empty_directory_gets_a_record_that_remembers_nothing(desk: Desk) -> None:
    """The first start creates the file, for its owner alone, and says so with the clock's instant."""
    mask = os.umask(0)
    try:
        desk.begin()
        loaded = desk.inbox.loaded()
    finally:
        os.umask(mask)

    assert loaded == RecordLoaded(NOW, Restored())
    modes = {path.name: path.stat().st_mode & 0o777 for path in desk.directory.iterdir()}
    assert modes[FILE_NAME] == 0o600
    assert set(modes.values()) == {0o600}


def test_an_appended_event_is_stored_whole(desk: Desk) -> None:
    """EventsStored names the event, and a reader finds every field of it."""
    record, _ = desk.begin_loaded()

    record.append(row(1, alarm=False), b"1")

    assert desk.inbox.next(EventsStored) == EventsStored(NOW, (Key(BOOT, 1),))
    (found,) = read_log(desk.directory)
    assert found == node.io.record.record.LogRow(Key(BOOT, 1), False, 1.5, KERNEL, b'{"seq":1}', None, None)
    assert record.depth == 0


def test_a_follower_reads_what_comes_later(desk: Desk) -> None:
    """When all was told it waits, and then goes on where it was."""
    record, _ = desk.begin_loaded()
    record.append(row(1, alarm=False), b"1")
    desk.inbox.next(EventsStored)
    waits = iter([2, 3])

    def wait() -> None:
        record.append(row(next(waits), alarm=True), b"1")
        desk.inbox.next(EventsStored)

    follower = read_log(desk.directory, wait)

    assert [next(follower).key.seq for _ in range(3)] == [1, 2, 3]


def test_events_are_stored_in_their_order(desk: Desk) -> None:
    """However the writer divides them into transactions, the order of 200 events stays."""
    record, _ = desk.begin_loaded()
    rows = [row(seq, alarm=seq % 3 == 0) for seq in range(1, 201)]

    for each in rows:
        record.append(each, b"1")

    told: list[Key] = []
    while len(told) < len(rows):
        told.extend(desk.inbox.next(EventsStored).keys)
    assert told == keys_of(desk.directory) == [each.key for each in rows]


def test_the_writer_syncs_every_commit(desk: Desk, tap: Tap) -> None:
    """The connection that writes is in WAL mode with synchronous FULL: less can lose a commit at a power cut."""
    desk.begin_loaded()

    writer = tap.connections.get(timeout=WAIT_LIMIT_S)

    assert writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert writer.execute("PRAGMA synchronous").fetchone() == (2,)


def test_all_that_waits_is_one_transaction(desk: Desk, tap: Tap) -> None:
    """Events, a receipt and the newest snapshot that wait together are committed together."""
    record = desk.record()
    record.append(row(1), b"1")
    record.append(row(2), b"2")
    record.mark_received(Key(BOOT, 1), "guard-desk", 5.0)
    record.remember(b"3")

    record.start()
    desk.inbox.loaded()
    desk.inbox.until_stored(Key(BOOT, 1), Key(BOOT, 2))

    begun = len(tap.statements) - tap.statements[::-1].index("BEGIN IMMEDIATE")
    committed = tap.statements[: tap.statements.index("COMMIT", begun) + 1]
    words = [" ".join(statement.split()[:4]) for statement in dict.fromkeys(committed[begun:])]
    assert words == [
        "INSERT INTO events (boot,",
        "INSERT INTO events (boot,",
        "INSERT OR IGNORE INTO",
        "INSERT OR REPLACE INTO",
        "COMMIT",
    ]


def test_an_event_that_is_written_twice_is_stored_once(desk: Desk) -> None:
    """A commit of unknown outcome is repeated: that makes no second row, and is no failure."""
    record, _ = desk.begin_loaded()
    record.append(row(1), b"1")
    desk.inbox.until_stored(Key(BOOT, 1))

    record.append(row(1), b"1")
    desk.inbox.until_stored(Key(BOOT, 1))

    assert keys_of(desk.directory) == [Key(BOOT, 1)]


def test_what_is_queued_when_it_stops_is_stored(desk: Desk) -> None:
    """Stop writes everything that waits, and the snapshot with it, before it says that it ended."""
    record, _ = desk.begin_loaded(boot=EARLIER)
    for seq in range(1, 51):
        record.append(row(seq, boot=EARLIER), b"1")
    record.remember(b"7")

    ended = record.stop(WAIT_LIMIT_S)

    assert ended
    assert keys_of(desk.directory) == [Key(EARLIER, seq) for seq in range(1, 51)]
    desk.inbox.until_stored(*keys_of(desk.directory))
    assert desk.begin_loaded()[1].snapshot == Snapshot(at=7.0)


def test_a_record_that_never_started_has_nothing_to_end(desk: Desk) -> None:
    """Stop before start returns at once, so that a service that failed on its way up can tidy up."""
    record = desk.record()

    assert record.stop(WAIT_LIMIT_S)


def test_a_thread_that_hangs_is_told_and_abandoned(desk: Desk) -> None:
    """Stop waits no longer than it was told to for a writer that doesn't come back."""
    release = threading.Event()
    record = desk.begin(put=lambda _event: release.wait())

    ended = record.stop(0.05)

    release.set()
    assert not ended


def test_a_stalled_disk_stalls_no_caller(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the writer can't get on, every call returns, payloads can be sent, and later everything is stored."""
    monkeypatch.setattr(node.io.record.record_file, "_BUSY_S", 3 * WAIT_LIMIT_S)
    record, _ = desk.begin_loaded()

    with closing(hold_lock(desk.path)):
        for seq in range(1, 101):
            record.append(row(seq), b"1")
        record.mark_received(Key(BOOT, 1), "guard-desk", 5.0)
        record.spill(Key(BOOT, 2))
        record.remember(b"9")
        record.read_backlog([])
        depth, sendable = record.depth, record.row(Key(BOOT, 100))
        silent = desk.inbox.events.empty()

    assert (depth, sendable, silent) == (101, row(100), True)
    desk.inbox.until_stored(*(Key(BOOT, seq) for seq in range(1, 101)))
    assert len(desk.inbox.next(BacklogRead).entries) == 99
    assert record.depth == 0


def test_what_was_told_as_stored_survives_a_kill(desk: Desk) -> None:
    """After kill -9 in the midst of its work, a new process finds each event that the old one said was stored."""
    told = kill_in_its_work(desk.directory)

    _, restored = desk.begin_loaded()

    assert len(told) >= 30
    assert [key for key, _ in desk.inbox.backlog.entries][: len(told)] == [Key(EARLIER, seq) for seq in told]
    assert restored.snapshot is not None
    assert restored.snapshot.at >= told[-1]
    assert keys_of(desk.directory) == [key for key, _ in desk.inbox.backlog.entries]

"""A disk that fails: the record waits, tells it once, tries again, and lets the least go first."""

import os
import resource
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import node.io.record.record_file
from node.core.events import BacklogRead, Event, EventsStored, RecordFailed, RecordLoaded, RecordRecovered
from node.core.model import Key, Restored, Snapshot
from node.io.record.record import Row, read_log
from node.io.record.record_schema import VERSION
from tests.integration.record.desk import (
    BOOT,
    CONNECT,
    EARLIER,
    KERNEL,
    NOW,
    WAIT_LIMIT_S,
    Desk,
    Tap,
    break_newer_version,
    hold_lock,
    keys_of,
    row,
)


def break_nothing_there(path: Path) -> Callable[[], object]:
    """The directory is missing, as a card that isn't mounted."""
    path.parent.rmdir()
    return path.parent.mkdir


def break_file_for_directory(path: Path) -> Callable[[], object]:
    """A file lies where the directory should be."""
    path.parent.rmdir()
    path.parent.touch()

    def repair() -> None:
        path.parent.unlink()
        path.parent.mkdir()

    return repair


def break_directory_for_file(path: Path) -> Callable[[], object]:
    """A directory lies where the file should be."""
    path.mkdir()
    return path.rmdir


def break_pipe_for_file(path: Path) -> Callable[[], object]:
    """A pipe lies where the file should be: SQLite would wait for a writer."""
    os.mkfifo(path)
    return path.unlink


def break_pipe_for_log(path: Path) -> Callable[[], object]:
    """A pipe lies where the write-ahead log should be."""
    log = Path(f"{path}-wal")
    os.mkfifo(log)
    return log.unlink


NEWER = f"has version {VERSION + 1}, and this program knows {VERSION}"
BREAKAGES = [
    (break_nothing_there, "No such file or directory"),
    (break_file_for_directory, "Not a directory"),
    (break_directory_for_file, "Is a directory"),
    (break_pipe_for_file, "Is a pipe or a device"),
    (break_pipe_for_log, "Is a pipe or a device"),
    (break_newer_version, NEWER),
]


@pytest.mark.parametrize(("breakage", "reason"), BREAKAGES)
def test_an_outage_from_the_start_is_told_once_and_ends(
    desk: Desk, attempts: threading.Semaphore, breakage: Callable[[Path], Callable[[], object]], reason: str
) -> None:
    """It fails once with its reason, goes on trying, then loads, stores what was kept, and says that it is back."""
    repair = breakage(desk.path)
    record = desk.begin()
    record.append(row(1), b"1")
    record.append(row(2, alarm=False), b"2")
    for _ in range(4):
        assert attempts.acquire(timeout=WAIT_LIMIT_S)
    told = [desk.inbox.next(RecordFailed), *(desk.inbox.events.get() for _ in range(desk.inbox.events.qsize()))]

    repair()

    assert told == [RecordFailed(NOW, reason, newer=reason == NEWER)]
    assert desk.inbox.loaded().restored == Restored()
    desk.inbox.until_stored(Key(BOOT, 1), Key(BOOT, 2))
    assert desk.inbox.next(RecordRecovered) == RecordRecovered(NOW)
    assert keys_of(desk.directory) == [Key(BOOT, 1), Key(BOOT, 2)]


def test_a_newer_record_on_a_disk_that_came_late_is_told(desk: Desk) -> None:
    """The advice is another one then: this disk is in order. And so it is when the disk fails after all."""
    card = desk.directory.with_name("card")
    break_newer_version(desk.path)
    desk.directory.rename(card)
    desk.begin()
    told = [desk.inbox.next(RecordFailed)]
    card.rename(desk.directory)
    told.append(desk.inbox.next(RecordFailed))
    desk.directory.rename(card)
    told.append(desk.inbox.next(RecordFailed))

    assert [each.newer for each in told] == [False, True, False]


def test_a_disk_that_keeps_no_promise_is_an_outage(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where SQLite can't have its write-ahead log (a network's disk), the record says so and doesn't pretend."""

    def connect_without_shared_memory(database: Any, **options: Any) -> sqlite3.Connection:
        return CONNECT(f"file:{database}?vfs=unix-dotfile", **(options | {"uri": True}))

    monkeypatch.setattr(sqlite3, "connect", connect_without_shared_memory)

    desk.begin()

    assert desk.inbox.next(RecordFailed).reason == "has journal_mode delete in place of wal"


def test_a_write_that_fails_is_repeated(desk: Desk) -> None:
    """A disk that refuses writes under way is an outage; when it takes them again, nothing is missing."""
    record, _ = desk.begin_loaded()
    record.append(row(1), b"1")
    desk.inbox.until_stored(Key(BOOT, 1))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        record.append(row(2), b"2")
        failed = desk.inbox.next(RecordFailed)
        record.append(row(3), b"3")
        depth = record.depth
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert failed.reason == "disk I/O error"
    assert depth == 2
    desk.inbox.until_recovered(Key(BOOT, 2), Key(BOOT, 3))
    assert keys_of(desk.directory) == [Key(BOOT, seq) for seq in (1, 2, 3)]


def test_what_comes_during_a_write_that_fails_is_joined_to_it(
    desk: Desk, tap: Tap, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Order, first receipt and question survive the failure, whatever was queued meanwhile."""
    desk.fill(row(1, boot=EARLIER))
    monkeypatch.setattr(node.io.record.record_file, "_BUSY_S", 0.5)
    record = desk.record()
    record.start()
    desk.inbox.loaded()
    while tap.begun.acquire(blocking=False):
        pass

    with closing(hold_lock(desk.path)):
        record.read_backlog([])
        record.mark_received(Key(EARLIER, 1), "guard-desk", 5.0)
        record.append(row(1), b"1")
        record.spill(Key(BOOT, 1))
        assert tap.begun.acquire(timeout=WAIT_LIMIT_S)
        record.append(row(2), b"2")
        record.mark_received(Key(EARLIER, 1), "porter", 6.0)
        failed = desk.inbox.next(RecordFailed)

    assert failed.reason == "database is locked"
    desk.inbox.until_recovered(Key(BOOT, 1), Key(BOOT, 2))
    assert desk.inbox.next(BacklogRead).entries == ((Key(BOOT, 1), True), (Key(BOOT, 2), True))
    found = [(each.key, each.received_by) for each in read_log(desk.directory)]
    assert found == [(Key(EARLIER, 1), "guard-desk"), (Key(BOOT, 1), None), (Key(BOOT, 2), None)]


def test_a_snapshot_alone_is_kept_through_an_outage(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a restart must know waits for the disk like an event, and counts as waiting."""
    monkeypatch.setattr(node.io.record.record_file, "_BUSY_S", 0.05)
    record, _ = desk.begin_loaded()

    with closing(hold_lock(desk.path)):
        record.remember(b"9")
        desk.inbox.next(RecordFailed)
        depth = record.depth
    assert desk.inbox.next(EventsStored).keys == ()
    desk.inbox.next(RecordRecovered)
    assert record.stop(WAIT_LIMIT_S)

    assert depth == 1
    assert desk.begin_loaded()[1].snapshot == Snapshot(at=9.0)


def test_each_outage_is_told_anew(desk: Desk) -> None:
    """After a recovery, the next failure is a failure again."""
    repair = break_directory_for_file(desk.path)
    record = desk.begin()
    desk.inbox.next(RecordFailed)
    repair()
    desk.inbox.loaded()
    desk.inbox.next(RecordRecovered)

    desk.path.rename(desk.directory / "elsewhere")
    record.append(row(1), b"1")

    desk.inbox.next(RecordFailed)
    desk.inbox.until_recovered(Key(BOOT, 1))


def test_the_pause_between_tries_ends_with_a_stop(desk: Desk) -> None:
    """Stopping in an outage waits for no retry, and is an end although nothing could be written."""
    break_directory_for_file(desk.path)
    record = desk.begin(retry_s=10 * WAIT_LIMIT_S)
    record.append(row(1), b"1")
    desk.inbox.next(RecordFailed)

    ended = record.stop(WAIT_LIMIT_S)

    assert ended
    assert record.depth == 1


def test_a_stop_is_one_more_try(desk: Desk) -> None:
    """What waited for the next try is stored when the disk is back by the time of the stop."""
    repair = break_directory_for_file(desk.path)
    record = desk.begin(retry_s=10 * WAIT_LIMIT_S)
    desk.inbox.next(RecordFailed)
    record.append(row(1), b"1")

    repair()
    assert record.stop(WAIT_LIMIT_S)

    assert keys_of(desk.directory) == [Key(BOOT, 1)]


@pytest.mark.parametrize("replace", [False, True], ids=["deleted", "replaced"])
def test_a_file_that_disappears_is_written_anew(desk: Desk, replace: bool) -> None:
    """A commit into a deleted file isn't taken for stored, and all that memory holds is in the next file."""
    desk.fill(row(1, boot=EARLIER))
    record, _ = desk.begin_loaded()
    record.append(row(1), b"41")
    record.append(row(2), b"42")
    desk.inbox.until_stored(Key(BOOT, 1), Key(BOOT, 2))
    for path in desk.directory.iterdir():
        path.unlink()
    if replace:
        desk.path.touch()

    record.mark_received(Key(BOOT, 1), "guard-desk", 5.0)
    desk.inbox.next(RecordFailed)
    desk.inbox.until_recovered(Key(EARLIER, 1), Key(BOOT, 2))
    assert record.stop(WAIT_LIMIT_S)

    assert keys_of(desk.directory) == [Key(EARLIER, 1), Key(BOOT, 2)]
    _, restored = desk.begin_loaded(boot="00000003")
    assert restored.snapshot == Snapshot(at=42.0)
    assert restored.previous == Key(BOOT, 2)


def test_in_a_long_outage_telemetry_is_let_go_first(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """Of what nobody needs for sending any more, the newest items and every alarm are kept; the log counts the rest."""
    record = desk.record(kept=10)
    for seq in range(1, 21):
        record.append(row(seq, alarm=seq <= 4), b"1")
        record.spill(Key(BOOT, seq))
    depth = record.depth

    record.start()
    desk.inbox.loaded()
    kept = [1, 2, 3, 4, 15, 16, 17, 18, 19, 20]
    desk.inbox.until_stored(*(Key(BOOT, seq) for seq in kept))
    record.append(row(21), b"1")
    desk.inbox.until_stored(Key(BOOT, 21))
    assert record.stop(WAIT_LIMIT_S)

    assert depth == 10
    assert keys_of(desk.directory) == [Key(BOOT, seq) for seq in (*kept, 21)]
    assert "10 items were let go" in caplog.text
    assert caplog.text.count("let go") == 1


def test_the_oldest_is_let_go_though_its_write_had_begun(desk: Desk, tap: Tap, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes back from a write that failed stands before what was queued meanwhile."""
    monkeypatch.setattr(node.io.record.record_file, "_BUSY_S", 0.5)
    record, _ = desk.begin_loaded(kept=3)
    while tap.begun.acquire(blocking=False):
        pass

    with closing(hold_lock(desk.path)):
        for seq in (1, 2, 3, 4):
            record.append(row(seq, alarm=False), b"1")
            record.spill(Key(BOOT, seq))
            assert seq > 1 or tap.begun.acquire(timeout=WAIT_LIMIT_S)
        desk.inbox.next(RecordFailed)
    desk.inbox.until_stored(*(Key(BOOT, seq) for seq in (2, 3, 4)))

    assert keys_of(desk.directory) == [Key(BOOT, seq) for seq in (2, 3, 4)]


def test_receipts_are_let_go_before_alarms(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """A lost receipt costs one more copy of an event; a lost alarm is lost."""
    record = desk.record(kept=10)
    for seq in range(1, 9):
        record.append(row(seq), b"1")
        record.mark_received(Key(BOOT, seq), "guard-desk", 5.0)

    record.start()
    desk.inbox.loaded()
    desk.inbox.until_stored(*(Key(BOOT, seq) for seq in range(1, 9)))
    assert record.stop(WAIT_LIMIT_S)

    assert [each.key.seq for each in read_log(desk.directory) if each.received_by] == [7, 8]
    assert "6 items were let go" in caplog.text


def test_the_newest_alarms_are_kept_when_there_is_nothing_else(desk: Desk) -> None:
    """Even alarms have a limit where the disk is away; the oldest go, because they had the most time to be sent."""
    record = desk.record(kept=10)
    for seq in range(1, 13):
        record.append(row(seq), b"1")
        record.spill(Key(BOOT, seq))

    record.start()
    desk.inbox.loaded()
    desk.inbox.until_stored(*(Key(BOOT, seq) for seq in range(3, 13)))
    assert record.stop(WAIT_LIMIT_S)

    assert keys_of(desk.directory) == [Key(BOOT, seq) for seq in range(3, 13)]


@pytest.mark.parametrize("broken", [True, False], ids=["outage", "stall"])
def test_what_is_held_for_sending_is_stored_too(desk: Desk, broken: bool, caplog: pytest.LogCaptureFixture) -> None:
    """An event that had no room among what waits for the disk, but still waits for its receipt, isn't let go."""
    record = desk.record(kept=10)
    for seq in range(1, 31):
        record.append(row(seq, alarm=False), b"1")
    depth = record.depth
    if broken:
        repair = break_directory_for_file(desk.path)
        record.start()
        desk.inbox.next(RecordFailed)
        repair()
    else:
        record.start()

    desk.inbox.loaded()
    desk.inbox.until_stored(*(Key(BOOT, seq) for seq in range(1, 31)))
    assert record.stop(WAIT_LIMIT_S)

    assert depth == 10
    assert keys_of(desk.directory) == [Key(BOOT, seq) for seq in range(1, 31)]
    assert "let go" not in caplog.text


def test_what_is_received_meanwhile_needs_no_room(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """An event that had no room, and then is received, is let go and counted: the building has it."""
    record = desk.record(kept=2)
    for seq in (1, 2, 3):
        record.append(row(seq, alarm=False), b"1")
    record.spill(Key(BOOT, 1))

    record.start()
    desk.inbox.loaded()
    desk.inbox.until_stored(Key(BOOT, 2), Key(BOOT, 3))
    assert record.stop(WAIT_LIMIT_S)

    assert keys_of(desk.directory) == [Key(BOOT, 2), Key(BOOT, 3)]
    assert "1 items were let go" in caplog.text


SPOILED = [
    pytest.param(Row(Key(BOOT, 2**63), True, 1.0, KERNEL, b"{}"), id="number too large"),
    pytest.param(Row(Key(BOOT, 2), True, 1.0, "\ud800", b"{}"), id="no text"),
    pytest.param(Row(Key(BOOT, 2), True, 1.0, KERNEL, None), id="no body"),  # type: ignore[arg-type]
    pytest.param(Row(Key(BOOT, 2), True, 1.0, KERNEL, object()), id="no bytes"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("spoiled", SPOILED)
def test_one_bad_item_never_blocks_the_rest(desk: Desk, spoiled: Row, caplog: pytest.LogCaptureFixture) -> None:
    """An event that no database can take is logged and left out; those around it are stored."""
    record = desk.record()
    record.append(row(1), b"1")
    record.append(spoiled, b"2")
    record.append(row(3), b"3")

    record.start()
    desk.inbox.loaded()
    stored = desk.inbox.next(EventsStored)

    assert stored.keys == (Key(BOOT, 1), Key(BOOT, 3))
    assert f"{spoiled.key} can't be stored" in caplog.text


@pytest.mark.parametrize("kind", [RecordLoaded, EventsStored])
def test_an_unexpected_exception_is_an_outage(desk: Desk, kind: type[Event], caplog: pytest.LogCaptureFixture) -> None:
    """Whatever goes wrong in the writer is told as a failure, logged with its place, and tried again."""
    desk.inbox.refused.append(kind)
    record = desk.record()
    record.append(row(1), b"1")

    record.start()
    told = [desk.inbox.events.get(timeout=WAIT_LIMIT_S) for _ in range(5)]

    assert RecordFailed(NOW, "RuntimeError: the queue is broken") in told
    assert told[-2:] == [EventsStored(NOW, (Key(BOOT, 1),)), RecordRecovered(NOW)]
    assert "Traceback" in caplog.text


def test_a_failure_that_nobody_takes_is_told_again(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """The writer outlives even a queue that refuses its report."""
    break_directory_for_file(desk.path)
    desk.inbox.refused.append(RecordFailed)

    desk.begin()

    desk.inbox.next(RecordFailed)
    assert "can't be reported" in caplog.text

"""A record that is damaged, or on a card that became read-only or full."""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import node.io.record.record
import node.io.record.record_file
from node.core.events import BacklogRead, RecordFailed, RecordRecovered
from node.core.model import Key, Restored
from node.errors import StateDirectoryError
from node.io.record.record import Row, read_log
from tests.integration.record.desk import (
    BOOT,
    CONNECT,
    EARLIER,
    GARBAGE,
    HEAD,
    KERNEL,
    WAIT_LIMIT_S,
    Desk,
    keys_of,
    kill_in_its_work,
    row,
)
from tests.support.tmpfs import make_read_only, make_writable


def garble_all(path: Path) -> str:
    """Nothing of the file is left."""
    path.write_bytes(GARBAGE)
    return "file is not a database"


def garble_pages(path: Path) -> str:
    """The head is whole, and nothing else."""
    stored = path.read_bytes()
    path.write_bytes(stored[:4096] + b"\xff" * (len(stored) - 4096))
    return "database disk image is malformed"


@pytest.mark.parametrize("garble", [garble_all, garble_pages])
def test_a_damaged_record_is_set_aside_and_kept(desk: Desk, garble: Callable[[Path], str]) -> None:
    """The failure says where the old file is; the next file is in use at once, without waiting for a retry."""
    desk.fill(row(1, boot=EARLIER))
    reason = garble(desk.path)
    damaged = desk.path.read_bytes()

    record = desk.begin(retry_s=10 * WAIT_LIMIT_S)
    record.append(row(1), b"1")

    assert desk.inbox.next(RecordFailed).reason == f"{reason}; kept as record.sqlite.corrupt-1"
    assert desk.inbox.loaded().restored == Restored()
    desk.inbox.until_recovered(Key(BOOT, 1))
    assert (desk.directory / "record.sqlite.corrupt-1").read_bytes()[HEAD:] == damaged[HEAD:]
    assert keys_of(desk.directory) == [Key(BOOT, 1)]


def test_a_damaged_record_takes_its_log_along(desk: Desk) -> None:
    """The write-ahead log may hold what can be saved, and doesn't belong to the next file; no older one is replaced."""
    desk.fill(row(1, boot=EARLIER))
    garble_pages(desk.path)
    older = desk.path.with_name("record.sqlite.corrupt-1-wal")
    older.write_bytes(b"older log")

    with closing(CONNECT(desk.path)) as reader:  # while somebody looks, SQLite can't fold the log in
        reader.execute("PRAGMA user_version").fetchone()
        desk.begin()
        failed = desk.inbox.next(RecordFailed)

    assert failed.reason.endswith("kept as record.sqlite.corrupt-2")
    assert desk.path.with_name("record.sqlite.corrupt-2-wal").exists()
    assert older.read_bytes() == b"older log"


def test_a_card_that_garbles_everything_is_not_filled(
    desk: Desk, attempts: threading.Semaphore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten damaged files are kept; with more the record stays away until a person looks."""

    def garbling(database: Any, **options: Any) -> sqlite3.Connection:
        if "uri" not in options:
            Path(database).write_bytes(GARBAGE)
        return CONNECT(database, **options)

    monkeypatch.setattr(sqlite3, "connect", garbling)

    desk.begin()
    for _ in range(15):
        assert attempts.acquire(timeout=WAIT_LIMIT_S)

    desk.inbox.next(RecordFailed)
    assert desk.inbox.events.empty()
    assert len(list(desk.directory.glob("record.sqlite.corrupt-*"))) == 10


def test_damage_is_known_before_it_is_in_the_way(desk: Desk) -> None:
    """A page that nobody needs now is looked at all the same; what waits to be sent is in the next file."""
    desk.fill(*(row(seq, boot=EARLIER, alarm=False) for seq in range(1, 2_001)), snapshot=b"42")
    with closing(CONNECT(desk.path)) as connection:
        root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'steps'").fetchone()[0]
    content = bytearray(desk.path.read_bytes())
    content[(root - 1) * 4096 : root * 4096] = b"\xff" * 4096
    desk.path.write_bytes(content)

    desk.begin_loaded(retry_s=10 * WAIT_LIMIT_S)
    failed = desk.inbox.next(RecordFailed)
    desk.inbox.until_recovered(*(Key(EARLIER, seq) for seq in range(1, 1_001)))

    assert failed.reason.endswith("kept as record.sqlite.corrupt-1")
    assert len(keys_of(desk.directory)) == 1_000


def test_a_look_is_interrupted_by_whatever_comes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """An alarm doesn't wait for it; it begins anew, until nothing comes in between."""
    begun, looks = threading.Semaphore(0), []
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    flaw_in = node.io.record.record_file.flaw_in

    def look(connection: sqlite3.Connection) -> str | None:
        looks.append(connection)
        begun.release()
        if len(looks) > 2:
            return flaw_in(connection)
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            connection.execute(endless)
        return None

    monkeypatch.setattr(node.io.record.record, "flaw_in", look)
    record, _ = desk.begin_loaded()
    for seq in (1, 2):
        assert begun.acquire(timeout=WAIT_LIMIT_S)
        record.append(row(seq), b"1")
        desk.inbox.until_stored(Key(BOOT, seq))

    assert begun.acquire(timeout=WAIT_LIMIT_S)
    assert record.stop(WAIT_LIMIT_S)


def test_a_look_that_is_interrupted_found_nothing(desk: Desk) -> None:
    """Neither that all is well nor that it isn't; what else goes wrong is told."""
    desk.fill(row(1))
    with closing(CONNECT(desk.path)) as connection:
        connection.set_progress_handler(lambda: 1, 1)
        interrupted = node.io.record.record_file.flaw_in(connection)
        connection.set_progress_handler(None, 1)
        well = node.io.record.record_file.flaw_in(connection)

    assert (interrupted, well) == (None, "")


def garble(path: Path, column: str, value: str, seq: int = 2) -> None:
    """Change what an event says behind everybody's back."""
    with closing(CONNECT(path, isolation_level=None)) as connection:
        connection.execute(f"UPDATE events SET {column} = {value} WHERE seq = {seq}")  # noqa: S608


@pytest.mark.parametrize(
    ("column", "value"),
    [("body", "x'7b7d'"), ("body", "7"), ("at", "'early'"), ("kernel_boot", "CAST(x'ff' AS TEXT)"), ("boot", "x'00'")],
)
def test_an_event_that_was_never_written_so_is_damage(desk: Desk, column: str, value: str) -> None:
    """SQLite doesn't notice: the file is set aside; what is whole of the others is sent, and is in the next file."""
    desk.fill(*(row(seq, boot=EARLIER) for seq in (1, 2, 3)))
    garble(desk.path, column, value)

    record = desk.begin(retry_s=10 * WAIT_LIMIT_S, is_event=lambda key, body: body == b'{"seq":%d}' % key.seq)
    told = []
    while not isinstance(event := desk.inbox.events.get(timeout=WAIT_LIMIT_S), RecordRecovered):
        told.append(event)
    assert record.stop(WAIT_LIMIT_S)

    (failed,) = [event for event in told if isinstance(event, RecordFailed)]
    assert failed.reason.endswith("kept as record.sqlite.corrupt-1")
    assert Key(EARLIER, 2) not in [key for event in told if isinstance(event, BacklogRead) for key, _ in event.entries]
    if column != "kernel_boot":  # a text that can't be read ends the reading
        assert keys_of(desk.directory) == [Key(EARLIER, 1), Key(EARLIER, 3)]


@pytest.mark.parametrize(
    ("column", "value"), [("body", "7"), ("at", "'early'"), ("kernel_boot", "CAST(x'ff' AS TEXT)"), ("boot", "x'00'")]
)
def test_the_log_goes_on_behind_a_garbled_event(desk: Desk, column: str, value: str) -> None:
    """A person sees the others, and that there was one."""
    desk.fill(*(row(seq, boot=EARLIER) for seq in (1, 2, 3)))
    garble(desk.path, column, value)

    assert [each.key.seq for each in read_log(desk.directory)] == [1, 2, 3]


def test_a_receipt_that_makes_no_sense_is_none(desk: Desk) -> None:
    """The log doesn't tell who holds an event where that is garbled."""
    desk.fill(row(1, boot=EARLIER), received=(Key(EARLIER, 1),))
    with closing(CONNECT(desk.path, isolation_level=None)) as connection:
        connection.execute("UPDATE receipts SET received_at_utc = 'early'")

    (found,) = read_log(desk.directory)
    assert (found.received_by, found.received_at_utc) == (None, None)


# File systems of their own


@pytest.mark.parametrize(
    ("end", "reason"),
    [("stopped", "unable to open database file"), ("killed", "attempt to write a readonly database")],
)
def test_a_card_that_became_read_only_still_remembers(tmpfs: Desk, end: str, reason: str) -> None:
    """What was open comes back from a card that can't be written, and is told before the failure."""
    tmpfs.fill(row(1, boot=EARLIER), snapshot=b"42")
    if end == "killed":
        kill_in_its_work(tmpfs.directory)
    make_read_only(tmpfs.directory)

    record = tmpfs.begin()
    restored = tmpfs.inbox.loaded().restored
    failed = tmpfs.inbox.next(RecordFailed)
    record.append(row(1), b"43")
    make_writable(tmpfs.directory)

    assert restored.snapshot is not None
    assert tmpfs.inbox.backlog.entries[0] == (Key(EARLIER, 1), True)
    assert failed.reason == reason
    tmpfs.inbox.until_recovered(Key(BOOT, 1))


def test_a_read_only_card_can_be_looked_at(tmpfs: Desk) -> None:
    """The log is there for whoever examines the card on another machine."""
    tmpfs.fill(row(1, boot=EARLIER))
    make_read_only(tmpfs.directory)

    assert keys_of(tmpfs.directory) == [Key(EARLIER, 1)]


def test_half_a_record_is_not_taken_for_the_whole(tmpfs: Desk) -> None:
    """On a read-only card a write-ahead log that can't be read is a failure: what it holds is the newest."""
    kill_in_its_work(tmpfs.directory)
    tmpfs.path.with_name("record.sqlite-shm").unlink()
    make_read_only(tmpfs.directory)

    with pytest.raises(StateDirectoryError, match="unable to open database file"):
        keys_of(tmpfs.directory)


def test_a_full_card_is_an_outage_until_there_is_room(tmpfs: Desk) -> None:
    """What found no room is stored as soon as there is some."""
    record, _ = tmpfs.begin_loaded()
    filler = tmpfs.directory / "filler"
    with pytest.raises(OSError, match="No space left"):
        filler.write_bytes(b"x" * 4_000_000)
    large = Row(Key(BOOT, 1), True, 1.0, KERNEL, b"x" * 200_000)

    record.append(large, b"1")
    failed = tmpfs.inbox.next(RecordFailed)
    filler.unlink()

    assert failed.reason in ("database or disk is full", "disk I/O error")
    tmpfs.inbox.until_recovered(Key(BOOT, 1))

"""The record on real files, with its real thread: a test waits for the events that the writer puts."""

import os
import queue
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import pytest

import node.io.record.record
import node.io.record.record_file
import node.io.record.record_schema
from node.core.events import BacklogRead, Event, EventsStored, EvictionDue, RecordFailed, RecordLoaded, RecordRecovered
from node.core.model import Key, KeyRange, Restored, Snapshot
from node.errors import StateDirectoryError
from node.io.record.record import FILE_NAME, Record, Row, read_log
from tests.support.tmpfs import make_read_only, make_writable, mounted

PATIENCE_S = 20.0
NOW = 1_000.0
BOOT, EARLIER = "0000beef", "0000cafe"
KERNEL = "kernel-1"
NOBODY = 65_534
HEAD = 100
"""Bytes in which SQLite counts changes, so that they change when somebody only tries to write."""

GARBAGE = b"this was a record once, before the card forgot it\n" * 200

CONNECT: Callable[..., sqlite3.Connection] = sqlite3.connect

E = TypeVar("E", bound=Event)


class Inbox:
    """What the writer says, in order."""

    def __init__(self) -> None:
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.backlog = BacklogRead(NOW, (), more=False)
        self.refused: list[type[Event]] = []
        """Each type listed here is refused once, with an exception."""

    def put(self, event: Event) -> None:
        """Take an event, or refuse it."""
        if type(event) in self.refused:
            self.refused.remove(type(event))
            raise RuntimeError("the queue is broken")
        self.events.put(event)

    def next(self, kind: type[E]) -> E:
        """The next event, which must be of this kind."""
        event = self.events.get(timeout=PATIENCE_S)
        assert isinstance(event, kind), event
        return event

    def loaded(self) -> RecordLoaded:
        """The next events are what the record remembers, and then its ``backlog``."""
        loaded = self.next(RecordLoaded)
        self.backlog = self.next(BacklogRead)
        return loaded

    def until_stored(self, *keys: Key) -> None:
        """Wait until all of these are stored; nothing else may happen meanwhile."""
        missing = set(keys)
        while missing:
            missing -= set(self.next(EventsStored).keys)


class Desk:
    """One state directory, and the records that a test begins there."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / FILE_NAME
        self.inbox = Inbox()
        self.records: list[Record] = []

    def record(self, **changed: Any) -> Record:
        """A record that isn't started yet, stopped when the test ends."""
        arguments: dict[str, Any] = {
            "boot": BOOT,
            "kernel_boot": KERNEL,
            "put": self.inbox.put,
            "decode_snapshot": decode_snapshot,
            "clock": lambda: NOW,
            "retry_s": 0.01,
        }
        record = Record(self.directory, **(arguments | changed))
        self.records.append(record)
        return record

    def begin(self, **changed: Any) -> Record:
        """The same, started."""
        record = self.record(**changed)
        record.start()
        return record

    def begin_loaded(self, **changed: Any) -> tuple[Record, Restored]:
        """The same, with what it remembers."""
        record = self.begin(**changed)
        return record, self.inbox.loaded().restored

    def fill(self, *rows: Row, received: tuple[Key, ...] = (), boot: str = EARLIER, snapshot: bytes = b"1") -> None:
        """Let an earlier process store all this and end."""
        record, _ = self.begin_loaded(boot=boot)
        for each in rows:
            record.append(each, snapshot)
        self.inbox.until_stored(*(each.key for each in rows))
        for key in received:
            record.mark_received(key, "guard-desk", 5.0)
        assert record.stop(PATIENCE_S)

    def close(self) -> None:
        """End what is still running."""
        for record in self.records:
            assert record.stop(PATIENCE_S)


def decode_snapshot(stored: bytes) -> Snapshot:
    """A snapshot, told by its instant alone."""
    return Snapshot(at=float(stored))


def row(seq: int, *, alarm: bool = True, boot: str = BOOT, closes: str | None = None) -> Row:
    """An event that differs from every other."""
    return Row(Key(boot, seq), alarm, seq + 0.5, KERNEL, b'{"seq":%d}' % seq, closes)


def keys_of(directory: Path) -> list[Key]:
    """What the record holds, oldest first."""
    return [each.key for each in read_log(directory)]


def hold_lock(path: Path) -> sqlite3.Connection:
    """Keep everybody else from writing, as a disk that stalls does, until the connection is closed."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    return connection


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A state directory that exists and is empty."""
    desk = Desk(tmp_path)
    yield desk
    desk.close()


class Tap:
    """The writer's own connections, and each statement that they execute."""

    def __init__(self) -> None:
        self.connections: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()
        self.statements: list[str] = []
        self.begun = threading.Semaphore(0)
        """Released when a transaction begins, or tries to."""

    def connect(self, database: Any, **options: Any) -> sqlite3.Connection:
        """What sqlite3.connect does, listened to."""
        connection = CONNECT(database, check_same_thread=False, **options)
        if "uri" not in options:
            connection.set_trace_callback(self.hear)
            self.connections.put(connection)
        return connection

    def hear(self, statement: str) -> None:
        """Note a statement that begins."""
        self.statements.append(statement)
        if statement == "BEGIN IMMEDIATE":
            self.begun.release()


@pytest.fixture
def tap(monkeypatch: pytest.MonkeyPatch) -> Tap:
    """A tap on the writer of each record that is started in this test."""
    tap = Tap()
    monkeypatch.setattr("node.io.record.record_file.sqlite3.connect", tap.connect)
    return tap


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> threading.Semaphore:
    """Counts how often a writer tried to open its file."""
    tried = threading.Semaphore(0)
    open_to_write = node.io.record.record_file._open_to_write  # noqa: SLF001 -- listened to, not replaced

    def count(path: Path) -> sqlite3.Connection:
        tried.release()
        return open_to_write(path)

    monkeypatch.setattr(node.io.record.record_file, "_open_to_write", count)
    return tried


@pytest.fixture
def tmpfs(tmp_path: Path) -> Iterator[Desk]:
    """A state directory on a file system of 2 MB that belongs to the test."""
    with mounted(tmp_path / "card") as directory, closing(Desk(directory)) as desk:
        yield desk


# What is stored, and what comes back


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

    writer = tap.connections.get(timeout=PATIENCE_S)

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

    ended = record.stop(PATIENCE_S)

    assert ended
    assert keys_of(desk.directory) == [Key(EARLIER, seq) for seq in range(1, 51)]
    desk.inbox.until_stored(*keys_of(desk.directory))
    assert desk.begin_loaded()[1].snapshot == Snapshot(at=7.0)


def test_a_record_that_never_started_has_nothing_to_end(desk: Desk) -> None:
    """Stop before start returns at once, so that a service that failed on its way up can tidy up."""
    record = desk.record()

    assert record.stop(PATIENCE_S)


def test_a_thread_that_hangs_is_told_and_abandoned(desk: Desk) -> None:
    """Stop waits no longer than it was told to for a writer that doesn't come back."""
    release = threading.Event()
    record = desk.begin(put=lambda _event: release.wait())

    ended = record.stop(0.05)

    release.set()
    assert not ended


def test_a_stalled_disk_stalls_no_caller(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the writer can't get on, every call returns, payloads can be sent, and later everything is stored."""
    monkeypatch.setattr(node.io.record.record_file, "_BUSY_S", 3 * PATIENCE_S)
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


STORE_AND_TELL = """
import queue, sys
from pathlib import Path
from node.core.events import BacklogRead, EventsStored, RecordLoaded
from node.core.model import Key, Snapshot
from node.io.record.record import Record, Row
events = queue.SimpleQueue()
record = Record(Path(sys.argv[1]), boot="0000cafe", kernel_boot="kernel-1", put=events.put,
                decode_snapshot=lambda stored: Snapshot(float(stored)))
record.start()
seq = 0
while True:
    seq += 1
    record.append(Row(Key("0000cafe", seq), True, 1.0, "kernel-1", b"{}"), b"%d" % seq)
    stored = False
    while not stored:
        event = events.get()
        assert isinstance(event, (RecordLoaded, BacklogRead, EventsStored)), event
        stored = isinstance(event, EventsStored)
    print(seq, flush=True)
"""


def kill_in_its_work(directory: Path) -> list[int]:
    """Let another process store events, and kill it; the numbers of those that it told as stored."""
    command = [sys.executable, "-c", STORE_AND_TELL, str(directory)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, cwd=Path(node.io.record.record.__file__).parents[2]
    ) as victim:
        assert victim.stdout is not None
        told = [int(victim.stdout.readline()) for _ in range(30)]
        victim.kill()
        told += [int(line) for line in victim.stdout if line.endswith(b"\n")]
    assert victim.returncode == -signal.SIGKILL
    return told


def test_what_was_told_as_stored_survives_a_kill(desk: Desk) -> None:
    """After kill -9 in the midst of its work, a new process finds each event that the old one said was stored."""
    told = kill_in_its_work(desk.directory)

    _, restored = desk.begin_loaded()

    assert len(told) >= 30
    assert [key for key, _ in desk.inbox.backlog.entries][: len(told)] == [Key(EARLIER, seq) for seq in told]
    assert restored.snapshot is not None
    assert restored.snapshot.at >= told[-1]
    assert keys_of(desk.directory) == [key for key, _ in desk.inbox.backlog.entries]


# What a restart learns


def test_the_newest_snapshot_comes_back(desk: Desk) -> None:
    """Whether it came with an event or alone, only the last one counts."""
    record, _ = desk.begin_loaded()
    record.append(row(1), b"1")
    desk.inbox.until_stored(Key(BOOT, 1))
    record.remember(b"2")
    assert record.stop(PATIENCE_S)
    assert desk.inbox.next(EventsStored).keys == ()

    _, restored = desk.begin_loaded()

    assert restored.snapshot == Snapshot(at=2.0)


@pytest.mark.parametrize(("kernel", "same"), [(KERNEL, True), ("kernel-2", False)])
def test_a_reboot_of_the_machine_is_noticed(desk: Desk, kernel: str, same: bool) -> None:
    """The snapshot's instants are only of use in the machine's boot in which they were taken."""
    desk.fill(row(1, boot=EARLIER))

    _, restored = desk.begin_loaded(kernel_boot=kernel)

    assert restored.same_kernel is same


def test_a_snapshot_that_makes_no_sense_is_no_obstacle(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """Everything else comes back, the log says what happened, and the record can be written."""
    desk.fill(row(1, boot=EARLIER), snapshot=b"no number")

    record, restored = desk.begin_loaded()
    record.append(row(1), b"1")
    desk.inbox.until_stored(Key(BOOT, 1))

    assert restored == Restored(None, True, Key(EARLIER, 1), ())
    assert "snapshot makes no sense" in caplog.text


def test_the_previous_boot_is_the_newest_one_before_ours(desk: Desk) -> None:
    """Of several boots the last one counts, whatever its digits, and of its events the last."""
    desk.fill(row(1, boot="ffffffff"), row(2, boot="ffffffff"), row(3, boot="ffffffff"), boot="ffffffff")
    desk.fill(row(1, boot="00000000"), row(2, boot="00000000"), boot="00000000")

    _, restored = desk.begin_loaded()

    assert restored.previous == Key("00000000", 2)


def test_our_own_boot_is_not_the_previous_one(desk: Desk) -> None:
    """What this boot stored itself is no answer to the question what came before it."""
    desk.fill(row(1, boot=EARLIER))
    desk.fill(row(1))

    _, restored = desk.begin_loaded(boot=BOOT)

    assert restored.previous == Key(EARLIER, 1)


def test_the_newest_resets_come_back(desk: Desk) -> None:
    """The last 256 incidents that were reset are known, the oldest of them first."""
    rows = [row(seq, boot=EARLIER, closes=f"incident-{seq}" if seq % 2 else None) for seq in range(1, 601)]
    desk.fill(*rows)

    _, restored = desk.begin_loaded()

    assert restored.closed == tuple(f"incident-{seq}" for seq in range(89, 601, 2))


def test_the_backlog_is_what_nobody_received(desk: Desk) -> None:
    """Alarms come before telemetry, each in the order of its events; what was received is left out."""
    rows = [row(seq, boot=EARLIER, alarm=seq in (3, 5, 6)) for seq in range(1, 7)]
    desk.fill(*rows, received=(Key(EARLIER, 2), Key(EARLIER, 5)))

    record, _ = desk.begin_loaded()

    assert [(key.seq, alarm) for key, alarm in desk.inbox.backlog.entries] == [
        (3, True),
        (6, True),
        (1, False),
        (4, False),
    ]
    assert not desk.inbox.backlog.more
    assert record.row(Key(EARLIER, 3)) == rows[2]
    assert record.row(Key(EARLIER, 5)) is None


@pytest.mark.parametrize(("stored", "more"), [(1_000, False), (1_001, True)])
def test_a_thousand_events_come_back_at_once(desk: Desk, stored: int, more: bool) -> None:
    """The backlog has a limit, and says when the record holds others."""
    desk.fill(*(row(seq, boot=EARLIER) for seq in range(1, stored + 1)))

    desk.begin_loaded()

    assert len(desk.inbox.backlog.entries) == 1_000
    assert desk.inbox.backlog.more is more


@pytest.mark.parametrize(("stored", "more"), [(1_010, False), (1_011, True)])
def test_the_rest_of_the_backlog_can_be_read_later(desk: Desk, stored: int, more: bool) -> None:
    """What the loop knows already doesn't count; what comes is ready for sending."""
    desk.fill(*(row(seq, boot=EARLIER, alarm=seq == stored) for seq in range(1, stored + 1)))
    record, _ = desk.begin_loaded()

    record.read_backlog([Key(EARLIER, seq) for seq in range(1, 11)])

    read = desk.inbox.next(BacklogRead)
    assert read.at == NOW
    assert read.entries[:2] == ((Key(EARLIER, stored), True), (Key(EARLIER, 11), False))
    assert len(read.entries) == 1_000
    assert read.more is more
    assert record.row(Key(EARLIER, 11)) == row(11, boot=EARLIER, alarm=False)


# How far a call got, and when


def test_a_step_is_written_with_what_comes_next(desk: Desk, tap: Tap) -> None:
    """It begins no transaction of its own, for which an alarm might have to wait, and each step counts once."""
    record, _ = desk.begin_loaded()
    record.append(row(1), b"1")
    desk.inbox.until_stored(Key(BOOT, 1))
    begun = tap.statements.count("BEGIN IMMEDIATE")
    record.note_step(Key(BOOT, 1), "stored", 1.504)
    record.note_step(Key(BOOT, 1), "accepted", 1.507)
    record.note_step(Key(BOOT, 1), "accepted", 9.0)
    alone = tap.statements.count("BEGIN IMMEDIATE")
    record.mark_received(Key(BOOT, 1), "guard-desk", 5.0)
    record.note_step(Key(BOOT, 1), "received", 1.531)
    assert record.stop(PATIENCE_S)

    (found,) = read_log(desk.directory)
    assert alone == begun
    assert [step for step, _ in found.steps] == ["stored", "accepted", "received"]
    assert [after for _, after in found.steps] == pytest.approx([0.004, 0.007, 0.031])


def test_a_step_after_a_reboot_has_no_time(desk: Desk) -> None:
    """The machine's clock began anew in between, so nobody can tell how long it took; the first time counts."""
    desk.fill(row(1, boot=EARLIER))
    record, _ = desk.begin_loaded(kernel_boot="kernel-2")
    record.note_step(Key(EARLIER, 1), "received", 0.5)
    record.mark_received(Key(EARLIER, 1), "guard-desk", 5.0)
    assert record.stop(PATIENCE_S)

    (found,) = read_log(desk.directory)
    assert found.steps == (("received", None),)


def test_steps_that_wait_for_the_disk_have_a_limit(desk: Desk) -> None:
    """They are labels: the oldest go without a word."""
    record = desk.record(kept=2)
    record.append(row(1), b"1")
    for step in ("stored", "accepted", "received"):
        record.note_step(Key(BOOT, 1), step, 2.5)
    record.start()
    desk.inbox.loaded()
    desk.inbox.until_stored(Key(BOOT, 1))

    (found,) = read_log(desk.directory)
    assert [step for step, _ in found.steps] == ["accepted", "received"]


# A record that has grown to its limit

LIMIT = 512 * 1024


class Limited:
    """A record with a small limit, whose core tells evictions as the real one does."""

    def __init__(self, desk: Desk, boot: str = BOOT) -> None:
        self.desk, self.boot, self.seq = desk, boot, 0
        self.evicted: list[KeyRange] = []
        self.record, _ = desk.begin_loaded(boot=boot, limit_bytes=LIMIT)

    def store(self, count: int, *, alarm: bool = False, received: bool = False) -> set[int]:
        """Store so many events; what is asked for meanwhile is done. Their numbers."""
        mine = set(range(self.seq + 1, self.seq + count + 1))
        for _ in range(count):
            self._append(alarm)
            if received:
                self.record.mark_received(Key(self.boot, self.seq), "guard-desk", 5.0)
        last = Key(self.boot, self.seq)
        while True:
            event = self.desk.inbox.events.get(timeout=PATIENCE_S)
            if isinstance(event, EvictionDue):
                self.evicted += event.ranges
                self._append(False, event.ranges)
                last = Key(self.boot, self.seq)
            elif last in getattr(event, "keys", ()):
                return mine

    def holds(self) -> set[int]:
        """The numbers of this boot's events that are left."""
        return {key.seq for key in keys_of(self.desk.directory) if key.boot == self.boot}

    def has_evicted(self, seq: int) -> bool:
        """Whether an event of this boot was named as one that went."""
        return any(each.holds(Key(self.boot, seq)) for each in self.evicted)

    def _append(self, alarm: bool, evicts: tuple[KeyRange, ...] = ()) -> None:
        self.seq += 1
        stored = Row(Key(self.boot, self.seq), alarm, self.seq + 0.5, KERNEL, b"x" * 400, None, evicts)
        self.record.append(stored, b"1")
        self.record.spill(stored.key)


def test_endless_telemetry_keeps_within_the_limit(desk: Desk) -> None:
    """Neither the file nor its log grows beyond it, however much comes: the oldest goes, and all that went is named."""
    limited = Limited(desk)

    for _ in range(60):
        limited.store(100)

    left = limited.holds()
    assert desk.path.stat().st_size <= LIMIT + 128 * 1024
    assert desk.path.with_name(f"{FILE_NAME}-wal").stat().st_size <= 5 * 2**20
    assert all(limited.has_evicted(seq) is (seq not in left) for seq in range(1, limited.seq + 1))
    assert len({seq for seq in left if seq < 4_000}) <= 5, "beside those that say what went"
    assert limited.seq in left


def test_what_was_received_goes_first(desk: Desk) -> None:
    """Though it is newer than what nobody holds yet."""
    limited = Limited(desk)
    limited.store(300)

    for _ in range(3):
        limited.store(500, received=True)

    assert limited.evicted
    assert limited.holds() >= set(range(1, 301))


def test_alarms_never_go(desk: Desk) -> None:
    """The file grows rather than lose one; they stand between the ranges that are named, and come back at a start."""
    limited = Limited(desk)
    alarms = set()

    for _ in range(1_000):
        alarms |= limited.store(1, alarm=True)
        limited.store(2)

    assert limited.holds() >= alarms
    assert limited.evicted
    assert not any(limited.has_evicted(seq) for seq in alarms)
    assert limited.record.stop(PATIENCE_S)
    desk.begin_loaded(boot="00000003", limit_bytes=LIMIT)
    assert [key.seq for key, alarm in desk.inbox.backlog.entries if alarm] == sorted(alarms)[:1_000]


def test_receipts_of_what_went_are_nowhere(desk: Desk) -> None:
    """One that comes late changes nothing, and one that was there goes along."""
    limited = Limited(desk)
    for _ in range(6):
        limited.store(500, received=True)
    limited.record.mark_received(Key(BOOT, 1), "guard-desk", 5.0)
    assert limited.record.stop(PATIENCE_S)

    with closing(CONNECT(desk.path)) as reader:
        orphans = "SELECT count(*) FROM receipts LEFT JOIN events USING (boot, seq) WHERE id IS NULL"
        found = reader.execute(orphans).fetchone()
    assert found == (0,)


def test_an_eviction_that_found_no_disk_is_proposed_again(desk: Desk) -> None:
    """Nothing goes before the event that names it is stored."""
    limited = Limited(desk)
    limited.store(900)
    record = limited.record
    record.append(Row(Key(BOOT, 9_000), False, 1.0, KERNEL, b"x" * 200_000), b"1")
    desk.inbox.until_stored(Key(BOOT, 9_000))
    first = desk.inbox.next(EvictionDue)
    before = keys_of(desk.directory)
    desk.path.rename(desk.directory / "elsewhere")
    record.remember(b"2")
    failed = desk.inbox.next(RecordFailed)
    (desk.directory / "elsewhere").rename(desk.path)

    assert first.ranges
    assert failed.reason == "No such file or directory"
    assert [key for key in before if any(each.holds(key) for each in first.ranges)]


# A record of an earlier version

VERSION_1 = """
    CREATE TABLE events (
        id INTEGER PRIMARY KEY, boot TEXT NOT NULL, seq INTEGER NOT NULL, alarm INTEGER NOT NULL, at REAL NOT NULL,
        kernel_boot TEXT NOT NULL, body BLOB NOT NULL, closes TEXT, UNIQUE (boot, seq));
    CREATE INDEX events_to_send ON events (alarm DESC, id, boot, seq);
    CREATE INDEX events_that_close ON events (id) WHERE closes IS NOT NULL;
    CREATE TABLE receipts (
        boot TEXT NOT NULL, seq INTEGER NOT NULL, received_by TEXT NOT NULL, received_at_utc REAL NOT NULL,
        PRIMARY KEY (boot, seq)) WITHOUT ROWID;
    CREATE TABLE memory (name TEXT PRIMARY KEY, value BLOB NOT NULL, kernel_boot TEXT NOT NULL) WITHOUT ROWID;
    INSERT INTO events (boot, seq, alarm, at, kernel_boot, body, closes) VALUES
        ('0000cafe', 1, 0, 1.5, 'kernel-1', x'7b7d', NULL), ('0000cafe', 2, 1, 2.5, 'kernel-1', x'7b7d', NULL),
        ('0000cafe', 3, 1, 3.5, 'kernel-1', x'7b7d', 'incident-2');
    INSERT INTO receipts VALUES ('0000cafe', 2, 'guard-desk', 5.0);
    INSERT INTO memory VALUES ('snapshot', x'3432', 'kernel-1');
    PRAGMA user_version = 1;
    PRAGMA journal_mode = WAL;
"""


def leave_version_1(path: Path) -> None:
    """Make the file that the first alarm-node would have left."""
    with closing(CONNECT(path)) as connection:
        connection.executescript(VERSION_1)


def test_a_record_of_version_1_is_kept_and_goes_on(desk: Desk) -> None:
    """All that it remembers comes back, what is outstanding too; new events and receipts count as in a new file."""
    leave_version_1(desk.path)

    record, restored = desk.begin_loaded()
    backlog = desk.inbox.backlog
    record.append(row(1), b"43")
    desk.inbox.until_stored(Key(BOOT, 1))
    record.mark_received(Key(EARLIER, 3), "guard-desk", 6.0)
    record.read_backlog([])

    assert restored == Restored(Snapshot(at=42.0), True, Key(EARLIER, 3), ("incident-2",))
    assert backlog.entries == ((Key(EARLIER, 3), True), (Key(EARLIER, 1), False))
    assert desk.inbox.next(BacklogRead).entries == ((Key(BOOT, 1), True), (Key(EARLIER, 1), False))
    found = [(each.key, each.received_by) for each in read_log(desk.directory)]
    assert found == [
        (Key(EARLIER, 1), None),
        (Key(EARLIER, 2), "guard-desk"),
        (Key(EARLIER, 3), "guard-desk"),
        (Key(BOOT, 1), None),
    ]


def test_a_record_of_version_1_is_upgraded_whole_or_not_at_all(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure leaves the file as it was, the next try upgrades it, and what it remembers comes back at once."""
    leave_version_1(desk.path)
    upgrades = node.io.record.record_schema.UPGRADES
    monkeypatch.setattr(node.io.record.record_file, "UPGRADES", (*upgrades[:-1], (*upgrades[-1], "a mistake")))

    record, restored = desk.begin_loaded()
    backlog, failed = desk.inbox.backlog, desk.inbox.next(RecordFailed)
    with closing(CONNECT(desk.path)) as reader:
        version = reader.execute("PRAGMA user_version").fetchone()
        tables = reader.execute("SELECT count(*) FROM sqlite_master WHERE name = 'outstanding'").fetchone()
    monkeypatch.setattr(node.io.record.record_file, "UPGRADES", upgrades)
    record.append(row(1), b"43")

    assert (version, tables) == ((1,), (0,))
    assert restored.snapshot == Snapshot(at=42.0)
    assert backlog.entries == ((Key(EARLIER, 3), True), (Key(EARLIER, 1), False))
    assert "syntax error" in failed.reason
    desk.inbox.until_stored(Key(EARLIER, 1), Key(EARLIER, 3), Key(BOOT, 1))
    desk.inbox.next(RecordRecovered)


def test_the_log_of_version_1_can_be_read(desk: Desk) -> None:
    """On a card that was taken out of a machine, nothing is upgraded by looking."""
    leave_version_1(desk.path)

    assert keys_of(desk.directory) == [Key(EARLIER, seq) for seq in (1, 2, 3)]


# Receipts and payloads


def test_a_receipt_marks_and_removes_nothing(desk: Desk) -> None:
    """The event's row stays, with who holds it since when; the first receipt is the one that is kept."""
    record, _ = desk.begin_loaded()
    record.append(row(1), b"1")
    desk.inbox.until_stored(Key(BOOT, 1))
    record.mark_received(Key(BOOT, 1), "guard-desk", 5.0)
    record.mark_received(Key(BOOT, 1), "porter", 6.0)

    record.read_backlog([])
    read = desk.inbox.next(BacklogRead)
    record.mark_received(Key(BOOT, 1), "night-desk", 7.0)
    assert record.stop(PATIENCE_S)

    assert read.entries == ()
    (found,) = read_log(desk.directory)
    assert (found.key, found.received_by, found.received_at_utc) == (Key(BOOT, 1), "guard-desk", 5.0)


def test_a_payload_is_held_until_it_is_received(desk: Desk) -> None:
    """The event can be sent from the moment it is appended until its receipt, stored or not."""
    record = desk.record()

    record.append(row(1), b"1")
    before = record.row(Key(BOOT, 1))
    record.mark_received(Key(BOOT, 1), "guard-desk", 5.0)

    assert before == row(1)
    assert record.row(Key(BOOT, 1)) is None


def test_a_spilled_event_is_stored_and_comes_back(desk: Desk) -> None:
    """Spill frees the memory only, even of what isn't stored yet."""
    record = desk.record()
    record.append(row(1), b"1")
    record.spill(Key(BOOT, 1))
    spilled = record.row(Key(BOOT, 1))

    record.start()
    desk.inbox.loaded()
    desk.inbox.until_stored(Key(BOOT, 1))
    record.read_backlog([])
    read = desk.inbox.next(BacklogRead)

    assert spilled is None
    assert read.entries == ((Key(BOOT, 1), True),)
    assert record.row(Key(BOOT, 1)) == row(1)


def test_a_receipt_that_still_waits_counts_for_the_backlog(desk: Desk) -> None:
    """What was received before the record is loaded isn't brought back for sending."""
    desk.fill(row(1, boot=EARLIER), row(2, boot=EARLIER))
    record = desk.record()
    record.mark_received(Key(EARLIER, 1), "guard-desk", 5.0)

    record.start()
    desk.inbox.loaded()

    assert desk.inbox.backlog.entries == ((Key(EARLIER, 2), True),)
    assert record.row(Key(EARLIER, 1)) is None


# Outages


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


def break_newer_version(path: Path) -> Callable[[], object]:
    """A later alarm-node left its record, in a shape that this one can't know."""
    with closing(CONNECT(path)) as connection:
        connection.execute("PRAGMA user_version = 3")
    return path.unlink


BREAKAGES = [
    (break_nothing_there, "No such file or directory"),
    (break_file_for_directory, "Not a directory"),
    (break_directory_for_file, "unable to open database file"),
    (break_newer_version, "has version 3, and this program knows 2"),
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
        assert attempts.acquire(timeout=PATIENCE_S)
    told = [desk.inbox.next(RecordFailed), *(desk.inbox.events.get() for _ in range(desk.inbox.events.qsize()))]

    repair()

    assert told == [RecordFailed(NOW, reason)]
    assert desk.inbox.loaded().restored == Restored()
    desk.inbox.until_stored(Key(BOOT, 1), Key(BOOT, 2))
    assert desk.inbox.next(RecordRecovered) == RecordRecovered(NOW)
    assert keys_of(desk.directory) == [Key(BOOT, 1), Key(BOOT, 2)]


def test_a_disk_that_keeps_no_promise_is_an_outage(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where SQLite can't have its write-ahead log (a network's disk), the record says so and doesn't pretend."""

    def connect_without_shared_memory(database: Any, **options: Any) -> sqlite3.Connection:
        return CONNECT(f"file:{database}?vfs=unix-dotfile", **(options | {"uri": True}))

    monkeypatch.setattr("node.io.record.record_file.sqlite3.connect", connect_without_shared_memory)

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
    desk.inbox.until_stored(Key(BOOT, 2), Key(BOOT, 3))
    desk.inbox.next(RecordRecovered)
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
        assert tap.begun.acquire(timeout=PATIENCE_S)
        record.append(row(2), b"2")
        record.mark_received(Key(EARLIER, 1), "porter", 6.0)
        failed = desk.inbox.next(RecordFailed)

    assert failed.reason == "database is locked"
    desk.inbox.until_stored(Key(BOOT, 1), Key(BOOT, 2))
    desk.inbox.next(RecordRecovered)
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
    assert record.stop(PATIENCE_S)

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
    desk.inbox.until_stored(Key(BOOT, 1))
    desk.inbox.next(RecordRecovered)


def test_the_pause_between_tries_ends_with_a_stop(desk: Desk) -> None:
    """Stopping in an outage waits for no retry, and is an end although nothing could be written."""
    break_directory_for_file(desk.path)
    record = desk.begin(retry_s=10 * PATIENCE_S)
    record.append(row(1), b"1")
    desk.inbox.next(RecordFailed)

    ended = record.stop(PATIENCE_S)

    assert ended
    assert record.depth == 1


def test_a_stop_is_one_more_try(desk: Desk) -> None:
    """What waited for the next try is stored when the disk is back by the time of the stop."""
    repair = break_directory_for_file(desk.path)
    record = desk.begin(retry_s=10 * PATIENCE_S)
    desk.inbox.next(RecordFailed)
    record.append(row(1), b"1")

    repair()
    assert record.stop(PATIENCE_S)

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
    desk.inbox.until_stored(Key(EARLIER, 1), Key(BOOT, 2))
    desk.inbox.next(RecordRecovered)
    assert record.stop(PATIENCE_S)

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
    assert record.stop(PATIENCE_S)

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
            assert seq > 1 or tap.begun.acquire(timeout=PATIENCE_S)
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
    assert record.stop(PATIENCE_S)

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
    assert record.stop(PATIENCE_S)

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
    assert record.stop(PATIENCE_S)

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
    assert record.stop(PATIENCE_S)

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
    told = [desk.inbox.events.get(timeout=PATIENCE_S) for _ in range(5)]

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


# Damage


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

    record = desk.begin(retry_s=10 * PATIENCE_S)
    record.append(row(1), b"1")

    assert desk.inbox.next(RecordFailed).reason == f"{reason}; kept as record.sqlite.corrupt-1"
    assert desk.inbox.loaded().restored == Restored()
    desk.inbox.until_stored(Key(BOOT, 1))
    desk.inbox.next(RecordRecovered)
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

    monkeypatch.setattr("node.io.record.record_file.sqlite3.connect", garbling)

    desk.begin()
    for _ in range(15):
        assert attempts.acquire(timeout=PATIENCE_S)

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

    desk.begin_loaded(retry_s=10 * PATIENCE_S)
    failed = desk.inbox.next(RecordFailed)
    desk.inbox.until_stored(*(Key(EARLIER, seq) for seq in range(1, 1_001)))
    desk.inbox.next(RecordRecovered)

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
        assert begun.acquire(timeout=PATIENCE_S)
        record.append(row(seq), b"1")
        desk.inbox.until_stored(Key(BOOT, seq))

    assert begun.acquire(timeout=PATIENCE_S)
    assert record.stop(PATIENCE_S)


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

    record = desk.begin(retry_s=10 * PATIENCE_S, is_event=lambda key, body: body == b'{"seq":%d}' % key.seq)
    told = []
    while not isinstance(event := desk.inbox.events.get(timeout=PATIENCE_S), RecordRecovered):
        told.append(event)
    assert record.stop(PATIENCE_S)

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
    tmpfs.inbox.until_stored(Key(BOOT, 1))
    tmpfs.inbox.next(RecordRecovered)


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
    tmpfs.inbox.until_stored(Key(BOOT, 1))
    tmpfs.inbox.next(RecordRecovered)


# The reader


def test_the_log_can_be_read_while_the_record_is_written(desk: Desk) -> None:
    """A reader sees what is stored, and never keeps the writer waiting."""
    record, _ = desk.begin_loaded()
    record.append(row(1), b"1")
    desk.inbox.until_stored(Key(BOOT, 1))

    reader = read_log(desk.directory)
    first = next(reader)
    record.append(row(2), b"2")
    desk.inbox.until_stored(Key(BOOT, 2))

    assert first.key == Key(BOOT, 1)
    assert [each.key for each in reader] == [Key(BOOT, 2)]


def test_a_long_log_is_read_to_its_end(desk: Desk) -> None:
    """Oldest first, each once, however many there are."""
    desk.fill(*(row(seq, boot=EARLIER, alarm=seq % 2 == 0) for seq in range(1, 1_202)))

    assert keys_of(desk.directory) == [Key(EARLIER, seq) for seq in range(1, 1_202)]


def test_a_reader_changes_nothing(desk: Desk) -> None:
    """Reading what a stopped node left leaves its file as it was, and the node can start again."""
    desk.fill(row(1, boot=EARLIER))
    stored = desk.path.read_bytes()

    keys_of(desk.directory)

    assert desk.path.read_bytes() == stored
    assert desk.begin_loaded()[1].previous == Key(EARLIER, 1)


def spoil_nothing_there(path: Path) -> None:
    """The file is missing."""


def spoil_directory(path: Path) -> None:
    """A file lies where the directory should be."""
    path.parent.rmdir()
    path.parent.touch()


def spoil_empty(path: Path) -> None:
    """The file is there, and nobody wrote to it."""
    path.touch()


def spoil_garbage(path: Path) -> None:
    """The file is no database."""
    path.write_bytes(GARBAGE)


def spoil_version(path: Path) -> None:
    """The file is from a later alarm-node."""
    break_newer_version(path)


UNREADABLE = [
    (spoil_nothing_there, "there is no record in", "start the node once"),
    (spoil_directory, "there is no record in", "check [node] state_directory"),
    (spoil_empty, "holds no record", "use the version of alarm-node that wrote it"),
    (spoil_garbage, "file is not a database", "restart the node"),
    (spoil_version, "has version 3, and this program knows 2", "use the version of alarm-node that wrote it"),
]


@pytest.mark.parametrize(("spoil", "what", "next_step"), UNREADABLE)
def test_a_log_that_cannot_be_read_says_what_to_do(
    desk: Desk, spoil: Callable[[Path], None], what: str, next_step: str
) -> None:
    """One error with the reason and the next step, and nothing is created by looking."""
    spoil(desk.path)
    before = [path.name for path in desk.directory.parent.rglob("*")]

    with pytest.raises(StateDirectoryError) as failure:
        keys_of(desk.directory)

    assert str(failure.value).startswith("E004 ")
    assert what in failure.value.text
    assert next_step in failure.value.next_step
    assert [path.name for path in desk.directory.parent.rglob("*")] == before


@pytest.mark.parametrize("closed", [FILE_NAME, "."])
def test_a_log_without_permission_names_who_may_read_it(closed: str) -> None:
    """Another user learns that it is a matter of rights, whether the file or its directory is closed to them."""
    with tempfile.TemporaryDirectory() as name:  # pytest's own directories are closed to everybody else
        desk = Desk(Path(name))
        desk.fill(row(1, boot=EARLIER))
        desk.directory.chmod(0o755)
        (desk.directory / closed).chmod(0)
        user = os.geteuid()
        try:
            os.seteuid(user or NOBODY)
            with pytest.raises(StateDirectoryError) as failure:
                keys_of(desk.directory)
        finally:
            os.seteuid(user)
            (desk.directory / closed).chmod(0o700)

    assert failure.value.next_step == "run this as root (sudo) or as the user that the node runs as"

"""What the tests of the record share: a record whose events are waited for, and rows to put into it."""

import queue
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import node.io.record.record
from node.core.events import BacklogRead, Event, EventsStored, RecordLoaded, RecordRecovered
from node.core.model import Key, Restored, Snapshot
from node.io.record.record import FILE_NAME, Record, Row, read_log
from node.io.record.record_schema import VERSION

WAIT_LIMIT_S = 20.0
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
        event = self.events.get(timeout=WAIT_LIMIT_S)
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

    def until_recovered(self, *keys: Key) -> None:
        """Wait until the record works again and all of these are stored: a file may be in use before they come."""
        missing: set[Key | None] = {None, *keys}
        while missing:
            event = self.events.get(timeout=WAIT_LIMIT_S)
            assert isinstance(event, EventsStored | RecordRecovered), event
            missing -= set(event.keys) if isinstance(event, EventsStored) else {None}


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
        assert record.stop(WAIT_LIMIT_S)

    def close(self) -> None:
        """End what is still running."""
        for record in self.records:
            assert record.stop(WAIT_LIMIT_S)


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
for seq in range(1, 101):
    record.append(Row(Key("0000cafe", seq), True, 1.0, "kernel-1", b"{}"), b"%d" % seq)
    stored = False
    while not stored:
        event = events.get()
        assert isinstance(event, (RecordLoaded, BacklogRead, EventsStored)), event
        stored = isinstance(event, EventsStored)
    print(seq, flush=True)
while True:  # a small disk would be full before a busy machine has killed this
    events.get()
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


def break_newer_version(path: Path) -> Callable[[], object]:
    """A later alarm-node left its record, in a shape that this one can't know."""
    with closing(CONNECT(path)) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    return path.unlink

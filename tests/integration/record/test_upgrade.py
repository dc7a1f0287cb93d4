"""A record that an earlier version has written."""

from contextlib import closing
from itertools import chain
from pathlib import Path

import pytest

import node.io.record.record_file
import node.io.record.record_schema
from node.core.events import BacklogRead, RecordFailed
from node.core.model import BROKER, Key, Restored, Snapshot
from node.io.record.record import read_log
from tests.integration.record.desk import BOOT, CONNECT, EARLIER, Desk, keys_of, row

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
    desk.inbox.until_recovered(Key(EARLIER, 1), Key(EARLIER, 3), Key(BOOT, 1))


def test_the_log_of_version_1_can_be_read(desk: Desk) -> None:
    """On a card that was taken out of a machine, nothing is upgraded by looking."""
    leave_version_1(desk.path)

    assert keys_of(desk.directory) == [Key(EARLIER, seq) for seq in (1, 2, 3)]


def test_a_record_of_version_2_tells_what_only_a_broker_took(desk: Desk) -> None:
    """Once a monitor is awaited: the file of before has neither the index nor the trigger for it."""
    with closing(CONNECT(desk.path, isolation_level=None)) as left:
        for statement in chain.from_iterable(node.io.record.record_schema.UPGRADES[:2]):
            left.execute(statement)
        left.execute("INSERT INTO events VALUES (1, ?, 1, 1, 1.5, 'kernel-1', x'7b7d', NULL, 0)", (EARLIER,))
        left.execute("INSERT INTO receipts VALUES (?, 1, ?, 5.0)", (EARLIER, BROKER))
        left.execute("PRAGMA user_version = 2")

    desk.begin_loaded(awaits_monitor=True)
    backlog = desk.inbox.next(BacklogRead)

    assert desk.inbox.backlog.entries == ()
    assert backlog.entries == ((Key(EARLIER, 1), True),)

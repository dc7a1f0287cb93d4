"""The tables of the record's file, and how a file of an earlier version is upgraded to today's.

A new file goes through the same steps as the oldest one: a file without tables is version 0. Only the triggers decide
which events are outstanding, so no path through the code can forget it.
"""

UPGRADES: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE events (
            id INTEGER PRIMARY KEY, boot TEXT NOT NULL, seq INTEGER NOT NULL, alarm INTEGER NOT NULL, at REAL NOT NULL,
            kernel_boot TEXT NOT NULL, body BLOB NOT NULL, closes TEXT, UNIQUE (boot, seq))""",
        "CREATE INDEX events_to_send ON events (alarm DESC, id, boot, seq)",
        "CREATE INDEX events_that_close ON events (id) WHERE closes IS NOT NULL",
        """CREATE TABLE receipts (
            boot TEXT NOT NULL, seq INTEGER NOT NULL, received_by TEXT NOT NULL, received_at_utc REAL NOT NULL,
            PRIMARY KEY (boot, seq)) WITHOUT ROWID""",
        "CREATE TABLE memory (name TEXT PRIMARY KEY, value BLOB NOT NULL, kernel_boot TEXT NOT NULL) WITHOUT ROWID",
    ),
    (
        "DROP INDEX events_to_send",
        # The events that nobody holds yet: a start finds them at once, however much the record holds.
        """CREATE TABLE outstanding (
            alarm INTEGER NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (alarm DESC, id)) WITHOUT ROWID""",
        """INSERT INTO outstanding SELECT alarm, id
            FROM events LEFT JOIN receipts USING (boot, seq) WHERE received_by IS NULL""",
        """CREATE TRIGGER event_is_added AFTER INSERT ON events
            WHEN NOT EXISTS (SELECT 1 FROM receipts WHERE boot = NEW.boot AND seq = NEW.seq)
            BEGIN INSERT INTO outstanding VALUES (NEW.alarm, NEW.id); END""",
        """CREATE TRIGGER event_is_received AFTER INSERT ON receipts
            BEGIN DELETE FROM outstanding
                WHERE (alarm, id) IN (SELECT alarm, id FROM events WHERE boot = NEW.boot AND seq = NEW.seq); END""",
        # Telemetry in the order of deletion; events that name deleted ones (evicts) only once they were received.
        "CREATE INDEX events_to_evict ON events (id) WHERE alarm = 0",
        "ALTER TABLE events ADD COLUMN evicts INTEGER NOT NULL DEFAULT 0",
        """CREATE TRIGGER event_goes AFTER DELETE ON events
            BEGIN
                DELETE FROM outstanding WHERE alarm = OLD.alarm AND id = OLD.id;
                DELETE FROM receipts WHERE boot = OLD.boot AND seq = OLD.seq;
            END""",
        # When the call of an event reached which step: monotonic seconds of the machine's boot ``kernel_boot``.
        """CREATE TABLE steps (
            boot TEXT NOT NULL, seq INTEGER NOT NULL, step TEXT NOT NULL, at REAL NOT NULL, kernel_boot TEXT NOT NULL,
            PRIMARY KEY (boot, seq, step)) WITHOUT ROWID""",
    ),
    (
        # What a broker took while no monitor was awaited waits again once one is: found at once, however much there is.
        "CREATE INDEX receipts_of_brokers ON receipts (boot, seq) WHERE received_by = 'the broker'",
        """CREATE TRIGGER receipt_is_taken_back AFTER DELETE ON receipts
            BEGIN INSERT OR IGNORE INTO outstanding
                SELECT alarm, id FROM events WHERE boot = OLD.boot AND seq = OLD.seq; END""",
    ),
)
"""For each version: the statements that upgrade the file from the version before."""

VERSION = len(UPGRADES)

TABLES = "SELECT name FROM sqlite_master"
SNAPSHOT = "SELECT value, kernel_boot FROM memory WHERE name = 'snapshot'"
PREVIOUS = """SELECT boot, seq FROM events
    WHERE boot = (SELECT boot FROM events WHERE boot != ? ORDER BY id DESC LIMIT 1) ORDER BY seq DESC LIMIT 1"""
CLOSING = "SELECT closes FROM events WHERE closes IS NOT NULL ORDER BY id DESC LIMIT ?"

TAKE_BACK = "DELETE FROM receipts WHERE received_by = 'the broker'"

RECEIVED_TELEMETRY = """SELECT boot, seq FROM events INDEXED BY events_to_evict
    WHERE alarm = 0 AND (alarm, id) NOT IN (SELECT alarm, id FROM outstanding)
    ORDER BY id LIMIT ?"""
OTHER_TELEMETRY = """SELECT boot, seq FROM events INDEXED BY events_to_evict
    WHERE alarm = 0 AND evicts = 0 ORDER BY id LIMIT ?"""

UNRECEIPTED = """SELECT boot, seq, events.alarm, at, kernel_boot, body, closes
    FROM outstanding CROSS JOIN events USING (id) ORDER BY outstanding.alarm DESC, outstanding.id"""
UNRECEIPTED_IN_1 = """SELECT boot, seq, alarm, at, kernel_boot, body, closes
    FROM events LEFT JOIN receipts USING (boot, seq) WHERE received_by IS NULL ORDER BY alarm DESC, id"""

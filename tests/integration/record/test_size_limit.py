"""A record that has reached its size limit: what goes, and what never does."""

from contextlib import closing

from node.core.events import EvictionDue, RecordFailed
from node.core.model import Key, KeyRange
from node.io.record.record import FILE_NAME, Row
from tests.integration.record.desk import BOOT, CONNECT, KERNEL, WAIT_LIMIT_S, Desk, keys_of

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
            event = self.desk.inbox.events.get(timeout=WAIT_LIMIT_S)
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
    assert limited.record.stop(WAIT_LIMIT_S)
    desk.begin_loaded(boot="00000003", limit_bytes=LIMIT)
    assert [key.seq for key, alarm in desk.inbox.backlog.entries if alarm] == sorted(alarms)[:1_000]


def test_receipts_of_what_went_are_nowhere(desk: Desk) -> None:
    """One that comes late changes nothing, and one that was there goes along."""
    limited = Limited(desk)
    for _ in range(6):
        limited.store(500, received=True)
    limited.record.mark_received(Key(BOOT, 1), "guard-desk", 5.0)
    assert limited.record.stop(WAIT_LIMIT_S)

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
    assert failed.reason in {"No such file or directory", "unable to open database file"}  # by what looks first
    assert [key for key in before if any(each.holds(key) for each in first.ranges)]

"""A receipt marks an event in the record, and removes nothing."""

from contextlib import closing

from node.core.events import BacklogRead
from node.core.model import BROKER, Key
from node.io.record.record import read_log
from tests.integration.record.desk import BOOT, CONNECT, EARLIER, WAIT_LIMIT_S, Desk, row


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
    assert record.stop(WAIT_LIMIT_S)

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


def left_by_a_node_without_a_monitor(desk: Desk) -> None:
    """An earlier process had three events: a monitor holds one, only a broker took the second, nobody has the third."""
    desk.fill(row(1, boot=EARLIER), row(2, boot=EARLIER), row(3, boot=EARLIER), received=(Key(EARLIER, 1),))
    record, _ = desk.begin_loaded(boot=EARLIER)
    record.mark_received(Key(EARLIER, 2), BROKER, 6.0)
    assert record.stop(WAIT_LIMIT_S)


def test_what_only_a_broker_took_waits_once_a_monitor_is_awaited(desk: Desk) -> None:
    """While the node runs, and then for good."""
    left_by_a_node_without_a_monitor(desk)
    record, _ = desk.begin_loaded()
    before = desk.inbox.backlog.entries

    record.read_backlog([Key(EARLIER, 3)], taken=True)
    after = desk.inbox.next(BacklogRead).entries
    assert record.stop(WAIT_LIMIT_S)
    desk.begin_loaded()

    assert before == ((Key(EARLIER, 3), True),)
    assert after == ((Key(EARLIER, 2), True),)
    assert desk.inbox.backlog.entries == ((Key(EARLIER, 2), True), (Key(EARLIER, 3), True))
    assert [each.received_by for each in read_log(desk.directory)] == ["guard-desk", None, None]


def test_a_start_that_awaits_a_monitor_brings_back_what_only_a_broker_took(desk: Desk) -> None:
    """Whoever has changed node.toml may also have restarted the node. Nothing is done where nothing was so."""
    left_by_a_node_without_a_monitor(desk)

    for _ in range(2):
        record, _ = desk.begin_loaded(awaits_monitor=True)
        backlog = desk.inbox.next(BacklogRead)
        assert record.stop(WAIT_LIMIT_S)

        assert backlog.entries == ((Key(EARLIER, 2), True), (Key(EARLIER, 3), True))


def test_an_event_that_goes_for_want_of_room_does_not_wait(desk: Desk) -> None:
    """Its receipt goes with it, which brings back no event."""
    left_by_a_node_without_a_monitor(desk)
    with closing(CONNECT(desk.path, isolation_level=None)) as record:
        record.execute("DELETE FROM events WHERE seq = 2")
        waiting = record.execute("SELECT id FROM outstanding").fetchall()

    assert len(waiting) == 1

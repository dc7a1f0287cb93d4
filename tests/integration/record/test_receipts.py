"""A receipt marks an event in the record, and removes nothing."""

from node.core.events import BacklogRead
from node.core.model import Key
from node.io.record.record import read_log
from tests.integration.record.desk import BOOT, EARLIER, WAIT_LIMIT_S, Desk, row


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

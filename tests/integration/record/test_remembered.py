"""What a start reads from the record: the snapshot, earlier boots, resets, the backlog, how far each call had got."""

import pytest

from node.core.events import BacklogRead, EventsStored
from node.core.model import Key, Restored, Snapshot
from node.io.record.record import read_log
from tests.integration.record.desk import BOOT, EARLIER, KERNEL, NOW, WAIT_LIMIT_S, Desk, Tap, row


def test_the_newest_snapshot_comes_back(desk: Desk) -> None:
    """Whether it came with an event or alone, only the last one counts."""
    record, _ = desk.begin_loaded()
    record.append(row(1), b"1")
    desk.inbox.until_stored(Key(BOOT, 1))
    record.remember(b"2")
    assert record.stop(WAIT_LIMIT_S)
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
    assert record.stop(WAIT_LIMIT_S)

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
    assert record.stop(WAIT_LIMIT_S)

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

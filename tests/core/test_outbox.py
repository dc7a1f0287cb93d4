"""The queue of unreceipted events: its order, its window, its turns and its limit."""

from dataclasses import replace
from math import inf

from node.core import delivery
from node.core.delivery import KEPT, WINDOW, Outbox
from node.core.model import Key
from tests.core.outside import OLD_BOOT, backlog
from tests.core.playbook import BOOT, LINK


def waiting(alarms: int = 0, telemetry: int = 0) -> Outbox:
    """An outbox with these events, the telemetry older than the alarms."""
    outbox = Outbox()
    for key, alarm in reversed(backlog(alarms, telemetry)):
        outbox, _ = delivery.add(outbox, key, alarm)
    return outbox


def test_an_alarm_is_sent_again_for_weeks() -> None:
    """However often it was tried, the next try comes within 5 minutes: no number grows too large."""
    key = Key(BOOT, 1)
    outbox, _ = delivery.add(Outbox(), key, alarm=True)
    tried = replace(outbox.waiting[key], attempts=10_000)

    outbox = delivery.send(replace(outbox, waiting={key: tried}), LINK, key, 0.0, 10.0)

    assert outbox.waiting[key].due == 300.0


def test_unreceipted_telemetry_is_sent_again_after_5_minutes() -> None:
    """It isn't urgent."""
    key = Key(BOOT, 1)
    outbox, _ = delivery.add(Outbox(), key, alarm=False)

    outbox = delivery.send(outbox, LINK, key, 100.0, 10.0)

    assert delivery.next_turn(outbox) == 400.0
    assert delivery.sendable(delivery.turn(outbox, 399.0), LINK) == []
    assert delivery.sendable(delivery.turn(outbox, 400.0), LINK) == [key]


def test_the_second_link_does_not_put_off_the_next_turn() -> None:
    """The turn is counted from the first link that carried the event."""
    key = Key(BOOT, 1)
    outbox, _ = delivery.add(Outbox(), key, alarm=True)
    outbox = delivery.send(outbox, "a", key, 100.0, 10.0)

    outbox = delivery.send(outbox, "b", key, 105.0, 10.0)

    assert delivery.next_turn(outbox) == 110.0


def test_a_turn_that_has_not_come_changes_nothing() -> None:
    """Only what is due goes out again."""
    outbox = waiting(alarms=2, telemetry=2)
    for key in outbox.waiting:
        outbox = delivery.send(outbox, LINK, key, 0.0, 10.0)

    assert delivery.turn(outbox, 9.9) is outbox
    assert set(delivery.sendable(delivery.turn(outbox, 10.0), LINK)) == {key for key, _ in backlog(2)}


def test_what_was_tried_less_often_goes_first() -> None:
    """Twenty events that nobody takes don't hold back the twenty-first for ever."""
    outbox = waiting(alarms=2 * WINDOW)
    first = delivery.sendable(outbox, LINK)
    for key in first:
        outbox = delivery.send(outbox, LINK, key, 0.0, 10.0)

    outbox = delivery.turn(outbox, 10.0)

    assert set(delivery.sendable(outbox, LINK)).isdisjoint(first)


def test_beyond_what_memory_holds_telemetry_is_spilled_first_and_the_oldest_first() -> None:
    """The record has it; alarms stay."""
    outbox = waiting(alarms=KEPT - 2, telemetry=2)
    spilled = []

    for number in range(3):
        outbox, key = delivery.add(outbox, Key(BOOT, number), alarm=True)
        spilled.append(key)

    assert len(outbox.waiting) == KEPT
    assert spilled == [Key(OLD_BOOT, KEPT), Key(OLD_BOOT, KEPT - 1), Key(OLD_BOOT, KEPT - 2)]
    assert outbox.spilled


def test_telemetry_that_finds_only_alarms_is_spilled_itself() -> None:
    """An alarm is never let go for it."""
    outbox = waiting(alarms=KEPT)

    outbox, spilled = delivery.add(outbox, Key(BOOT, 1), alarm=False)

    assert spilled == Key(BOOT, 1)


def test_the_record_is_asked_again_as_long_as_it_has_more() -> None:
    """What doesn't fit into one answer comes in the next."""
    outbox = delivery.refill(waiting(), backlog(alarms=3), more=True)

    asked = replace(outbox, asked=True)

    assert delivery.wants_refill(outbox)
    assert not delivery.wants_refill(asked)
    assert delivery.wants_refill(delivery.refill(asked, (), more=True))
    assert not delivery.wants_refill(delivery.refill(asked, (), more=False))


def test_more_than_fits_is_left_in_the_record() -> None:
    """The limit holds for what the record brings back, too."""
    outbox = delivery.refill(waiting(telemetry=KEPT - 1), [(Key(BOOT, 1), True), (Key(BOOT, 2), True)], more=False)

    assert len(outbox.waiting) == KEPT
    assert outbox.spilled


def test_what_is_spilled_while_the_record_reads_is_not_forgotten() -> None:
    """The answer to an older question doesn't know of it."""
    outbox = replace(waiting(telemetry=KEPT), spilled=True, asked=True)
    outbox, _ = delivery.add(outbox, Key(BOOT, 1), alarm=True)

    outbox = delivery.refill(outbox, (), more=False)

    assert outbox.spilled


def test_the_next_turn_is_never_of_what_was_never_sent() -> None:
    """Without a link nothing is due."""
    assert delivery.next_turn(waiting(alarms=3, telemetry=3)) == inf


def test_nothing_is_sent_on_a_link_that_was_forgotten() -> None:
    """A link's flight ends with its session, and another's doesn't."""
    key = Key(BOOT, 1)
    outbox, _ = delivery.add(Outbox(), key, alarm=True)
    for link in ("a", "b"):
        outbox = delivery.send(outbox, link, key, 0.0, 10.0)

    outbox = delivery.forget_link(outbox, "a")

    assert outbox.waiting[key].flying == {"b"}

"""The queue of unreceipted events: its order, its window, its turns and its limit."""

from math import inf

from msgspec.structs import replace

from node.core import delivery
from node.core.delivery import KEPT, WINDOW, WaitingEvents
from node.core.model import Key
from tests.core.outside import OLD_BOOT, backlog
from tests.core.playbook import BOOT, LINK


def queue(alarms: int = 0, telemetry: int = 0) -> WaitingEvents:
    """Waiting events: these events, the telemetry older than the alarms."""
    waiting = WaitingEvents()
    for key, alarm in reversed(backlog(alarms, telemetry)):
        waiting, _ = delivery.add(waiting, key, alarm)
    return waiting


def test_an_alarm_is_sent_again_for_weeks() -> None:
    """However often it was tried, the next try comes within 5 minutes: no number grows too large."""
    key = Key(BOOT, 1)
    waiting, _ = delivery.add(WaitingEvents(), key, alarm=True)
    tried = replace(waiting.events[key], attempts=10_000)

    waiting = delivery.send(replace(waiting, events={key: tried}), LINK, key, 0.0, 10.0)

    assert waiting.events[key].due == 300.0


def test_unreceipted_telemetry_is_sent_again_after_5_minutes() -> None:
    """It isn't urgent."""
    key = Key(BOOT, 1)
    waiting, _ = delivery.add(WaitingEvents(), key, alarm=False)

    waiting = delivery.send(waiting, LINK, key, 100.0, 10.0)

    assert delivery.next_due(waiting) == 400.0
    assert delivery.sendable(delivery.make_due_sendable(waiting, 399.0), LINK) == []
    assert delivery.sendable(delivery.make_due_sendable(waiting, 400.0), LINK) == [key]


def test_the_second_link_does_not_put_off_the_next_turn() -> None:
    """The turn is counted from the first link that carried the event."""
    key = Key(BOOT, 1)
    waiting, _ = delivery.add(WaitingEvents(), key, alarm=True)
    waiting = delivery.send(waiting, "a", key, 100.0, 10.0)

    waiting = delivery.send(waiting, "b", key, 105.0, 10.0)

    assert delivery.next_due(waiting) == 110.0


def test_a_turn_that_has_not_come_changes_nothing() -> None:
    """Only what is due goes out again."""
    waiting = queue(alarms=2, telemetry=2)
    for key in waiting.events:
        waiting = delivery.send(waiting, LINK, key, 0.0, 10.0)

    assert delivery.make_due_sendable(waiting, 9.9) is waiting
    assert set(delivery.sendable(delivery.make_due_sendable(waiting, 10.0), LINK)) == {key for key, _ in backlog(2)}


def test_what_was_tried_less_often_goes_first() -> None:
    """Twenty events that nobody takes don't hold back the twenty-first for ever."""
    waiting = queue(alarms=2 * WINDOW)
    first = delivery.sendable(waiting, LINK)
    for key in first:
        waiting = delivery.send(waiting, LINK, key, 0.0, 10.0)

    waiting = delivery.make_due_sendable(waiting, 10.0)

    assert set(delivery.sendable(waiting, LINK)).isdisjoint(first)


def test_beyond_what_memory_holds_telemetry_is_spilled_first_and_the_oldest_first() -> None:
    """The record has it; alarms stay."""
    waiting = queue(alarms=KEPT - 2, telemetry=2)
    spilled = []

    for number in range(3):
        waiting, key = delivery.add(waiting, Key(BOOT, number), alarm=True)
        spilled.append(key)

    assert len(waiting.events) == KEPT
    assert spilled == [Key(OLD_BOOT, KEPT), Key(OLD_BOOT, KEPT - 1), Key(OLD_BOOT, KEPT - 2)]
    assert waiting.spilled


def test_telemetry_that_finds_only_alarms_is_spilled_itself() -> None:
    """An alarm is never let go for it."""
    waiting = queue(alarms=KEPT)

    waiting, spilled = delivery.add(waiting, Key(BOOT, 1), alarm=False)

    assert spilled == Key(BOOT, 1)


def test_the_record_is_asked_again_as_long_as_it_has_more() -> None:
    """What doesn't fit into one answer comes in the next."""
    waiting = delivery.refill(queue(), backlog(alarms=3), more=True)

    asked = replace(waiting, refill_asked=True)

    assert delivery.wants_refill(waiting)
    assert not delivery.wants_refill(asked)
    assert delivery.wants_refill(delivery.refill(asked, (), more=True))
    assert not delivery.wants_refill(delivery.refill(asked, (), more=False))


def test_more_than_fits_is_left_in_the_record() -> None:
    """The limit holds for what the record brings back, too."""
    waiting = delivery.refill(queue(telemetry=KEPT - 1), [(Key(BOOT, 1), True), (Key(BOOT, 2), True)], more=False)

    assert len(waiting.events) == KEPT
    assert waiting.spilled


def test_what_is_spilled_while_the_record_reads_is_not_forgotten() -> None:
    """The answer to an older question doesn't know of it."""
    waiting = replace(queue(telemetry=KEPT), spilled=True, refill_asked=True)
    waiting, _ = delivery.add(waiting, Key(BOOT, 1), alarm=True)

    waiting = delivery.refill(waiting, (), more=False)

    assert waiting.spilled


def test_the_next_turn_is_never_of_what_was_never_sent() -> None:
    """Without a link nothing is due."""
    assert delivery.next_due(queue(alarms=3, telemetry=3)) == inf


def test_nothing_is_sent_on_a_link_that_was_forgotten() -> None:
    """A link's flight ends with its session, and another's doesn't."""
    key = Key(BOOT, 1)
    waiting, _ = delivery.add(WaitingEvents(), key, alarm=True)
    for link in ("a", "b"):
        waiting = delivery.send(waiting, link, key, 0.0, 10.0)

    waiting = delivery.forget_link(waiting, "a")

    assert waiting.events[key].in_flight == {"b"}

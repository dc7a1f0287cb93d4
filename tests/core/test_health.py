"""The machine's health: what was found stands as faults, and readings that stay away are one."""

import pytest

from node.core.effects import SendHeartbeat, SetLamp, WriteStatus
from node.core.events import HealthRead
from node.core.signals import LampPattern
from node.errors.faults import HEALTH_UNREADABLE, NETWORK_DOWN, TOO_HOT, UNDER_VOLTAGE, FaultKind
from tests.core.playbook import START, Playbook, Stage


def read(play: Playbook, *faults: tuple[FaultKind, str]) -> Playbook:
    """The machine is read, and this is wrong with it."""
    return play >> HealthRead(play.now, faults)


def test_what_is_found_is_a_fault_at_once(stage: Stage) -> None:
    """By the lamp, as an event, and in an immediate heartbeat, each with what it is about."""
    play = stage()

    read(play, (UNDER_VOLTAGE, ""), (NETWORK_DOWN, "wlan0"))

    assert play.faults() == [("F031", ""), ("F036", "wlan0")]
    play.only(SetLamp, WriteStatus, SendHeartbeat) << [SetLamp(LampPattern.NOBODY), SendHeartbeat, WriteStatus]
    assert [(event.fault, event.subject) for event in play.logged[-2:]] == [("F031", ""), ("F036", "wlan0")]


def test_what_is_found_no_more_is_cleared(stage: Stage) -> None:
    """The newest reading tells all that is wrong."""
    play = stage()
    read(play, (TOO_HOT, ""), (HEALTH_UNREADABLE, "memory")).skip()

    read(play, (HEALTH_UNREADABLE, "memory"))

    assert play.faults() == [("F037", "memory")]
    assert play.kinds() == ["fault-cleared"]


def test_a_reading_like_the_one_before_is_not_told(stage: Stage) -> None:
    """Twice a minute there is a reading; the record keeps what changed."""
    play = stage()
    read(play, (TOO_HOT, "")).wait(5.0).skip()

    read(play, (TOO_HOT, "")) << []


def test_what_was_found_before_the_start_is_told_with_it(stage: Stage) -> None:
    """A reading that is faster than the record waits for the first event."""
    play = Playbook(stage().settings)
    read(play, (TOO_HOT, "")) << []

    play.begin()

    assert play.faults() == [("F032", "")]
    assert play.kinds() == ["started", "fault-raised"]


@pytest.mark.parametrize(("away_s", "faults"), [(119.999, []), (120.0, [("F037", "health")])])
def test_readings_that_stay_away_are_a_fault(alone: Stage, away_s: float, faults: list[tuple[str, str]]) -> None:
    """Two minutes after the last one, to the millisecond: nobody watches the machine."""
    play = alone()
    play.wait(30.0)
    read(play)

    play.wait(away_s).skip()

    assert play.faults() == faults


def test_a_fault_that_was_found_stands_while_readings_stay_away(alone: Stage) -> None:
    """Nobody has seen it end; the next reading that comes clears what doesn't hold any more."""
    play = alone()
    read(play, (UNDER_VOLTAGE, "")).wait(120.0).skip()
    assert play.faults() == [("F031", ""), ("F037", "health")]

    read(play)

    play.only(SetLamp) << [SetLamp(LampPattern.READY)]
    assert play.faults() == []


def test_readings_that_come_are_no_fault(alone: Stage) -> None:
    """Each of them is a sign of life for two minutes more."""
    play = alone()

    for _ in range(20):
        read(play).wait(30.0)

    assert play.skip().faults() == []


def test_a_node_whose_health_nobody_reads_has_no_fault(alone: Stage) -> None:
    """The two minutes begin with the first reading, and not before."""
    play = alone()

    play.until(START + 600.0).skip()

    assert play.faults() == []


def test_a_press_during_a_fault_of_the_machine_calls_as_ever(stage: Stage) -> None:
    """Nothing that is wrong with the machine holds an alarm back."""
    play = stage()
    read(play, (UNDER_VOLTAGE, "")).skip()

    play.press()

    assert play.steps() == ["pressed"]

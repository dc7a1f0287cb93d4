"""How a panel begins and ends."""

import math
import threading

import pytest

from node.core.events import EdgeSeen
from node.core.signals import BuzzerPattern, LampPattern
from tests.integration.panel.room import BUZZER, DESK, LAMP, Room, chip_gone, sample


def test_nothing_is_driven_before_the_start(room: Room) -> None:
    """A panel that hasn't been started claims no pin and drives none."""
    panel = room.panel()

    panel.set_buzzer(BuzzerPattern.ALARM)
    panel.set_lamp(LampPattern.ACKNOWLEDGED)

    assert [room.pin(number).function for number in (BUZZER, LAMP)] == ["input"] * 2
    assert room.levels.empty()


def test_the_end_leaves_everything_off_and_released(room: Room) -> None:
    """After close both outputs are low for good, no thread is left, and the pins can be claimed again."""
    threads = set(threading.enumerate())
    panel = room.started()
    panel.set_buzzer(BuzzerPattern.ALARM)
    panel.set_lamp(LampPattern.ACKNOWLEDGED)

    panel.close()
    panel.close()
    panel.set_buzzer(BuzzerPattern.ALARM)
    panel.set_lamp(LampPattern.ACKNOWLEDGED)

    assert [room.pin(number).state for number in (BUZZER, LAMP)] == [False, False]
    assert room.pin(DESK).when_changed is None
    assert set(threading.enumerate()) <= threads
    room.started()
    room.wall.press("desk")
    assert room.inbox.wait(EdgeSeen).line == "desk"


def test_a_panel_at_rest_ends_too(room: Room) -> None:
    """A thread that has nothing to do for a long time is woken to end; nothing more is to be read."""
    threads = set(threading.enumerate())
    panel = room.started()
    sample(panel, room.inbox)

    panel.close()

    assert set(threading.enumerate()) <= threads
    assert panel.due == math.inf


def test_an_output_that_cannot_be_switched_off_leaves_the_other_off(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One pin that fails at the end doesn't keep the rest from being released."""
    panel = room.started()
    panel.set_lamp(LampPattern.ACKNOWLEDGED)

    with monkeypatch.context() as broken:
        broken.setattr(room.pin(BUZZER), "_set_state", chip_gone)
        panel.close()

    assert room.pin(LAMP).state is False
    room.started()

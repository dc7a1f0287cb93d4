"""Buzzer and lamp: their waves, pins that fail, and that off is final."""

import itertools
import threading
import time

import pytest

from node.core.events import OutputFailed, OutputRecovered
from node.core.signals import BUZZER_WAVES, LAMP_WAVES, BuzzerPattern, LampPattern
from node.io import panel as panel_module
from node.io.panel import DEAD_S
from tests.integration.panel.room import BUZZER, LAMP, WAIT_LIMIT_S, Clock, Room, chip_gone, eventually, sample


def test_a_loop_that_stands_still_makes_the_lamp_dark(room: Room) -> None:
    """A dark lamp is a dead node: it doesn't go on shining by itself, and comes back with the loop."""
    clock = Clock()
    panel = room.started(clock=clock)
    panel.set_lamp(LampPattern.ACKNOWLEDGED)
    panel.flush()
    assert room.next_level(LAMP)[1] is True

    clock.missed_s += DEAD_S
    panel.set_buzzer(BuzzerPattern.OFF)  # wakes the player, which would have slept so long
    assert room.next_level(LAMP)[1] is False
    sample(panel, room.inbox, clock())

    assert room.next_level(LAMP)[1] is True


def test_the_player_looks_by_itself_whether_the_loop_stands_still(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the lamp is steady and nobody wakes it."""
    monkeypatch.setattr(panel_module, "DEAD_S", 0.3)
    panel = room.started()
    panel.set_lamp(LampPattern.ACKNOWLEDGED)
    panel.flush()

    assert room.next_level(LAMP)[1] is True
    assert room.next_level(LAMP)[1] is False


# Outputs


def test_outputs_are_claimed_off(room: Room) -> None:
    """The start drives both outputs low and plays nothing."""
    room.started()

    assert [(room.pin(number).function, room.pin(number).state) for number in (BUZZER, LAMP)] == [("output", False)] * 2
    assert room.levels.empty()


@pytest.mark.parametrize("pattern", [BuzzerPattern.ALARM, BuzzerPattern.NOBODY, BuzzerPattern.IDENTIFY])
def test_the_buzzer_sounds_before_set_buzzer_returns(room: Room, pattern: BuzzerPattern) -> None:
    """An alarm waits for no thread to wake up."""
    panel = room.started()

    panel.set_buzzer(pattern)

    assert room.pin(BUZZER).state is True


def test_the_buzzer_plays_its_wave(room: Room) -> None:
    """The levels alternate as the pattern says, none of them shorter than it says."""
    panel = room.started()
    wave = BUZZER_WAVES[BuzzerPattern.NOBODY]

    panel.set_buzzer(BuzzerPattern.NOBODY)
    panel.flush()

    changes = [room.next_level(BUZZER) for _ in range(5)]
    assert [level for _, level in changes] == [True, False, True, False, True]
    assert changes[4][0] - changes[0][0] >= 2 * sum(seconds for _, seconds in wave) - 0.1
    assert [state.state for state in room.pin(BUZZER).states[:4]] == [False, True, False, True]


def test_buzzer_and_lamp_play_side_by_side(room: Room) -> None:
    """One player serves both waves, and a new pattern of one leaves the other's alone."""
    panel = room.started()

    panel.set_buzzer(BuzzerPattern.NOBODY)
    panel.set_lamp(LampPattern.CALLING)
    panel.flush()
    levels = [room.next_level(LAMP)[1] for _ in range(3)]
    panel.set_lamp(LampPattern.ACKNOWLEDGED)
    panel.flush()
    buzzes = {room.next_level(BUZZER)[1] for _ in range(3)}

    assert levels == [True, False, True]
    assert room.pin(LAMP).state is True
    assert buzzes == {True, False}


def test_off_is_final_in_the_midst_of_a_step(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """A set_buzzer(OFF) that comes while the player is just driving the pin high has the last word."""
    monkeypatch.setitem(BUZZER_WAVES, BuzzerPattern.ALARM, ((False, 0.01), (True, 60.0)))
    panel = room.started()
    drive = room.pin(BUZZER)._set_state  # noqa: SLF001 - the moment of the step is inside the pin
    entered, go_on, driven = threading.Event(), threading.Event(), threading.Event()

    def drive_slowly(value: object) -> None:
        if value:
            entered.set()
            go_on.wait(WAIT_LIMIT_S)
        drive(value)
        if value:
            driven.set()

    monkeypatch.setattr(room.pin(BUZZER), "_set_state", drive_slowly)
    panel.set_buzzer(BuzzerPattern.ALARM)
    panel.flush()
    assert entered.wait(WAIT_LIMIT_S)

    off = threading.Thread(target=panel.set_buzzer, args=(BuzzerPattern.OFF,))
    off.start()
    off.join(0.3)  # as long as a panel without a lock would need to get past the player
    go_on.set()
    off.join(WAIT_LIMIT_S)

    assert driven.wait(WAIT_LIMIT_S)
    assert room.pin(BUZZER).state is False


@pytest.mark.usefixtures("restless")
def test_off_is_final_whoever_hammers(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """After set_buzzer(OFF) has returned the pin is low and stays low, whatever the player was about to do."""
    for waves, pattern in ((BUZZER_WAVES, BuzzerPattern.ALARM), (LAMP_WAVES, LampPattern.CALLING)):
        monkeypatch.setitem(waves, pattern, ((True, 0.00005), (False, 0.00005)))  # type: ignore[misc]
    panel = room.started()
    panel.set_lamp(LampPattern.CALLING)
    panel.flush()
    patterns = (BuzzerPattern.ALARM, BuzzerPattern.NOBODY, BuzzerPattern.OFF)

    def hammer() -> None:
        for pattern in itertools.islice(itertools.cycle(patterns), 30):
            panel.set_buzzer(pattern)
            panel.flush()

    for _ in range(30):
        hammers = [threading.Thread(target=hammer) for _ in range(3)]
        for thread in hammers:
            thread.start()
        for thread in hammers:
            thread.join()
        panel.set_buzzer(BuzzerPattern.ALARM)
        panel.set_buzzer(BuzzerPattern.OFF)
        panel.flush()
        changes = len(room.pin(BUZZER).states)
        passes = len(room.pin(LAMP).states)
        eventually(lambda passes=passes: len(room.pin(LAMP).states) > passes + 4)  # type: ignore[misc]
        assert room.pin(BUZZER).state is False
        assert len(room.pin(BUZZER).states) == changes


def test_a_stalled_wave_goes_on_from_now(room: Room) -> None:
    """After a stall the player takes one step, not all that it missed."""
    clock = Clock()
    panel = room.started(clock=clock)
    panel.set_buzzer(BuzzerPattern.NOBODY)
    panel.flush()
    room.next_level(BUZZER)

    clock.missed_s = 1000.0
    panel.set_lamp(LampPattern.ACKNOWLEDGED)
    panel.flush()

    changes = [room.next_level(BUZZER) for _ in range(4)]
    assert [level for _, level in changes] == [False, True, False, True]
    assert changes[3][0] - changes[1][0] >= 0.2


def test_a_pin_that_fails_is_reported_once_and_tried_again(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """One OutputFailed for each outage; the wave goes on trying, sounds again by itself, and that is told too."""
    monkeypatch.setitem(BUZZER_WAVES, BuzzerPattern.ALARM, ((True, 0.001), (False, 0.001)))
    panel = room.started()
    attempts = itertools.count()

    def fail(_: object) -> None:
        next(attempts)
        raise OSError("the chip has gone")

    for _ in range(2):
        with monkeypatch.context() as broken:
            broken.setattr(room.pin(BUZZER), "_set_state", fail)
            panel.set_buzzer(BuzzerPattern.ALARM)
            panel.flush()
            failed = room.inbox.wait(OutputFailed)
            tried = next(attempts)
            eventually(lambda tried=tried: next(attempts) > tried + 10)  # type: ignore[misc]
        assert (failed.output, failed.reason) == ("buzzer", "OSError: the chip has gone")
        assert room.inbox.rest(OutputFailed) == []
        assert room.inbox.wait(OutputRecovered).output == "buzzer"
        assert room.next_level(BUZZER)[1] is True
        assert room.next_level(BUZZER)[1] is False


def test_a_held_level_that_fails_is_tried_again_too(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """A buzzer that couldn't be silenced falls silent as soon as its pin can be driven."""
    monkeypatch.setitem(BUZZER_WAVES, BuzzerPattern.OFF, ((False, 0.01),))
    panel = room.started()
    panel.set_buzzer(BuzzerPattern.ALARM)
    panel.flush()
    room.next_level(BUZZER)

    with monkeypatch.context() as broken:
        broken.setattr(room.pin(BUZZER), "_set_state", chip_gone)
        panel.set_buzzer(BuzzerPattern.OFF)
        panel.flush()
        room.inbox.wait(OutputFailed)

    assert room.next_level(BUZZER)[1] is False


def test_the_lamps_patterns_are_told(room: Room) -> None:
    """An observer hears each pattern that the lamp is set to, and when."""
    told: list[tuple[float, str, object]] = []
    panel = room.started(on_output=lambda *what: told.append(what))
    before = time.monotonic()

    panel.set_lamp(LampPattern.CALLING)
    panel.set_buzzer(BuzzerPattern.ALARM)
    panel.flush()

    assert [(output, pattern) for _, output, pattern in told] == [("lamp", LampPattern.CALLING)]
    assert before <= told[0][0] <= time.monotonic()


def test_a_wall_without_a_buzzer_stays_silent(room: Room) -> None:
    """Where no buzzer is configured its patterns change nothing, and the lamp still works."""
    panel = room.started(buzzer_pin=None)

    panel.set_buzzer(BuzzerPattern.ALARM)
    panel.set_lamp(LampPattern.ACKNOWLEDGED)
    panel.flush()

    assert room.pin(BUZZER).function == "input"
    assert room.pin(LAMP).state is True

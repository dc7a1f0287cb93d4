"""All levels are read at each beat, and when it is asked for."""

import logging
import math
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import pytest

from node.core.events import EdgeSeen, LevelsRead
from tests.integration.panel.room import DESK, DOOR, Clock, Room, chip_gone, sample


def test_a_button_held_down_before_the_start_is_low_at_the_first_reading(room: Room) -> None:
    """It is due at once, and shows the contact, not the pull resistor."""
    room.wall.press("desk")
    assert room.panel().due == math.inf

    panel = room.started()

    assert panel.due <= time.monotonic()
    assert sample(panel, room.inbox).levels == {"desk": False, "door": True}


def test_a_reading_sees_what_the_edges_lost(room: Room) -> None:
    """Without a single callback a press still shows."""
    panel = room.started()
    room.wall.edges(False)

    room.wall.press("door")

    assert sample(panel, room.inbox).levels == {"desk": True, "door": False}
    assert room.inbox.rest(EdgeSeen) == []


def test_a_beat_is_due_again_and_again(room: Room) -> None:
    """At the rate that was asked for, and only after a reading."""
    panel = room.started(sample_hz=100.0)
    dues = []
    for _ in range(5):
        dues.append(panel.due)
        assert panel.due == dues[-1]
        panel.read(panel.due)

    assert [later - earlier for earlier, later in pairwise(dues)] == pytest.approx([0.01] * 4)


def test_a_reading_that_was_asked_for_is_due_before_the_beat(room: Room) -> None:
    """Several instants may be asked for, in any order. One reading serves all that are past."""
    panel = room.started()
    sample(panel, room.inbox)
    now = time.monotonic()

    for at in (now + 0.3, now + 0.1, now + 0.2, now - 5.0):
        panel.sample_at(at)

    for at, due in ((now, now - 5.0), (now + 0.1, now + 0.1), (now + 0.35, now + 0.2)):
        assert panel.due == due
        panel.read(at)
    assert panel.due > now + 60.0


def test_a_reading_comes_behind_the_edges_that_wait_for_the_loop(room: Room) -> None:
    """It would be taken for newer than they are. Until it is decided there is no other."""
    panel = room.started()
    room.wall.press("desk")
    panel.sample_at(0.0)

    assert panel.read(time.monotonic()) is None
    panel.sample_at(0.0)
    assert panel.due == math.inf

    panel.decided(room.inbox.wait(EdgeSeen))
    panel.decided(room.inbox.wait(LevelsRead))
    assert panel.due == 0.0
    assert panel.read(time.monotonic()) is not None


def test_a_reading_that_cannot_be_put_behind_the_edges_is_made_again(room: Room) -> None:
    """A broken queue doesn't end the readings."""
    panel = room.started()
    room.wall.press("desk")
    room.inbox.refused = [LevelsRead]

    assert panel.read(time.monotonic()) is None

    panel.sample_at(0.0)
    assert panel.due == 0.0
    assert sample(panel, room.inbox).levels["desk"] is False


def test_a_reading_says_between_which_instants_its_pins_were_read(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that is held up while it reads must not make an old level look new, or a new one old."""
    clock = Clock()
    panel = room.started(clock=clock)
    read_at: list[float] = []

    def read_slowly(read: Callable[[], object]) -> object:
        clock.missed_s += 0.5
        read_at.append(clock())
        clock.missed_s += 0.5
        return read()

    for pin in (room.pin(DESK), room.pin(DOOR)):
        monkeypatch.setattr(pin, "_get_state", partial(read_slowly, pin._get_state))  # noqa: SLF001
    reading = sample(panel, room.inbox, clock())

    assert reading.until is not None
    assert reading.at <= read_at[0] - 0.5 < read_at[1] + 0.5 <= reading.until


def test_after_a_stall_one_reading_stands_for_each_beat_that_was_missed(room: Room) -> None:
    """It isn't caught up with."""
    panel = room.started(sample_hz=20.0)
    at = panel.due + 1000.0

    panel.read(at)

    assert panel.due == at + 1 / 20.0


def test_an_input_that_cannot_be_read_is_none_and_the_others_go_on(
    room: Room, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A pin whose read fails is None, with one line in the log, until it can be read again."""
    with monkeypatch.context() as broken, caplog.at_level(logging.WARNING):
        panel = room.started()
        broken.setattr(room.pin(DESK), "_get_state", chip_gone)
        for _ in range(2):
            assert sample(panel, room.inbox).levels == {"desk": None, "door": True}

    assert sample(panel, room.inbox).levels == {"desk": True, "door": True}
    assert [record.getMessage() for record in caplog.records] == [
        "line desk can't be read (OSError: the chip has gone)"
    ]

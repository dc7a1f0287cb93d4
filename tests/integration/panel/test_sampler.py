"""The sampler reads all levels at each beat and when it is asked."""

import logging
import time
from collections.abc import Callable
from functools import partial

import pytest

from node.core.events import EdgeSeen, LevelsRead
from node.io.panel import UNDECIDED_MAX
from tests.integration.panel.room import DESK, DOOR, Clock, Room, chip_gone, eventually, since


def test_a_button_held_down_before_the_start_is_low_at_the_first_sample(room: Room) -> None:
    """The first sample comes at once and shows the contact, not the pull resistor."""
    room.wall.press("desk")

    room.started()

    assert room.inbox.wait(LevelsRead).levels == {"desk": False, "door": True}


def test_the_sampler_sees_what_the_edges_lost(room: Room) -> None:
    """Without a single callback a press still shows in the samples."""
    panel = room.started()
    room.wall.edges(False)

    room.wall.press("door")
    panel.sample_at(time.monotonic())

    assert room.inbox.wait(LevelsRead, lambda read: read.levels["door"] is False).levels["desk"] is True
    assert room.inbox.rest(EdgeSeen) == []


def test_the_sampler_beats(room: Room) -> None:
    """Samples keep coming by themselves, and ``samples`` counts them."""
    panel = room.started(sample_hz=100.0)

    instants = [room.inbox.wait(LevelsRead).at for _ in range(5)]

    assert instants == sorted(instants)
    eventually(lambda: panel.samples >= 5)


def test_a_sample_that_was_asked_for_does_not_wait_for_the_beat(room: Room) -> None:
    """Several instants may be asked for, in any order; each is served, and none too early."""
    panel = room.started()
    room.inbox.wait(LevelsRead)
    now = time.monotonic()

    for at in (now + 0.3, now + 0.1, now + 0.2, now - 5.0):
        panel.sample_at(at)

    assert room.inbox.wait(LevelsRead).at >= now
    for at in (now + 0.1, now + 0.2, now + 0.3):
        assert room.inbox.wait(LevelsRead, since(at)).at >= at


def test_a_sample_says_between_which_instants_its_pins_were_read(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that is held up while it reads must not make an old level look new, or a new one old."""
    clock = Clock()
    panel = room.started(sample_hz=0.1, clock=clock)
    room.inbox.wait(LevelsRead)
    read_at: list[float] = []

    def read_slowly(read: Callable[[], object]) -> object:
        clock.missed_s += 0.5
        read_at.append(clock())
        clock.missed_s += 0.5
        return read()

    for pin in (room.pin(DESK), room.pin(DOOR)):
        monkeypatch.setattr(pin, "_get_state", partial(read_slowly, pin._get_state))  # noqa: SLF001
    panel.sample_at(0.0)
    sample = room.inbox.wait(LevelsRead)

    assert sample.until is not None
    assert sample.at <= read_at[0] - 0.5 < read_at[1] + 0.5 <= sample.until


def test_a_stalled_sampler_reads_once_and_not_for_each_beat_it_missed(room: Room) -> None:
    """After a stall of a hundred beats the next sample stands for all of them."""
    clock = Clock()
    panel = room.started(sample_hz=0.1, clock=clock)
    room.inbox.wait(LevelsRead)

    clock.missed_s = 1000.0
    panel.sample_at(0.0)
    room.inbox.wait(LevelsRead)
    at = clock() + 0.1
    panel.sample_at(at)
    room.inbox.wait(LevelsRead, since(at))

    assert panel.samples <= 3


def test_an_input_that_cannot_be_read_is_none_and_the_others_go_on(
    room: Room, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A pin whose read fails is None in the sample, with one line in the log, until it can be read again."""
    with monkeypatch.context() as broken, caplog.at_level(logging.WARNING):
        panel = room.started()
        room.inbox.wait(LevelsRead)
        broken.setattr(room.pin(DESK), "_get_state", chip_gone)
        for _ in range(2):
            panel.sample_at(0.0)
            assert room.inbox.wait(LevelsRead).levels == {"desk": None, "door": True}

    panel.sample_at(0.0)

    assert room.inbox.wait(LevelsRead).levels == {"desk": True, "door": True}
    assert [record.getMessage() for record in caplog.records] == [
        "line desk can't be read (OSError: the chip has gone)"
    ]


def test_a_broken_queue_does_not_end_the_sampler(room: Room) -> None:
    """A sample that couldn't be handed over isn't counted, and the next one is."""
    panel = room.panel()
    room.inbox.refused = [LevelsRead]
    panel.start()
    eventually(lambda: not room.inbox.refused)

    panel.sample_at(0.0)

    room.inbox.wait(LevelsRead)
    eventually(lambda: panel.samples == 1)


def test_samples_that_nobody_decides_do_not_pile_up(room: Room) -> None:
    """Beyond a hundred undecided samples none is added; each decided one makes room for one."""
    panel = room.started(sample_hz=2000.0)
    eventually(lambda: panel.samples_skipped > 10)
    piled_up = len(room.inbox.rest(LevelsRead))

    panel.decided()
    skipped = panel.samples_skipped
    eventually(lambda: panel.samples_skipped > skipped + 10)

    assert piled_up == UNDECIDED_MAX
    assert len(room.inbox.rest(LevelsRead)) == 1
    assert panel.samples == UNDECIDED_MAX + 1

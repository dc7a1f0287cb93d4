"""A panel on the gpiod factory: what it has that mock pins have not."""

import logging
from collections.abc import Iterator

import pytest

from node.core.events import EdgeSeen, EdgesLost, LevelsRead, OutputFailed, StopRequested
from node.core.signals import BuzzerPattern, LampPattern
from node.io.panel import DEAF_S, Panel
from node.io.panel.gpiod_factory import EVENTS_MAX, GPIODFactory
from tests.integration.panel.room import BUZZER, BY_REQUEST_ONLY, DESK, DOOR, INPUTS, LAMP, Clock, Inbox, sample
from tests.support.gpio_kernel import FakeChip, standing_in

CHIP = "/dev/gpiochip0"


class GpiodRoom:
    """A wall with two buttons, a buzzer and a lamp on a chip, and what the panel hands over."""

    def __init__(self, chip: FakeChip) -> None:
        self.chip = chip
        self.clock = Clock()
        self.inbox = Inbox()
        names = {DESK: "desk", DOOR: "door", BUZZER: "buzzer", LAMP: "lamp"}
        self.panel = Panel(
            lambda: GPIODFactory(CHIP, "alarm-node", names),
            INPUTS,
            BUZZER,
            LAMP,
            put=self.inbox.put,
            sample_hz=BY_REQUEST_ONLY,
            clock=self.clock,
        )

    def sample(self) -> LevelsRead:
        """The next reading, which is asked for now."""
        return sample(self.panel, self.inbox, self.clock())


@pytest.fixture
def room() -> Iterator[GpiodRoom]:
    """A panel that isn't started."""
    with standing_in() as kernel:
        kernel.chips[CHIP] = FakeChip()
        made = GpiodRoom(kernel.chips[CHIP])
        yield made
        made.panel.close()


def test_a_start_is_one_request_for_each_output_and_one_for_all_inputs(room: GpiodRoom) -> None:
    """Outputs first, and off."""
    room.panel.start()
    room.sample()

    assert [each.consumer for each in room.chip.asked] == [
        "alarm-node buzzer",
        "alarm-node lamp",
        "alarm-node desk,door",
    ]
    assert room.chip.outputs == {BUZZER: False, LAMP: False}


def test_a_sample_is_one_read(room: GpiodRoom) -> None:
    """Of all inputs at one instant."""
    room.panel.start()
    room.sample()
    reads = room.chip.reads

    room.chip.drive(DOOR, False)
    sample = room.sample()

    assert sample.levels == {"desk": True, "door": False}
    assert room.chip.reads == reads + 1


def test_an_edge_is_dated_by_the_kernel(room: GpiodRoom) -> None:
    """Not by its arrival."""
    room.panel.start()
    at = room.sample().at - 1.0

    room.chip.drive(DESK, False, at)

    edge = room.inbox.wait(EdgeSeen)
    assert (edge.line, edge.high) == ("desk", False)
    assert edge.at == pytest.approx(at, abs=1e-6)


def test_edges_that_the_kernel_dropped_are_told(room: GpiodRoom) -> None:
    """How many, once, and before the first one that was kept."""
    room.panel.start()
    room.sample()
    with room.chip.lock:  # nobody can read meanwhile
        for number in range(EVENTS_MAX + 5):
            room.chip.drive(DESK, number % 2 == 1)

    lost, edge = room.inbox.wait(EdgesLost), room.inbox.wait(EdgeSeen)
    assert (lost.line, lost.count, edge.line) == ("desk", 5, "desk")
    room.sample()
    assert room.inbox.rest(EdgesLost) == []


def test_a_taken_pin_names_its_holder_in_the_log(room: GpiodRoom, caplog: pytest.LogCaptureFixture) -> None:
    """And nothing else is touched."""
    room.chip.holders |= {DOOR: "mqtt-io", LAMP: "leds"}

    with caplog.at_level(logging.WARNING):
        room.panel.start()
        levels = room.sample().levels

    assert levels == {"desk": True, "door": None}
    assert caplog.messages == [
        "lamp: pin 23 can't be used (GPIOPinInUse: GPIO23 is held by leds); it is tried again",
        "door: pin 27 can't be used (GPIOPinInUse: GPIO27 is held by mqtt-io); it is tried again",
    ]
    assert room.chip.outputs == {BUZZER: False}


@pytest.mark.parametrize("wakes", [True, False], ids=["kernel 6.6", "kernel 6.1"])
def test_a_chip_that_goes_wants_a_new_start_and_is_told_in_a_few_lines(
    room: GpiodRoom, caplog: pytest.LogCaptureFixture, *, wakes: bool
) -> None:
    """However often its inputs are read and its outputs are driven."""
    room.chip.wakes_when_removed = wakes
    room.panel.start()
    room.sample()

    with caplog.at_level(logging.WARNING):
        room.chip.remove()
        samples = [room.sample() for _ in range(20)]
        room.clock.missed_s += DEAF_S
        room.sample()
        stop = room.inbox.wait(StopRequested)
        for _ in range(20):
            room.panel.set_buzzer(BuzzerPattern.ALARM)
            room.panel.set_lamp(LampPattern.CALLING)
        room.panel.close()

    assert [each.levels for each in samples] == [{"desk": None, "door": None}] * 20
    assert stop.reason == "no input can be read"
    assert [each.output for each in room.inbox.rest(OutputFailed)] == ["buzzer", "lamp"]
    assert [message.partition(" (")[0] for message in caplog.messages] == [
        "the inputs can't be read",
        "buzzer can't be released",
        "lamp can't be released",
    ]

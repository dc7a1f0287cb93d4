"""The pin factory on libgpiod, on a stand-in for the kernel: its requests, its edges, its thread, and what can fail."""

import errno
import logging
import queue
import select
import threading
import time
from typing import Any

import pytest
from gpiod import _ext
from gpiozero import DigitalOutputDevice, GPIOPinInUse

from node.io.panel.gpiod_factory import EVENTS_MAX, RETRY_S, GPIODFactory
from tests.integration.panel.room import WAIT_LIMIT_S, eventually
from tests.integration.panel.wired import BUTTON, BUZZER, CHIP, DOOR, LAMP, Input
from tests.support.gpio_kernel import FakeChip, Kernel


def test_inputs_that_are_made_first_are_one_request(factory: GPIODFactory, chip: FakeChip) -> None:
    """With pull-ups and both edges by the kernel, under one name that says who it is and for what."""
    inputs = [Input(factory, BUTTON), Input(factory, DOOR)]
    assert chip.asked == []

    for each in inputs:
        each.listen()
    levels = factory.levels()

    (asked,) = chip.asked
    assert asked.consumer == "alarm-node button,door"
    assert asked.lines.keys() == {BUTTON, DOOR}
    assert {asked.bias(offset) for offset in (BUTTON, DOOR)} == {_ext.BIAS_PULL_UP}
    assert {each["edge_detection"] for each in asked.lines.values()} == {_ext.EDGE_BOTH}
    assert {each["event_clock"] for each in asked.lines.values()} == {_ext.CLOCK_MONOTONIC}
    assert levels == {BUTTON: True, DOOR: True}


def test_all_levels_are_one_read(factory: GPIODFactory, chip: FakeChip) -> None:
    """However many inputs there are."""
    inputs = [Input(factory, number) for number in range(10)]
    chip.drive(3, False)

    levels = factory.levels()

    assert levels == {number: number != 3 for number in range(10)}
    assert chip.reads == 1
    assert [each.pin.state for each in inputs[2:4]] == [True, False]


def test_edges_carry_the_kernels_time(factory: GPIODFactory, chip: FakeChip) -> None:
    """In seconds of the monotonic clock, though they arrive later."""
    button = Input(factory, BUTTON).listen()
    at = time.monotonic() - 2.0

    chip.drive(BUTTON, False, at)
    chip.drive(BUTTON, True, at + 0.5)

    (pressed_at, low), (released_at, high) = button.next(), button.next()
    assert (low, high) == (0, 1)
    assert [pressed_at, released_at] == pytest.approx([at, at + 0.5], abs=1e-6)
    assert factory.ticks_diff(factory.ticks(), at) > 2.0


def test_edges_of_all_inputs_come_in_order(factory: GPIODFactory, chip: FakeChip) -> None:
    """One thread brings them, the one called gpio."""
    threads: list[str] = []
    heard: queue.SimpleQueue[int] = queue.SimpleQueue()

    def listener(number: int) -> Any:
        def hear(_ticks: float, _state: int) -> None:
            threads.append(threading.current_thread().name)
            heard.put(number)

        return hear

    listeners = {number: listener(number) for number in (BUTTON, DOOR)}
    devices = [Input(factory, number) for number in listeners]
    for each, hear in zip(devices, listeners.values(), strict=True):
        each.pin.when_changed = hear

    for number in (BUTTON, DOOR, BUTTON, BUTTON, DOOR):
        chip.drive(number, not chip.level(number))

    assert [heard.get(timeout=WAIT_LIMIT_S) for _ in range(5)] == [BUTTON, DOOR, BUTTON, BUTTON, DOOR]
    assert set(threads) == {"gpio"}


def test_an_exception_of_a_callback_ends_nothing(
    factory: GPIODFactory, chip: FakeChip, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged once, however often it comes, and the other inputs are heard."""
    door = Input(factory, DOOR).listen()
    button = Input(factory, BUTTON)
    calls: queue.SimpleQueue[int] = queue.SimpleQueue()

    def fail(_ticks: float, state: int) -> None:
        calls.put(state)
        raise RuntimeError("what nobody thought of")

    button.pin.when_changed = fail

    with caplog.at_level(logging.ERROR):
        for high in (False, True, False):
            chip.drive(BUTTON, high)
        chip.drive(DOOR, False)
        door.next()

    assert [calls.get_nowait() for _ in range(3)] == [0, 1, 0]
    assert [record.getMessage() for record in caplog.records] == ["the callback of GPIO17 failed"]


def test_edges_that_the_kernel_dropped_are_counted(factory: GPIODFactory, chip: FakeChip) -> None:
    """Exactly, for each line, by the gap in its numbers."""
    door, button = Input(factory, DOOR).listen(), Input(factory, BUTTON)
    entered, goes_on = threading.Event(), threading.Event()
    heard: queue.SimpleQueue[int] = queue.SimpleQueue()

    def hold(_ticks: float, state: int) -> None:
        entered.set()
        assert goes_on.wait(WAIT_LIMIT_S)
        heard.put(state)

    button.pin.when_changed = hold
    chip.drive(BUTTON, False)
    assert entered.wait(WAIT_LIMIT_S)

    for number in range(EVENTS_MAX + 7):
        chip.drive(BUTTON, number % 2 == 0)
    chip.drive(DOOR, False)
    goes_on.set()
    door.next()

    assert button.pin.edges_dropped == 8  # seven, and one for which the door's edge had no room
    assert door.pin.edges_dropped == 0
    assert heard.qsize() == EVENTS_MAX


def test_no_level_overtakes_an_edge(factory: GPIODFactory, chip: FakeChip) -> None:
    """Whoever reads the levels has been told of every edge before, however busy the machine is."""
    button = Input(factory, BUTTON)
    heard: list[int] = []

    def hear(_ticks: float, state: int) -> None:
        heard.append(state)

    button.pin.when_changed = hear
    factory.levels()

    for number in range(200):
        chip.drive(BUTTON, number % 2 == 1)
        levels = factory.levels()
        assert (len(heard), heard[-1]) == (number + 1, int(levels[BUTTON]))


def test_a_new_request_begins_its_numbers_anew(factory: GPIODFactory, chip: FakeChip) -> None:
    """Nothing counts as lost because another input came."""
    button = Input(factory, BUTTON).listen()
    for high in (False, True, False):
        chip.drive(BUTTON, high)
        button.next()

    door = Input(factory, DOOR).listen()
    chip.drive(BUTTON, True)
    button.next()
    chip.drive(DOOR, False)
    door.next()

    assert (button.pin.edges_dropped, door.pin.edges_dropped) == (0, 0)
    assert [set(each.lines) for each in chip.asked] == [{BUTTON}, {DOOR}, {BUTTON, DOOR}]  # the new one alone first


def test_a_taken_line_names_its_holder(factory: GPIODFactory, chip: FakeChip) -> None:
    """And the others are one request all the same."""
    chip.holders[DOOR] = "mqtt-io"
    button, door = Input(factory, BUTTON), Input(factory, DOOR)

    with pytest.raises(GPIOPinInUse, match=r"^GPIO27 is held by mqtt-io$"):
        door.listen()
    button.listen()

    assert factory.levels() == {BUTTON: True}
    assert chip.holders == {DOOR: "mqtt-io", BUTTON: "alarm-node button"}
    for _ in range(2):
        with pytest.raises(GPIOPinInUse, match="GPIO27"):
            assert door.pin.state


def test_a_line_that_is_still_taken_costs_the_others_nothing(factory: GPIODFactory, chip: FakeChip) -> None:
    """It is tried alone; the request of the inputs that work is not made anew."""
    chip.holders[DOOR] = "mqtt-io"
    Input(factory, BUTTON).listen()
    before = list(chip.asked)

    for _ in range(3):
        door = Input(factory, DOOR)
        with pytest.raises(GPIOPinInUse):
            door.listen()
        door.device.close()

    assert chip.asked == before


def test_a_line_that_is_freed_works_again(factory: GPIODFactory, chip: FakeChip) -> None:
    """It joins the request of the others."""
    chip.holders[DOOR] = "mqtt-io"
    button, door = Input(factory, BUTTON).listen(), Input(factory, DOOR)
    with pytest.raises(GPIOPinInUse):
        door.listen()
    door.device.close()

    del chip.holders[DOOR]
    door = Input(factory, DOOR).listen()
    chip.drive(DOOR, False)
    chip.drive(BUTTON, False)

    assert (door.next()[1], button.next()[1]) == (0, 0)
    assert chip.asked[-1].consumer == "alarm-node button,door"


def test_an_output_is_a_request_of_its_own(factory: GPIODFactory, chip: FakeChip) -> None:
    """It begins with its level, and the inputs' request has nothing to do with it."""
    lamp = DigitalOutputDevice(LAMP, initial_value=True, pin_factory=factory)
    buzzer = DigitalOutputDevice(BUZZER, initial_value=False, pin_factory=factory)
    button = Input(factory, BUTTON).listen()

    buzzer.on()
    lamp.off()

    assert chip.outputs == {BUZZER: True, LAMP: False}
    assert [each.consumer for each in chip.asked] == ["alarm-node lamp", "alarm-node buzzer", "alarm-node button"]
    assert (lamp.value, buzzer.value, button.pin.state) == (0, 1, True)
    assert chip.holders.keys() == {LAMP, BUZZER, BUTTON}


def test_a_taken_output_names_its_holder(factory: GPIODFactory, chip: FakeChip) -> None:
    """As an input does; a holder without a name is another program."""
    chip.holders |= {LAMP: "leds", BUZZER: ""}

    with pytest.raises(GPIOPinInUse, match="GPIO23 is held by leds"):
        DigitalOutputDevice(LAMP, pin_factory=factory)
    with pytest.raises(GPIOPinInUse, match="GPIO22 is held by another program"):
        DigitalOutputDevice(BUZZER, pin_factory=factory)

    assert chip.outputs == {}


def test_a_listener_that_is_gone_is_called_no_more(factory: GPIODFactory, chip: FakeChip) -> None:
    """The pin has only a weak reference to it; edges go on being read."""
    door, button = Input(factory, DOOR).listen(), Input(factory, BUTTON).listen()

    heard = button.heard
    pin = button.pin
    pin.when_changed = None
    chip.drive(BUTTON, False)
    chip.drive(DOOR, False)
    door.next()

    assert heard.empty()
    assert pin.when_changed is None


class Waits:
    """An epoll that counts how often its thread has woken up."""

    def __init__(self) -> None:
        self.wakes = 0
        self._epoll = _epoll()
        for name in ("register", "unregister", "close"):
            setattr(self, name, getattr(self._epoll, name))

    def poll(self) -> list[tuple[int, int]]:
        """Wait for the kernel."""
        happened = self._epoll.poll()
        self.wakes += 1
        return happened


_epoll = select.epoll


@pytest.mark.parametrize("wakes", [True, False], ids=["kernel 6.6", "kernel 6.1"])
def test_a_chip_that_goes_is_an_error_and_no_spinning(
    chip: FakeChip, monkeypatch: pytest.MonkeyPatch, *, wakes: bool
) -> None:
    """Reading raises, again and again; the thread rests, and the end comes as ever."""
    chip.wakes_when_removed = wakes
    waits = Waits()
    monkeypatch.setattr(select, "epoll", lambda: waits)
    factory = GPIODFactory(CHIP)
    button = Input(factory, BUTTON).listen()
    (thread,) = (each for each in threading.enumerate() if each.name == "gpio")

    chip.remove()

    for _ in range(3):
        with pytest.raises(OSError, match=r"chip has gone|No such device") as caught:
            factory.levels()
        assert caught.value.errno == errno.ENODEV
        with pytest.raises(OSError, match=r"chip has gone|No such device"):
            assert button.pin.state
    thread.join(0.2)  # a thread that spins would wake some thousand times
    assert thread.is_alive()
    assert button.heard.empty()
    factory.close()
    assert waits.wakes <= 5
    assert not thread.is_alive()


def test_a_line_that_could_not_be_had_once_is_tried_again(
    factory: GPIODFactory, chip: FakeChip, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An input that worked isn't given up because a new request failed for a moment."""
    now = 1000.0
    monkeypatch.setattr(factory, "ticks", lambda: now)
    button, door = Input(factory, BUTTON).listen(), Input(factory, DOOR)
    broken = OSError(errno.EMFILE, "too many open files")
    chip.failures += [None, broken, broken, broken]  # the door alone, both, and each alone
    assert factory.levels() == {}
    assert factory.levels() == {}, "not at each reading"

    now += RETRY_S

    assert factory.levels() == {BUTTON: True, DOOR: True}
    door.listen()
    for each, number in ((button, BUTTON), (door, DOOR)):
        chip.drive(number, False)
        assert each.next()[1] == 0


def test_an_error_that_is_raised_often_does_not_grow(factory: GPIODFactory, chip: FakeChip) -> None:
    """The sampler meets it 20 times a second: it may not keep the traceback of each time."""
    chip.holders[DOOR] = "mqtt-io"
    door = Input(factory, DOOR)

    lengths = set()
    for _ in range(5):
        with pytest.raises(GPIOPinInUse) as caught:
            assert door.pin.state
        lengths.add(len(caught.traceback))

    assert len(lengths) == 1


def test_the_end_releases_everything(kernel: Kernel, chip: FakeChip) -> None:
    """Lines and thread; a second end does nothing, and another factory can follow."""
    assert kernel.chips
    before = set(threading.enumerate())
    factory = GPIODFactory(CHIP)
    Input(factory, BUTTON).listen()
    DigitalOutputDevice(LAMP, pin_factory=factory)
    assert len(set(threading.enumerate()) - before) == 1

    factory.close()
    factory.close()

    assert chip.holders == {}
    assert set(threading.enumerate()) == before
    with GPIODFactory(CHIP) as again:
        assert Input(again, BUTTON).listen().pin.state is True
    assert chip.asked[-1].consumer == "gpiozero"


def test_closing_an_input_lets_it_go_with_the_next_request(factory: GPIODFactory, chip: FakeChip) -> None:
    """And with the last input all are let go."""
    button, door = Input(factory, BUTTON).listen(), Input(factory, DOOR).listen()
    assert chip.holders.keys() == {BUTTON, DOOR}

    door.device.close()
    assert factory.levels() == {BUTTON: True}
    assert chip.holders.keys() == {BUTTON}
    button.device.close()

    assert chip.holders == {}
    assert factory.levels() == {}


def test_a_long_name_is_cut(kernel: Kernel, chip: FakeChip) -> None:
    """The kernel has room for 31 bytes."""
    assert kernel.chips
    with GPIODFactory(CHIP, "alarm-node", {number: f"button-{number}" for number in range(4)}) as factory:
        inputs = [Input(factory, number) for number in range(4)]
        inputs[0].listen()

        (asked,) = chip.asked

    assert asked.consumer == "alarm-node button-0,button-1,bu"


def test_a_chip_that_is_not_there_is_an_error(kernel: Kernel) -> None:
    """As every file's."""
    assert kernel.chips
    with pytest.raises(FileNotFoundError):
        GPIODFactory("/dev/gpiochip9")


def test_requests_that_fail_are_made_again_at_the_next_use(
    factory: GPIODFactory, chip: FakeChip, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program was quicker between two tries: that time nobody is read, the next time all but its line are."""
    button, door = Input(factory, BUTTON), Input(factory, DOOR)
    refusals = iter([True, False, False, True])
    real = factory._chip.request_lines  # noqa: SLF001 - the moment between two requests is inside the factory

    def request(*arguments: Any) -> Any:
        if next(refusals, False):
            raise OSError(errno.EBUSY, "Device or resource busy")
        return real(*arguments)

    monkeypatch.setattr(factory._chip, "request_lines", request)  # noqa: SLF001

    with pytest.raises(OSError, match="busy"):
        button.listen()
    eventually(lambda: factory.levels() == {BUTTON: True, DOOR: True})
    assert (button.pin.state, door.pin.state) == (True, True)

"""The simulated wall: wired mock pins, instructions in text, changes as JSON lines."""

import io
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from gpiozero import DigitalOutputDevice, InputDevice

from node.core.settings import Wiring
from node.core.signals import LampPattern
from node.simulate.instructions import Action, Instruction, carry_out, parse
from node.simulate.json_lines import JsonLines
from node.simulate.wall import Wall
from tests.support.walls import wall_of

DESK, DOOR, BUZZER = 17, 27, 22
OPEN, CLOSED = Wiring.NORMALLY_OPEN, Wiring.NORMALLY_CLOSED


class Listener:
    """A pulled-up input on a wall's pin, and the edges that it was told."""

    def __init__(self, wall: Wall, pin: int = DESK) -> None:
        self.device = InputDevice(pin, pull_up=True, pin_factory=wall.factory)
        self.edges: list[tuple[float, bool]] = []
        self.device.pin.when_changed = self.seen

    def seen(self, ticks: float, high: bool) -> None:
        """An edge, as gpiozero tells it."""
        self.edges.append((ticks, high))

    @property
    def high(self) -> bool:
        """The pin's level now."""
        return bool(self.device.pin.state)

    @property
    def levels(self) -> list[bool]:
        """The levels after each edge."""
        return [high for _, high in self.edges]


@pytest.fixture
def listen() -> Iterator[Callable[..., Listener]]:
    """Makes listeners, closed when the test ends."""
    listeners: list[Listener] = []

    def make(wall: Wall, pin: int = DESK) -> Listener:
        listeners.append(Listener(wall, pin))
        return listeners[-1]

    yield make
    for listener in listeners:
        listener.device.close()


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def _wall(wiring: Wiring = OPEN, **options: Any) -> Wall:
    return wall_of({"desk": (DESK, wiring)}, **options)


# Contacts


@pytest.mark.parametrize(("wiring", "pressed_high"), [(OPEN, False), (CLOSED, True)])
def test_a_press_and_a_release_move_the_contact_as_it_is_wired(
    listen: Callable[..., Listener], wiring: Wiring, pressed_high: bool
) -> None:
    """A press closes a normally open contact to ground and opens a normally closed one; a release undoes it."""
    wall = _wall(wiring)
    listener = listen(wall)
    at_rest = listener.high

    wall.press("desk")
    pressed = listener.high
    wall.release("desk")

    assert (at_rest, pressed, listener.high) == (not pressed_high, pressed_high, not pressed_high)
    assert listener.levels == [pressed_high, not pressed_high]


@pytest.mark.parametrize("pin", [pytest.param(DESK, id="pull switched on"), pytest.param(2, id="fixed pull-up")])
def test_a_closed_contact_beats_the_pull_resistor(listen: Callable[..., Listener], pin: int) -> None:
    """A button held down while the device is made is low from its first look on, and high when it is released."""
    wall = wall_of({"desk": (pin, OPEN)})
    wall.press("desk")

    listener = listen(wall, pin)
    held = listener.high
    wall.release("desk")

    assert held is False
    assert listener.high is True
    assert listener.levels == [True]


def test_a_press_while_the_device_is_made_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """A contact that closes in the midst of the pull resistor's switching on ends low."""
    wall = _wall()
    pin = wall.factory.pin(DESK)
    driver = threading.Thread(target=wall.press, args=("desk",))
    change = pin._change_state  # noqa: SLF001 - the midst of it is inside the pin

    def change_slowly(level: bool) -> object:
        if level:
            driver.start()
            driver.join(0.3)  # as long as a pin without a lock would need to get past
        return change(level)

    monkeypatch.setattr(pin, "_change_state", change_slowly)
    pin.pull = "up"
    driver.join()

    assert pin.state is False


def test_pressing_twice_is_one_edge(listen: Callable[..., Listener]) -> None:
    """A contact that is pressed already doesn't move."""
    wall = _wall()
    listener = listen(wall)

    wall.press("desk")
    wall.press("desk")

    assert listener.levels == [False]


def test_two_inputs_move_by_themselves(listen: Callable[..., Listener]) -> None:
    """A press on one input leaves the other alone."""
    wall = wall_of({"desk": (DESK, OPEN), "door": (DOOR, CLOSED)})
    desk, door = listen(wall, DESK), listen(wall, DOOR)

    wall.press("door")

    assert wall.kinds == {"desk": "button", "door": "button"}
    assert (desk.levels, door.levels) == ([], [True])


def test_a_tap_lasts_at_least_as_long_as_it_says(listen: Callable[..., Listener]) -> None:
    """A tap is one press and one release, never closer together than asked for."""
    wall = _wall()
    listener = listen(wall)

    wall.tap("desk", 30)

    (pressed_at, pressed_high), (released_at, released_high) = listener.edges
    assert (pressed_high, released_high) == (False, True)
    assert released_at - pressed_at >= 0.030


@pytest.mark.parametrize(("wiring", "pressed_high"), [(OPEN, False), (CLOSED, True)])
@pytest.mark.parametrize("ms", [1, 20])
@pytest.mark.parametrize("seed", range(4))
def test_a_bounce_ends_pressed(
    listen: Callable[..., Listener], wiring: Wiring, pressed_high: bool, ms: int, seed: int
) -> None:
    """Whatever the bounce was, it begins with the press and ends held down."""
    wall = _wall(wiring, seed=seed)
    listener = listen(wall)

    wall.bounce("desk", ms)

    assert listener.high is pressed_high
    assert (listener.levels[0], listener.levels[-1]) == (pressed_high, pressed_high)


def test_a_bounce_changes_about_once_a_millisecond_until_its_time_is_over(listen: Callable[..., Listener]) -> None:
    """However slow the machine is, 40 ms of bounce have 27 to 81 edges, and the last isn't early."""
    wall = _wall()
    listener = listen(wall)
    before = time.monotonic()

    wall.bounce("desk", 40)

    assert 27 <= len(listener.edges) <= 81
    assert time.monotonic() - before >= 0.040


def test_a_seed_makes_the_bounce_repeatable(listen: Callable[..., Listener]) -> None:
    """Two walls with the same seed bounce alike; ten in a row with different ones don't."""
    counts = []
    for seed in (7, 7, *range(10)):
        wall = _wall(seed=seed)
        listener = listen(wall)
        wall.bounce("desk", 30)
        counts.append(len(listener.edges))

    assert counts[0] == counts[1]
    assert len(set(counts[2:])) > 1


def test_lost_edges_leave_the_level(listen: Callable[..., Listener]) -> None:
    """With edges off no callback comes, but whoever looks sees the level; with edges on they come again."""
    wall = _wall()
    listener = listen(wall)

    wall.edges(False)
    wall.press("desk")
    lost, low = list(listener.edges), not listener.high
    wall.edges(True)
    wall.release("desk")

    assert (lost, low) == ([], True)
    assert listener.levels == [True]


@pytest.mark.usefixtures("restless")
def test_a_listener_that_leaves_while_edges_come_does_not_end_the_driver(listen: Callable[..., Listener]) -> None:
    """Taking the handler away from another thread at any moment never raises in the thread that presses."""
    wall = _wall()
    listener = listen(wall)
    done = threading.Event()

    def come_and_go() -> None:
        while not done.is_set():
            listener.device.pin.when_changed = None
            listener.device.pin.when_changed = listener.seen

    other = threading.Thread(target=come_and_go)
    other.start()
    try:
        for _ in range(3000):
            wall.press("desk")
            wall.release("desk")
    finally:
        done.set()
        other.join()


def test_output_changes_are_told_with_their_time() -> None:
    """Each change of an output is told once, with pin and level; a level written twice and inputs aren't."""
    told: list[tuple[float, int, bool]] = []
    wall = _wall(on_level=lambda *change: told.append(change))
    output = DigitalOutputDevice(BUZZER, pin_factory=wall.factory)
    before = time.monotonic()

    output.on()
    output.on()
    wall.press("desk")
    output.off()
    output.close()

    assert [(pin, level) for _, pin, level in told] == [(BUZZER, True), (BUZZER, False)]
    assert before <= told[0][0] <= told[1][0] <= time.monotonic()


def test_two_walls_share_nothing(listen: Callable[..., Listener]) -> None:
    """The same pin on two walls is two pins."""
    first, second = _wall(), _wall()
    listeners = listen(first), listen(second)

    first.press("desk")

    assert [listener.high for listener in listeners] == [False, True]


# Instructions


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("button press", Instruction(Action.PRESS, "desk")),
        ("button release", Instruction(Action.RELEASE, "desk")),
        ("button tap 120", Instruction(Action.TAP, "desk", 120)),
        ("button tap 1", Instruction(Action.TAP, "desk", 1)),
        ("button bounce 60000", Instruction(Action.BOUNCE, "desk", 60000)),
        ("button:desk press", Instruction(Action.PRESS, "desk")),
        ("  BUTTON:Desk\tTap   40 \r\n", Instruction(Action.TAP, "desk", 40)),
        ("edges off", Instruction(Action.EDGES_OFF)),
        ("Edges ON", Instruction(Action.EDGES_ON)),
        ("quit # the end", Instruction(Action.QUIT)),
        ("", None),
        ("   \n", None),
        ("# button press", None),
    ],
)
def test_a_line_is_understood(line: str, expected: Instruction | None) -> None:
    """Each instruction, in any capitals and spacing; blank lines and comments ask for nothing."""
    assert parse(line, {"desk": "button"}) == expected


@pytest.mark.parametrize("line", ["button:door bounce 5", "button:DOOR BOUNCE 5"])
def test_one_of_several_inputs_is_named(line: str) -> None:
    """Where there are several inputs the name says which."""
    assert parse(line, {"desk": "button", "door": "button"}) == Instruction(Action.BOUNCE, "door", 5)


@pytest.mark.parametrize(
    ("line", "names", "text"),
    [
        ("push", ["desk"], '"push" is no instruction; allowed are: button press, '),
        ("Button  Push", ["desk"], '"button push" is no instruction; allowed are: button press, '),
        ("button", ["desk"], "is no instruction"),
        ("button press now", ["desk"], "is no instruction"),
        ("button tap", ["desk"], "is no instruction"),
        ("edges", ["desk"], "is no instruction"),
        ("edges maybe", ["desk"], "is no instruction"),
        ("quit now", ["desk"], "is no instruction"),
        ("desk press", ["desk"], "is no instruction"),
        ("button press", ["desk", "door"], "is one of several of this wall; allowed are: button:desk, button:door"),
        ("button:hall press", ["desk", "door"], "is no input of this wall; allowed are: button:desk, button:door"),
        ("button: press", ["desk"], "is no input of this wall; allowed are: button:desk"),
        ("button tap 0", ["desk"], '"0" is no length; allowed are whole milliseconds from 1 to 60000'),
        ("button tap 60001", ["desk"], "is no length"),
        ("button tap -5", ["desk"], "is no length"),
        ("button tap 1.5", ["desk"], "is no length"),
        ("button tap 1_0", ["desk"], "is no length"),
        ("button tap ٣", ["desk"], "is no length"),
        ("button bounce soon", ["desk"], "is no length"),
        ("button bounce " + "9" * 5000, ["desk"], "is no length"),
    ],
)
def test_a_bad_line_says_what_is_allowed(line: str, names: list[str], text: str) -> None:
    """What isn't understood is refused with a text that helps."""
    with pytest.raises(ValueError, match="allowed are") as caught:
        parse(line, dict.fromkeys(names, "button"))

    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("lines", "levels"),
    [
        (["button press"], [False]),
        (["button press", "button release"], [False, True]),
        (["button tap 1"], [False, True]),
        (["button bounce 1", "button release"], [False, True]),
        (["edges off", "button tap 1", "edges on", "button press"], [False]),
        (["quit"], []),
    ],
)
def test_instructions_are_carried_out(listen: Callable[..., Listener], lines: list[str], levels: list[bool]) -> None:
    """What a line says happens at the wall, one line after the other; ``quit`` is left to the caller."""
    wall = _wall()
    listener = listen(wall)

    for line in lines:
        instruction = parse(line, wall.kinds)
        assert instruction is not None
        carry_out(instruction, wall)

    first_and_last = listener.levels[:1] + listener.levels[1:][-1:]  # what is between is bounce
    assert first_and_last == levels


# Lines


class _Written(io.StringIO):
    """A stream that remembers what stood in it at each flush."""

    def __init__(self) -> None:
        super().__init__()
        self.flushed = ""

    def flush(self) -> None:
        self.flushed = self.getvalue()


def test_a_change_is_one_flushed_line() -> None:
    """The instant comes first, to the microsecond, then the fields in the order given."""
    stream = _Written()
    lines = JsonLines(stream)

    lines.write(12.3456789, output="buzzer", level=True)
    lines.write(13.0, output="lamp", pattern=LampPattern.CALLING)

    assert stream.flushed == (
        '{"at":12.345679,"output":"buzzer","level":true}\n{"at":13.0,"output":"lamp","pattern":"calling"}\n'
    )


class _Slow(io.StringIO):
    """A stream that writes letter by letter, so that threads can get between."""

    def write(self, text: str) -> int:
        return sum(super(_Slow, self).write(letter) for letter in text)


@pytest.mark.usefixtures("restless")
def test_lines_of_several_threads_stay_whole() -> None:
    """Threads that report at once don't break each other's lines."""
    stream = _Slow()
    lines = JsonLines(stream)
    count = 300

    def report(output: str) -> None:
        for at in range(count):
            lines.write(float(at), output=output)

    threads = [threading.Thread(target=report, args=(name,)) for name in ("buzzer", "lamp", "ladder")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    written = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert len(written) == 3 * count
    assert [line["at"] for line in written if line["output"] == "lamp"] == [float(at) for at in range(count)]


def test_a_reader_that_has_gone_is_survived(caplog: pytest.LogCaptureFixture) -> None:
    """After a broken pipe the lines go quiet, with one line in the log, and the stream can still be closed."""
    reading, writing = os.pipe()
    os.close(reading)

    with os.fdopen(writing, "w") as stream:
        lines = JsonLines(stream)
        lines.write(1.0, output="lamp")
        lines.write(2.0, output="lamp")

    assert [record.getMessage().partition(":")[0] for record in caplog.records] == ["no more lines on standard output"]


def test_a_stream_that_was_closed_is_survived() -> None:
    """Writing to a closed stream is as quiet as to a broken pipe."""
    stream = io.StringIO()
    lines = JsonLines(stream)
    stream.close()

    lines.write(1.0, output="lamp")
    lines.write(2.0, output="lamp")

    assert stream.closed

"""The panel on wired mock pins: one thread drives the contacts, an inbox gets what the loop would get."""

import gc
import itertools
import logging
import math
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

import pytest

from node.core.events import EdgesDropped, EdgeSeen, Event, LevelsRead, OutputFailed, OutputRecovered
from node.core.settings import Wiring
from node.core.signals import BUZZER_WAVES, LAMP_WAVES, BuzzerPattern, LampPattern
from node.errors import PanelError
from node.io.panel import UNDECIDED_MAX, Panel
from node.io.panel.devices import EDGES_MAX
from tests.support.walls import wall_of

PATIENCE_S = 20.0
DESK, DOOR, BUZZER, LAMP = 17, 27, 22, 23
INPUTS = {"desk": DESK, "door": DOOR}

BY_REQUEST_ONLY = 0.001
"""Samples a second: one at the start, and the next in a quarter of an hour."""

E = TypeVar("E", bound=Event)


class Inbox:
    """What the panel hands over, in order; a test waits in it for what it needs."""

    def __init__(self) -> None:
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.seen_edges: list[str] = []
        """The lines of all edges so far."""
        self.refused: list[type[Event]] = []
        """Each type listed here is refused once, with an exception."""

    def put(self, event: Event) -> None:
        """Take an event, or refuse it."""
        if type(event) in self.refused:
            self.refused.remove(type(event))
            raise RuntimeError("the queue is broken")
        if isinstance(event, EdgeSeen):
            self.seen_edges.append(event.line)
        self.events.put(event)

    def wait(self, kind: type[E], which: Callable[[E], bool] = lambda event: True) -> E:
        """The next event of this kind that fits; those before it are gone."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            event = self.events.get(timeout=max(0.0, deadline - time.monotonic()))
            if isinstance(event, kind) and which(event):
                return event

    def rest(self, kind: type[E]) -> list[E]:
        """The events of this kind among all that wait; then none waits."""
        events = [self.events.get() for _ in range(self.events.qsize())]
        return [event for event in events if isinstance(event, kind)]


class Room:
    """A wall with two buttons, a buzzer and a lamp, and what happened there."""

    def __init__(self) -> None:
        self.inbox = Inbox()
        self.levels: queue.SimpleQueue[tuple[float, int, bool]] = queue.SimpleQueue()
        wirings = {name: (pin, Wiring.NORMALLY_OPEN) for name, pin in INPUTS.items()}
        self.wall = wall_of(wirings, on_level=lambda at, pin, level: self.levels.put((at, pin, level)))
        self.panels: list[Panel] = []

    def panel(self, **changed: Any) -> Panel:
        """A panel on this wall's pins, closed when the test ends."""
        arguments: dict[str, Any] = {
            "line_pins": INPUTS,
            "buzzer_pin": BUZZER,
            "lamp_pin": LAMP,
            "put": self.inbox.put,
            "sample_hz": BY_REQUEST_ONLY,
        }
        panel = Panel(self.wall.factory, **(arguments | changed))
        self.panels.append(panel)
        return panel

    def started(self, **changed: Any) -> Panel:
        """The same, started."""
        panel = self.panel(**changed)
        panel.start()
        return panel

    def pin(self, number: int) -> Any:
        """The mock pin of this BCM number."""
        return self.wall.factory.pin(number)

    def next_level(self, number: int) -> tuple[float, bool]:
        """When and to what this output changes next."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            at, pin, level = self.levels.get(timeout=max(0.0, deadline - time.monotonic()))
            if pin == number:
                return at, level


class Clock:
    """CLOCK_MONOTONIC, as a machine sees it that can be stopped for a while."""

    def __init__(self) -> None:
        self.missed_s = 0.0

    def __call__(self) -> float:
        """Monotonic seconds."""
        return time.monotonic() + self.missed_s


@pytest.fixture
def room() -> Iterator[Room]:
    """A wall at rest."""
    room = Room()
    yield room
    for panel in room.panels:
        panel.close()


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def _from(at: float) -> Callable[[Event], bool]:
    return lambda event: event.at >= at


def _broken(*_: object) -> Any:
    raise OSError("the chip has gone")


def _eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    tick = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        tick.wait(0.002)


# Edges


def test_edges_arrive_with_their_own_time(room: Room) -> None:
    """A press and a release become two EdgeSeen, dated by the pin and carrying the electrical level."""
    room.started()
    before = time.monotonic()

    room.wall.press("desk")
    between = time.monotonic()
    room.wall.release("desk")

    low = room.inbox.wait(EdgeSeen)
    high = room.inbox.wait(EdgeSeen)
    assert (low.line, low.high, high.line, high.high) == ("desk", False, "desk", True)
    assert before <= low.at <= between <= high.at <= time.monotonic()


def test_edges_survive_the_garbage_collector(room: Room) -> None:
    """An edge handler, which gpiozero refers to weakly, is held by the panel."""
    room.started()

    gc.collect()
    room.wall.press("desk")

    assert room.inbox.wait(EdgeSeen).line == "desk"


def test_a_broken_queue_does_not_end_the_edge_path(room: Room) -> None:
    """An exception never reaches the thread that brings the edges, and the next edge arrives."""
    room.started()
    room.inbox.refused = [EdgeSeen]

    room.wall.press("desk")
    room.wall.release("desk")

    assert room.inbox.wait(EdgeSeen).high is True


def test_a_line_that_hums_stands_before_nobody(room: Room) -> None:
    """Of each line 64 edges wait for the loop; the rest is counted and told, and another line's edge has its place."""
    panel = room.started()
    edges = 2 * EDGES_MAX + 10
    for number in range(edges):
        (room.wall.release if number % 2 else room.wall.press)("desk")
    room.wall.press("door")
    panel.sample_at(0.0)

    dropped = room.inbox.wait(EdgesDropped)

    assert (dropped.line, dropped.count) == ("desk", edges - EDGES_MAX)
    assert room.inbox.seen_edges == ["desk"] * EDGES_MAX + ["door"]


def test_an_edge_that_is_decided_makes_room_for_another(room: Room) -> None:
    """And what was told as dropped isn't told again."""
    panel = room.started()
    for number in range(EDGES_MAX + 1):
        (room.wall.release if number % 2 else room.wall.press)("desk")
    panel.sample_at(0.0)
    assert room.inbox.wait(EdgesDropped).count == 1

    panel.edge_decided("desk")
    (room.wall.press if room.pin(DESK).state else room.wall.release)("desk")
    panel.sample_at(0.0)
    room.inbox.wait(LevelsRead)

    assert len(room.inbox.seen_edges) == EDGES_MAX + 1
    assert room.inbox.rest(EdgesDropped) == []


@pytest.mark.parametrize(
    "ticks_of",
    [
        pytest.param(lambda now: now - 6.0, id="too old"),
        pytest.param(lambda now: now + 1.0, id="from the future"),
        pytest.param(lambda now: now + 1.7e9, id="wall time"),
        pytest.param(lambda now: 0.0, id="zero"),
        pytest.param(lambda now: math.nan, id="no number"),
        pytest.param(lambda now: None, id="none"),
    ],
)
def test_an_edge_with_another_clocks_time_counts_as_of_its_arrival(
    room: Room, caplog: pytest.LogCaptureFixture, ticks_of: Callable[[float], float | None]
) -> None:
    """Time stamps that can't be CLOCK_MONOTONIC are replaced, with one line in the log."""
    panel = room.started()
    seen = room.pin(DESK).when_changed
    before = time.monotonic()

    with caplog.at_level(logging.WARNING):
        seen(ticks_of(time.monotonic()), 0)
        seen(ticks_of(time.monotonic()), 1)
        panel.sample_at(0.0)
        _eventually(lambda: bool(caplog.records))

    edges = [room.inbox.wait(EdgeSeen), room.inbox.wait(EdgeSeen)]
    assert [edge.high for edge in edges] == [False, True]
    assert before <= edges[0].at <= edges[1].at <= time.monotonic()
    panel.close()
    assert [record.getMessage().partition(" (")[0] for record in caplog.records] == ["edges carry another clock's time"]


def test_a_late_edge_keeps_its_time(room: Room) -> None:
    """An edge that was held up on its way for half a second is dated as of when it happened."""
    room.started()
    ticks = time.monotonic() - 0.5

    room.pin(DESK).when_changed(ticks, 0)

    assert room.inbox.wait(EdgeSeen).at == ticks


# Samples


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
    _eventually(lambda: panel.samples >= 5)


def test_a_sample_that_was_asked_for_does_not_wait_for_the_beat(room: Room) -> None:
    """Several instants may be asked for, in any order; each is served, and none too early."""
    panel = room.started()
    room.inbox.wait(LevelsRead)
    now = time.monotonic()

    for at in (now + 0.3, now + 0.1, now + 0.2, now - 5.0):
        panel.sample_at(at)

    assert room.inbox.wait(LevelsRead).at >= now
    for at in (now + 0.1, now + 0.2, now + 0.3):
        assert room.inbox.wait(LevelsRead, _from(at)).at >= at


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
    room.inbox.wait(LevelsRead, _from(at))

    assert panel.samples <= 3


def test_an_input_that_cannot_be_read_is_none_and_the_others_go_on(
    room: Room, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A pin whose read fails is None in the sample, with one line in the log, until it can be read again."""
    with monkeypatch.context() as broken, caplog.at_level(logging.WARNING):
        panel = room.started()
        room.inbox.wait(LevelsRead)
        broken.setattr(room.pin(DESK), "_get_state", _broken)
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
    _eventually(lambda: not room.inbox.refused)

    panel.sample_at(0.0)

    room.inbox.wait(LevelsRead)
    _eventually(lambda: panel.samples == 1)


def test_samples_that_nobody_decides_do_not_pile_up(room: Room) -> None:
    """Beyond a hundred undecided samples none is added; each decided one makes room for one."""
    panel = room.started(sample_hz=2000.0)
    _eventually(lambda: panel.samples_skipped > 10)
    piled_up = len(room.inbox.rest(LevelsRead))

    panel.decided()
    skipped = panel.samples_skipped
    _eventually(lambda: panel.samples_skipped > skipped + 10)

    assert piled_up == UNDECIDED_MAX
    assert len(room.inbox.rest(LevelsRead)) == 1
    assert panel.samples == UNDECIDED_MAX + 1


def test_a_loop_that_decides_nothing_makes_the_lamp_dark(room: Room) -> None:
    """A dark lamp is a dead node: it doesn't go on flashing by itself, and comes back with the loop."""
    panel = room.started(sample_hz=2000.0)
    panel.set_lamp(LampPattern.ACKNOWLEDGED)
    assert room.next_level(LAMP)[1] is True

    assert room.next_level(LAMP)[1] is False
    assert len(room.inbox.rest(LevelsRead)) >= UNDECIDED_MAX
    for _ in range(UNDECIDED_MAX):
        panel.decided()

    assert room.next_level(LAMP)[1] is True


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

    changes = [room.next_level(BUZZER) for _ in range(5)]
    assert [level for _, level in changes] == [True, False, True, False, True]
    assert changes[4][0] - changes[0][0] >= 2 * sum(seconds for _, seconds in wave) - 0.1
    assert [state.state for state in room.pin(BUZZER).states[:4]] == [False, True, False, True]


def test_buzzer_and_lamp_play_side_by_side(room: Room) -> None:
    """One player serves both waves, and a new pattern of one leaves the other's alone."""
    panel = room.started()

    panel.set_buzzer(BuzzerPattern.NOBODY)
    panel.set_lamp(LampPattern.CALLING)
    levels = [room.next_level(LAMP)[1] for _ in range(3)]
    panel.set_lamp(LampPattern.ACKNOWLEDGED)
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
            go_on.wait(PATIENCE_S)
        drive(value)
        if value:
            driven.set()

    monkeypatch.setattr(room.pin(BUZZER), "_set_state", drive_slowly)
    panel.set_buzzer(BuzzerPattern.ALARM)
    assert entered.wait(PATIENCE_S)

    off = threading.Thread(target=panel.set_buzzer, args=(BuzzerPattern.OFF,))
    off.start()
    off.join(0.3)  # as long as a panel without a lock would need to get past the player
    go_on.set()
    off.join(PATIENCE_S)

    assert driven.wait(PATIENCE_S)
    assert room.pin(BUZZER).state is False


@pytest.mark.usefixtures("restless")
def test_off_is_final_whoever_hammers(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """After set_buzzer(OFF) has returned the pin is low and stays low, whatever the player was about to do."""
    for waves, pattern in ((BUZZER_WAVES, BuzzerPattern.ALARM), (LAMP_WAVES, LampPattern.CALLING)):
        monkeypatch.setitem(waves, pattern, ((True, 0.00005), (False, 0.00005)))  # type: ignore[misc]
    panel = room.started()
    panel.set_lamp(LampPattern.CALLING)
    patterns = (BuzzerPattern.ALARM, BuzzerPattern.NOBODY, BuzzerPattern.OFF)

    def hammer() -> None:
        for pattern in itertools.islice(itertools.cycle(patterns), 30):
            panel.set_buzzer(pattern)

    for _ in range(30):
        hammers = [threading.Thread(target=hammer) for _ in range(3)]
        for thread in hammers:
            thread.start()
        for thread in hammers:
            thread.join()
        panel.set_buzzer(BuzzerPattern.ALARM)
        panel.set_buzzer(BuzzerPattern.OFF)
        changes = len(room.pin(BUZZER).states)
        passes = len(room.pin(LAMP).states)
        _eventually(lambda passes=passes: len(room.pin(LAMP).states) > passes + 4)  # type: ignore[misc]
        assert room.pin(BUZZER).state is False
        assert len(room.pin(BUZZER).states) == changes


def test_a_stalled_wave_goes_on_from_now(room: Room) -> None:
    """After a stall the player takes one step, not all that it missed."""
    clock = Clock()
    panel = room.started(clock=clock)
    panel.set_buzzer(BuzzerPattern.NOBODY)
    room.next_level(BUZZER)

    clock.missed_s = 1000.0
    panel.set_lamp(LampPattern.ACKNOWLEDGED)

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
            failed = room.inbox.wait(OutputFailed)
            tried = next(attempts)
            _eventually(lambda tried=tried: next(attempts) > tried + 10)  # type: ignore[misc]
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
    room.next_level(BUZZER)

    with monkeypatch.context() as broken:
        broken.setattr(room.pin(BUZZER), "_set_state", _broken)
        panel.set_buzzer(BuzzerPattern.OFF)
        room.inbox.wait(OutputFailed)

    assert room.next_level(BUZZER)[1] is False


def test_the_lamps_patterns_are_told(room: Room) -> None:
    """An observer hears each pattern that the lamp is set to, and when."""
    told: list[tuple[float, str, object]] = []
    panel = room.started(on_output=lambda *what: told.append(what))
    before = time.monotonic()

    panel.set_lamp(LampPattern.CALLING)
    panel.set_buzzer(BuzzerPattern.ALARM)

    assert [(output, pattern) for _, output, pattern in told] == [("lamp", LampPattern.CALLING)]
    assert before <= told[0][0] <= time.monotonic()


def test_a_wall_without_a_buzzer_stays_silent(room: Room) -> None:
    """Where no buzzer is configured its patterns change nothing, and the lamp still works."""
    panel = room.started(buzzer_pin=None)

    panel.set_buzzer(BuzzerPattern.ALARM)
    panel.set_lamp(LampPattern.ACKNOWLEDGED)

    assert room.pin(BUZZER).function == "input"
    assert room.pin(LAMP).state is True


# Start and end


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
    """Threads that have nothing to do for a long time are woken to end."""
    threads = set(threading.enumerate())
    panel = room.started()
    room.inbox.wait(LevelsRead)

    panel.close()

    assert set(threading.enumerate()) <= threads


def test_an_output_that_cannot_be_switched_off_leaves_the_other_off(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One pin that fails at the end doesn't keep the rest from being released."""
    panel = room.started()
    panel.set_lamp(LampPattern.ACKNOWLEDGED)

    with monkeypatch.context() as broken:
        broken.setattr(room.pin(BUZZER), "_set_state", _broken)
        panel.close()

    assert room.pin(LAMP).state is False
    room.started()


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        pytest.param({"line_pins": {"desk": DESK, "spare": DESK}}, "spare", id="two inputs on one pin"),
        pytest.param({"line_pins": {"desk": DESK, "spare": LAMP}}, "spare", id="an input on the lamp"),
        pytest.param({"line_pins": {"desk": 99}}, "desk", id="no such pin"),
        pytest.param({"lamp_pin": BUZZER}, "lamp", id="both outputs on one pin"),
    ],
)
def test_a_start_that_fails_half_way_releases_everything(room: Room, changed: dict[str, Any], name: str) -> None:
    """The error names what can't be claimed and the next step, and the pins claimed before are free again."""
    panel = room.panel(**changed)

    with pytest.raises(PanelError, match=rf"^E002 pin \d+ can't be used for {name} \(.*\)\. Next: ") as caught:
        panel.start()

    assert caught.value.next_step.startswith("look with gpioinfo")
    assert [room.pin(number).state for number in (BUZZER, LAMP)] == [False, False]
    room.started()

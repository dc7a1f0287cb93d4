"""Pins that can't be claimed: each costs itself alone, is told once, and is tried again. When a new start is due."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gpiozero import DigitalInputDevice, DigitalOutputDevice, Factory

from node.core.events import EdgeSeen, Event, LevelsRead, OutputFailed, OutputRecovered, StopRequested
from node.core.signals import BuzzerPattern, LampPattern
from node.errors import PanelError
from node.io.panel import BACK_IN_S, DEAF_S, Panel, claims, pin_factory
from node.io.panel.claims import CLAIM_EVERY_S
from tests.integration.panel.room import BUZZER, DESK, DOOR, INPUTS, LAMP, Clock, Room, chip_gone, sample
from tests.support.damage import NO_FILES, Damage

NO_CHIP = PanelError("this machine has no GPIO", "run it on a Raspberry Pi")


class Stage:
    """A room whose clock can be moved on to the next try."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.clock = Clock()
        self.panel: Panel | None = None
        self._stops: list[StopRequested] = []

    def start(self, **changed: Any) -> Panel:
        """A started panel, after the end of the one before it. From its first reading on the clock may be moved."""
        if self.panel is not None:
            self.panel.close()
        self.panel = self.room.panel(clock=self.clock, put=self._put, **changed)
        self.panel.start()
        return self.panel

    def sample(self, later_s: float = 0.0) -> LevelsRead:
        """The reading that comes so much later."""
        assert self.panel is not None
        self.clock.missed_s += later_s
        return sample(self.panel, self.room.inbox, self.clock())

    def _put(self, event: Event) -> None:
        if isinstance(event, StopRequested):
            self._stops.append(event)
        self.room.inbox.put(event)

    def stops(self) -> list[str]:
        """Why an end was asked for since the last look."""
        stops, self._stops = self._stops, []
        assert all(each.back_in_s == BACK_IN_S for each in stops)
        return [each.reason for each in stops]

    def try_again(self) -> LevelsRead:
        """The reading after the next try."""
        return self.sample(CLAIM_EVERY_S)


@pytest.fixture
def stage(room: Room) -> Stage:
    """A wall at rest, whose panel isn't started."""
    return Stage(room)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged as a warning about pins."""
    of_pins = (record for record in caplog.records if record.name == claims.__name__)
    return [record.getMessage() for record in of_pins if record.levelno == logging.WARNING]


class Missing:
    """Opens the wall's factory, once there is one."""

    def __init__(self, room: Room) -> None:
        self.is_there = False
        self.asked = 0
        self._room = room

    def __call__(self) -> Factory:
        """The factory."""
        self.asked += 1
        if not self.is_there:
            raise NO_CHIP
        return self._room.wall.factory


@pytest.fixture
def missing(room: Room) -> Missing:
    """A machine without a chip."""
    return Missing(room)


def test_a_taken_input_costs_itself_alone(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """The other one is read and heard, and the outputs work. The log says once which pin it is, and why."""
    with DigitalInputDevice(DOOR, pin_factory=stage.room.wall.factory), caplog.at_level(logging.WARNING):
        panel = stage.start()
        levels = [stage.sample().levels, *(stage.try_again().levels for _ in range(3))]
        stage.room.wall.press("desk")
        panel.set_lamp(LampPattern.ACKNOWLEDGED)

        assert levels == [{"desk": True, "door": None}] * 4
        assert stage.room.inbox.wait(EdgeSeen).line == "desk"
        assert stage.room.pin(LAMP).state is True
        assert panel.problems.keys() == {DOOR}
    (warning,) = warnings(caplog)
    assert warning.startswith(f"door: pin {DOOR} can't be used (GPIOPinInUse: ")
    assert warning.endswith("; it is tried again")


def test_an_input_that_is_freed_works_again(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Without a restart, with its edges, and the log says so."""
    with DigitalInputDevice(DOOR, pin_factory=stage.room.wall.factory):
        panel = stage.start()
        assert stage.try_again().levels["door"] is None

    with caplog.at_level(logging.INFO):
        assert stage.try_again().levels == {"desk": True, "door": True}
    stage.room.wall.press("door")

    assert stage.room.inbox.wait(EdgeSeen).line == "door"
    assert panel.problems == {}
    assert f"door: pin {DOOR} can be used again" in caplog.messages


def test_a_pin_is_not_tried_at_each_reading(stage: Stage) -> None:
    """Only every few seconds."""
    with DigitalInputDevice(DOOR, pin_factory=stage.room.wall.factory):
        stage.start()

    assert stage.sample(CLAIM_EVERY_S * 0.9).levels["door"] is None
    assert stage.sample(CLAIM_EVERY_S * 0.2).levels["door"] is True


def test_an_output_that_is_freed_goes_on_with_its_wave(stage: Stage) -> None:
    """It is a fault once; the alarm that began meanwhile sounds as soon as there is a buzzer."""
    with DigitalOutputDevice(BUZZER, pin_factory=stage.room.wall.factory):
        panel = stage.start()
        failed = stage.room.inbox.wait(OutputFailed)
        panel.set_buzzer(BuzzerPattern.ALARM)
        for _ in range(3):
            stage.try_again()
        assert stage.room.inbox.rest(OutputFailed) == []
        assert stage.room.pin(BUZZER).state is False

    stage.try_again()

    assert failed.output == "buzzer"
    assert failed.reason.startswith("GPIOPinInUse: ")
    assert [stage.room.next_level(BUZZER)[1] for _ in range(3)] == [True, False, True]
    assert panel.problems == {}


def test_an_output_that_is_freed_is_told(stage: Stage) -> None:
    """Once."""
    with DigitalOutputDevice(LAMP, pin_factory=stage.room.wall.factory):
        stage.start()

    stage.try_again()

    assert stage.room.inbox.wait(OutputRecovered).output == "lamp"
    stage.try_again()
    assert stage.room.inbox.rest(OutputRecovered) == []


@pytest.mark.parametrize(
    ("changed", "works"),
    [
        pytest.param({"line_pins": {"desk": DESK, "spare": DESK}}, {"desk"}, id="two inputs on one pin"),
        pytest.param({"line_pins": {"desk": DESK, "spare": LAMP}}, {"desk"}, id="an input on the lamp"),
        pytest.param({"line_pins": {"desk": 99, "spare": DOOR}}, {"spare"}, id="no such pin"),
        pytest.param({"lamp_pin": BUZZER}, {"desk", "door"}, id="both outputs on one pin"),
    ],
)
def test_outputs_come_first_and_what_is_left_works(stage: Stage, changed: dict[str, Any], works: set[str]) -> None:
    """Whatever can't be claimed; at the end all is released."""
    panel = stage.start(**changed)

    levels = stage.sample().levels
    panel.set_buzzer(BuzzerPattern.ALARM)

    assert {name for name, level in levels.items() if level is not None} == works
    assert stage.room.pin(BUZZER).state is True
    panel.close()
    assert stage.room.pin(BUZZER).state is False
    stage.start()
    assert stage.sample().levels == {"desk": True, "door": True}


def test_without_a_chip_the_panel_runs_and_finds_it_when_it_comes(
    stage: Stage, missing: Missing, caplog: pytest.LogCaptureFixture
) -> None:
    """No input is read, both outputs fail, and one line says why. Then everything works."""
    with caplog.at_level(logging.WARNING):
        panel = stage.start(open_factory=missing)
        panel.set_lamp(LampPattern.ACKNOWLEDGED)
        assert [stage.try_again().levels for _ in range(3)] == [dict.fromkeys(INPUTS)] * 3

    assert str(panel.unusable) == str(NO_CHIP)
    assert warnings(caplog) == [f"{NO_CHIP} It is tried again every 5 s."]
    missing.is_there = True
    assert stage.try_again().levels == {"desk": True, "door": True}
    assert panel.unusable is None
    assert stage.room.pin(LAMP).state is True
    assert missing.asked == 5
    stage.room.wall.press("desk")
    assert stage.room.inbox.wait(EdgeSeen).line == "desk"


def test_without_a_chip_both_outputs_are_told_once(stage: Stage, missing: Missing) -> None:
    """With the reason."""
    stage.start(open_factory=missing)

    failed = [stage.room.inbox.wait(OutputFailed) for _ in range(2)]
    for _ in range(3):
        stage.try_again()

    assert {(each.output, each.reason) for each in failed} == {("buzzer", NO_CHIP.text), ("lamp", NO_CHIP.text)}
    assert stage.room.inbox.rest(OutputFailed) == []


def test_what_nobody_thought_of_is_no_end_either(stage: Stage) -> None:
    """A library that fails in its own way makes the node deaf, and doesn't end it."""

    def fail() -> Factory:
        raise ZeroDivisionError("what nobody thought of")

    panel = stage.start(open_factory=fail)

    assert stage.try_again().levels == dict.fromkeys(INPUTS)
    assert panel.unusable is not None
    assert "ZeroDivisionError: what nobody thought of" in panel.unusable.text


def test_the_end_of_a_panel_without_a_chip_is_quiet(stage: Stage, missing: Missing) -> None:
    """Twice, as ever."""
    panel = stage.start(open_factory=missing)
    stage.sample()

    panel.close()
    panel.close()

    assert missing.asked == 1


def test_a_factory_that_cannot_be_closed_is_told_and_ends_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As lgpio's when its chip has gone: the record, which is closed next, must be."""
    panel = stage.start()
    monkeypatch.setattr(stage.room.wall.factory, "close", chip_gone)

    panel.close()

    assert warnings(caplog) == ["the pin factory can't be closed (OSError: the chip has gone)"]


# A new start


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """A machine's /dev and the chips that its kernel has: ``machine("kernel", "gpiochip1")`` adds one."""
    for name in ("dev", "kernel"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(pin_factory, "_DEVICES", tmp_path / "dev")
    monkeypatch.setattr(pin_factory, "_KNOWN", tmp_path / "kernel")
    return lambda where, chip: (tmp_path / where / chip).touch()


def asked(stage: Stage) -> list[str]:
    """Why the panel has asked for a new process within the next two tries."""
    for _ in range(2):
        stage.try_again()
    return stage.stops()


def test_a_chip_that_this_process_cannot_see_wants_a_new_start(
    stage: Stage, missing: Missing, machine: Callable[[str, str], None], tmp_path: Path
) -> None:
    """A service's /dev is made at its start. It is asked for once, and says how long that takes."""
    machine("kernel", "gpiochip2")
    machine("dev", "gpiochip2")
    stage.start(open_factory=missing, directory=tmp_path)
    assert asked(stage) == []

    machine("kernel", "gpiochip1")

    assert asked(stage) == ["a GPIO chip has come"]
    assert asked(stage) == []


def test_a_chip_that_came_while_the_process_started_wants_one_too(
    stage: Stage, missing: Missing, machine: Callable[[str, str], None], tmp_path: Path
) -> None:
    """After /dev was made, and before the node looked for the first time."""
    machine("kernel", "gpiochip0")

    stage.start(open_factory=missing, directory=tmp_path)

    assert asked(stage) == ["a GPIO chip has come"]


def test_a_chip_that_stays_hidden_wants_one_start_and_no_more(
    stage: Stage, missing: Missing, machine: Callable[[str, str], None], tmp_path: Path
) -> None:
    """The next process knows what was tried. Another chip is another reason."""
    machine("kernel", "gpiochip20")
    stage.start(open_factory=missing, directory=tmp_path)
    assert asked(stage) == ["a GPIO chip has come"]

    stage.start(open_factory=missing, directory=tmp_path)
    assert asked(stage) == []
    machine("kernel", "gpiochip0")

    assert asked(stage) == ["a GPIO chip has come"]


@pytest.mark.parametrize("damage", NO_FILES.values(), ids=NO_FILES.keys())
def test_a_note_that_is_no_file_costs_the_new_start_alone(
    stage: Stage,
    missing: Missing,
    machine: Callable[[str, str], None],
    tmp_path: Path,
    damage: Damage,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nobody knows then what was tried, and nobody waits for it: the panel goes on to look."""
    damage(tmp_path / claims.NOTE)
    machine("kernel", "gpiochip0")

    stage.start(open_factory=missing, directory=tmp_path)

    assert asked(stage) == []
    assert "the node isn't started anew for gpiochip0 " in caplog.text


def test_a_chip_that_was_found_may_go_and_come_again(
    stage: Stage, missing: Missing, machine: Callable[[str, str], None], tmp_path: Path
) -> None:
    """What was tried before it was found counts no more."""
    machine("kernel", "gpiochip0")
    stage.start(open_factory=missing, directory=tmp_path)
    assert asked(stage) == ["a GPIO chip has come"]
    missing.is_there = True
    stage.start(open_factory=missing, directory=tmp_path).close()
    missing.is_there = False

    stage.start(open_factory=missing, directory=tmp_path)

    assert asked(stage) == ["a GPIO chip has come"]


@pytest.mark.parametrize("directory", [None, "missing"])
def test_nobody_is_asked_who_would_be_asked_for_ever(
    stage: Stage, missing: Missing, machine: Callable[[str, str], None], tmp_path: Path, directory: str | None
) -> None:
    """Without systemd, and where nothing can be noted."""
    machine("kernel", "gpiochip0")

    stage.start(open_factory=missing, directory=directory and tmp_path / directory)

    assert asked(stage) == []


def test_a_panel_that_can_read_nothing_wants_a_new_start(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once its faults were told; a single unreadable input isn't enough."""
    stage.start()
    stage.sample()

    with monkeypatch.context() as broken:
        broken.setattr(stage.room.pin(DESK), "_get_state", chip_gone)
        for _ in range(3):
            assert stage.sample(DEAF_S).levels == {"desk": None, "door": True}
        broken.setattr(stage.room.pin(DOOR), "_get_state", chip_gone)
        stage.sample()
        stage.sample(DEAF_S - 0.5)
        assert stage.room.inbox.rest(StopRequested) == []
        stage.sample(1.0)
        stop = stage.room.inbox.wait(StopRequested)
        stage.sample(DEAF_S)

    assert (stop.reason, stop.back_in_s) == ("no input can be read", BACK_IN_S)
    assert stage.room.inbox.rest(StopRequested) == []


def test_a_pause_in_reading_is_no_reason_for_a_new_start(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inputs that can be read in between begin anew."""
    stage.start()
    for _ in range(3):
        with monkeypatch.context() as broken:
            for pin in (DESK, DOOR):
                broken.setattr(stage.room.pin(pin), "_get_state", chip_gone)
            stage.sample()
            stage.sample(DEAF_S * 0.9)
        stage.sample()

    assert stage.room.inbox.rest(StopRequested) == []


def test_pins_that_were_never_claimed_want_no_new_start(stage: Stage) -> None:
    """They are waited for."""
    wall = stage.room.wall.factory
    with DigitalInputDevice(DOOR, pin_factory=wall), DigitalInputDevice(DESK, pin_factory=wall):
        stage.start()
        for _ in range(5):
            stage.sample(DEAF_S)

        assert stage.room.inbox.rest(StopRequested) == []

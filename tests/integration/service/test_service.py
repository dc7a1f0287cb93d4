"""The superloop on a simulated wall, in this process: what it contains, what ends it, and how its outputs go off."""

import logging
import os
import queue
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from gpiozero import DigitalOutputDevice

from node import config
from node.core import controller, effects
from node.core import events as ev
from node.core.model import Step
from node.core.signals import LampPattern
from node.core.state import State
from node.errors import AlreadyRunningError, StateDirectoryError
from node.io import health
from node.io.health import limits
from node.io.record.record import read_log
from node.protocol.messages import Health
from node.service import status_file
from node.service.loop import Clocks, Service
from node.service.upkeep.watcher import LogWatcher
from node.simulate.wall import Wall
from tests.support.broker import Broker, free_port
from tests.support.desk import Desk
from tests.support.node import write_config

WAIT_LIMIT_S = 20.0
TEN_YEARS_S = 10 * 365.25 * 24 * 3600.0
BUZZER, LAMP = 22, 23
UNDECIDED_MAX = 64
OUTPUTS = {"buzzer": BUZZER, "lamp": LAMP}

Handle = Callable[[State, ev.Event], tuple[State, list[effects.Effect]]]


class Onlooker:
    """Waits for what the service shows."""

    def __init__(self) -> None:
        self.shown: queue.SimpleQueue[object] = queue.SimpleQueue()

    def ladder(self, at: float, name: str, step: Step) -> None:
        """The call for help of this input reached a step."""
        self.shown.put(step)

    def lamp(self, at: float, pattern: object) -> None:
        """The lamp was set to a pattern."""
        self.shown.put(pattern)

    def expect(self, wanted: object) -> None:
        """Wait until this is shown; what came before it is gone."""
        deadline = time.monotonic() + WAIT_LIMIT_S
        while self.shown.get(timeout=max(0.0, deadline - time.monotonic())) is not wanted:
            pass


class Room:
    """A node with one loud button: its wall, its service on a thread of its own, and what can be seen of it."""

    def __init__(self, path: Path, wall_clock: Callable[[], float] = time.time) -> None:
        settings = config.load(path)
        self.directory = config.state_directory(settings, {})
        self.levels: list[tuple[int, bool]] = []
        self.onlooker = Onlooker()
        self.wall = Wall(
            settings.settings.inputs,
            settings.line_pins,
            on_level=lambda at, pin, level: self.levels.append((pin, level)),
        )
        self.service = Service(
            settings,
            lambda: self.wall.factory,
            self.directory,
            environ={},
            watcher=self.onlooker,
            clocks=Clocks(wall=wall_clock),
        )
        self.outcome: Future[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="service")

    def start(self) -> None:
        """Run the service."""
        self.outcome = self._thread.submit(self.service.run)

    def ready(self) -> None:
        """Run the service, and wait until the lamp says that it is ready."""
        self.start()
        self.onlooker.expect(LampPattern.READY)

    def press(self) -> None:
        """Press the button, and wait until that is seen."""
        self.wall.press("button")
        self.onlooker.expect(Step.PRESSED)

    def failure(self) -> BaseException | None:
        """What ended the service; waits for its end."""
        assert self.outcome is not None
        return self.outcome.exception(WAIT_LIMIT_S)

    @property
    def sounds(self) -> bool:
        """Whether the buzzer has been heard."""
        return (BUZZER, True) in self.levels

    @property
    def is_dark(self) -> bool:
        """Whether both outputs are off, and their pins let go."""
        last = dict(self.levels)
        released = all(self.wall.factory.pin(pin).function == "input" for pin in OUTPUTS.values())
        return released and not last.get(BUZZER, False) and not last.get(LAMP, False)

    def leave(self) -> None:
        """End whatever still runs."""
        self.service.stop("the test has ended")
        if self.outcome is not None:
            self.failure()
        # A run that ended in an exception leaves its links to the end of the process, so that the will is published.
        for link in self.service.links.values():  # they would go on trying until all tests have ended
            link.close(0.0)
            assert link.join(WAIT_LIMIT_S)
        self._thread.shutdown()


@pytest.fixture
def room(tmp_path: Path, broker: Broker) -> Iterator[Room]:
    """A room whose broker is there; its service isn't started."""
    made = Room(write_config(tmp_path, broker.port))
    yield made
    made.leave()


@pytest.fixture
def lonely(tmp_path: Path) -> Iterator[Room]:
    """A room whose broker is away."""
    made = Room(write_config(tmp_path, free_port()))
    yield made
    made.leave()


@pytest.fixture
def desk(broker: Broker) -> Iterator[Desk]:
    """A desk that listens; it says nothing by itself."""
    with Desk(broker.port) as connected:
        yield connected


class Strange:
    """An effect that no part of the service knows."""


@dataclass
class Trap:
    """The controller, but it stumbles over one type of event once it is armed."""

    kind: type[ev.Event] = ev.Event
    armed: bool = False
    sprung: int = 0
    unknown_effect: bool = False

    def around(self, handle: Handle) -> Handle:
        """The controller's ``handle`` with this trap in it."""

        def trapped(state: State, event: ev.Event) -> tuple[State, list[effects.Effect]]:
            if not self.armed or not isinstance(event, self.kind):
                return handle(state, event)
            self.sprung += 1
            if not self.unknown_effect:
                raise RuntimeError("provoked")
            after, asked = handle(state, event)
            return after, [*asked, Strange()]  # type: ignore[list-item]  # what the types refuse otherwise

        return trapped


@pytest.fixture
def trap(monkeypatch: pytest.MonkeyPatch) -> Trap:
    """A trap in the controller, not armed yet."""
    trap = Trap()
    monkeypatch.setattr(controller, "handle", trap.around(controller.handle))
    return trap


def test_outputs_are_off_before_and_after(lonely: Room) -> None:
    """Nothing sounds or shines before the start; in alarm it does; after a stop from another thread nothing does."""
    before = (list(lonely.levels), lonely.is_dark)
    lonely.ready()
    lonely.press()
    sounding = lonely.sounds and not lonely.is_dark

    lonely.service.stop("the night is over")

    assert lonely.failure() is None
    assert before == ([], True)
    assert sounding
    assert lonely.is_dark


def test_a_stop_is_said_goodbye_with_its_reason(room: Room, desk: Desk) -> None:
    """The building hears who ended the node and for how long, and not that it was lost."""
    room.ready()
    desk.expect("state", state="online")

    room.service.stop("maintenance", back_in_s=60.0)

    assert room.failure() is None
    assert desk.expect("state", state="offline", reason="maintenance")["back_in_s"] == 60.0
    assert desk.expect("event", kind="stopped")["reason"] == "maintenance"
    assert {each["state"] for each in desk.heard("state")} == {"online", "offline"}
    assert not status_file.is_running(room.directory)


def test_a_broker_that_hangs_does_not_keep_the_node_from_ending(room: Room, broker: Broker, desk: Desk) -> None:
    """A goodbye that nobody takes is waited for a few seconds, not for ever."""
    room.ready()
    desk.expect("state", state="online")
    broker.freeze()

    room.service.stop("the broker hangs")

    assert room.failure() is None
    assert room.is_dark
    broker.thaw()


@pytest.mark.parametrize("kind", [ev.EdgeSeen, ev.LevelsRead, ev.TimePassed, ev.EventsStored])
def test_a_mistake_over_an_input_ends_the_run_with_outputs_off(kind: type[ev.Event], lonely: Room, trap: Trap) -> None:
    """What the core can't decide of pins, time or disk ends the process, and nothing goes on sounding or shining."""
    lonely.ready()
    lonely.press()
    sounding = lonely.sounds and not lonely.is_dark

    trap.kind, trap.armed = kind, True
    lonely.wall.release("button")

    assert str(lonely.failure()) == "provoked"
    assert sounding
    assert lonely.is_dark
    assert not status_file.is_running(lonely.directory)


def test_a_mistake_over_a_message_is_contained(
    room: Room, desk: Desk, trap: Trap, caplog: pytest.LogCaptureFixture
) -> None:
    """However often the core stumbles over the network's words, the button and later commands are still there."""
    room.ready()
    desk.expect("state", state="online")
    trap.kind, trap.armed = ev.CommandHeard, True

    while trap.sprung <= UNDECIDED_MAX:
        desk.give(desk.command("probe"))
    trap.armed = False
    room.press()

    assert desk.expect("event", kind="pressed")["presses"] == 1
    assert desk.order("probe")["outcome"] == "done"
    assert "a message from the network was not understood and is dropped" in caplog.text
    assert "RuntimeError: provoked" in caplog.text


def test_an_unknown_effect_raises(lonely: Room, trap: Trap) -> None:
    """An effect that nobody can carry out is a mistake in the program: the run ends, with outputs off."""
    lonely.ready()
    lonely.press()

    trap.kind, trap.unknown_effect, trap.armed = ev.EdgeSeen, True, True
    lonely.wall.release("button")

    failure = lonely.failure()
    assert isinstance(failure, AssertionError)
    assert "Strange" in str(failure)
    assert lonely.is_dark


@pytest.mark.parametrize("jump_s", [TEN_YEARS_S, -TEN_YEARS_S], ids=["forth", "back"])
def test_a_jump_of_the_wall_clock_changes_labels_alone(
    jump_s: float, tmp_path: Path, broker: Broker, desk: Desk
) -> None:
    """Ten years between two presses of an alarm: one event each, the same incident, the sound goes on, no fault."""
    jumped_s = 0.0
    room = Room(write_config(tmp_path, broker.port), lambda: time.time() + jumped_s)
    try:
        room.ready()
        room.press()
        first = desk.expect("event", kind="pressed")
        room.wall.release("button")
        desk.expect("event", kind="restored")

        jumped_s = jump_s
        room.press()
        second = desk.expect("event", kind="pressed", presses=2)
        alarm = desk.expect("alarm", lambda message: bool(message["incidents"]) and message["seq"] >= second["seq"])
        room.service.stop("the test has ended")
        assert room.failure() is None
    finally:
        room.leave()

    told = {(each["boot"], each["seq"]): each for each in desk.events}
    assert [each["kind"] for _, each in sorted(told.items())] == [
        "started",
        "pressed",
        "restored",
        "pressed",
        "stopped",
    ]
    assert first["incident"] == second["incident"] == alarm["incidents"][0]["incident"]
    assert second["age_ms"] < 3_600_000
    assert alarm["incidents"][0]["sound_s"] > 600.0
    assert _utc(second) - _utc(first) == pytest.approx(jump_s, abs=3600.0)
    assert (BUZZER, True) in room.levels
    assert [row.key.seq for row in read_log(room.directory)] == [1, 2, 3, 4, 5]


def test_a_pin_that_is_taken_costs_itself_alone(room: Room, broker: Broker) -> None:
    """Without its buzzer the node is there, says so, and a press is told and seen."""
    with Desk(broker.port) as desk, DigitalOutputDevice(BUZZER, pin_factory=room.wall.factory):
        room.start()
        desk.receive("event", kind="fault-raised", fault="F003", subject="buzzer")

        room.wall.press("button")
        room.onlooker.expect(LampPattern.CALLING)
        desk.receive("event", kind="pressed")

    assert not room.sounds


def test_a_second_service_touches_nothing(lonely: Room) -> None:
    """While another one holds the state directory, neither pins nor record are begun with."""
    lonely.directory.mkdir()
    lock = status_file.hold(lonely.directory)

    lonely.start()

    assert isinstance(lonely.failure(), AlreadyRunningError)
    assert lonely.levels == []
    assert [path.name for path in lonely.directory.iterdir()] == ["alarm-node.lock"]
    status_file.release(lock)


def test_a_file_in_the_place_of_the_directory_is_told(lonely: Room) -> None:
    """A state directory that is a file is a mistake of the installation, and the answer says so."""
    lonely.directory.write_text("in the way", encoding="ascii")

    lonely.start()

    failure = lonely.failure()
    assert isinstance(failure, StateDirectoryError)
    assert str(failure).startswith(f"E004 the state directory {lonely.directory} is a file. Next: move the file away")


def test_a_node_without_any_disk_still_calls(
    room: Room, desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where no state directory can be made the alarm goes out, and the fault is told with its next step."""

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)

    room.start()
    room.onlooker.expect(LampPattern.NOBODY)
    room.press()

    assert desk.expect("event", kind="pressed")["presses"] == 1
    desk.expect_fault("F020")
    assert f"no state directory {room.directory}: Read-only file system" in caplog.text
    assert "F020 the record can't be written: alarms are sent, but a power cut may lose them. Next: " in caplog.text


def test_the_doctor_is_told_how_far_each_call_has_got(tmp_path: Path) -> None:
    """What the service leaves for ``alarm-node check`` says which call nobody was told of."""
    room = Room(write_config(tmp_path, free_port(), heartbeat_s=2))
    try:
        room.ready()
        room.press()
        deadline = time.monotonic() + WAIT_LIMIT_S
        calls: Sequence[status_file.Call] = ()
        while not calls:
            assert time.monotonic() < deadline, "the call isn't told"
            found = status_file.read(room.directory, time.monotonic(), health.kernel_boot())
            calls = () if found is None else found.calls
            time.sleep(0.01)
    finally:
        room.leave()

    assert [(each.input, each.test) for each in calls] == [("button", False)]
    assert calls[0].step in (Step.PRESSED, Step.STORED, Step.NOBODY)


def test_the_heartbeat_tells_how_the_machine_is(room: Room, desk: Desk) -> None:
    """What was read of this machine, and how long ago; the disk is that of the record."""
    room.ready()

    heartbeat = desk.expect("heartbeat", lambda message: message["health"]["age_s"] is not None)

    told = msgspec.convert(heartbeat["health"], Health)
    assert told.stuck is None
    assert (told.threads or 0) >= len(("main", "health", "record", "status"))
    assert (told.files or 0) > 0
    assert told.memory is not None
    assert 0 < told.memory.available_bytes <= told.memory.total_bytes
    assert told.disk is not None
    assert told.disk.total_bytes == shutil.disk_usage(room.directory).total


def test_what_is_wrong_with_the_machine_is_told_and_stored(
    room: Room, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a fault in a heartbeat of its own, and as an event."""
    monkeypatch.setattr(limits, "LEAST_SHARE", 2.0)

    room.start()

    heartbeat = desk.expect_fault("F033")
    assert heartbeat["health"]["memory"]["available_bytes"] > 0
    assert desk.expect("event", kind="fault-raised", fault="F033")["subject"] == ""


def test_a_reading_that_hangs_keeps_nothing_waiting(room: Room, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The node starts, calls for help and ends as ever, and claims nothing of the machine."""
    hanging, go_on = threading.Event(), threading.Event()

    def hang(_path: Path) -> os.statvfs_result:
        hanging.set()
        go_on.wait()
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "statvfs", hang)
    room.ready()
    assert hanging.wait(WAIT_LIMIT_S)

    room.press()
    pressed = desk.expect("event", kind="pressed")
    heartbeat = desk.expect("heartbeat")
    room.service.stop("the test has ended")
    failure = room.failure()
    go_on.set()

    assert pressed["presses"] == 1
    assert (heartbeat["health"]["age_s"], heartbeat["health"]["memory"]) == (None, None)
    assert failure is None


@pytest.mark.parametrize(
    ("host", "networked"), [("127.0.0.1", False), ("localhost", False), ("192.0.2.1", True), ("broker.example", True)]
)
def test_a_network_matters_where_a_broker_is_elsewhere(
    host: str, networked: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pulled cable is no fault of a node whose only broker is on its own machine."""
    asked: list[bool] = []

    class Reader(health.HealthReader):
        def __init__(self, directory: Path, *, networked: bool, **others: Any) -> None:
            asked.append(networked)
            super().__init__(directory, networked=networked, **others)

    monkeypatch.setattr(health, "HealthReader", Reader)
    path = write_config(tmp_path, free_port())
    text = path.read_text(encoding="utf-8").replace('"127.0.0.1"', f'"{host}"\ninsecure = true')
    path.write_text(text, encoding="utf-8")

    Room(path).leave()

    assert asked == [networked]


def test_the_log_tells_what_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    """Where nobody else looks on, each step of the ladder is a line in the log, and the lamp one for the curious."""
    caplog.set_level(logging.DEBUG)
    watcher = LogWatcher()

    watcher.ladder(1.0, "button", Step.TOLD)
    watcher.lamp(1.0, LampPattern.RECEIVED)

    assert [(each.levelname, each.getMessage()) for each in caplog.records] == [
        ("INFO", "button: told"),
        ("DEBUG", "lamp: received"),
    ]


def _utc(event: Any) -> float:
    return datetime.fromisoformat(event["at_utc"]).timestamp()

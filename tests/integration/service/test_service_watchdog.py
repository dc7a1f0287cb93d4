"""What feeds the watchdog of a whole node, and what doesn't keep it from being fed."""

import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from gpiozero import DigitalOutputDevice, Factory

from node import config
from node.core.model import Step
from node.errors import PanelError
from node.io import systemd
from node.io.record.record import read_log
from node.io.systemd import notifying
from node.service.loop import Service
from node.service.upkeep.watcher import LogWatcher
from node.simulate.wall import Wall
from tests.support.broker import free_port
from tests.support.manager import Manager, watchdog_usec
from tests.support.node import wait_until, write_config

WAIT_LIMIT_S = 20.0
WATCHDOG_S = 1.0
BUTTON, BUZZER, LAMP = 17, 22, 23
FED = b"WATCHDOG=1"
READY = b"READY=1"


class Onlooker(LogWatcher):
    """Looks on; once it is armed it keeps the loop waiting at the next step of the ladder, which nobody may do."""

    def __init__(self) -> None:
        self.armed = False
        self.holds, self.goes_on = threading.Event(), threading.Event()

    def ladder(self, at: float, name: str, step: Step) -> None:
        """The call for help of this input reached a step."""
        if self.armed:
            self.holds.set()
            assert self.goes_on.wait(WAIT_LIMIT_S)


def without_chip() -> Factory:
    """A machine without GPIO."""
    raise PanelError("this machine has no GPIO", "run it on a Raspberry Pi")


class Node:
    """A node without a broker, and the service manager that it tells."""

    def __init__(self, path: Path, manager: Manager) -> None:
        settings = config.load(path)
        self.path = path
        self.manager = manager
        self.directory = config.state_directory(settings, {})
        self.wall = Wall(settings.settings.inputs, settings.line_pins)
        self.onlooker = Onlooker()
        self.noted: queue.SimpleQueue[Sequence[int]] = queue.SimpleQueue()
        self.open_factory: Callable[[], Factory] = lambda: self.wall.factory
        self._settings = settings
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="service")
        self.service: Service | None = None
        self.outcome: Future[None] | None = None

    def start(self) -> None:
        """Run the service."""
        self.outcome = self._thread.submit(self._run)

    def leave(self) -> None:
        """End the service, and wait for it."""
        if self.service is not None:
            self.service.stop("the test has ended")
        if self.outcome is not None:
            self.outcome.result(WAIT_LIMIT_S)
        self._thread.shutdown()

    def _run(self) -> None:
        with notifying(os.environ) as notifier:
            self.service = Service(
                self._settings,
                self.open_factory,
                self.directory,
                environ={},
                watcher=self.onlooker,
                notifier=notifier,
                note_outputs=self.noted.put,
            )
            self.service.run()

    def wait_for_heartbeats(self, count: int) -> None:
        """Wait until the loop has made so many, one a second, from now on."""
        path = self.directory / "status.json"
        wait_until(path.exists)
        for _ in range(count):
            last = path.read_bytes()
            wait_until(lambda last=last: path.read_bytes() != last)  # type: ignore[misc] # bound for each turn

    @property
    def record(self) -> Path:
        """The record's file."""
        return self.directory / "record.sqlite"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Whoever writes this database waits."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    """A node whose watchdog wants to be fed; it isn't started."""
    with Manager(tmp_path) as manager:
        monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
        monkeypatch.setenv("WATCHDOG_USEC", watchdog_usec(WATCHDOG_S))
        made = Node(write_config(tmp_path, free_port(), heartbeat_s=1), manager)
        yield made
        made.leave()


def test_an_absent_broker_is_no_failed_start(node: Node) -> None:
    """READY comes without any broker; the fault follows, and the feeds go on."""
    node.start()

    before = node.manager.until(lambda message: message == READY)
    after = node.manager.until(lambda message: b"fault F010" in message)
    fed = node.manager.until(lambda message: message == FED)

    assert before[0] == b"STATUS=starting, 0 of 1 brokers connected"
    assert before[-2] == b"STATUS=NOT READY: no broker is connected (0 of 1)"
    assert after[-1].startswith(b"STATUS=NOT READY: no broker is connected (0 of 1), fault F010 (127.0.0.1:")
    assert fed


def test_a_stalled_writer_does_not_stop_the_feeding(node: Node) -> None:
    """While the record can't write, F020 stands and the watchdog is fed: a dying disk is no restart loop."""
    node.start()
    node.manager.until(lambda message: message == READY)

    with locked(node.record):
        node.wall.press("button")
        node.manager.until(lambda message: b"fault F020" in message)
        fed = [node.manager.until(lambda message: message == FED) for _ in range(5)]

    assert len(fed) == 5


def test_a_stalled_writer_at_start_delays_ready_until_its_fault(node: Node) -> None:
    """READY means that the record is open, or that everybody is told that it isn't."""
    node.directory.mkdir()
    with closing(sqlite3.connect(node.record)) as connection:
        connection.execute("CREATE TABLE in_the_way (number INTEGER)")
    with locked(node.record):
        node.start()

        told = node.manager.until(lambda message: message == READY)
        fed = node.manager.until(lambda message: message == FED)

    assert b"fault F020" in told[-2]
    assert fed


def test_a_pin_whose_reading_hangs_stops_the_feeding(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """The feeds come back when it goes on."""
    pin: Any = node.wall.factory.pin(BUTTON)
    read = pin._get_state  # noqa: SLF001 - gpiozero's pins are read through it
    stalled, goes_on = threading.Event(), threading.Event()

    def hang() -> Any:
        stalled.set()
        assert goes_on.wait(WAIT_LIMIT_S)
        return read()

    node.start()
    node.manager.until(lambda message: message == READY)
    monkeypatch.setattr(pin, "_get_state", hang)
    assert stalled.wait(WAIT_LIMIT_S)
    node.manager.take()

    silent = node.manager.is_silent(2 * WATCHDOG_S) or node.manager.is_silent(4 * WATCHDOG_S)  # one may be on its way
    goes_on.set()

    assert silent
    assert node.manager.until(lambda message: message == FED)


def test_a_stalled_loop_stops_the_feeding(node: Node) -> None:
    """While the loop waits for whatever it shouldn't, nobody else feeds; when it goes on, it does."""
    node.start()
    node.manager.until(lambda message: message == READY)
    node.onlooker.armed = True
    node.wall.press("button")
    assert node.onlooker.holds.wait(WAIT_LIMIT_S)
    node.manager.take()

    silent = node.manager.is_silent(2 * WATCHDOG_S) or node.manager.is_silent(4 * WATCHDOG_S)  # one may be on its way
    node.onlooker.armed = False
    node.onlooker.goes_on.set()

    assert silent
    assert node.manager.until(lambda message: message == FED)


def test_a_node_that_can_read_nothing_any_more_tells_it_and_ends(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """The chip is gone, and a new process may find it: one fault, then a clean end that was fed until then."""
    pin: Any = node.wall.factory.pin(BUTTON)

    def fail() -> Any:
        raise OSError(19, "No such device")

    node.start()
    node.manager.until(lambda message: message == READY)
    monkeypatch.setattr(pin, "_get_state", fail)
    node.manager.until(lambda message: b"(F001)" in message)
    told = node.manager.until(lambda message: message == b"STOPPING=1")

    assert FED in told
    assert node.outcome is not None
    assert node.outcome.result(WAIT_LIMIT_S) is None
    events = [msgspec.json.decode(row.body) for row in read_log(node.directory)]
    assert [each for each in events if each.get("fault") == "F001"][1:] == []
    assert (events[-1]["kind"], events[-1]["reason"]) == ("stopped", "no input can be read")


def test_a_node_without_pins_is_ready_and_fed(node: Node) -> None:
    """READY means that it says how it is. Its watchdog would only end it again and again."""
    node.open_factory = without_chip

    node.start()

    before = node.manager.until(lambda message: message == READY)
    fed = [node.manager.until(lambda message: message == FED) for _ in range(4)]
    assert before[-2].startswith(b"STATUS=NOT READY: button can't be read (F001), no broker is connected (0 of 1), ")
    assert b"fault F003 (buzzer), fault F003 (lamp)" in before[-2]
    assert len(fed) == 4


def test_the_outputs_that_are_claimed_are_noted(node: Node) -> None:
    """As soon as each is: whatever ends the node from then on, they can be switched off."""
    with DigitalOutputDevice(BUZZER, pin_factory=node.wall.factory):
        node.start()
        node.manager.until(lambda message: b"fault F003 (buzzer)" in message)
        first = node.noted.get(timeout=WAIT_LIMIT_S)
    node.manager.until(lambda message: message.startswith(b"STATUS=NOT READY: no broker") and b"F003" not in message)
    second = node.noted.get(timeout=WAIT_LIMIT_S)

    assert (list(first), list(second)) == ([LAMP], [BUZZER, LAMP])


def test_a_stop_is_told_before_the_goodbye(node: Node) -> None:
    """The manager hears that the node is ending while it still says goodbye, and then nothing more."""
    node.start()
    node.manager.until(lambda message: message == READY)

    node.leave()

    told = node.manager.take()
    assert told[-3].startswith(b"STATUS=stopping, 0 of 1 brokers connected")
    assert told[-2:] == [b"STOPPING=1", b"STATUS=stopped: a press does nothing"]


def test_a_hardware_watchdog_that_is_not_armed_is_a_fault(
    node: Node, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the installation relies on it, F038 stands from the start."""
    monkeypatch.setattr(systemd, "why_unarmed", lambda environ: "watchdog0 is inactive")

    node.start()

    node.manager.until(lambda message: b"fault F038" in message)
    assert "the hardware watchdog isn't armed: watchdog0 is inactive" in caplog.text
    assert "F038 the hardware watchdog isn't active: if the machine freezes, " in caplog.text


def test_a_reload_is_told_from_its_beginning_to_its_end(node: Node) -> None:
    """As systemd wants it (sd_notify(3)): when it began, and READY once the new settings are in force, or refused."""
    node.start()
    node.manager.until(lambda message: message == READY)
    assert node.service is not None

    for content in (node.path.read_bytes(), b"no TOML"):
        before_us = time.monotonic_ns() // 1000
        node.path.write_bytes(content)
        node.service.reload()
        told = node.manager.until(lambda message: message.startswith(b"RELOADING=1"))[-1]
        node.manager.until(lambda message: message == READY)

        assert before_us <= int(told.partition(b"\nMONOTONIC_USEC=")[2]) <= time.monotonic_ns() // 1000


def test_a_reload_before_the_start_is_over_tells_no_ready(node: Node) -> None:
    """READY means that the node works."""
    node.directory.mkdir()
    with locked(node.record):
        node.start()
        node.manager.until(lambda message: message.startswith(b"STATUS=starting"))
        wait_until(lambda: node.service is not None)
        node.service.reload()  # type: ignore[union-attr] # it was waited for
        told = node.manager.until(lambda message: message == READY)

    assert not [message for message in told if message.startswith(b"RELOADING")]

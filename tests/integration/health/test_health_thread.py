"""The thread that reads the machine: what it tells, what it does with broken readings, and that it may hang."""

import logging
import os
import queue
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from node.core import controller
from node.core.events import HealthRead, RecordLoaded, TimePassed
from node.core.model import Restored
from node.core.settings import Settings
from node.core.supervision import HEALTH_STALE_S
from node.errors.faults import HEALTH_UNREADABLE, NETWORK_DOWN, RECORD_IN_MEMORY, TOO_HOT, UNDER_VOLTAGE
from node.io.health import HealthReader, health_thread, readers
from node.io.health.health_thread import STUCK_S
from node.io.health.limits import Fault
from node.io.health.power import LOW_SHOWN_S
from node.protocol.messages import UNREAD, DiskHealth, Health, NetworkHealth, Throttling, UnderVoltage
from tests.support.machine import (
    EMPTY,
    GET_THROTTLED,
    MEMINFO,
    MOUNTINFO,
    PC,
    PI_3,
    PI_5,
    ROUTE,
    ROUTE_HEAD,
    TEMPERATURE,
    VOLTAGE,
    Tree,
    default_route,
    make_tree,
)
from tests.support.node import wait_until

WAIT_LIMIT_S = 20.0
OFTEN_S = 0.01
NEVER_S = 3600.0
ON_DISK = "1 0 179:2 / / rw - ext4 /dev/mmcblk0p2 rw\n"
IN_MEMORY = "1 0 0:30 / / rw - tmpfs tmpfs rw\n"
WLAN0 = {ROUTE: ROUTE_HEAD + default_route("wlan0")}


class Machine:
    """A small machine, its reader, and the loop that gets its events; ``jump`` sets the reader's clock forward."""

    def __init__(
        self,
        root: Path,
        tree: Tree,
        *,
        period_s: float = OFTEN_S,
        networked: bool = True,
        lasting: bool = False,
    ) -> None:
        self.root = make_tree(root / "machine", tree)
        self.root.mkdir(exist_ok=True)
        self.events: queue.SimpleQueue[HealthRead] = queue.SimpleQueue()
        self._ahead_s = 0.0
        self._fed: list[int] = []
        self.reader = HealthReader(
            root,
            put=self.events.put,
            clock=self.clock,
            networked=networked,
            lasting=lasting,
            root=self.root,
            period_s=period_s,
            glance_s=OFTEN_S,
        )

    def clock(self) -> float:
        """Monotonic seconds, as far as they were set forward."""
        return time.monotonic() + self._ahead_s

    def jump(self, seconds: float) -> None:
        """Set the clock forward."""
        self._ahead_s += seconds

    def change(self, tree: Tree) -> None:
        """The machine says something else from now on: each file at one go."""
        for path, content in tree.items():
            draft = make_tree(self.root, {f"{path}.draft": content}) / f"{path}.draft"
            draft.replace(self.root / path)

    def block(self, path: str) -> None:
        """Whoever reads this file from now on hangs: it is a pipe that nobody writes to."""
        draft = self.root / f"{path}.draft"
        os.mkfifo(draft)
        draft.replace(self.root / path)

    def hang(self, path: str) -> None:
        """Block this file, and wait until the reader hangs in it."""
        self.block(path)
        wait_until(lambda: self.has_opened(path))

    def has_opened(self, path: str) -> bool:
        """Whether the reader has opened this pipe, where it hangs until something is written or ``leave``."""
        try:
            self._fed.append(os.open(self.root / path, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            return False
        return True

    def mend(self, path: str, content: str) -> None:
        """What hangs reads this at last, and so does every later reader."""
        self.change({path: content})
        os.write(self._fed[-1], content.encode())
        os.close(self._fed.pop())

    def expect(self, fits: Callable[[tuple[Fault, ...]], bool]) -> HealthRead:
        """The next event whose faults fit."""
        deadline = time.monotonic() + WAIT_LIMIT_S
        while True:
            event = self.events.get(timeout=max(0.0, deadline - time.monotonic()))
            if fits(event.faults):
                return event

    def expect_faults(self, *faults: Fault) -> HealthRead:
        """The next event with these faults and no other."""
        return self.expect(lambda found: found == faults)

    def leave(self) -> None:
        """Let go of what hangs, and end the reader."""
        for descriptor in self._fed:
            os.close(descriptor)
        self.reader.stop(WAIT_LIMIT_S)


Make = Callable[..., Machine]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes machines whose reader has been started."""
    made: list[Machine] = []

    def begin(tree: Tree, **options: Any) -> Machine:
        machine = Machine(tmp_path, tree, **options)
        made.append(machine)
        machine.reader.start()
        assert machine.events.get(timeout=WAIT_LIMIT_S).faults == ()
        return machine

    yield begin
    for machine in made:
        machine.leave()


def test_a_pi_is_read_as_a_whole(make: Make, tmp_path: Path) -> None:
    """One report with everything that the machine tells, and its age."""
    machine = make({**PI_3, GET_THROTTLED: "80002\n"})

    machine.expect_faults()

    newest = machine.reader.newest()
    disk = readers.disk(tmp_path)
    assert newest.age_s is not None
    assert 0.0 <= newest.age_s < WAIT_LIMIT_S
    assert (newest.stuck, newest.started_by) == (None, "boot")
    assert newest.under_voltage == UnderVoltage(now=False, seen=False)
    assert newest.throttling == Throttling(now=("capped",), seen=("capped", "soft-limit"))
    assert newest.cpu_c == 56.388
    assert newest.memory == readers.memory(machine.root)
    assert newest.network == NetworkHealth(interface="eth0", up=True, signal_dbm=None)
    assert (newest.threads, newest.files) == (2, 3)
    assert isinstance(newest.disk, DiskHealth)
    assert disk is not None
    assert newest.disk.total_bytes == disk.total_bytes


@pytest.mark.parametrize("tree", [PC, EMPTY], ids=["pc", "nothing"])
def test_a_machine_that_is_no_pi_has_no_fault(tree: Tree, make: Make) -> None:
    """What it doesn't have is no data, and nobody is told of it."""
    machine = make(tree)

    machine.expect_faults()

    newest = machine.reader.newest()
    assert (newest.under_voltage, newest.throttling, newest.cpu_c) == (None, None, None)


def test_before_the_first_reading_nothing_is_known(tmp_path: Path) -> None:
    """And nothing is claimed, not even an age."""
    machine = Machine(tmp_path, PI_3)

    assert machine.reader.newest() == UNREAD


def test_the_loop_hears_of_what_is_wrong_and_of_its_end(make: Make) -> None:
    """With a reading of it, not sooner."""
    machine = make(PI_3)
    machine.expect_faults()

    machine.change({TEMPERATURE: "80000\n", "sys/class/net/eth0/operstate": "down\n"})
    machine.expect_faults((TOO_HOT, ""), (NETWORK_DOWN, "eth0"))
    hot_c = machine.reader.newest().cpu_c
    machine.change({TEMPERATURE: "76000\n", "sys/class/net/eth0/operstate": "up\n"})
    machine.expect_faults((TOO_HOT, ""))
    machine.change({TEMPERATURE: "74000\n"})
    machine.expect_faults()

    assert hot_c == 80.0
    assert machine.reader.newest().cpu_c == 74.0


def test_a_network_that_nobody_needs_is_no_fault(make: Make) -> None:
    """It is told all the same."""
    machine = make({**PI_3, "sys/class/net/eth0/operstate": "down\n"}, networked=False)

    machine.expect_faults()

    assert machine.reader.newest().network == NetworkHealth(interface="eth0", up=False, signal_dbm=None)


def test_an_interface_that_loses_its_route_is_still_the_one(make: Make) -> None:
    """The Wi-Fi that led to the network is down, though the cable that never did is first in the list."""
    machine = make({**PI_5, **WLAN0, "sys/class/net/wlan0/operstate": "up\n"})
    machine.expect_faults()

    machine.change({ROUTE: ROUTE_HEAD, "sys/class/net/wlan0/operstate": "down\n"})

    machine.expect_faults((NETWORK_DOWN, "wlan0"))


def test_a_record_in_memory_is_a_fault_until_it_lies_on_a_disk(make: Make) -> None:
    """A data partition that comes late ends it; mounts that can't be read are told, too."""
    machine = make({**PI_3, MOUNTINFO: ON_DISK}, lasting=True)
    machine.expect_faults()

    machine.change({MOUNTINFO: IN_MEMORY})
    machine.expect_faults((RECORD_IN_MEMORY, ""))
    machine.change({MOUNTINFO: ON_DISK})
    machine.expect_faults()
    (machine.root / MOUNTINFO).unlink()
    (machine.root / MOUNTINFO).mkdir()

    machine.expect_faults((HEALTH_UNREADABLE, "storage"))


def test_a_record_that_need_not_last_may_lie_in_memory(make: Make) -> None:
    """That of a trial or of a simulated node."""
    machine = make({**PI_3, MOUNTINFO: IN_MEMORY})

    machine.expect_faults()


def test_a_dip_between_two_readings_is_told_at_once(make: Make) -> None:
    """The power is looked at in between; the report that goes with the fault shows it."""
    machine = make(PI_5, period_s=NEVER_S)
    machine.expect_faults()

    machine.change({VOLTAGE: "1\n"})
    machine.expect_faults((UNDER_VOLTAGE, ""))

    assert machine.reader.newest().under_voltage == UnderVoltage(now=True, seen=True)


def test_a_dip_is_over_ten_minutes_after_it(make: Make) -> None:
    """And stays in the heartbeat until the node restarts."""
    machine = make(PI_5, period_s=NEVER_S)
    machine.expect_faults()
    machine.change({VOLTAGE: "1\n"})
    machine.expect_faults((UNDER_VOLTAGE, ""))
    machine.change({VOLTAGE: "0\n"})

    machine.jump(LOW_SHOWN_S)
    machine.expect_faults()

    assert machine.reader.newest().under_voltage == UnderVoltage(now=False, seen=True)


@pytest.mark.parametrize(
    ("path", "content", "subject", "field"),
    [
        (TEMPERATURE, "hot\n", "cpu_c", "cpu_c"),
        (MEMINFO, "\n", "memory", "memory"),
        (VOLTAGE, "?\n", "power", "under_voltage"),
    ],
)
def test_a_broken_reading_is_a_fault_and_the_others_go_on(
    path: str, content: str, subject: str, field: str, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """Its value is missing, its name is the fault's, the log has the reason once; what works again is told, too."""
    caplog.set_level(logging.INFO)
    machine = make({**PI_3, path: content})

    for _ in range(3):
        machine.expect_faults((HEALTH_UNREADABLE, subject))
    broken = machine.reader.newest()
    machine.change({path: PI_3[path]})
    machine.expect_faults()

    assert getattr(broken, field) is None
    assert broken.network == NetworkHealth(interface="eth0", up=True, signal_dbm=None)
    assert getattr(machine.reader.newest(), field) is not None
    said = [each.getMessage() for each in caplog.records if each.name == health_thread.__name__]
    assert len(said) == 2
    assert said[0].startswith(f"{subject} can't be read: {machine.root / path} ")
    assert said[1] == f"{subject} can be read again"


def test_a_mistake_in_a_reader_is_a_fault_of_it_alone(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What nobody thought of doesn't end the thread."""

    def stumble(_root: Path) -> None:
        raise ZeroDivisionError("provoked")

    monkeypatch.setattr(readers, "memory", stumble)

    machine = make(PI_3)

    machine.expect_faults((HEALTH_UNREADABLE, "memory"))
    assert machine.reader.newest().cpu_c == 56.388
    assert "memory can't be read: ZeroDivisionError('provoked')" in caplog.text


def test_a_reading_that_hangs_says_its_name_and_its_age(make: Make) -> None:
    """Asking for the newest reading doesn't wait; it is what was read before, older and older."""
    machine = make(PI_3)
    machine.expect_faults()
    machine.hang(TEMPERATURE)
    at_first = machine.reader.newest()

    machine.jump(STUCK_S + 0.001)
    later = machine.reader.newest()

    assert (at_first.stuck, later.stuck) == (None, "cpu_c")
    assert later.cpu_c == 56.388
    assert at_first.age_s is not None
    assert later.age_s is not None
    assert later.age_s >= at_first.age_s + STUCK_S


def test_a_first_reading_that_hangs_has_no_age(tmp_path: Path) -> None:
    """Nothing is known, but what hangs."""
    machine = Machine(tmp_path, PI_3)
    machine.block(MEMINFO)
    machine.reader.start()
    wait_until(lambda: machine.has_opened(MEMINFO))

    machine.jump(STUCK_S + 1.0)
    newest = machine.reader.newest()
    machine.leave()

    assert newest == Health(stuck="memory")


def test_a_reading_that_returns_is_as_good_as_new(make: Make) -> None:
    """When the disk or the kernel answers at last, the thread goes on where it was."""
    machine = make(PI_3)
    machine.expect_faults()
    machine.hang(TEMPERATURE)
    machine.jump(STUCK_S + 1.0)

    machine.mend(TEMPERATURE, "81000\n")
    machine.expect_faults((TOO_HOT, ""))

    newest = machine.reader.newest()
    assert (newest.stuck, newest.cpu_c) == (None, 81.0)
    wait_until(lambda: (machine.reader.newest().age_s or 0.0) < STUCK_S)


def test_a_reading_that_hangs_is_a_fault_of_the_node_until_it_returns(make: Make) -> None:
    """The loop hears nothing for two minutes and says so; with the next reading the fault is over."""
    machine = make(PI_3)
    state = controller.start(Settings(inputs=(), links=("b",)), "0badcafe", machine.clock(), 0.0)
    state, _ = controller.handle(state, RecordLoaded(machine.clock(), Restored()))
    state, _ = controller.handle(state, machine.expect_faults())
    machine.hang(TEMPERATURE)
    while not machine.events.empty():
        state, _ = controller.handle(state, machine.events.get())

    machine.jump(HEALTH_STALE_S)
    state, _ = controller.handle(state, TimePassed(machine.clock()))
    hanging = {(fault.code, fault.subject) for fault in state.faults}
    silent = machine.events.empty()
    machine.mend(TEMPERATURE, "50000\n")
    state, _ = controller.handle(state, machine.expect_faults())

    assert ("F037", "health") in hanging
    assert silent
    assert "F037" not in {fault.code for fault in state.faults}


def test_a_reader_that_hangs_is_left_behind(make: Make) -> None:
    """The node ends without it."""
    machine = make(PI_3)
    machine.expect_faults()
    machine.hang(MEMINFO)

    machine.reader.stop(0.1)
    machine.jump(STUCK_S + 1.0)

    assert machine.reader.newest().stuck == "memory"


def test_a_reader_that_was_stopped_reads_no_more(make: Make) -> None:
    """Whatever the machine says."""
    machine = make(PI_3)
    machine.expect_faults()

    machine.reader.stop(WAIT_LIMIT_S)
    machine.change({TEMPERATURE: "90000\n"})
    while not machine.events.empty():
        assert machine.events.get().faults == ()

    with pytest.raises(queue.Empty):
        machine.events.get(timeout=10 * OFTEN_S)
    assert machine.reader.newest().cpu_c == 56.388


def test_a_reader_that_was_never_started_can_be_stopped(tmp_path: Path) -> None:
    """A service that failed before it began ends everything all the same."""
    machine = Machine(tmp_path, PI_3)

    machine.reader.stop(WAIT_LIMIT_S)

    assert machine.events.empty()

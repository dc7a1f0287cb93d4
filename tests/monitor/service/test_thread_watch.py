"""A thread of the monitor dies: the monitor says so, tells people what it has heard, and ends to be started anew."""

import threading
from pathlib import Path

import pytest

from node.monitor.errors import ThreadDiedError
from node.monitor.service.upkeep.thread_watch import ThreadWatch
from tests.support.broker import Broker
from tests.support.manager import Manager, watchdog_usec
from tests.support.monitor import RunningMonitor, write_monitor
from tests.support.node import NODE, SimulatedNode, wait_until, write_config
from tests.support.receivers import HttpReceiver

WATCHDOG_S = 1.0


def kill(directory: Path, thread: str) -> None:
    """Have this thread of the monitor die; whole, and at once: the file is read by its name."""
    (directory / "dies.new").write_text(thread, encoding="utf-8")
    (directory / "dies.new").rename(directory / "dies")


def program(directory: Path) -> tuple[str, ...]:
    """A monitor that is killed so."""
    return ("-m", "tests.support.dying", str(directory / "dies"))


def test_a_press_that_the_dead_thread_had_to_store_is_told_and_held_by_the_next_monitor(tmp_path: Path) -> None:
    """People hear of it before the end, from memory; it has no receipt until it is stored."""
    with (
        Broker(tmp_path / "broker") as broker,
        HttpReceiver() as people,
    ):
        targets = [{"name": "guards", "url": people.url, "language": "en"}]
        config = write_monitor(tmp_path / "monitor", broker.port, targets=targets)
        with (
            RunningMonitor(config, program=program(tmp_path)) as monitor,
            SimulatedNode(write_config(tmp_path, broker.port)) as node,
        ):
            monitor.expect_status(NODE, "up")
            kill(tmp_path, "history")
            mark = node.mark
            node.tap(45)
            told = people.taken.first(1)
            code = monitor.ended()
            held = node.lines(since=mark, ladder="held")
            monitor.start()
            node.expect(since=mark, ladder="held", timeout_s=40.0)
            (past,) = monitor.items("/incidents/past")

    assert (code, held) == (1, [])
    assert told[0].title.startswith("ALARM, threat: ")
    assert past["presses"] == 1
    assert "thread history died" in monitor.log
    assert "SystemExit" in monitor.log
    assert "dead: history; the monitor ends" in monitor.log
    assert monitor.log.count("E044 ") == 1


def test_no_watchdog_is_fed_while_a_thread_is_dead(tmp_path: Path) -> None:
    """Should the end hang, the service manager makes one. It hears why."""
    with Broker(tmp_path / "broker") as broker, Manager(tmp_path) as manager:
        config = write_monitor(tmp_path / "monitor", broker.port)
        environ = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": watchdog_usec(WATCHDOG_S)}
        with RunningMonitor(config, program=program(tmp_path), environ=environ) as monitor:
            before = manager.until(lambda each: each == b"WATCHDOG=1")
            kill(tmp_path, "files")
            manager.until(lambda each: each == b"STATUS=ends soon, to be started anew: dead are files")
            after = manager.until(lambda each: each.startswith(b"STATUS=E044 "))
            code = monitor.ended()

    assert before[-1] == b"WATCHDOG=1"
    assert after[:-1] == [b"STOPPING=1"]
    assert code == 1


@pytest.mark.parametrize(
    "thread", ["link 127.0.0.1:{port}", "tell-telephone-now", "tell-telephone-gather", "files", "keep"]
)
def test_the_monitor_ends_whichever_of_its_threads_dies(tmp_path: Path, thread: str) -> None:
    """By a code that the service manager takes for a failure; the log says of which, and where it was."""
    with Broker(tmp_path / "broker") as broker:
        name = thread.format(port=broker.port)
        config = write_monitor(tmp_path / "monitor", broker.port)
        with RunningMonitor(config, program=program(tmp_path)) as monitor:
            kill(tmp_path, name)
            code = monitor.ended()

    assert code == 1
    assert f"thread {name} died" in monitor.log
    assert f"({name})" in monitor.log


def test_a_thread_that_returns_is_as_dead_as_one_that_raised() -> None:
    """For a while the others go on; then it is the end."""
    dead = threading.Thread(target=int, name="history")
    dead.start()
    dead.join()
    needed = ThreadWatch(last_s=8.0)

    assert needed.look(9.0, [threading.current_thread()])
    assert not needed.look(10.0, [threading.current_thread(), dead])
    assert not needed.look(17.9, [])
    with pytest.raises(ThreadDiedError, match=r"\(history\)"):
        needed.look(18.0, [])


def test_the_kernel_knows_each_thread_by_its_name(tmp_path: Path, broker: Broker) -> None:
    """`ps -T` and `top -H` show which part of a monitor works."""
    targets = [{"name": "guards", "url": "json://127.0.0.1:1"}]
    threads = {"api", "commands", "files", "history", "keep", "link 127.0.0.1:", "log", "tell-guards-now"}
    with RunningMonitor(write_monitor(tmp_path, broker.port, targets=targets)) as monitor:

        def names() -> set[str]:
            found = Path(f"/proc/{monitor.pid}/task").glob("*/comm")
            return {path.read_text(encoding="utf-8").rstrip("\n") for path in found}

        wait_until(lambda: threads <= names(), what="all threads")
        monitor.terminate()

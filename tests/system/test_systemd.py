"""A node as a process of its own, under a service manager that listens: every byte that it is told."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.broker import Broker
from tests.support.desk import Desk
from tests.support.manager import Manager, watchdog_usec
from tests.support.node import SimulatedNode, alarm_node

READY, FED, STOPPING = b"READY=1", b"WATCHDOG=1", b"STOPPING=1"


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    """A service manager that the node is told of, and that wants to be fed."""
    with Manager(tmp_path) as listening:
        monkeypatch.setenv("NOTIFY_SOCKET", listening.address)
        monkeypatch.setenv("WATCHDOG_USEC", watchdog_usec(1.0))
        yield listening


def test_the_life_of_a_node_as_its_manager_hears_it(config: Path, desk: Desk, manager: Manager) -> None:
    """It starts, is ready, is fed, calls for help, is answered, and says that it stops, before it ends with 0."""
    with SimulatedNode(config) as node:
        told = manager.until(lambda message: message == READY)
        desk.beat()
        told += manager.until(lambda message: message == FED)
        node.tell("button press")
        told += manager.until(lambda message: message == b"STATUS=ALARM button: pressed, 1 of 1 brokers connected")
        desk.order("acknowledge", incident=desk.expect("event", kind="pressed")["incident"])
        told += manager.until(lambda message: message.startswith(b"STATUS=ALARM button: acknowledged, "))
        code = node.terminate()
    told += manager.take()

    assert code == 0
    assert told[0] == b"STATUS=starting, 0 of 1 brokers connected"
    assert b"STATUS=ready, 1 of 1 brokers connected" in told
    assert told[-2:] == [STOPPING, b"STATUS=stopped with an open alarm: a press does nothing"]
    assert {message.partition(b"=")[0] for message in told} == {b"READY", b"STATUS", b"WATCHDOG", b"STOPPING"}
    assert told.count(READY) == 1
    assert told.count(STOPPING) == 1


def test_a_process_that_stands_still_is_not_fed(config: Path, manager: Manager) -> None:
    """A frozen process says nothing, so its manager can tell and start it anew."""
    with SimulatedNode(config) as node:
        manager.until(lambda message: message == FED)
        node.freeze()
        manager.take()

        silent = manager.is_silent(3.0)
        node.thaw()

        assert silent
        assert manager.until(lambda message: message == FED)


def test_a_broken_configuration_is_told(config: Path, manager: Manager) -> None:
    """Whoever asks `systemctl status` reads why there is no node; READY never comes."""
    config.write_text("[node]\n", encoding="utf-8")

    ended = alarm_node("run", "--config", config, cwd=config.parent)

    (told,) = manager.take()
    assert ended.returncode == 1
    assert re.fullmatch(rb"STATUS=E001 .*/node\.toml has \d+ problems: .*/node\.toml: .*\. Next: .*\.", told)


def test_without_a_manager_the_log_is_text(config: Path, broker: Broker) -> None:
    """Elsewhere each line has its time, level, origin and words."""
    with SimulatedNode(config) as node:
        _, line = node.expect_log("starts, boot")

    begins = r"\d{4}-\d\d-\d\d [\d:,]+ INFO node\.service\.loop: "
    assert re.fullmatch(begins + "mitte/room-214 starts, boot [0-9a-f]{8}", line)

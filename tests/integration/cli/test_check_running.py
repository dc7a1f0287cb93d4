"""The doctor's findings of a node that runs: its own words, and nothing of it is disturbed."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from node.cli.check import service_check
from node.cli.check.node_check import examine
from node.core import effects as ef
from node.core.line import ContactState
from node.core.model import Step
from node.io import health
from node.io.panel import pin_factory
from node.io.terminal.check_result import CheckResult
from node.service import status_file
from tests.integration.cli.test_check import about, findings
from tests.support.broker import Broker
from tests.support.node import SimulatedNode, write_config
from tests.support.sayings import HEARTBEAT, WIRE

WAIT_LIMIT_S = 20.0


def until_written(path: Path) -> None:
    """Wait until another thread or process has left this file."""
    deadline = time.monotonic() + WAIT_LIMIT_S
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} didn't come"
        time.sleep(0.005)


@pytest.fixture
def leave(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Makes a service that runs, as far as its files tell: ``leave(age_s=…, kernel_boot=…, **heartbeat)``."""
    state = tmp_path / "state"
    state.mkdir()
    lock = status_file.hold(state)
    writers: list[status_file.Writer] = []

    def speak(
        age_s: float = 0.0, kernel_boot: str | None = None, calls: Sequence[status_file.Call] = (), **changed: Any
    ) -> Path:
        spoken_at = time.monotonic() - age_s
        writer = status_file.Writer(
            state, health.kernel_boot() if kernel_boot is None else kernel_boot, lambda: spoken_at
        )
        writer.start()
        writers.append(writer)
        writer.write(WIRE.heartbeat(replace(HEARTBEAT, **changed), record_depth=0), calls)
        until_written(state / "status.json")
        return write_config(tmp_path, 1883)

    yield speak
    for writer in writers:
        writer.stop(WAIT_LIMIT_S)
    status_file.release(lock)


def test_a_running_service_is_asked(leave: Callable[..., Path]) -> None:
    """While the service runs its own words are told, and neither pins nor brokers are touched."""
    config = leave(faults=(), inputs=(ef.InputReport("desk", "button", ContactState.NORMAL, False, None),), incidents=0)

    found = list(examine(config, {}, lambda name: pytest.fail("the pins are the service's")))

    assert found[1].ok
    assert found[1].text.startswith("the service runs, its last word is ")
    assert [(each.ok, each.text) for each in found[2:]] == [
        (True, "a walk test runs for another 1800 s: the first press of a button is a test"),
        (True, "broker 10.0.0.1:1883 is connected, answers in 4.2 ms"),
        (None, "broker 10.0.0.2:1883 isn't connected at the moment"),
        (True, "button desk is normal, its wire is unsupervised"),
    ]


def test_what_the_service_found_is_told(leave: Callable[..., Path]) -> None:
    """Its faults come with their next step, and an unknown input is a finding."""
    faults = (ef.FaultReport("F010", "10.0.0.2:1883", 0.0), ef.FaultReport("F020", "", 0.0))
    config = leave(faults=faults, links=(ef.LinkReport("10.0.0.1:1883", True, None), HEARTBEAT.links[1]))

    found = findings(config)

    assert about(found, "10.0.0.1:1883").text == "broker 10.0.0.1:1883 is connected"
    assert about(found, "10.0.0.2:1883").text.startswith("F010 (10.0.0.2:1883) a broker can't be reached")
    assert about(found, "F020").text.startswith("F020 the record can't be written")
    assert about(found, "F020").next_step.startswith("check the SD card")
    assert [about(found, f"{name} is ").ok for name in ("button desk", "door")] == [True, None]


def test_an_input_whose_fault_is_told_is_told_once(leave: Callable[..., Path]) -> None:
    """The fault says more, and what to do."""
    unread = ef.InputReport("desk", "button", ContactState.UNKNOWN, False, None)

    found = findings(leave(inputs=(unread,), faults=(ef.FaultReport("F001", "desk", 0.0),)))

    assert about(found, "desk").text.startswith("F001 (desk) an input can't be read")


@pytest.mark.parametrize(("name", "first"), [("button", "E002 this machine has no GPIO"), ("another", "")])
def test_the_cause_of_all_unread_inputs_comes_first(
    leave: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, first: str
) -> None:
    """Without a GPIO chip each input's own fault advises to look at its wire; an input that is read has its chip."""
    (tmp_path / "dev").mkdir()
    monkeypatch.setattr(pin_factory, "_DEVICES", tmp_path / "dev")

    found = findings(leave(faults=(ef.FaultReport("F001", name, 0.0),)))

    causes = [each for each in found if "E002" in each.text]
    assert causes == (found[:1] if first else [])
    assert [each.text.startswith(first) for each in causes] == ([True] if first else [])
    assert all("alarm-node simulate --config FILE" in each.next_step for each in causes)


@pytest.mark.parametrize(("left_s", "told"), [(60.0, 1), (None, 0)])
def test_a_walk_test_is_told(leave: Callable[..., Path], left_s: float | None, told: int) -> None:
    """Until it ends, the first press of a button raises no alarm."""
    found = findings(leave(walk_test_s=left_s))

    assert len([each for each in found if "a walk test runs" in each.text]) == told


@pytest.mark.parametrize(
    ("step", "says", "next_step"),
    [
        (Step.PRESSED, "nobody was told of it yet", "go there now; then see"),
        (Step.HELD, "nobody was told of it yet", "go there now; then see"),
        (Step.NOBODY, "nobody has it", "go there now; then see"),
        (Step.TOLD, "people were told", "acknowledge it, go there"),
        (Step.ACKNOWLEDGED, "somebody is coming", "reset it"),
    ],
)
def test_an_open_alarm_comes_first(leave: Callable[..., Path], step: Step, says: str, next_step: str) -> None:
    """With a mark of its own, how far its call has got, and what to do; never as something that is in order."""
    found = findings(leave(calls=[status_file.Call("0badcafe-5", "desk", step, test=False)]))[0]

    assert str(found).startswith(f"ALARM   0badcafe-5 of desk: {says}. Next: {next_step}")
    assert found.ok is False


def test_a_test_that_is_open_alarms_nobody(leave: Callable[..., Path]) -> None:
    """What a walk test opened is named a test, whoever was told of it."""
    found = findings(leave(calls=[status_file.Call("0badcafe-5", "desk", Step.HELD, test=True)]))

    assert about(found, "0badcafe-5") == CheckResult(True, "TEST 0badcafe-5 of desk: held")


def test_a_service_that_fell_silent_is_a_finding(leave: Callable[..., Path]) -> None:
    """Words older than three heartbeats say nothing of now, and are not told."""
    found = findings(leave(age_s=31.0))

    assert [each.ok for each in found] == [True, False]
    assert found[1].text.startswith("the service has said nothing for ")
    assert found[1].next_step.endswith("sudo systemctl restart alarm-node")


def test_a_service_that_left_no_word_cannot_be_told(leave: Callable[..., Path]) -> None:
    """Words from before the machine was started are none: only that it runs is known, and where to look."""
    found = findings(leave(kernel_boot="another"))

    assert [each.ok for each in found] == [True, None]
    assert "the service runs, but left no findings" in found[1].text
    assert found[1].next_step == "wait 10 s and try again, as root: sudo alarm-node check"


@pytest.mark.parametrize(("node", "answers"), [("room-214", True), ("room-215", False)])
def test_a_service_under_systemd_is_asked_where_it_speaks(
    leave: Callable[..., Path], node: str, answers: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its word lies in the runtime directory, which the asker's environment doesn't name; another node's isn't ours."""
    config = leave()
    runtime = tmp_path / "run"
    runtime.mkdir()
    word = (tmp_path / "state" / "status.json").rename(runtime / "status.json")
    word.write_bytes(word.read_bytes().replace(b'"node":"room-214"', f'"node":"{node}"'.encode()))
    monkeypatch.setattr(service_check, "SERVICE_DIRECTORY", runtime)

    found = findings(config)

    assert found[1].text.startswith("the service runs, its last word is ") is answers


def test_a_real_service_is_not_disturbed(tmp_path: Path, broker: Broker) -> None:
    """A check beside a running node hears of it through its files, and its connection stays as it was."""
    config = write_config(tmp_path, broker.port, heartbeat_s=2)
    with SimulatedNode(config) as node:
        until_written(tmp_path / "state" / "status.json")

        found = findings(config)

        assert about(found, "the service runs").ok
        assert about(found, f"broker 127.0.0.1:{broker.port} is connected").ok
        assert "taken over" not in node.log
        assert node.quit() == 0

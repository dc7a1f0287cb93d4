"""The other commands on the node's machine: check, log and run, beside a service and without one."""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.broker import Broker, free_port
from tests.support.desk import Desk
from tests.support.node import BUTTON, SimulatedNode, alarm_node, wait_until, write_config

_GPIO = sorted(Path("/dev").glob("gpiochip*"))


@pytest.mark.parametrize("command", ["check", "run", "simulate", "log"])
def test_a_bad_config_is_refused_with_every_key_that_is_wrong(tmp_path: Path, command: str) -> None:
    """Exit 1, one line for each problem, and nothing else is tried."""
    button = {**BUTTON, "pin": 99, "colour": "red"}
    del button["sound"]
    config = write_config(tmp_path, 70_000, buttons=[button])

    done = alarm_node(command, "--config", config, cwd=tmp_path)

    lines = (done.stdout + done.stderr).splitlines()
    assert done.returncode == 1
    for key in ("pin", "colour", "sound", "port"):
        assert [line for line in lines if "node.toml" in line and f" {key}" in line], f"{key} isn't named: {lines}"
    assert not (tmp_path / "state").exists()
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(bool(_GPIO), reason=f"this machine has GPIO ({_GPIO})")
def test_run_without_gpio_tells_its_faults_and_says_what_to_do(tmp_path: Path, broker: Broker, desk: Desk) -> None:
    """A node that is deaf says so over its links; the log has E002 and the next step once. Its end is a clean one."""
    with SimulatedNode(write_config(tmp_path, broker.port), command="run") as node:
        for code, subject in (("F001", "button"), ("F003", "buzzer"), ("F003", "lamp")):
            desk.receive("event", kind="fault-raised", fault=code, subject=subject)
        ended = node.terminate()
        desk.receive("state", state="offline", reason="sigterm")

    assert ended == 0
    assert node.log.count("E002 this machine has no GPIO (/dev/gpiochip* is missing). Next: ") == 1
    assert "Traceback" not in node.log


def test_check_reads_a_running_services_findings_and_leaves_it_alone(tmp_path: Path, broker: Broker) -> None:
    """Exit 0 while all is well, 1 with what stands against it; the session at the broker stays the same one."""
    config = write_config(tmp_path, broker.port, heartbeat_s=3)
    status = tmp_path / "state" / "status.json"
    with Desk(broker.port) as desk, SimulatedNode(config) as node:
        wait_until(lambda: status.exists() and '"normal"' in status.read_text(encoding="utf-8"))
        well = alarm_node("check", "--config", config, cwd=config.parent)
        desk.order("inhibit", input="button", reason="cut-wire", for_s=600)
        wait_until(lambda: "F040" in status.read_text(encoding="utf-8"))
        ill = alarm_node("check", "--config", config, cwd=config.parent)
        desk.order("probe")

        assert [state["session"] for state in desk.heard("state")] == [1]
        assert "session 1 is down" not in node.log

    assert (well.returncode, ill.returncode) == (0, 1), well.stdout + ill.stdout
    assert "the service runs" in well.stdout
    assert "is connected" in well.stdout
    (finding,) = [line for line in ill.stdout.splitlines() if line.startswith("FINDING")]
    assert "F040 (button)" in finding
    assert "Next: " in finding


def test_check_without_a_service_tries_everything_itself(config: Path, desk: Desk) -> None:
    """Exit 1: no service is the first finding; directory and broker are tried, and nothing is left at the broker."""
    done = alarm_node("check", "--config", config, cwd=config.parent)

    lines = done.stdout.splitlines()
    assert done.returncode == 1
    assert any(line.startswith("FINDING the service doesn't run") for line in lines)
    assert any(line.startswith("ok") and "can be written" in line for line in lines)
    assert any(line.startswith("ok") and "a canary came back" in line for line in lines)
    assert all("Next: " in line for line in lines if not line.startswith("ok"))
    assert desk.client.received == []


def test_check_names_a_broker_that_is_away_and_one_that_swallows_the_canary(tmp_path: Path) -> None:
    """Nobody there, and an access list that lets nothing through, are two findings with two next steps."""
    with Broker(tmp_path / "broker", acl="topic read #\n") as silent:
        config = write_config(tmp_path, silent.port, free_port())

        done = alarm_node("check", "--config", config, cwd=tmp_path)

    findings = [line for line in done.stdout.splitlines() if line.startswith("FINDING broker")]
    assert done.returncode == 1
    assert len(findings) == 2
    assert "canary" in findings[0]
    assert "access list" in findings[0]
    assert "can't be reached" in findings[1]


def test_log_tells_the_record_while_the_service_runs_and_afterwards(tmp_path: Path, broker: Broker, desk: Desk) -> None:
    """Newest last, for people and as JSON, with what became of each event; the numbers are complete."""
    config = write_config(tmp_path, broker.port, receipts="none")
    with SimulatedNode(config) as node:
        desk.receive("heartbeat")
        node.tap()
        incident = desk.expect("event", kind="pressed")["incident"]
        desk.receive("event", kind="restored")
        wait_until(lambda: "restored" in alarm_node("log", "--config", config, cwd=config.parent).stdout)
        for_people = alarm_node("log", "--config", config, cwd=config.parent)
        node.quit()
    for_tools = alarm_node("log", "--json", "--config", config, cwd=config.parent)

    assert [line.split()[2] for line in for_people.stdout.splitlines()] == ["started", "pressed", "restored"]
    assert f"incident={incident}" in for_people.stdout.splitlines()[1]
    events = [json.loads(line) for line in for_tools.stdout.splitlines()]
    assert [event["kind"] for event in events] == ["started", "pressed", "restored", "stopped"]
    assert [event["seq"] for event in events] == [1, 2, 3, 4]
    assert {event["held_by"] for event in events} == {None}
    assert all(event["accepted_at_utc"] for event in events)
    assert [set(event["steps_ms"]) for event in events] == [set(), {"stored", "accepted"}, set(), set()]
    assert all(0 < ms < 20_000 for ms in events[1]["steps_ms"].values())
    assert re.search(
        r"  ((stored|accepted by a broker) after \S+ m?s(, )?){2}  \[accepted by a broker; no monitor was awaited\]$",
        for_people.stdout.splitlines()[1],
    )
    assert (for_people.returncode, for_tools.returncode) == (0, 0)


def test_log_goes_on_behind_an_event_that_a_bad_card_has_garbled(config: Path, node: SimulatedNode) -> None:
    """It is told as unreadable, in both forms, and everything else as ever."""
    node.quit()
    with closing(sqlite3.connect(config.parent / "state" / "record.sqlite", isolation_level=None)) as record:
        record.execute("UPDATE events SET body = x'00' WHERE seq = 1")

    for_people = alarm_node("log", "--config", config, cwd=config.parent)
    for_tools = alarm_node("log", "--json", "--config", config, cwd=config.parent)

    assert [line.split()[2] for line in for_people.stdout.splitlines()] == ["unreadable", "stopped"]
    assert [json.loads(line)["kind"] for line in for_tools.stdout.splitlines()] == ["unreadable", "stopped"]
    assert (for_people.returncode, for_tools.returncode) == (0, 0)


def test_log_without_a_record_says_so(config: Path) -> None:
    """Exit 1 and a next step, before the node was ever started."""
    done = alarm_node("log", "--config", config, cwd=config.parent)

    assert done.returncode == 1
    assert done.stderr.startswith("E004 ")
    assert "Next: " in done.stderr


def test_two_services_never_share_a_state_directory(config: Path, node: SimulatedNode, desk: Desk) -> None:
    """The second one ends with E003 before it connects; the first one isn't disturbed."""
    second = alarm_node("simulate", "--config", config, cwd=config.parent)

    assert second.returncode == 1
    assert second.stderr.splitlines()[-1].startswith("E003 ")
    assert "Next: " in second.stderr
    desk.order("probe")
    assert [state["session"] for state in desk.heard("state")] == [1]
    assert node.is_alive

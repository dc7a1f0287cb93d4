"""Two brokers with the given bridge between them: a node at the one, a monitor at the other, and a call over both."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.broker import Broker
from tests.support.closed import LOGINS, ClosedBroker
from tests.support.monitor import MONITOR, RunningMonitor, alarm_monitor, write_monitor
from tests.support.mqtt import Client
from tests.support.node import NODE, SITE, SimulatedNode, alarm_node, write_config
from tests.support.strict import Unexpiring


def keys(broker: ClosedBroker, login: str, directory: Path) -> dict[str, object]:
    """How a node or monitor is let in at a closed broker."""
    password = directory / f"{login}.password"
    password.write_text(LOGINS[login], encoding="ascii")
    return {
        "host": "127.0.0.1",
        "port": broker.port,
        "ca_file": str(broker.ca_file),
        "username": login,
        "password_file": str(password),
    }


@contextmanager
def building(directory: Path, protocol: str) -> Iterator[tuple[RunningMonitor, SimulatedNode, ClosedBroker]]:
    """A monitor at the central broker, and a node at the branch's, which is bridged to it."""
    central, branch = ClosedBroker(directory / "central"), ClosedBroker(directory / "branch")
    branch.bridge(central, protocol)
    config = write_config(directory, brokers=[keys(branch, NODE, directory)], heartbeat_s=1)
    monitor = write_monitor(directory / "monitor", brokers=[keys(central, MONITOR, directory)])
    with central, branch, RunningMonitor(monitor) as running, SimulatedNode(config) as node:
        running.expect_status(NODE, "up")
        yield running, node, branch


def test_a_call_passes_the_given_bridge_both_ways(tmp_path: Path) -> None:
    """Press, receipt, acknowledgement and reset: as over one broker."""
    with building(tmp_path, "mqttv50") as (monitor, node, _):
        mark = node.mark
        node.tap()
        node.expect(since=mark, ladder="held")
        incident = monitor.expect_incident()

        acknowledged = alarm_monitor(monitor.config, "acknowledge", incident["id"])
        node.expect(since=mark, ladder="acknowledged")
        ended = alarm_monitor(monitor.config, "reset", incident["id"], "--reason", "drill")
        monitor.wait(lambda: monitor.items("/incidents") == [], what="the end of the call")
        found = monitor.codes()

    assert (acknowledged.returncode, ended.returncode) == (0, 0), acknowledged.stderr + ended.stderr
    assert not {"M038", "M039"} & set(found)


def test_a_bridge_that_takes_the_expiry_off_is_found(tmp_path: Path) -> None:
    """One of MQTT 3.1.1: the call comes through, no command does, and that stands until the bridge is mended."""
    with building(tmp_path, "mqttv311") as (monitor, node, branch):
        monitor.wait(lambda: "M038" in monitor.codes(), what="the finding")
        mark = node.mark
        node.tap()
        node.expect(since=mark, ladder="held")
        incident = monitor.expect_incident()
        refused = alarm_monitor(monitor.config, "reset", incident["id"], "--reason", "drill")
        told = alarm_monitor(monitor.config, "check")

        branch.stop()
        mend(branch)
        branch.start()
        monitor.wait(lambda: "M038" not in monitor.codes(), what="the end of the finding")

    assert "the command reached the node without its expiry" in refused.stdout + refused.stderr
    assert told.returncode != 0
    assert "M038" in told.stdout
    assert "bridge_protocol_version mqttv50" in told.stdout


@pytest.mark.parametrize(
    ("protocol", "found"),
    [
        ("mqttv50", "ok      broker {name}: a command reached 1 of 1"),
        ("mqttv311", "FINDING broker {name}: M038 mitte/"),
    ],
)
def test_the_doctor_tries_the_way_of_a_command(tmp_path: Path, protocol: str, found: str) -> None:
    """While no monitor runs, too: whoever sets a bridge up sees at once whether it is right."""
    central, branch = ClosedBroker(tmp_path / "central"), ClosedBroker(tmp_path / "branch")
    branch.bridge(central, protocol)
    config = write_config(tmp_path, brokers=[keys(branch, NODE, tmp_path)])
    monitor = write_monitor(tmp_path / "monitor", brokers=[keys(central, MONITOR, tmp_path)])
    state = f"alarm/v1/{SITE}/node/{NODE}/state"
    with central, branch, SimulatedNode(config):
        login = {"user": MONITOR, "password": LOGINS[MONITOR], "ca_file": central.ca_file}
        with Client(central.port, MONITOR, subscribe=[state], **login) as desk:  # type: ignore[arg-type]
            desk.expect(lambda message: b'"online"' in message.payload)
        told = alarm_monitor(monitor, "check")

    assert found.format(name=f"127.0.0.1:{central.port}") in told.stdout


def test_a_broker_that_forwards_no_expiry_is_a_fault_of_its_nodes(tmp_path: Path) -> None:
    """The node finds it by its canary, and so does its doctor."""
    with Broker(tmp_path / "broker") as broker, Unexpiring(broker.port) as way:
        config = write_config(tmp_path, way.port, heartbeat_s=1)
        heartbeat = f"alarm/v1/{SITE}/node/{NODE}/heartbeat"
        with Client(broker.port, subscribe=[heartbeat]) as desk, SimulatedNode(config):
            desk.expect(lambda message: b'"F054"' in message.payload)
        told = alarm_node("check", "--config", config, cwd=tmp_path)

    assert f"FINDING broker 127.0.0.1:{way.port}: a canary came back without its expiry: F054" in told.stdout


def mend(branch: ClosedBroker) -> None:
    """Do what the finding says."""
    file = branch.ca_file.parent / "conf.d" / "alarm-bridge.conf"
    file.write_text(file.read_text(encoding="utf-8").replace("mqttv311", "mqttv50"), encoding="utf-8")

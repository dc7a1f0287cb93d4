"""SIGHUP: a node reads node.toml again while it runs."""

import os
import signal
from collections.abc import Mapping
from pathlib import Path

from tests.support.broker import Broker
from tests.support.certificates import Authority
from tests.support.desk import Desk
from tests.support.node import BUTTON, SimulatedNode, wait_until, write_config
from tests.support.secure import LOOPBACK, secure_broker

DOOR: tuple[str, Mapping[str, object]] = (
    "[[door]]",
    {"name": "yard", "pin": 5, "wiring": "normally-closed", "mode": "report"},
)


def hang_up(node: SimulatedNode) -> None:
    """Let the node read its file again; wait until it says what came of that."""
    since = node.log.count("node.toml is")
    os.kill(node.pid, signal.SIGHUP)
    wait_until(lambda: node.log.count("node.toml is") > since, what="the word about the file")


def test_brokers_come_and_go_and_an_open_alarm_stays(tmp_path: Path, broker: Broker, desk: Desk) -> None:
    """The one that is added gets the alarm that is open; the one that is removed hears nothing more, and no will."""
    with Broker(tmp_path / "second") as second, SimulatedNode(write_config(tmp_path, broker.port)) as node:
        node.tap()
        pressed = desk.expect("event", kind="pressed")

        write_config(tmp_path, second.port, broker.port)
        hang_up(node)
        with Desk(second.port) as other:
            told = other.expect("event", kind="pressed")
            write_config(tmp_path, second.port)
            hang_up(node)
            node.tap()
            again = other.expect("event", kind="pressed", presses=2)
        code = node.quit()

    assert code == 0
    assert told["incident"] == again["incident"] == pressed["incident"]
    assert not [each for each in desk.events if each.get("presses") == 2]
    assert {each["state"] for each in desk.heard("state")} == {"online"}


def test_a_press_during_the_reload_counts(tmp_path: Path, broker: Broker, desk: Desk) -> None:
    """Whatever is read meanwhile, and however often."""
    config = write_config(tmp_path, broker.port)
    with SimulatedNode(config) as node:
        node.expect(output="lamp")
        for count in range(1, 4):
            write_config(tmp_path, broker.port, heartbeat_s=10 + count)
            os.kill(node.pid, signal.SIGHUP)
            node.tap()
            desk.receive("event", kind="pressed", presses=count)
        desk.receive("heartbeat", lambda message: message["period_s"] == 13)
        code = node.quit()

    assert code == 0
    assert [each["presses"] for each in desk.events if each["kind"] == "pressed"] == [1, 2, 3]


def test_a_bad_file_is_refused_as_a_whole(tmp_path: Path, broker: Broker, desk: Desk) -> None:
    """The broker in it isn't taken either; the fault goes with a file that can be used."""
    config = write_config(tmp_path, broker.port)
    good = config.read_text(encoding="utf-8")
    with SimulatedNode(config) as node:
        desk.receive("state", state="online")
        config.write_text(good.replace(str(broker.port), "1").replace("pin = 17", "pin = 99"), encoding="utf-8")
        hang_up(node)
        desk.receive("event", kind="fault-raised", fault="F049")
        node.tap()
        desk.receive("event", kind="pressed")
        config.write_text(good, encoding="utf-8")
        hang_up(node)
        desk.receive("event", kind="fault-cleared", fault="F049")
        log = node.log
        code = node.quit()

    assert code == 0
    assert f"{config}: [[button]] 1 pin = 99: must be" in log
    assert "node.toml isn't taken" in log


def test_what_wants_a_restart_is_said_and_the_rest_is_taken(tmp_path: Path, broker: Broker, desk: Desk) -> None:
    """The old pins go on; with the restart the fault is gone."""
    config = write_config(tmp_path, broker.port)
    with SimulatedNode(config) as node:
        desk.receive("state", state="online")
        write_config(tmp_path, broker.port, buttons=[{**BUTTON, "pin": 27}], tables=[DOOR], heartbeat_s=5)
        hang_up(node)
        due = desk.expect("event", kind="fault-raised", fault="F057")
        desk.receive("heartbeat", lambda message: message["period_s"] == 5)
        node.tap()
        desk.receive("event", kind="pressed")
        code = node.quit()
    with SimulatedNode(config) as node:
        heartbeat = desk.expect("heartbeat", lambda message: "yard" in message["inputs"], boot=node.boot)

    assert code == 0
    assert due["subject"] == "inputs"
    assert not [each for each in heartbeat["faults"] if each["code"] == "F057"]


def test_a_login_is_changed_without_a_restart(tmp_path: Path) -> None:
    """The account of node.toml is another one from now on."""
    authority = Authority(tmp_path / "ca.pem")
    for name in ("old", "new"):
        (tmp_path / name).write_text(f"{name}-secret\n", encoding="utf-8")
    passwords = {"old": "old-secret", "new": "new-secret"}
    with secure_broker(tmp_path, authority, passwords=passwords) as only:
        keys = {"host": LOOPBACK, "port": only.tls_port, "ca_file": str(authority.file)}

        def login(name: str, file: str) -> Path:
            keys_now = {**keys, "username": name, "password_file": str(tmp_path / file)}
            return write_config(tmp_path, brokers=[keys_now])

        with SimulatedNode(login("old", "old")) as node:
            node.expect_log("session 1 is up")
            login("new", "old")
            hang_up(node)
            node.expect_log("F022")
            login("new", "new")
            hang_up(node)
            node.expect_log("fault-cleared F022")
            node.tap()
            node.expect(ladder="accepted")
            code = node.quit()

    assert code == 0

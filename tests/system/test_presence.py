"""Who is there: birth, goodbye and will, a stolen id, and monitors that fall silent."""

import json
from pathlib import Path

import pytest

from tests.support.broker import Broker
from tests.support.desk import BRANCH, Desk, decoded
from tests.support.mqtt import Client
from tests.support.node import NODE, SITE, SimulatedNode, wait_until

FORGED = {
    "v": 1,
    "node": NODE,
    "boot": "00000000",
    "seq": 1,
    "at_utc": "2026-01-01T00:00:00.000Z",
    "clock": "free",
    "state": "online",
    "session": 1,
}


def _retained_state(broker: Broker) -> dict[str, object]:
    with Client(broker.port, subscribe=[f"{BRANCH}/state"]) as late:
        return dict(decoded(late.expect_topic(f"{BRANCH}/state")))


def test_a_killed_node_is_lost(broker: Broker, desk: Desk, node: SimulatedNode) -> None:
    """The broker publishes the will of the session that was, and keeps it."""
    birth = desk.expect("state", state="online")

    node.kill()

    lost = desk.expect("state", state="lost")
    assert (lost["boot"], lost["session"]) == (birth["boot"], birth["session"])
    assert _retained_state(broker)["state"] == "lost"


def test_a_frozen_node_is_lost(desk: Desk, node: SimulatedNode) -> None:
    """A node that hangs with its connection open is noticed by its keepalive, within 20 s."""
    node.freeze()

    desk.receive("state", state="lost", timeout_s=30)

    node.thaw()
    assert desk.expect("state", lambda state: state["session"] == 2, timeout_s=30)["boot"] == node.boot


@pytest.mark.parametrize("way", ["terminate", "quit"])
def test_a_stopped_node_says_goodbye(broker: Broker, desk: Desk, node: SimulatedNode, way: str) -> None:
    """SIGTERM and ``quit`` end with *offline* and its reason, and without a will."""
    code = node.terminate() if way == "terminate" else node.quit()

    assert code == 0
    offline = desk.expect("state", state="offline")
    assert offline["reason"] == {"terminate": "sigterm", "quit": "the instructions have ended"}[way]
    assert desk.expect("event", kind="stopped")["reason"] == offline["reason"]
    assert _retained_state(broker)["state"] == "offline"
    assert [state["state"] for state in desk.heard("state")] == ["online", "offline"]
    assert "Traceback" not in node.log


def test_outputs_are_off_after_the_end(desk: Desk, node: SimulatedNode) -> None:
    """Stopped in alarm, the last that is heard of the buzzer is that it is off."""
    node.tap()
    desk.receive("event", kind="pressed")

    node.terminate()

    wait_until(lambda: node.lines(output="buzzer")[-1]["level"] is False)


def test_a_client_with_the_nodes_id_is_a_fault_and_the_node_comes_back(
    broker: Broker, desk: Desk, node: SimulatedNode
) -> None:
    """Thrown off by another client, the node returns, puts its own birth back, says F013 and still calls for help."""
    node.freeze()  # or it would be back before the other one could say anything
    with Client(broker.port, f"{SITE}/node/{NODE}") as thief:
        thief.publish(f"{BRANCH}/state", json.dumps(FORGED), retain=True)
        node.thaw()
        desk.expect("state", lambda state: state["boot"] == node.boot and state["session"] > 1)
        desk.expect_fault("F013")
        thief.wait_until_ended()

    desk.receive("event", kind="fault-raised", fault="F013")
    wait_until(lambda: _retained_state(broker)["boot"] == node.boot)
    assert _retained_state(broker)["state"] == "online"
    node.tap()
    desk.receive("event", kind="pressed")


@pytest.mark.parametrize(
    "payload", [json.dumps(FORGED).encode(), b"", b"\xff"], ids=["foreign birth", "deleted", "unreadable"]
)
def test_a_birth_that_is_overwritten_is_put_back(
    broker: Broker, desk: Desk, node: SimulatedNode, payload: bytes
) -> None:
    """Whatever somebody else writes on the node's state, its own birth is back on it."""
    desk.receive("state", state="online")

    desk.client.publish(f"{BRANCH}/state", payload, retain=True)

    desk.receive("state", boot=node.boot, state="online")
    assert _retained_state(broker)["boot"] == node.boot


@pytest.mark.parametrize("what", ["a copy of an old one", "foreign", "deleted", "unreadable"])
def test_a_list_of_alarms_that_is_overwritten_is_put_back(
    broker: Broker, desk: Desk, node: SimulatedNode, what: str
) -> None:
    """Whatever somebody else writes on the node's alarm, who comes later finds the open incident there."""
    old = desk.receive("alarm", phase="normal").payload
    foreign = json.dumps({**json.loads(old), "boot": FORGED["boot"]}).encode()
    payload = {"a copy of an old one": old, "foreign": foreign, "deleted": b"", "unreadable": b"\xff"}[what]
    node.tap()
    desk.confirm(desk.expect("event", kind="pressed"))
    desk.receive("alarm", phase="received")

    desk.client.publish(f"{BRANCH}/alarm", payload, retain=True)

    desk.receive("alarm", phase="received")
    with Client(broker.port, subscribe=[f"{BRANCH}/alarm"]) as late:
        assert decoded(late.expect_topic(f"{BRANCH}/alarm"))["phase"] == "received"


def test_a_monitor_that_falls_silent_leaves_an_alarm_that_nobody_has(broker: Broker, config: Path) -> None:
    """20 s after the only monitor's last word nobody counts as told any more, on the wall and on the wire."""
    with Desk(broker.port, receipts=True) as monitor, SimulatedNode(config) as node:
        node.expect(output="lamp", pattern="ready")
        monitor.beat()
        node.tap()
        told = node.expect(ladder="told")

        nobody = node.expect(ladder="nobody", timeout_s=60)

        node.expect(output="lamp", pattern="nobody")
        assert monitor.expect("event", kind="nobody")["reason"] == "no monitor heard"
        monitor.expect_fault("F014")
        assert nobody["at"] - told["at"] > 15

"""kill -9, and a new start: what was stored or retained comes back, and nothing else does."""

import json
import shutil
from pathlib import Path

import pytest

from node.io.record.record import read_log
from tests.support.broker import Broker
from tests.support.desk import BRANCH, Desk, Message, decoded, incidents
from tests.support.mqtt import Client
from tests.support.node import SimulatedNode, wait_until, write_config


def _stored_press(config: Path, broker: Broker) -> str:
    """Press a node and kill it as soon as it has stored that, while the broker is away; the incident."""
    with SimulatedNode(config) as node:
        node.expect_log("session 1 is up")
        broker.stop()
        node.tell("button press")
        node.expect(ladder="stored")
        node.kill()
        return node.expect_log("pressed button")[1].split()[-1]


def _killed_in_alarm(config: Path, desk: Desk) -> Message:
    """Press a node and kill it as soon as the broker holds that; the alarm message."""
    with SimulatedNode(config) as node:
        node.tap()
        desk.receive("event", kind="restored")
        alarm = desk.expect("alarm", phase="active")
        node.kill()
    return alarm


def _expect_alarm_on_the_wall(node: SimulatedNode) -> None:
    node.expect(output="buzzer", level=True)
    node.expect(lambda line: line.get("pattern") in ("calling", "received", "nobody"), output="lamp")


def test_a_stored_press_comes_back_and_arrives_when_the_broker_does(tmp_path: Path, broker: Broker) -> None:
    """Killed after stored: the wall is in alarm again before any broker is there, and the event arrives with it."""
    config = write_config(tmp_path, broker.port)
    incident = _stored_press(config, broker)

    with SimulatedNode(config) as node:
        _expect_alarm_on_the_wall(node)
        node.freeze()  # so that the desk is there first
        broker.start()
        with Desk(broker.port) as desk:
            node.thaw()
            event = desk.expect("event", kind="pressed", timeout_s=30)
            alarm = desk.expect("alarm", boot=node.boot)
            started = desk.expect("event", kind="started", boot=node.boot)

    assert event["incident"] == incident == f"{event['boot']}-{event['seq']}"
    assert event["age_ms"] > 0
    assert incidents(alarm) == [incident]
    assert alarm["incidents"][0]["presses"] == 1
    assert started["previous"] == {"boot": event["boot"], "seq": event["seq"]}


@pytest.mark.parametrize("broker_too", [False, True], ids=["broker stays", "broker restarts too"])
def test_without_its_record_the_retained_alarm_brings_it_back(tmp_path: Path, broker_too: bool) -> None:
    """With the record deleted the broker's memory is enough: same incident, sounding, and recorded as adopted."""
    with Broker(tmp_path / "broker", persistent=True) as broker:
        config = write_config(tmp_path, broker.port)
        with Desk(broker.port) as desk:
            before = _killed_in_alarm(config, desk)
        shutil.rmtree(tmp_path / "state")
        if broker_too:
            broker.stop()
            broker.start()

        with Desk(broker.port) as desk, SimulatedNode(config) as node:
            _expect_alarm_on_the_wall(node)
            adopted = desk.expect("event", kind="adopted")
            after = desk.expect("alarm", boot=node.boot)
            reply = desk.order("reset", boot=node.boot, incident=adopted["incident"])
            node.expect(output="lamp", pattern="ready", since=1)

    assert [adopted["incident"]] == incidents(before) == incidents(after)
    assert after["incidents"][0]["since"] == before["incidents"][0]["since"]
    assert reply["outcome"] == "done"


def test_without_a_press_a_restart_is_no_alarm(config: Path, desk: Desk) -> None:
    """Killed at rest: the new start is at rest too."""
    with SimulatedNode(config) as node:
        desk.receive("alarm", phase="normal")
        node.kill()

    with SimulatedNode(config) as node:
        node.expect(output="lamp", pattern="ready")
        alarm = desk.expect("alarm", boot=node.boot)
        desk.order("probe", boot=node.boot)

        assert alarm["phase"] == "normal"
        assert not node.lines(output="buzzer")
        assert not node.lines(ladder="pressed")


def test_a_reset_incident_stays_reset_whatever_the_broker_still_says(broker: Broker, config: Path, desk: Desk) -> None:
    """An old alarm that is retained after all doesn't bring back what the record knows as reset; it is overwritten."""
    with SimulatedNode(config) as node:
        node.tap()
        old = desk.receive("alarm", phase="active")
        desk.receive("event", kind="restored")
        (incident,) = incidents(decoded(old))
        assert desk.order("reset", incident=incident)["outcome"] == "done"
        desk.receive("event", kind="reset")
        wait_until(lambda: any(b'"reset"' in row.body for row in read_log(config.parent / "state")))
        node.kill()
    desk.client.publish(f"{BRANCH}/alarm", old.payload, retain=True)

    with SimulatedNode(config) as node:
        normal = desk.expect("alarm", boot=node.boot)
        desk.order("probe", boot=node.boot)

        assert normal["phase"] == "normal"
        assert not node.lines(output="buzzer")
        with Client(broker.port, subscribe=[f"{BRANCH}/alarm"]) as late:
            assert decoded(late.expect_topic(f"{BRANCH}/alarm"))["phase"] == "normal"


def test_an_alarm_that_is_overwritten_by_a_stranger_is_put_right(desk: Desk, node: SimulatedNode) -> None:
    """Nobody can hide an open incident from the building by publishing *normal* over it."""
    node.tap()
    active = desk.expect("alarm", phase="active")
    desk.receive("event", kind="restored")
    forged = {**active, "boot": "00000000", "phase": "normal", "incidents": []}

    desk.client.publish(f"{BRANCH}/alarm", json.dumps(forged), retain=True)

    wait_until(lambda: [each["boot"] for each in desk.heard("alarm")][-2:] == ["00000000", node.boot])
    assert incidents(desk.heard("alarm")[-1]) == incidents(active)


def test_a_button_held_over_a_restart_is_one_more_press_of_its_incident(config: Path, desk: Desk) -> None:
    """Who goes on pressing through a restart presses again: the same incident, counted twice."""
    with SimulatedNode(config, "--held", "button") as node:
        first = desk.expect("event", kind="pressed")
        node.expect(ladder="stored")
        node.kill()

    with SimulatedNode(config, "--held", "button") as node:
        second = desk.expect("event", kind="pressed", boot=node.boot)

    assert second["incident"] == first["incident"]
    assert (first["presses"], second["presses"]) == (1, 2)


def test_what_was_acknowledged_and_silenced_stays_so(config: Path, desk: Desk) -> None:
    """A restart doesn't start the sound again, nor call again for help that has accepted."""
    with SimulatedNode(config) as node:
        node.tap()
        incident = desk.expect("event", kind="pressed")["incident"]
        assert desk.order("silence", incident=incident)["outcome"] == "done"
        assert desk.order("acknowledge", incident=incident)["outcome"] == "done"
        desk.receive("event", kind="acknowledged")
        node.expect(output="lamp", pattern="acknowledged")
        wait_until(lambda: any(b'"acknowledged"' in row.body for row in read_log(config.parent / "state")))
        node.kill()

    with SimulatedNode(config) as node:
        node.expect(output="lamp", pattern="acknowledged")
        alarm = desk.expect("alarm", boot=node.boot)

        assert alarm["phase"] == "acknowledged"
        assert incidents(alarm) == [incident]
        assert not node.lines(output="buzzer")

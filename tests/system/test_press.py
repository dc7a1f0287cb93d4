"""From a contact to the building and back to the wall."""

from itertools import groupby
from pathlib import Path

import pytest

from tests.support.broker import Broker
from tests.support.desk import Desk, decoded, incidents
from tests.support.mqtt import Client
from tests.support.node import BUTTON, SimulatedNode, write_config

LOUD = {**BUTTON, "name": "desk"}
SILENT = {**BUTTON, "name": "knee", "pin": 27, "class": "amok", "sound": "silent", "lamp": "discreet"}


def test_a_press_climbs_the_whole_ladder(broker: Broker, config: Path) -> None:
    """Buzzer and lamp at once, stored, accepted, held by the monitor, told, acknowledged by a person, and reset."""
    with Desk(broker.port, receipts=True) as desk, SimulatedNode(config) as node:
        node.expect(output="lamp", pattern="ready")
        desk.beat()

        node.tap()
        for change in ({"output": "buzzer", "level": True}, {"output": "lamp", "pattern": "calling"}):
            node.expect(**change)
        for step in ("pressed", "stored", "accepted", "held", "told"):
            node.expect(ladder=step, input="button")
        node.expect(output="lamp", pattern="received")
        pressed = desk.expect("event", kind="pressed")
        desk.expect("event", kind="restored")
        desk.order("acknowledge", incident=pressed["incident"], presses=1)
        node.expect(ladder="acknowledged")
        node.expect(output="lamp", pattern="acknowledged")
        mark = node.mark
        reply = desk.order("reset", incident=pressed["incident"])

        assert reply["outcome"] == "done"
        node.expect(output="buzzer", level=False, since=mark)
        node.expect(output="lamp", pattern="ready", since=mark)
        # If the first list comes back after the press, the next one is published twice (PROTOCOL.md 5.4).
        assert [phase for phase, _ in groupby(alarm["phase"] for alarm in desk.heard("alarm"))] == [
            "normal",
            "active",
            "received",
            "acknowledged",
            "normal",
        ]
        assert node.quit() == 0


def test_the_retained_alarm_comes_right_after_the_event_that_changed_it(desk: Desk, node: SimulatedNode) -> None:
    """Nothing of the node comes between: whoever hears of a press finds it in the alarm."""
    node.tap()
    pressed = desk.receive("event", kind="pressed")

    alarm = desk.receive("alarm", phase="active")

    assert desk.client.received.index(alarm) == desk.client.received.index(pressed) + 1


def test_a_press_without_edges_is_an_alarm_and_a_fault(desk: Desk, node: SimulatedNode) -> None:
    """The sampler alone finds 150 ms; F002 says why, in the heartbeat and as an event, until an edge comes again."""
    node.tell("edges off", "button tap 150")
    node.expect(ladder="pressed")
    node.expect(output="buzzer", level=True)
    desk.receive("event", kind="pressed")
    desk.receive("event", kind="fault-raised", fault="F002", subject="button")
    desk.expect_fault("F002")
    assert "F002" in node.expect_log("F002")[1]

    node.tell("edges on", "button tap 150")

    desk.receive("event", kind="pressed", presses=2)
    desk.receive("event", kind="fault-cleared", fault="F002", subject="button")


def test_a_button_held_at_start_is_an_alarm_within_a_second(desk: Desk, config: Path) -> None:
    """A press from before the start counts, once the node is there to see it."""
    with SimulatedNode(config, "--held", "button") as node:
        started_at, _ = node.expect_log("starts, boot")
        pressed = node.expect(ladder="pressed")
        event = desk.expect("event", kind="pressed")

    assert pressed["at"] - started_at < 1.0
    assert event["presses"] == 1


@pytest.mark.parametrize("wiring", ["normally-open", "normally-closed"])
def test_no_press_is_no_alarm(tmp_path: Path, broker: Broker, wiring: str) -> None:
    """A button at rest raises nothing, however it is wired."""
    config = write_config(tmp_path, broker.port, buttons=[{**BUTTON, "wiring": wiring}], heartbeat_s=1)
    with Desk(broker.port) as desk, SimulatedNode(config) as node:
        first = desk.expect("heartbeat", lambda message: message["inputs"]["button"]["state"] == "normal")
        desk.expect("alarm", phase="normal")

        assert first["incidents"] == 0
        assert not node.lines(output="buzzer")


def test_a_silent_press_calls_without_a_sign_on_the_wall(tmp_path: Path, broker: Broker) -> None:
    """Silent and discreet: the building knows, the buzzer stays off and the lamp as it was, for a loud one too."""
    config = write_config(tmp_path, broker.port, buttons=[LOUD, SILENT])
    with Desk(broker.port) as desk, SimulatedNode(config) as node:
        node.expect(output="lamp", pattern="ready")
        node.tell("button:knee tap 120")
        silent = desk.expect("event", kind="pressed", input="knee")
        node.expect(ladder="accepted", input="knee")

        assert not node.lines(output="buzzer")
        assert [line["pattern"] for line in node.lines(output="lamp")] == ["ready"]

        node.tell("button:desk tap 120")
        loud = desk.expect("event", kind="pressed", input="desk")
        node.expect(output="lamp", pattern="calling")
        alarm = desk.expect("alarm", lambda message: len(message["incidents"]) == 2)

        assert incidents(alarm) == [silent["incident"], loud["incident"]]
        assert not node.lines(output="buzzer")


def test_two_brokers_both_get_the_press(tmp_path: Path, broker: Broker) -> None:
    """Each path carries each alarm; that one broker is away holds nothing up on the other."""
    with Broker(tmp_path / "second") as second:
        config = write_config(tmp_path, broker.port, second.port)
        with Desk(broker.port) as one, Desk(second.port) as other, SimulatedNode(config) as node:
            desks = (one, other)
            for desk in desks:
                desk.receive("heartbeat")
            node.tap()
            first = [desk.expect("event", kind="pressed") for desk in desks]
            one.receive("event", kind="restored")

            second.kill()
            node.tap()
            next_one = one.expect("event", kind="pressed", presses=2)

    assert (first[0]["boot"], first[0]["seq"]) == (first[1]["boot"], first[1]["seq"])
    assert next_one["incident"] == first[0]["incident"]


def test_who_comes_later_finds_the_alarm(config: Path, broker: Broker) -> None:
    """An open incident is retained for those who weren't there."""
    with SimulatedNode(config) as node:
        node.tap()
        node.expect(ladder="accepted")
        with Client(broker.port, subscribe=["alarm/v1/mitte/node/room-214/alarm"]) as late:
            retained = late.expect_topic("alarm/v1/mitte/node/room-214/alarm")

    assert retained.retain
    assert decoded(retained)["phase"] == "active"

"""Doors, switches and wires of a real node: what the building hears of them, and what it doesn't."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.broker import Broker
from tests.support.desk import Desk, faults
from tests.support.node import BUTTON, SimulatedNode, alarm_node, wait_until, write_config

CHANGEOVER = {**BUTTON, "wiring": "changeover", "pin_nc": 27}
ALARM = {"class": "amok", "sound": "loud", "lamp": "shown"}


def door(name: str, pin: int, mode: str, **others: object) -> tuple[str, Mapping[str, object]]:
    """A door of this mode, whose contact opens with it."""
    return "[[door]]", {"name": name, "pin": pin, "wiring": "normally-closed", "mode": mode, **others}


TABLES = (
    door("escape", 5, "alarm", **ALARM),
    door("cellar", 6, "held-open", held_open_s=5, **ALARM),
    door("front", 12, "report"),
    door("back", 13, "incident-only"),
    ("[tamper]", {"pin": 19, "wiring": "normally-closed"}),
    ("[reset]", {"pin": 26, "wiring": "normally-open"}),
)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[tuple[Desk, SimulatedNode, Path]]:
    """A node with everything that a wall may have, a desk that confirms, and its node.toml."""
    with Broker(tmp_path / "broker") as broker, Desk(broker.port, receipts=True) as desk:
        config = write_config(tmp_path, broker.port, buttons=[CHANGEOVER], tables=TABLES, heartbeat_s=1)
        with SimulatedNode(config) as node:
            desk.beat()
            # The first readings are in: whatever comes from now on is what the test does.
            desk.receive("heartbeat", lambda beat: beat["inputs"]["tamper"]["state"] == "normal")
            yield desk, node, config


def heartbeat(desk: Desk, **inputs: str) -> Mapping[str, Any]:
    """The next heartbeat in which these inputs are in these states."""
    return desk.expect(
        "heartbeat",
        lambda beat: all(beat["inputs"].get(name, {}).get("state") == state for name, state in inputs.items()),
    )


def test_a_heartbeat_tells_what_each_input_is_and_whether_its_wire_is_watched(
    house: tuple[Desk, SimulatedNode, Path],
) -> None:
    """Without supervision it says so, never that all is well; a private door isn't there at all."""
    desk, _, _ = house

    told = heartbeat(desk, button="normal")["inputs"]

    assert {name: (each["kind"], each["wire"]) for name, each in told.items()} == {
        "button": ("button", "supervised"),
        "escape": ("door", "unsupervised"),
        "cellar": ("door", "unsupervised"),
        "front": ("door", "unsupervised"),
        "tamper": ("tamper", "unsupervised"),
        "reset": ("reset", "unsupervised"),
    }


def test_an_escape_door_calls_and_the_key_ends_it_once_it_is_closed(house: tuple[Desk, SimulatedNode, Path]) -> None:
    """Sound, lamp and message as for a button; turned too early, the key says why nothing ends."""
    desk, node, _ = house

    node.tell("door:escape open")
    node.expect(output="buzzer", level=True)
    opened = desk.expect("event", kind="opened", input="escape", presses=1)
    assert opened["class"] == "amok"
    node.expect(ladder="told", input="escape")
    node.tell("reset turn")
    refused = desk.expect("event", kind="reset-refused", incident=opened["incident"])
    assert (refused["by"], refused["reason"]) == ("key-switch", "input-active")
    node.tell("door:escape close")
    desk.receive("event", kind="closed", input="escape", incident=opened["incident"])
    node.tell("reset turn")

    assert desk.expect("event", kind="reset", incident=opened["incident"])["by"] == "key-switch"
    desk.receive("alarm", lambda alarm: alarm["phase"] == "normal" and alarm["seq"] > opened["seq"])
    wait_until(lambda: node.lines(output="buzzer")[-1]["level"] is False)  # the pins come after the message


def test_a_door_that_is_held_open_calls_after_its_time(house: tuple[Desk, SimulatedNode, Path]) -> None:
    """Not before; whoever only walks through is told to nobody."""
    desk, node, _ = house

    node.tell("door:cellar open", "door:cellar close", "door:cellar open")
    held = desk.receive("event", kind="held-open", input="cellar")

    moves = node.lines(input="cellar", open=True)
    decided = node.expect(ladder="pressed", input="cellar")["at"]
    assert decided - moves[-1]["at"] == pytest.approx(5.0 + 0.02, abs=0.5)
    assert held.at >= decided
    assert not [event for event in desk.events if event["kind"] in ("opened", "closed")]


def test_a_private_door_is_told_in_an_incident_and_leaves_no_trace_else(
    house: tuple[Desk, SimulatedNode, Path],
) -> None:
    """Neither on the broker nor in the record; the front door, which reports, shows that the node was listening."""
    desk, node, config = house

    node.tell("door:back open", "door:front open")
    desk.receive("event", kind="opened", input="front")
    assert "back" not in heartbeat(desk, front="active")["inputs"]
    node.tell("button tap 100")
    incident = desk.expect("event", kind="pressed")["incident"]
    heartbeat(desk, back="active")
    node.tell("door:back close")
    desk.receive("event", kind="closed", input="back", incident=incident)
    node.tell("reset turn")
    desk.receive("event", kind="reset", incident=incident)
    node.tell("door:back open", "door:front close")
    desk.receive("event", kind="closed", input="front")
    assert "back" not in heartbeat(desk, front="normal")["inputs"]
    assert node.quit() == 0

    record = alarm_node("log", "--json", "--config", config, cwd=config.parent).stdout
    kept = [event["kind"] for event in map(json.loads, record.splitlines()) if event.get("input") == "back"]
    assert kept == ["closed"]
    assert {event["kind"] for event in desk.events if event.get("input") == "back"} == {"closed"}


@pytest.mark.parametrize("word", ["cut", "short"])
def test_a_broken_cable_of_a_supervised_button_is_a_fault_and_no_alarm(
    house: tuple[Desk, SimulatedNode, Path], word: str
) -> None:
    """Within seconds, naming the input; mended, it is cleared and the button calls."""
    desk, node, _ = house

    node.tell(f"button {word}")
    told = desk.expect("heartbeat", lambda beat: faults(beat).get("F043") == "button")
    assert told["inputs"]["button"]["state"] == "fault"
    assert told["incidents"] == 0
    node.tell("button mend")
    desk.receive("event", kind="fault-cleared", fault="F043")
    node.tap()

    desk.receive("event", kind="pressed", input="button", presses=1)
    assert len(node.lines(ladder="pressed")) == 1


def test_an_open_case_is_a_fault_at_once_and_keeps_no_press_back(house: tuple[Desk, SimulatedNode, Path]) -> None:
    """Cleared when it is closed."""
    desk, node, _ = house

    node.tell("tamper open")
    desk.expect_fault("F044")
    node.tap()
    desk.receive("event", kind="pressed", input="button")
    node.tell("tamper close")

    desk.receive("event", kind="fault-cleared", fault="F044", subject="tamper")


def test_a_button_that_hums_is_a_fault_and_the_other_one_calls(tmp_path: Path) -> None:
    """A thousand edges a second for four seconds: a fault that names it, and no second of anybody's alarm lost."""
    buttons = ({**BUTTON, "name": "desk"}, {**BUTTON, "name": "loose", "pin": 27})
    with Broker(tmp_path / "broker") as broker, Desk(broker.port, receipts=True) as desk:
        config = write_config(tmp_path, broker.port, buttons=buttons)
        with SimulatedNode(config) as node:
            desk.beat()
            desk.receive("heartbeat")
            node.tell("button:loose bounce 6000", "button:desk tap 100")
            desk.receive("event", kind="fault-raised", fault="F042", subject="loose", timeout_s=30)
            released = node.expect(input="desk", pressed=True, timeout_s=30)["at"]
            sounded = node.expect(ladder="pressed", input="desk")["at"]

            assert sounded - released < 0.5
            desk.receive("event", kind="pressed", input="desk", presses=1)
            assert node.quit() == 0

"""A walk test on a real node and a real broker: what is a test, what is real, and what comes with the receipt."""

from pathlib import Path

import pytest

from tests.support.broker import Broker
from tests.support.desk import Desk
from tests.support.node import SimulatedNode, alarm_node, write_config

HELD_S, DEBOUNCE_S = 2.0, 0.020


@pytest.fixture
def config(tmp_path: Path, broker: Broker) -> Path:
    """A node.toml with one loud button, whose heartbeats come every second."""
    return write_config(tmp_path, broker.port, heartbeat_s=1)


@pytest.fixture
def walk(desk: Desk, node: SimulatedNode) -> tuple[Desk, SimulatedNode]:
    """A node in a walk test that a desk has begun; only this desk's receipts count, and it gives none by itself."""
    desk.beat()
    desk.receive("heartbeat", lambda beat: beat["monitors"] == ["guard-desk"])
    assert desk.order("walk-test", for_s=600)["outcome"] == "done"
    node.expect(output="lamp", pattern="walk-test")
    return desk, node


def test_a_walk_test_is_told_to_the_building(walk: tuple[Desk, SimulatedNode]) -> None:
    """Who began it and for how long, and in each heartbeat what is left."""
    desk, _ = walk

    started = desk.expect("event", kind="walk-test-started")
    beat = desk.expect("heartbeat", lambda message: message["walk_test_s"] is not None)

    assert (started["by"], started["for_s"]) == ("guard-desk", 600.0)
    assert 500 < beat["walk_test_s"] < 600


def test_a_tap_is_a_test_and_the_wall_says_so_with_its_receipt(walk: tuple[Desk, SimulatedNode], config: Path) -> None:
    """Never before: then a chirp, received on the lamp, and the time that it took; no step of a call is shown."""
    desk, node = walk
    mark = node.mark

    node.tap()
    tested = desk.expect("event", kind="tested", test=True)
    assert (tested["input"], tested["class"], tested.get("incident")) == ("button", "threat", None)
    assert desk.order("probe")["outcome"] == "done"
    assert node.lines(mark, output="buzzer") == node.lines(mark, output="lamp") == []
    desk.confirm(tested, "held")

    confirmed = desk.expect("event", kind="test-confirmed", test=True)
    chirp = node.expect(since=mark, output="buzzer", level=True)
    silent = node.expect(since=mark, output="buzzer", level=False)
    node.expect(since=mark, output="lamp", pattern="received")
    pressed = node.expect(since=mark, pressed=True)
    assert 0.05 < silent["at"] - chirp["at"] < 0.5
    assert confirmed["for_s"] == pytest.approx(chirp["at"] - pressed["at"] - DEBOUNCE_S, abs=0.1)
    shown = node.expect(since=mark, output="lamp", pattern="walk-test")
    assert shown["at"] - chirp["at"] == pytest.approx(3.0, abs=0.5)
    assert not [line for line in node.lines(mark) if "ladder" in line]
    assert desk.heard("alarm")[-1]["incidents"] == []
    assert node.quit() == 0
    log = alarm_node("log", "--config", config, cwd=config.parent).stdout
    assert f"for_s={confirmed['for_s']}" in log


def test_a_second_tap_is_an_alarm(walk: tuple[Desk, SimulatedNode]) -> None:
    """Sound, ladder, list and event, as on any other day."""
    desk, node = walk

    node.tap()
    node.tap()

    desk.receive("event", kind="tested")
    pressed = desk.expect("event", kind="pressed", presses=1)
    assert "test" not in pressed
    node.expect(ladder="pressed", input="button")
    node.expect(output="buzzer", level=True)
    desk.receive("alarm", lambda alarm: [each["incident"] for each in alarm["incidents"]] == [pressed["incident"]])


def test_a_test_that_is_held_is_an_alarm_after_2_s(walk: tuple[Desk, SimulatedNode]) -> None:
    """At that instant."""
    desk, node = walk

    node.tell("button press")
    desk.receive("event", kind="tested")
    desk.receive("event", kind="pressed", presses=1)

    held = node.expect(pressed=True)["at"]
    assert node.expect(ladder="pressed", input="button")["at"] - held == pytest.approx(HELD_S + DEBOUNCE_S, abs=0.01)
    sounded = node.expect(output="buzzer", level=True)["at"]
    assert sounded - held < HELD_S + 0.5


def test_a_walk_test_ends_by_itself_and_a_tap_is_an_alarm(desk: Desk, node: SimulatedNode) -> None:
    """After its time; the lamp shows ready again."""
    mark = node.mark
    desk.order("walk-test", for_s=1)

    desk.receive("event", kind="walk-test-ended", reason="time")
    node.expect(since=mark, output="lamp", pattern="ready")
    node.tap()

    desk.receive("event", kind="pressed", presses=1)
    assert not [event for event in desk.events if event["kind"] == "tested"]

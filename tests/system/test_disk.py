"""A disk that fails: the alarm waits for nothing, the fault says so, and the record takes itself back."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from node.io.record.record_schema import VERSION
from tests.support.desk import Desk, faults
from tests.support.node import SimulatedNode, alarm_node


def _break(state: Path) -> None:
    """Put a directory where the record has to be: that stops root too."""
    state.mkdir(exist_ok=True)
    for path in state.glob("record.sqlite*"):
        path.unlink()
    (state / "record.sqlite").mkdir()


@pytest.mark.parametrize("when", ["before the start", "while it runs"])
def test_without_a_record_a_press_sounds_and_is_sent(config: Path, desk: Desk, when: str) -> None:
    """F020 stands while nothing can be stored; once it can, the press is stored after all and F020 is cleared."""
    state = config.parent / "state"
    if when == "before the start":
        _break(state)
    with SimulatedNode(config) as node:
        node.expect(output="lamp")
        desk.receive("event", kind="started")
        if when == "while it runs":
            _break(state)
        node.tap()
        node.expect(output="buzzer", level=True)
        node.expect(ladder="accepted")
        pressed = desk.expect("event", kind="pressed")
        desk.expect_fault("F020")
        desk.receive("event", kind="fault-raised", fault="F020")
        assert not node.lines(ladder="stored")

        (state / "record.sqlite").rmdir()

        desk.receive("event", kind="fault-cleared", fault="F020")
        desk.receive("heartbeat", _later_without_faults(pressed["seq"]))
        assert node.quit() == 0

    told = alarm_node("log", "--json", "--config", config, cwd=config.parent).stdout.splitlines()
    stored = {(event["boot"], event["seq"]): event["kind"] for event in map(json.loads, told)}
    assert stored[pressed["boot"], pressed["seq"]] == "pressed"


def test_after_a_downgrade_the_advice_is_the_newer_version(config: Path, desk: Desk) -> None:
    """F059 instead of F020: nobody replaces a card that is in order. The newer version goes on with the record."""
    record = config.parent / "state/record.sqlite"
    with SimulatedNode(config) as before:
        desk.receive("event", kind="started")
        assert before.quit() == 0
    _upgrade(record, to=VERSION + 1)
    with SimulatedNode(config) as node:
        desk.receive("event", kind="fault-raised", fault="F059")
        desk.expect_fault("F059")
        node.tap()
        node.expect(ladder="accepted")
        refused = node.expect_log("F059 ")[1]
        assert node.quit() == 0
    _upgrade(record, to=VERSION)
    with SimulatedNode(config) as again:
        desk.receive("event", kind="started", boot=again.boot)
        assert again.quit() == 0

    told = alarm_node("log", "--json", "--config", config, cwd=config.parent).stdout.splitlines()
    assert "Next: install the newer version of alarm-node again" in refused
    assert [json.loads(line)["kind"] for line in told].count("started") == 2


def _upgrade(record: Path, *, to: int) -> None:
    """As another version of the program leaves it."""
    with closing(sqlite3.connect(record)) as connection:
        connection.execute(f"PRAGMA user_version = {to}")


def _later_without_faults(seq: int) -> Callable[..., bool]:
    return lambda heartbeat: heartbeat["seq"] > seq and not faults(heartbeat)

"""A press is decided once for trial, shortly before: nothing may come of that, and it must not hold up the press."""

import logging
from math import inf
from pathlib import Path
from typing import Any

import pytest

from node.core import controller
from node.core.effects import LoggedEvent
from node.core.state import State
from node.protocol import codec
from node.service.upkeep.rehearsal import AHEAD_S, Rehearsal
from tests.core.house import make_settings
from tests.core.playbook import Playbook
from tests.support.broker import Broker
from tests.support.desk import Desk
from tests.support.node import SimulatedNode, write_config


class Wire(codec.Wire):
    """Notes what is encoded."""

    def __init__(self) -> None:
        super().__init__("alarm/v1", "mitte", "room-214", "0000000a")
        self.encoded: list[str] = []

    def event(self, logged: LoggedEvent) -> bytes:
        """As it is."""
        self.encoded.append(logged.kind)
        return super().event(logged)

    def alarm(self, *arguments: Any) -> bytes:
        """As it is."""
        self.encoded.append("alarm")
        return super().alarm(*arguments)


@pytest.fixture
def pressed() -> State:
    """A node whose button has just been pressed: the press is decided at ``sample_at``."""
    play = Playbook(make_settings()).begin()
    play.connect().skip()
    play.edge("button", True)
    play.wait(0.010).skip()
    return play.state


def test_a_press_is_decided_and_encoded_for_trial(pressed: State) -> None:
    """Once, and 2 ms before the levels are read."""
    wire = Wire()
    rehearsal = Rehearsal(wire)
    assert rehearsal.due == inf

    rehearsal.plan(pressed.sample_at)
    assert rehearsal.due == pytest.approx(pressed.sample_at - AHEAD_S)
    rehearsal.perform(pressed, rehearsal.due)

    assert wire.encoded == ["pressed", "alarm"]
    assert rehearsal.due == inf


def test_a_rehearsal_that_would_hold_up_the_press_is_left_out(pressed: State) -> None:
    """The loop was busy until then."""
    wire = Wire()
    rehearsal = Rehearsal(wire)

    rehearsal.plan(pressed.sample_at)
    rehearsal.perform(pressed, pressed.sample_at - 0.5 * AHEAD_S)

    assert wire.encoded == []
    assert rehearsal.due == inf


def test_a_rehearsal_that_fails_ends_nothing(
    pressed: State, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What comes may be something else."""
    monkeypatch.setattr(controller, "foresee", lambda *_: 1 / 0)
    rehearsal = Rehearsal(Wire())
    rehearsal.plan(pressed.sample_at)

    with caplog.at_level(logging.ERROR):
        rehearsal.perform(pressed, rehearsal.due)

    assert caplog.messages == ["a rehearsal failed"]


def test_the_loop_rehearses_each_press_and_only_the_press_is_sent(tmp_path: Path, broker: Broker) -> None:
    """On a whole node: one event of each press."""
    config = write_config(tmp_path, broker.port)
    with Desk(broker.port) as desk, SimulatedNode(config, program=("-c", _COUNTS)) as node:
        desk.expect("heartbeat")
        for presses in (1, 2):
            node.tap()
            assert desk.expect("event", kind="pressed")["presses"] == presses
            desk.expect("event", kind="restored")
        node.expect_log("rehearsed pressed")

        assert [each["presses"] for each in desk.events if each["kind"] == "pressed"] == [1, 2]


_COUNTS = """
import logging, sys
from node.core import controller
from node.core.effects import Append
foresee = controller.foresee
def told(state, at):
    asked = foresee(state, at)
    for each in asked:
        if isinstance(each, Append):
            logging.getLogger("node").warning("rehearsed %s", each.event.kind)
    return asked
controller.foresee = told
from node.cli.main import main
sys.argv[0] = "alarm-node"
sys.exit(main())
"""

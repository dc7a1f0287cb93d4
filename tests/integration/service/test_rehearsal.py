"""A press is decided once for trial, shortly before: nothing may come of that, and it must not hold up the press."""

import logging
from math import inf
from pathlib import Path
from typing import Any

import pytest

from node.core import controller, inputs
from node.core.effects import Append, LoggedEvent
from node.core.events import EdgeSeen, LevelsRead
from node.core.state import State
from node.protocol import codec
from node.service.upkeep.rehearsal import AHEAD_S, Rehearsal
from tests.core.house import make_settings
from tests.core.playbook import Playbook
from tests.support.broker import Broker
from tests.support.desk import Desk
from tests.support.node import SimulatedNode, write_config

MOST_PRESSES = 30


class Wire(codec.Wire):
    """Notes what is encoded."""

    def __init__(self) -> None:
        super().__init__("alarm/v1", "mitte", "room-214", "0000000a")
        self.encoded: list[str] = []
        self.made: list[LoggedEvent] = []

    def event(self, logged: LoggedEvent) -> bytes:
        """As it is."""
        self.encoded.append(logged.kind)
        return super().event(logged)

    def _event(self, logged: LoggedEvent) -> bytes:
        self.made.append(logged)
        return super()._event(logged)

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


class Clock:
    """Time passes with each look at it."""

    def __init__(self, step_s: float) -> None:
        self.now = 0.0
        self.step_s = step_s

    def __call__(self) -> float:
        """The seconds now."""
        self.now += self.step_s
        return self.now


def rehearsed(state: State, at: float, clock: Clock, rehearsal: Rehearsal) -> None:
    """One that is begun when it is due."""
    rehearsal.plan(at)
    assert rehearsal.due == pytest.approx(at - AHEAD_S)
    clock.now = rehearsal.due
    rehearsal.perform(state)
    assert rehearsal.due == inf


def test_a_press_is_decided_and_encoded_again_and_again_until_it_is_due(pressed: State) -> None:
    """So it is decided without a pause."""
    wire, clock = Wire(), Clock(0.0001)
    rehearsal = Rehearsal(wire, clock, clock)
    assert rehearsal.due == inf

    rehearsed(pressed, pressed.sample_at, clock, rehearsal)

    assert wire.encoded[:4] == ["pressed", "alarm"] * 2
    assert pressed.sample_at <= clock.now < pressed.sample_at + AHEAD_S / 4


def test_where_nothing_will_happen_there_is_one_rehearsal(pressed: State) -> None:
    """A cable that hums makes the loop read every 10 ms: it must not be busy all the time."""
    wire, clock = Wire(), Clock(0.0001)
    early = pressed.sample_at - 0.005

    rehearsed(pressed, early, clock, Rehearsal(wire, clock, clock))

    assert wire.encoded == []
    assert clock.now < early - AHEAD_S / 2


def test_a_rehearsal_that_would_hold_up_the_press_is_left_out(pressed: State) -> None:
    """The loop was busy until then."""
    wire, clock = Wire(), Clock(0.0)
    rehearsal = Rehearsal(wire, clock, clock)

    rehearsal.plan(pressed.sample_at)
    clock.now = pressed.sample_at + 0.0001
    rehearsal.perform(pressed)

    assert wire.encoded == []


def test_a_slow_board_decides_once(pressed: State) -> None:
    """It has no time for a second one, and the first is the press's own."""
    wire, clock = Wire(), Clock(AHEAD_S * 0.3)

    rehearsed(pressed, pressed.sample_at, clock, Rehearsal(wire, clock, clock))

    assert wire.encoded == ["pressed", "alarm"]


def _reading(state: State, **levels: bool) -> LevelsRead:
    at = state.sample_at + 0.0002
    return LevelsRead(at, {**inputs.known_levels(state), **levels}, at + 0.00005)


def test_a_press_that_was_decided_is_not_decided_again(pressed: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is as if it had been read at the instant for which it was planned."""
    wire, clock = Wire(), Clock(0.0001)
    rehearsal = Rehearsal(wire, clock, clock)
    rehearsed(pressed, pressed.sample_at, clock, rehearsal)
    expected = controller.foresee(pressed, pressed.sample_at)[1:]
    with monkeypatch.context() as patched:
        patched.setattr(controller, "handle", lambda *_: 1 / 0)

        state, asked = rehearsal.handle(pressed, _reading(pressed))

    assert (state, asked) == expected
    encoded = len(wire.made)
    (event,) = [each.event for each in asked if isinstance(each, Append)]
    assert wire.event(event) == codec.Wire("alarm/v1", "mitte", "room-214", "0000000a").event(event)
    assert len(wire.made) == encoded, "it was encoded once more"


@pytest.mark.parametrize("changed", ["level", "state", "instant", "nothing, but it is the second reading"])
def test_what_has_changed_is_decided_anew(pressed: State, changed: str) -> None:
    """A contact that was let go at the last moment is no press, and none is decided by a reading from before."""
    clock = Clock(0.0001)
    rehearsal = Rehearsal(Wire(), clock, clock)
    rehearsed(pressed, pressed.sample_at, clock, rehearsal)
    state, reading = pressed, _reading(pressed)
    if changed == "level":
        reading = _reading(pressed, button=not reading.levels["button"])
    elif changed == "instant":
        reading = LevelsRead(pressed.sample_at - 0.0001, reading.levels)
    elif changed == "state":
        state, _ = controller.handle(pressed, EdgeSeen(pressed.sample_at - 0.0001, "button", high=True))
    else:
        state, _ = rehearsal.handle(state, reading)

    assert rehearsal.handle(state, reading) == controller.handle(state, reading)
    assert changed not in {"level", "instant"} or not any(
        isinstance(each, Append) for each in controller.handle(state, reading)[1]
    )


def test_a_board_that_was_held_up_rehearses_again(pressed: State) -> None:
    """Another program had the processor: that says nothing of the board."""
    wire, clock = Wire(), Clock(AHEAD_S * 0.3)
    rehearsal = Rehearsal(wire, clock, lambda: 0.0)

    for _ in range(3):
        rehearsed(pressed, pressed.sample_at, clock, rehearsal)

    assert wire.encoded.count("pressed") >= 3


def test_a_rehearsal_that_fails_ends_nothing(
    pressed: State, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What comes may be something else."""
    monkeypatch.setattr(controller, "foresee", lambda *_: 1 / 0)
    clock = Clock(0.0001)

    with caplog.at_level(logging.ERROR):
        rehearsed(pressed, pressed.sample_at, clock, Rehearsal(Wire(), clock, clock))

    assert caplog.messages == ["a rehearsal failed"]


def test_the_loop_rehearses_a_press_and_only_the_press_is_sent(tmp_path: Path, broker: Broker) -> None:
    """On a whole node: one event of each press. On a busy machine some presses are decided too late to be rehearsed."""
    config = write_config(tmp_path, broker.port)
    with Desk(broker.port) as desk, SimulatedNode(config, program=("-c", _COUNTS)) as node:
        desk.expect("heartbeat")
        presses = 0
        while presses < MOST_PRESSES and (presses < 2 or "rehearsed pressed" not in node.log):
            node.tap()
            presses += 1
            assert desk.expect("event", kind="pressed")["presses"] == presses
            desk.expect("event", kind="restored")

        assert "rehearsed pressed" in node.log
        assert [each["presses"] for each in desk.events if each["kind"] == "pressed"] == list(range(1, presses + 1))


_COUNTS = """
import logging, sys
from node.core import controller
from node.core.effects import Append
foresee = controller.foresee
def told(state, at):
    foreseen = foresee(state, at)
    for each in foreseen[2]:
        if isinstance(each, Append):
            logging.getLogger("node").warning("rehearsed %s", each.event.kind)
    return foreseen
controller.foresee = told
from node.cli.main import main
sys.argv[0] = "alarm-node"
sys.exit(main())
"""

"""What people ask of a monitor, from the request to what the node does."""

import pytest

from node.monitor.core.hub import REVIEW_S
from node.monitor.core.model.monitor_settings import Place, Target
from node.monitor.core.model.records import NodeKey
from node.monitor.core.model.requests import (
    Acknowledge,
    Answer,
    EndWalkTest,
    Identify,
    PauseNode,
    Request,
    Reset,
    StartWalkTest,
)
from tests.monitor.core.node_messages import (
    ROOM,
    SITE,
    event,
    heartbeat,
    press,
    reply,
)
from tests.monitor.core.play import INCIDENT, Play


def test_acknowledging_goes_by_the_node() -> None:
    """The place of the alarm shows it, and its event closes the circle."""
    play = Play()
    play.hear(0.0, heartbeat())
    play.hear(1.0, press(1))

    number = play.ask(2.0, Acknowledge(INCIDENT, "guard-desk"))
    waiting = play.answer(number)
    command = play.commands("acknowledge")[0]
    play.hear(2.1, reply(command.id))

    assert waiting is None
    assert command.arguments == {"incident": INCIDENT.incident, "presses": 1}
    assert play.answer(number) == Answer("done")


def test_an_acknowledgement_that_the_node_does_not_take_is_noted_here() -> None:
    """Nobody else needs to be called; that the lamp doesn't show it is said."""
    play = Play(targets=(Target("t0", "json://x"), Target("t1", "json://x", level=1)))
    play.hear(0.0, heartbeat())
    play.hear(1.0, press(1))

    number = play.ask(2.0, Acknowledge(INCIDENT, "guard-desk"))
    play.until(200.0)

    answer = play.answer(number)
    assert answer is not None
    assert answer.outcome == "unanswered"
    assert play.told() == [("alarm", 0), ("acknowledged", 0)]


@pytest.mark.parametrize("reason", ["input-active", "pressed-again"])
def test_a_refusal_by_the_node_is_told(reason: str) -> None:
    """With its reason, and the incident stays open."""
    play = Play()
    play.hear(0.0, heartbeat())
    play.hear(1.0, press(1))

    number = play.ask(2.0, Reset(INCIDENT, "guard-desk", "real"))
    play.hear(2.1, reply(play.commands("reset")[0].id, reason))

    assert play.answer(number) == Answer("refused", reason)
    assert INCIDENT in play.incidents


def test_a_dead_nodes_incident_can_be_ended_here() -> None:
    """A node that burnt must not keep its alarm open for ever."""
    play = Play()
    play.hear(0.0, heartbeat())
    play.hear(1.0, press(1))
    play.until(50.0)

    number = play.ask(60.0, Reset(INCIDENT, "guard-desk", "real"))

    assert play.answer(number) == Answer("done", "only-here")
    assert play.incidents == {}


@pytest.mark.parametrize(
    "request_",
    [
        Acknowledge(INCIDENT, "guard-desk"),
        Identify(ROOM, "guard-desk"),
        PauseNode(ROOM, "guard-desk", "paint", 600.0),
        StartWalkTest(SITE, "guard-desk", 600.0),
        EndWalkTest("walk-1", "guard-desk"),
    ],
)
def test_what_is_asked_of_nobody_is_unknown(request_: Request) -> None:
    """And changes nothing."""
    play = Play()

    number = play.ask(1.0, request_)

    answer = play.answer(number)
    assert answer is not None
    assert answer.outcome == "unknown"


@pytest.mark.parametrize("for_s", [59.0, 3601.0, float("nan")])
def test_a_walk_test_has_an_end_within_the_hour(for_s: float) -> None:
    """Whatever somebody asks for."""
    play = Play()
    play.hear(0.0, heartbeat())

    number = play.ask(1.0, StartWalkTest(SITE, "guard-desk", for_s))

    answer = play.answer(number)
    assert answer is not None
    assert answer.outcome == "refused"


def test_a_walk_test_of_a_floor_asks_its_nodes_alone() -> None:
    """The others' presses stay alarms."""
    upstairs, downstairs = NodeKey(SITE, "up"), NodeKey(SITE, "down")
    play = Play(roster=(Place(upstairs, "2"), Place(downstairs, "1")))
    for node in (upstairs, downstairs):
        play.hear(0.0, heartbeat(node=node), node)

    number = play.ask(1.0, StartWalkTest(SITE, "guard-desk", 600.0, floor="2"))

    assert [each.node for each in play.commands("walk-test")] == [upstairs]
    answer = play.answer(number)
    assert answer is not None
    assert answer.id


def test_a_tested_button_counts_once_its_node_had_the_receipt() -> None:
    """Only then the way to the building is known to work."""
    play = Play()
    play.hear(0.0, heartbeat())
    play.ask(1.0, StartWalkTest(SITE, "guard-desk", 600.0))
    play.hear(2.0, event(1, "tested", input="button", test=True, age_ms=0))
    untested = play.view(3.0).walk_tests[0].untested

    play.hear(3.0, event(2, "test-confirmed", input="button", test=True, for_s=0.021))

    shown = play.view(4.0)
    assert untested == ("room-214/button",)
    assert shown.walk_tests[0].tested == ("room-214/button",)
    assert shown.buttons[0].last_test is not None
    assert play.all.tests[-1].reaction_s == 0.021
    assert play.told() == []


def test_a_walk_test_ends_by_itself() -> None:
    """At its second."""
    play = Play()
    play.hear(0.0, heartbeat())
    play.ask(1.0, StartWalkTest(SITE, "guard-desk", 600.0))

    play.until(600.9)
    before = len(play.view().walk_tests)
    play.until(601.0)

    assert (before, len(play.view().walk_tests)) == (1, 0)
    assert play.all.walk_tests[-1].ended_utc is not None


def test_a_button_that_nobody_tests_is_overdue() -> None:
    """31 days after it was first seen."""
    play = Play()
    due = 31 * 86400.0
    play.hear(0.0, heartbeat())

    play.jump(due - 1.0)
    before = play.found()
    play.jump(due + REVIEW_S)

    assert "M006" not in before
    assert "M006" in play.found()

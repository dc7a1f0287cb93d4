"""Commands from the network: in which form, how often, and what is answered."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from node.core.commands import ACTIONS, OUTCOMES_KEPT
from node.core.effects import (
    Append,
    Reply,
    SendEvent,
    SendReply,
    SetBuzzer,
    StoreSnapshot,
)
from node.core.events import StopRequested
from node.core.signals import BuzzerPattern
from node.core.turn import ANSWERS_PER_S
from tests.core.checks import apart
from tests.core.playbook import LINK, UTC_OFFSET, Playbook, Stage
from tests.core.scenes import Logged, refusal

NO_SUCH = "0000000f-99"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"malformed": "malformed: by is missing", "action": ""}, "malformed: by is missing"),
        ({"retained": True}, "retained"),
        ({"expiry_s": None}, "no-expiry"),
        ({"expiry_s": 11.0}, "expiry-too-long"),
        ({"expiry_s": 61.0, "ttl_s": 61.0}, "expiry-too-long"),
        ({"boot": "0000000f"}, "other-boot"),
        ({"action": "open-door"}, "unknown-action"),
    ],
)
@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_a_command_that_is_not_as_it_should_be_changes_nothing(
    stage: Stage, action: str, fields: dict[str, Any], reason: str
) -> None:
    """It is answered with its reason, recorded and counted, whatever it asked for."""
    play = stage()
    play.tap().skip()
    before = play.state
    command: dict[str, Any] = {"action": action, "incident": play.incident, "input": "button", "for_s": 60.0, **fields}

    play.command(**command)

    assert apart(play.state) == apart(before)
    assert play.state.supervision.refused == before.supervision.refused + 1
    play << [
        Logged("command-refused", command=command["action"], subject="c1", by="guard-desk", reason=reason),
        SendReply(LINK, 1, Reply("c1", "refused", reason), play.state.seq, play.now + UTC_OFFSET, False),
        SendEvent,
    ]


@pytest.mark.parametrize("expiry_s", [0.5, 10.0])
def test_an_expiry_that_the_broker_has_counted_down_is_as_it_should_be(stage: Stage, expiry_s: float) -> None:
    """Brokers send what is left of it."""
    play = stage()

    play.command("probe", expiry_s=expiry_s)

    assert play.replies() == [Reply("c1", "done")]


def test_a_probe_is_answered_and_does_nothing(stage: Stage) -> None:
    """The node hears the topic, and the monitor knows it."""
    play = stage()

    play.command("probe")

    play.only(Append, SendReply, StoreSnapshot) << [SendReply]


@pytest.mark.parametrize("action", ["acknowledge", "reset", "silence"])
def test_a_command_for_an_incident_that_is_not_open_is_refused(stage: Stage, action: str) -> None:
    """It may have been reset by somebody else."""
    play = stage()
    play.tap().skip()

    play.command(action, incident=NO_SUCH)

    assert play.replies() == [refusal("no-such-incident")]


def test_no_command_is_done_while_the_node_stops(stage: Stage) -> None:
    """Its outcome would be lost."""
    play = stage()
    play >> StopRequested(play.now, "update")
    play.skip()

    play.command("probe")

    assert play.replies() == [refusal("stopping")]


def test_a_repeated_id_gets_the_first_outcome_and_does_nothing(stage: Stage) -> None:
    """A sender that heard no answer may ask again without harm."""
    play = stage()
    play.tap().command("silence", id="again", incident=play.incident).tap().skip()
    before = play.state

    play.command("silence", id="again", incident=play.incident)

    assert play.state == replace(before, recent_answers=play.state.recent_answers)
    assert play.replies() == [Reply("again", "done")]


def test_a_repeated_id_of_a_refused_command_is_refused_again(stage: Stage) -> None:
    """Also if it would be done by now: the first outcome is the outcome."""
    play = stage()
    play.press().command("reset", id="again", incident=play.incident).release().skip()

    play.command("reset", id="again", incident=play.incident)

    assert play.replies() == [Reply("again", "refused", "input-active")]
    assert len(play.state.incidents) == 1


def test_at_most_ten_refusals_a_second_are_answered_and_recorded(stage: Stage) -> None:
    """A flood of nonsense fills neither the record nor the line; all of it is counted."""
    play = stage()

    for _ in range(3 * ANSWERS_PER_S):
        play.command("open-door")

    assert len(play.take(SendReply)) == ANSWERS_PER_S
    assert len([event for event in play.logged if event.kind == "command-refused"]) == ANSWERS_PER_S
    assert play.state.supervision.refused == 3 * ANSWERS_PER_S


def test_at_most_ten_repetitions_a_second_are_answered(stage: Stage) -> None:
    """A storm of copies of one command fills no queue, and none of them does anything."""
    play = stage()
    play.command("probe", id="once").skip()

    for _ in range(3 * ANSWERS_PER_S):
        play.command("probe", id="once")

    assert play.replies() == [Reply("once", "done")] * ANSWERS_PER_S
    assert play.state.supervision.refused == 0


@pytest.mark.parametrize("second", ["another action", "another target", "malformed"])
def test_an_id_that_was_used_for_something_else_is_refused(stage: Stage, second: str) -> None:
    """Nothing is done, and nobody takes the first command's "done" for an answer to this one."""
    play = stage()
    play.tap().command("silence", id="once", incident=play.incident).tap().skip()
    before = play.state
    how: dict[str, Callable[[], Playbook]] = {
        "another action": lambda: play.command("reset", id="once", incident=play.incident),
        "another target": lambda: play.command("silence", id="once", incident=NO_SUCH),
        "malformed": lambda: play.command("", id="once", malformed="malformed"),
    }

    how[second]()

    assert apart(play.state) == apart(before)
    assert play.state.outcomes == before.outcomes
    assert play.state.supervision.refused == before.supervision.refused + 1
    assert play.replies() == [Reply("once", "refused", "id-used")]


def test_a_repetition_may_have_less_time_left(stage: Stage) -> None:
    """As a monitor repeats a walk test."""
    play = stage()
    play.command("walk-test", id="once", for_s=60.0).skip()

    play.command("walk-test", id="once", for_s=30.0)

    assert play.replies() == [Reply("once", "done")]


def test_a_flood_of_used_ids_is_not_answered_without_end(stage: Stage) -> None:
    """As any refusal."""
    play = stage()
    play.command("probe", id="once").skip()

    for _ in range(2 * ANSWERS_PER_S):
        play.command("identify", id="once")

    assert play.replies() == [Reply("once", "refused", "id-used")] * ANSWERS_PER_S


def test_after_a_second_refusals_are_answered_again(stage: Stage) -> None:
    """The limit is for each second."""
    play = stage()
    for _ in range(2 * ANSWERS_PER_S):
        play.command("open-door")
    play.wait(1.0).skip()

    play.command("open-door")

    assert play.replies() == [refusal("unknown-action", 2 * ANSWERS_PER_S + 1)]


def test_a_flood_of_nonsense_does_not_refuse_a_good_command(stage: Stage) -> None:
    """What can be done is done."""
    play = stage()
    play.tap()
    for _ in range(3 * ANSWERS_PER_S):
        play.command("open-door")
    play.skip()

    play.command("acknowledge", incident=play.incident, id="good")

    assert play.replies() == [Reply("good", "done")]


def test_a_command_without_an_id_is_answered_and_not_kept(stage: Stage) -> None:
    """The next one without an id is another one."""
    play = stage()

    play.command("", id="", malformed="malformed").command("", id="", malformed="worse")

    assert [reply.reason for reply in play.replies()] == ["malformed", "worse"]
    assert play.state.outcomes == {}


def test_outcomes_are_kept_for_as_long_as_a_command_can_live(stage: Stage) -> None:
    """Twice the longest ttl; and no more of them than a limit."""
    play = stage()
    play.command("probe", id="old").wait(120.0).skip()

    for number in range(OUTCOMES_KEPT + 5):
        play.command("probe", id=f"p{number}").skip()

    assert "old" not in play.state.outcomes
    assert list(play.state.outcomes) == [f"p{number}" for number in range(5, OUTCOMES_KEPT + 5)]


def test_a_command_that_was_heard_on_a_link_that_is_gone_is_done_without_an_answer(stage: Stage) -> None:
    """It waited in the queue while the link went down."""
    play = stage()
    play.tap().link_down().skip()

    play.command("silence", incident=play.incident)

    play.only(SetBuzzer, SendReply) << [SetBuzzer(BuzzerPattern.OFF)]


def test_the_answer_goes_out_on_the_link_that_asked(stage: Stage) -> None:
    """With two brokers the other one's readers didn't ask."""
    play = stage(links=("a", "b"))

    play.command("probe", link="b")

    assert [send.link for send in play.take(SendReply)] == ["b"]

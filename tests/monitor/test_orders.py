"""What people ask, where the node is away, refuses, or is asked twice."""

from datetime import timedelta

import pytest

from node.monitor.batch import Memory
from node.monitor.model import IncidentRecord, NodeKey, WalkTest
from node.monitor.orders import ANSWER_S, NAMED, PENDING_LIMIT, WALK_NODES_LIMIT
from node.monitor.requests import (
    Acknowledge,
    Answer,
    EndWalkTest,
    Identify,
    PauseNode,
    Request,
    Reset,
    Resume,
    Silence,
    StartWalkTest,
)
from node.monitor.settings import Target
from node.monitor.viewing import view
from tests.monitor.nodes import (
    BOOT,
    LATER_BOOT,
    ROOM,
    SITE,
    START,
    about,
    birth,
    goodbye,
    heartbeat,
    moment,
    press,
    reply,
)
from tests.monitor.play import INCIDENT, Play

DESK = "guard-desk"
OTHER = NodeKey(SITE, "room-215")
TWO_GROUPS = (Target("t0", "json://x"), Target("t1", "json://x", step=1))


def called() -> Play:
    """Somebody has pressed."""
    play = Play(targets=TWO_GROUPS)
    play.hear(0.0, heartbeat())
    play.hear(1.0, press(1))
    return play


def record() -> IncidentRecord:
    """The incident of ``called``."""
    return called().record()


def test_an_acknowledgement_of_what_the_node_does_not_know_is_noted_here() -> None:
    """It was set up anew, say; nobody else needs to be called."""
    play = called()

    number = play.ask(2.0, Acknowledge(INCIDENT, DESK))
    play.hear(2.1, reply(play.commands("acknowledge")[0].id, "no-such-incident"))
    play.until(200.0)

    assert play.answer(number) == Answer("done", "only-here")
    assert play.told() == [("alarm", 0), ("acknowledged", 0)]


@pytest.mark.parametrize("reason", [None, "no-such-incident"], ids=["no answer", "not known there"])
def test_an_acknowledgement_hides_no_press_that_its_author_has_not_seen(reason: str | None) -> None:
    """The node would have refused it: the next group is called."""
    play = called()

    number = play.ask(2.0, Acknowledge(INCIDENT, DESK))
    play.hear(3.0, press(2, incident=1, presses=2))
    if reason is not None:
        play.hear(4.0, reply(play.commands("acknowledge")[0].id, reason))
    play.until(200.0)

    assert play.answer(number) == Answer("refused", "pressed-again")
    assert play.told() == [("alarm", 0), ("alarm", 1)]


def test_what_was_acknowledged_before_is_done() -> None:
    """By somebody else, a moment before."""
    play = called()

    number = play.ask(2.0, Acknowledge(INCIDENT, DESK))
    play.hear(2.1, reply(play.commands("acknowledge")[0].id, "already-acknowledged"))

    assert play.answer(number) == Answer("done", "already-acknowledged")


def test_an_acknowledgement_whose_incident_ended_meanwhile_changes_nothing() -> None:
    """Its node doesn't answer, and a person ended it here."""
    play = called()
    play.hear(2.0, goodbye())
    play.ask(3.0, Reset(INCIDENT, DESK, "real"))
    before = play.told()

    number = play.ask(4.0, Acknowledge(INCIDENT, DESK))

    assert play.answer(number) == Answer("unknown", "no-such-incident")
    assert play.told() == before


@pytest.mark.parametrize("known", [True, False], ids=["it is down", "it was never heard"])
@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (Acknowledge(INCIDENT, DESK), Answer("unanswered", "noted-here-but-not-at-the-wall")),
        (Silence(INCIDENT, DESK), Answer("unanswered", "the-node-does-not-answer")),
        (Reset(INCIDENT, DESK, "real"), Answer("done", "only-here")),
    ],
    ids=["acknowledge", "silence", "reset"],
)
def test_a_node_that_is_away_is_not_waited_for(known: bool, request_: Request, answer: Answer) -> None:
    """What can be done here is."""
    play = called() if known else Play(Memory(incidents=(record(),)))
    if known:
        play.hear(2.0, goodbye())

    number = play.ask(3.0, request_)

    assert play.answer(number) == answer


@pytest.mark.parametrize("request_", [Silence(INCIDENT, DESK), Identify(ROOM, DESK)], ids=["silence", "identify"])
def test_a_node_that_does_not_answer_is_waited_for_no_longer(request_: Request) -> None:
    """5 s; an answer after that says nothing."""
    play = called()

    number = play.ask(2.0, request_)
    play.until(2.0 + ANSWER_S - 0.6)
    waiting = play.answer(number)
    play.until(2.0 + ANSWER_S + 0.5)

    assert waiting is None
    assert play.answer(number) == Answer("unanswered", "the-node-does-not-answer")


def test_another_nodes_answer_is_none() -> None:
    """Ids can be guessed."""
    play = called()
    play.hear(1.0, heartbeat(node=OTHER), OTHER)
    number = play.ask(2.0, Identify(ROOM, DESK))
    command = play.commands("identify")[0]

    play.hear(2.1, reply(command.id, node=OTHER), OTHER)
    play.hear(2.2, reply("what-nobody-asked"))
    play.hear(2.3, reply(command.id), retained=True)

    assert play.answer(number) is None


def test_a_silence_says_no_presses() -> None:
    """It ends a sound, and nothing else."""
    play = called()

    play.ask(2.0, Silence(INCIDENT, DESK))

    assert play.commands("silence")[0].arguments == {"incident": INCIDENT.incident}


def test_too_many_requests_are_refused() -> None:
    """Whoever asks a thousand things at once."""
    play = called()
    for _ in range(PENDING_LIMIT):
        play.ask(2.0, Identify(ROOM, DESK))

    number = play.ask(2.0, Identify(ROOM, DESK))

    assert play.answer(number) == Answer("refused", "too-many-requests")


@pytest.mark.parametrize("for_s", [59.9, 30 * 86400.0 + 1, float("nan"), float("inf")])
def test_a_pause_has_an_end_within_a_month(for_s: float) -> None:
    """Whatever somebody asks for."""
    play = called()

    number = play.ask(2.0, PauseNode(ROOM, DESK, "paint", for_s))

    answer = play.answer(number)
    assert answer is not None
    assert answer.outcome == "refused"
    assert play.hub.fleet.nodes[ROOM].pause is None


def test_a_pause_is_ended_once() -> None:
    """Of a node that has one."""
    play = called()

    numbers = [
        play.ask(2.0, PauseNode(ROOM, DESK, "paint", 600.0)),
        play.ask(3.0, Resume(ROOM, DESK)),
        play.ask(4.0, Resume(ROOM, DESK)),
        play.ask(5.0, Resume(OTHER, DESK)),
    ]

    answers = [play.answer(number) for number in numbers]
    assert [(each.outcome, each.reason) for each in answers if each] == [
        ("done", ""),
        ("done", ""),
        ("refused", "not-paused"),
        ("unknown", "no-such-node"),
    ]


def test_a_walk_test_leaves_out_who_is_down() -> None:
    """And says so."""
    play = called()
    play.hear(2.0, heartbeat(node=OTHER), OTHER)
    play.hear(3.0, goodbye(node=OTHER), OTHER)

    number = play.ask(4.0, StartWalkTest(SITE, DESK, 600.0))

    answer = play.answer(number)
    assert answer is not None
    assert (answer.outcome, answer.reason) == ("done", f"left out: {OTHER.node} (down)")
    assert [each.node for each in play.commands("walk-test")] == [ROOM]


def test_a_walk_test_names_the_first_of_many_that_it_leaves_out() -> None:
    """An answer stays short where half a building is down."""
    play = called()
    for number in range(NAMED + 2):
        key = NodeKey(SITE, f"room-{300 + number}")
        play.hear(2.0, heartbeat(node=key), key)
        play.hear(3.0, goodbye(node=key), key)

    asked = play.ask(4.0, StartWalkTest(SITE, DESK, 600.0))

    answer = play.answer(asked)
    assert answer is not None
    assert answer.reason.startswith("left out: room-300 (down), room-301 (down), ")
    assert answer.reason.endswith(f"room-{299 + NAMED} (down) and 2 more")


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (StartWalkTest("elsewhere", DESK, 600.0), Answer("unknown", "no-such-node")),
        (StartWalkTest(SITE, DESK, 600.0, nodes=("room-999",)), Answer("unknown", "no-such-node")),
        (StartWalkTest(SITE, DESK, 600.0, floor="9"), Answer("unknown", "no-such-node")),
        (StartWalkTest(SITE, DESK, 600.0, nodes=("room-215",)), Answer("refused", "all-these-nodes-are-down")),
    ],
)
def test_a_walk_test_of_nobody_is_none(request_: StartWalkTest, answer: Answer) -> None:
    """It says why."""
    play = called()
    play.hear(3.0, goodbye(node=OTHER), OTHER)

    number = play.ask(4.0, request_)

    assert play.answer(number) == answer


def test_a_walk_test_has_as_many_nodes_as_somebody_can_walk() -> None:
    """A floor at a time."""
    play = Play()
    for number in range(WALK_NODES_LIMIT + 1):
        node = NodeKey(SITE, f"n-{number}")
        play.hear(0.0, heartbeat(node=node), node)

    asked = play.ask(1.0, StartWalkTest(SITE, DESK, 600.0))

    answer = play.answer(asked)
    assert answer is not None
    assert answer.outcome == "refused"
    assert play.commands("walk-test") == []


def test_a_walk_test_is_ended_at_its_nodes() -> None:
    """Those that the roster still has."""
    play = called()
    started = play.answer(play.ask(2.0, StartWalkTest(SITE, DESK, 600.0, nodes=("room-214",))))
    assert started is not None

    number = play.ask(3.0, EndWalkTest(started.id, DESK))

    assert play.answer(number) == Answer("done")
    assert [each.node for each in play.commands("walk-test-end")] == [ROOM]
    assert play.hub.drills.walks == {}


def test_an_end_of_what_ended_meanwhile_is_done() -> None:
    """The node says that it knows of none, and its own end came a moment before."""
    play = called()

    number = play.ask(2.0, Reset(INCIDENT, DESK, "real"))
    play.hear(2.1, about(2, "reset", 1, by="key", reason="drill"))
    play.hear(2.2, reply(play.commands("reset")[0].id, "no-such-incident"))

    assert play.answer(number) == Answer("done", "only-here")
    assert play.record().reset_reason == "drill"


def test_an_end_names_no_node_that_the_roster_lost() -> None:
    """Of a walk test of before a restart."""
    until = START + timedelta(seconds=600)
    walk = WalkTest(id="walk-1", site=SITE, nodes=("gone",), by="x", started_utc=START, until_utc=until)
    play = Play(Memory(walk_tests=(walk,)))

    number = play.ask(1.0, EndWalkTest("walk-1", DESK))

    assert play.answer(number) == Answer("done")
    assert play.commands("walk-test-end") == []


def walking(for_s: float = 600.0) -> Play:
    """A walk test in ROOM since 2.0, of which its node has said nothing yet."""
    play = Play()
    play.hear(1.0, heartbeat())
    play.ask(2.0, StartWalkTest(SITE, DESK, for_s))
    return play


def not_testing(play: Play) -> tuple[str, ...]:
    """Whose presses are real, as it is shown."""
    return view(play.hub, moment(0.0), "1", {}).walk_tests[0].not_testing


@pytest.mark.parametrize("boot", [BOOT, LATER_BOOT], ids=["reconnected", "started"])
def test_a_node_that_was_away_when_a_walk_test_began_is_told_once_it_is_there(boot: str) -> None:
    """With the time that is left; one that had it takes it for the same command."""
    play = walking()

    play.hear(100.0, birth(boot=boot))
    play.hear(102.0, heartbeat(boot=boot))
    play.hear(103.0, heartbeat(boot=boot))

    first, second = play.commands("walk-test")
    assert (first.boot, first.arguments) == (BOOT, {"for_s": 600.0})
    assert (second.boot, second.by, second.arguments) == (boot, DESK, {"for_s": 500.0})
    assert (first.id == second.id) == (boot == BOOT)
    assert not_testing(play) == (ROOM.node,)


def test_a_node_that_says_that_it_tests_is_told_no_more() -> None:
    """Also when a restart has ended that: it would take a tested button for one that wasn't, and a call for a test."""
    play = walking()
    play.hear(12.0, heartbeat(walk_test_s=590.0))
    tests = not_testing(play)

    play.hear(30.0, birth(boot=LATER_BOOT))
    play.hear(32.0, heartbeat(boot=LATER_BOOT))
    play.hear(42.0, heartbeat(boot=LATER_BOOT))

    assert tests == ()
    assert not_testing(play) == (ROOM.node,)
    assert len(play.commands("walk-test")) == 1


def test_an_answer_to_a_walk_test_is_waited_for() -> None:
    """A heartbeat that was on its way says nothing."""
    play = walking()

    play.hear(2.0 + ANSWER_S - 0.1, heartbeat())

    assert len(play.commands("walk-test")) == 1


@pytest.mark.parametrize(("at", "count"), [(61.0, 2), (61.1, 1)])
def test_a_walk_test_that_is_as_good_as_over_is_told_to_nobody(at: float, count: int) -> None:
    """A node takes no command for less than a second."""
    play = walking(60.0)

    play.hear(at, heartbeat())

    assert len(play.commands("walk-test")) == count


def test_a_node_elsewhere_is_told_of_no_walk_test() -> None:
    """Its presses are real."""
    play = Play()
    play.hear(1.0, heartbeat())
    play.ask(2.0, StartWalkTest(SITE, DESK, 600.0))

    play.hear(20.0, heartbeat(node=OTHER), OTHER)

    assert [each.node for each in play.commands("walk-test")] == [ROOM]


def test_nobody_is_told_anew_of_a_walk_test_of_before_a_restart() -> None:
    """Who had been told, and has tested buttons, isn't known any more."""
    until = START + timedelta(seconds=600)
    walk = WalkTest(id="walk-1", site=SITE, nodes=(ROOM.node,), by="x", started_utc=START, until_utc=until)
    play = Play(Memory(walk_tests=(walk,)))

    play.hear(20.0, heartbeat())
    before = not_testing(play)
    play.hear(30.0, heartbeat(walk_test_s=570.0))

    assert (before, not_testing(play)) == ((ROOM.node,), ())
    assert play.commands("walk-test") == []

"""What people ask, where the node is away, refuses, or is asked twice."""

from datetime import timedelta

import pytest

from node.monitor.core.commands.dispatch import ANSWER_S, PENDING_LIMIT
from node.monitor.core.decisions.batch import Remembered
from node.monitor.core.model.monitor_settings import Target
from node.monitor.core.model.records import IncidentRecord, NodeKey
from node.monitor.core.model.requests import (
    Acknowledge,
    Answer,
    Identify,
    PauseNode,
    Replaced,
    Request,
    Reset,
    Resume,
    Silence,
    must_be_stored,
)
from tests.monitor.core.node_messages import ROOM, SITE, about, goodbye, heartbeat, moment, press, reply
from tests.monitor.core.play import INCIDENT, Play

DESK = "guard-desk"
OTHER = NodeKey(SITE, "room-215")
TWO_GROUPS = (Target("t0", "json://x"), Target("t1", "json://x", level=1))


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
    """The node would have refused it: the press is told, and the next group is called."""
    play = called()

    number = play.ask(2.0, Acknowledge(INCIDENT, DESK))
    play.hear(3.0, press(2, incident=1, presses=2))
    if reason is not None:
        play.hear(4.0, reply(play.commands("acknowledge")[0].id, reason))
    play.until(200.0)

    assert play.answer(number) == Answer("refused", "pressed-again")
    assert play.told() == [("alarm", 0), ("alarm", 0), ("alarm", 1)]


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
    play = called() if known else Play(Remembered(incidents=(record(),)))
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


def test_requests_that_are_over_leave_nothing() -> None:
    """Whether the node has answered, or has not."""
    play = called()

    def ask_all(at: float) -> None:
        for _ in range(20):
            play.ask(at, Identify(ROOM, DESK))
        for command in play.commands("identify")[-10:]:
            play.hear(at + 1.0, reply(command.id))
        play.hear(at + ANSWER_S + 1.0, heartbeat())

    ask_all(2.0)
    size = play.size()
    ask_all(12.0)

    assert play.size() < size + 20


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
    assert play.node().paused_by is None


@pytest.mark.parametrize("step_s", [0.0, 7_200.0], ids=["as it was said", "the clock was set"])
def test_a_pause_says_when_it_ends_and_which_one_it_replaces(step_s: float) -> None:
    """Whoever paused it first may still be at work there; an end is told by the clock as it is now."""
    play = Play()
    play.hear(1.0, heartbeat())
    first = play.answer(play.ask(2.0, PauseNode(ROOM, "painters", "paint", 600.0)))
    play.clock_off = timedelta(seconds=step_s)

    second = play.answer(play.ask(62.0, PauseNode(ROOM, DESK, "new cable", 120.0)))

    replaced = Replaced("painters", moment(602.0).utc + play.clock_off)
    assert first == Answer("done", until=moment(602.0).utc)
    assert second == Answer("done", until=moment(182.0).utc + play.clock_off, replaces=replaced)


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


def test_an_end_of_what_ended_meanwhile_is_done() -> None:
    """The node says that it knows of none, and its own end came a moment before."""
    play = called()

    number = play.ask(2.0, Reset(INCIDENT, DESK, "real"))
    play.hear(2.1, about(2, "reset", 1, by="key", reason="drill"))
    play.hear(2.2, reply(play.commands("reset")[0].id, "no-such-incident"))

    assert play.answer(number) == Answer("done", "only-here")
    assert play.record().reset_reason == "drill"


@pytest.mark.parametrize(
    ("asked", "answer", "expected"),
    [
        (PauseNode(ROOM, DESK, "paint", 60.0), Answer("done"), True),
        (PauseNode(ROOM, DESK, "paint", 60.0), Answer("refused", "no-such-node"), False),
        (Acknowledge(INCIDENT, DESK), Answer("done", "only-here"), True),
        (Acknowledge(INCIDENT, DESK), Answer("done"), False),
    ],
    ids=["a pause", "a refused pause", "only here", "at the node"],
)
def test_what_only_this_monitor_knows_is_answered_once_it_is_stored(
    asked: Request, answer: Answer, expected: bool
) -> None:
    """The node keeps what was done at its wall."""
    assert must_be_stored(asked, answer) is expected


@pytest.mark.parametrize(
    ("faults", "reason"),
    [((("F001", "button"),), "input-unreadable"), ((("F001", "door"),), "input-unknown"), ((), "input-unknown")],
    ids=["its button can't be read", "another input can't be read", "it will be read in a moment"],
)
def test_a_reset_of_a_button_that_can_not_be_read_says_so(faults: tuple[tuple[str, str], ...], reason: str) -> None:
    """Waiting, as for one that will be read in a moment, would never help."""
    play = called()
    play.hear(2.0, heartbeat(faults=faults))

    number = play.ask(3.0, Reset(INCIDENT, DESK, "real"))
    play.hear(3.1, reply(play.commands("reset")[0].id, "input-unknown"))

    assert play.answer(number) == Answer("refused", reason)


@pytest.mark.parametrize(
    ("failed", "answer"),
    [
        ((), Answer("done")),
        (("lamp",), Answer("done", "lamp-failed")),
        (("buzzer",), Answer("done", "buzzer-failed")),
        (("buzzer", "lamp"), Answer("refused", "outputs-failed")),
    ],
)
def test_a_node_signals_only_with_what_it_can_switch(failed: tuple[str, ...], answer: Answer) -> None:
    """Whoever looks for it must not look for a lamp that stays dark."""
    play = Play()
    play.hear(1.0, heartbeat(faults=tuple(("F003", each) for each in failed)))

    number = play.ask(2.0, Identify(ROOM, DESK))
    play.hear(2.1, reply(play.commands("identify")[0].id))

    assert play.answer(number) == answer

"""What was decided at a desk while a node was away: it is asked again once it is back, and nobody forgets the wall."""

from typing import Any

import pytest
from msgspec.structs import replace as replaced

from node.errors.severity import Severity
from node.monitor.core.commands.dispatch import AGAIN_S, PENDING_LIMIT
from node.monitor.core.decisions.batch import Remembered
from node.monitor.core.incidents.known import reported
from node.monitor.core.incidents.known.reported import Reported
from node.monitor.core.incidents.known.unheard_incidents import LISTED_S
from node.monitor.core.incidents.lifecycle import NORMAL_S
from node.monitor.core.model.records import Finding, FindingKey, NodeKey
from node.monitor.core.model.requests import Acknowledge, Answer, Identify, Request, Reset, Silence
from tests.monitor.core.node_messages import LATER_BOOT, ROOM, SITE, START, alarm, goodbye, heartbeat, press, reply
from tests.monitor.core.play import INCIDENT, Play, record_of

DESK = "guard-desk"
BACK = 100.0
ASKED = BACK + LISTED_S
"""When a node that came back at BACK is asked again, at the latest half a second later."""


def decided_while_away(request: Request) -> Play:
    """Somebody presses, the node goes, and somebody decides at the desk."""
    play = Play()
    play.hear(0.0, heartbeat())
    play.hear(1.0, alarm((1, "active")))
    play.hear(1.1, press(1))
    play.hear(5.0, goodbye())
    play.ask(6.0, request)
    return play


def back(play: Play, at: float = BACK, **listed: Any) -> None:
    """The node is there again, with what it remembers."""
    play.hear(at, heartbeat(boot=LATER_BOOT))
    play.hear(at, replaced(alarm((1, "active"), **listed), boot=LATER_BOOT))


def lives(play: Play, since: float, until: float) -> None:
    """The node goes on beating."""
    at = since
    while at < until:
        play.hear(at, heartbeat(boot=LATER_BOOT))
        at += 10.0
    play.until(until)


@pytest.mark.parametrize(
    ("request_", "action", "arguments"),
    [
        (Acknowledge(INCIDENT, DESK), "acknowledge", {"incident": INCIDENT.incident, "presses": 1}),
        (
            Reset(INCIDENT, DESK, "real"),
            "reset",
            {"incident": INCIDENT.incident, "presses": 1, "reason": "real"},
        ),
    ],
    ids=["acknowledge", "reset"],
)
def test_what_was_decided_while_a_node_was_away_is_asked_of_it_when_it_is_back(
    request_: Request, action: str, arguments: dict[str, Any]
) -> None:
    """In the same name, once its list has had its time; and not while it is away."""
    play = decided_while_away(request_)
    lives_at = BACK - 1.0
    play.until(lives_at)
    away = play.commands(action)

    back(play)
    lives(play, BACK, ASKED - 0.5)
    early = play.commands(action)
    lives(play, ASKED, ASKED + 0.5)

    assert (away, early) == ([], [])
    (asked,) = play.commands(action)
    assert (asked.node, asked.boot, asked.by, asked.arguments) == (ROOM, LATER_BOOT, DESK, arguments)


@pytest.mark.parametrize("answer", ["done", "refused", None])
def test_a_node_is_asked_again_until_it_answers(answer: str | None) -> None:
    """It may have lost the command; where it refuses, somebody may be pressing."""
    play = decided_while_away(Reset(INCIDENT, DESK, "real"))
    back(play)
    lives(play, BACK, ASKED + 0.5)
    if answer is not None:
        command = play.commands("reset")[0].id
        play.hear(ASKED + 1.0, reply(command, None if answer == "done" else "input-active", boot=LATER_BOOT))
    if answer == "done":
        play.hear(ASKED + 1.0, alarm(boot=LATER_BOOT))
    lives(play, ASKED + 1.0, ASKED + 3 * AGAIN_S)

    assert len(play.commands("reset")) == (1 if answer else 3)
    assert play.found() == ([] if answer == "done" else ["M016"])


def test_the_lamp_is_told_by_whoever_said_to_be_coming_and_no_longer_once_it_shows_it() -> None:
    """The list says so."""
    play = decided_while_away(Acknowledge(INCIDENT, DESK))
    back(play)
    lives(play, BACK, ASKED + 0.5)

    play.hear(ASKED + 1.0, replaced(alarm((1, "acknowledged")), boot=LATER_BOOT))
    lives(play, ASKED + 1.0, 300.0)

    assert len(play.commands("acknowledge")) == 1


def test_a_press_that_nobody_knew_of_is_answered_by_nothing_that_was_decided_before() -> None:
    """Neither is asked again: the call is open."""
    for request in (Acknowledge(INCIDENT, DESK), Reset(INCIDENT, DESK, "real")):
        play = decided_while_away(request)
        play.hear(BACK, heartbeat(boot=LATER_BOOT))
        play.hear(BACK, replaced(alarm((1, "active"), presses=2), boot=LATER_BOOT))
        play.hear(BACK, press(1, incident=1, presses=2, boot=LATER_BOOT))
        lives(play, BACK, 200.0)

        assert play.commands("acknowledge") + play.commands("reset") == []


def test_an_alarm_that_is_over_here_and_open_at_the_wall_is_found() -> None:
    """After a restart nobody knows who ended it; it goes with the wall's."""
    play = Play(Remembered(closed=((INCIDENT, 1),)))
    back(play)
    lives(play, BACK, BACK + NORMAL_S - 0.5)
    early = play.found()
    lives(play, BACK + NORMAL_S - 0.5, BACK + NORMAL_S + 0.5)
    late = play.found()

    play.hear(BACK + 40.0, alarm(boot=LATER_BOOT))
    play.until(BACK + 41.0)

    assert (early, late, play.found()) == ([], ["M016"], [])
    assert play.commands("reset") == []


@pytest.mark.parametrize(
    ("closed", "stays"), [(((INCIDENT, 1),), True), ((), False)], ids=["still closed", "not known any more"]
)
def test_what_was_found_at_the_wall_stays_through_a_restart_until_the_node_says_otherwise(
    closed: tuple[Any, ...], stays: bool
) -> None:
    """And isn't told once more."""
    key = FindingKey("M016", *ROOM, INCIDENT.incident)
    found = Finding(key=key, severity=Severity.WARNING, since_utc=START)
    play = Play(Remembered(closed=closed, findings=(found,)))
    play.until(60.0)
    before = play.found()

    play.hear(61.0, alarm(boot=LATER_BOOT))
    play.until(62.0)

    assert before == (["M016"] if stays else [])
    assert (play.found(), play.all.notices) == ([], [])


@pytest.mark.parametrize(
    ("request_", "action"),
    [
        (Acknowledge(INCIDENT, DESK), "acknowledge"),
        (Reset(INCIDENT, DESK, "real"), "reset"),
        (Silence(INCIDENT, DESK), "silence"),
    ],
    ids=["acknowledge", "reset", "silence"],
)
def test_an_alarm_at_the_wall_that_is_over_here_can_be_ended_there(request_: Request, action: str) -> None:
    """Whoever reads the finding does what it says."""
    play = Play(Remembered(closed=((INCIDENT, 1),)))
    back(play)

    number = play.ask(BACK + 1.0, request_)
    (asked,) = play.commands(action)
    play.hear(BACK + 1.1, reply(asked.id, boot=LATER_BOOT))

    assert play.answer(number) == Answer("done")
    assert asked.arguments.get("presses") == (None if action == "silence" else 1)


def test_an_alarm_at_the_wall_of_a_node_that_is_gone_again_waits_for_it() -> None:
    """Here there is nothing to end."""
    play = Play(Remembered(closed=((INCIDENT, 1),)))
    back(play)
    play.hear(BACK + 1.0, goodbye(boot=LATER_BOOT))

    number = play.ask(BACK + 2.0, Reset(INCIDENT, DESK, "real"))
    play.until(BACK + 2 * NORMAL_S)

    assert play.answer(number) == Answer("unanswered", "the-node-does-not-answer")
    assert play.found() == []


def test_a_command_that_was_sent_again_and_stays_without_an_answer_is_nobodys_request() -> None:
    """Nobody waits for it."""
    play = decided_while_away(Acknowledge(INCIDENT, DESK))
    answers = len(play.all.says)
    back(play)
    lives(play, BACK, ASKED + AGAIN_S + 6.0)

    assert len(play.commands("acknowledge")) == 2
    assert [each for each in play.all.says[answers:] if type(each).__name__ == "Respond"] == []


def test_where_too_much_is_asked_at_once_the_node_is_asked_later() -> None:
    """People come first, and nothing is forgotten."""
    play = decided_while_away(Acknowledge(INCIDENT, DESK))
    back(play)
    lives(play, BACK, ASKED - 0.5)
    for _ in range(PENDING_LIMIT):
        play.ask(ASKED - 0.5, Identify(ROOM, DESK, 10.0))
    lives(play, ASKED - 0.5, ASKED + 1.0)
    before = len(play.commands("acknowledge"))
    lives(play, ASKED + 1.0, ASKED + AGAIN_S + 1.0)

    assert (before, len(play.commands("acknowledge"))) == (0, 1)


def test_invented_lists_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that were said last are kept."""
    monkeypatch.setattr(reported, "KEPT", 50)
    lists = Reported()
    nodes = [NodeKey(SITE, f"n-{number}") for number in range(1, 30)]
    for _ in range(2):
        for node in nodes:
            lists.take(node, alarm(*((number, "active") for number in range(1, 11)), node=node))

    assert {key.of for key, _ in lists.all()} == set(nodes[-5:])
    assert len(list(lists.all())) == 50


def test_an_older_list_of_a_boot_takes_no_newer_ones_place() -> None:
    """A broker that the node doesn't reach any more may have kept it."""
    play = Play(Remembered(closed=((INCIDENT, 1),)))
    newest, older = alarm(boot=LATER_BOOT), replaced(alarm((1, "active")), boot=LATER_BOOT)
    play.hear(BACK, heartbeat(boot=LATER_BOOT))
    play.hear(BACK, replaced(newest, seq=7))

    play.hear(BACK + 1.0, replaced(older, seq=3), retained=True)
    lives(play, BACK, BACK + 2 * NORMAL_S)

    assert play.found() == []


def test_who_said_to_be_coming_without_a_name_is_nobody_to_ask_in_the_name_of() -> None:
    """An acknowledgement that was only listed has no name."""
    record = record_of(INCIDENT, acknowledged_utc=START, acknowledged_by="", answered=1)
    play = Play(Remembered(incidents=(record,)))
    back(play)
    lives(play, BACK, BACK + 60.0)

    assert play.commands("acknowledge") == []

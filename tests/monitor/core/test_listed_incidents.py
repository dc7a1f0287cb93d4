"""What a node's list of open incidents says, beside its events."""

import pytest
from msgspec.structs import replace as replaced

from node.core.model import Phase
from node.monitor.core.incidents.known.unheard_incidents import LISTED_S
from node.monitor.core.incidents.lifecycle import NORMAL_S
from node.monitor.core.model.catalogue import RESET_MISSING
from node.monitor.core.model.requests import Acknowledge
from node.protocol.messages import INCIDENTS_LIMIT, Alarm
from tests.monitor.core.node_messages import (
    BOOT,
    about,
    alarm,
    birth,
    heartbeat,
    press,
)
from tests.monitor.core.play import ESCALATE_S, INCIDENT, TWO_GROUPS, Play, again, ended_here


@pytest.mark.parametrize("retained", [False, True], ids=["late", "kept by a broker that the node doesn't reach"])
def test_a_list_of_before_the_newest_press_answers_nothing(retained: bool) -> None:
    """It says acknowledged: the press after that is still to be answered, and the next group is called."""
    play = Play(targets=TWO_GROUPS)
    play.hear(1.0, press(1))
    play.hear(2.0, about(2, "acknowledged", 1, by="guard-desk"))
    play.hear(300.0, press(3, incident=1, presses=2))

    play.hear(301.0, alarm((1, "acknowledged")), retained=retained)
    play.until(300.0 + ESCALATE_S)

    assert not play.record().is_answered
    assert play.told() == [("alarm", 0), ("acknowledged", 0), ("alarm", 0), ("alarm", 1)]


@pytest.mark.parametrize(
    ("first", "then", "expected"),
    [
        (alarm((1, "active")), alarm((1, "acknowledged")), True),
        (alarm((1, "acknowledged")), alarm((1, "active"), presses=2), False),
        (alarm((1, "active"), presses=2), alarm((1, "acknowledged")), False),
    ],
    ids=["acknowledged meanwhile", "pressed meanwhile", "a late list"],
)
def test_a_listed_incident_is_taken_as_it_was_listed_last(first: Alarm, then: Alarm, expected: bool) -> None:
    """Its event never comes: whether somebody is coming decides who is called next."""
    play = Play(targets=TWO_GROUPS)
    play.hear(1.0, first)
    play.hear(2.0, then)

    play.until(1.5 + LISTED_S)

    assert play.record().is_answered == expected


def test_a_list_that_says_the_same_again_delays_nothing() -> None:
    """Nor does the event of one of two listed calls hide the other."""
    play = Play()
    play.hear(1.0, alarm((1, "active"), (2, "active")))
    play.hear(1.5, press(1))
    for at in (2.0, 8.0):
        play.hear(at, alarm((1, "acknowledged"), (2, "active")))

    play.until(12.5)

    assert play.told() == [("alarm", 0), ("alarm", 0), ("acknowledged", 0)]


def test_what_is_no_longer_listed_is_no_incident() -> None:
    """The node ended it before its event was missed."""
    play = Play()

    play.hear(1.0, alarm((1, "active"), (2, "active")))
    play.hear(2.0, alarm((2, "active")))
    play.until(30.0)

    assert [key.incident for key in play.incidents] == [f"{BOOT}-2"]


def test_what_is_listed_again_was_not_over() -> None:
    """The finding goes with it."""
    play = Play()
    play.hear(1.0, press(1))
    play.hear(2.0, alarm())
    play.until(2.0 + NORMAL_S + 1.0)
    found = play.found()

    play.hear(50.0, alarm((1, "active")))
    play.until(100.0)

    assert ("M009" in found, "M009" in play.found()) == (True, False)


def test_a_listed_incident_that_finds_no_room_is_no_finding_of_its_own() -> None:
    """That there are too many is one."""
    play = Play()
    for seq in range(1, INCIDENTS_LIMIT + 1):
        play.hear(1.0, press(seq))

    play.hear(2.0, alarm((900, "active")))
    play.until(2.0 + LISTED_S + 1.0)

    assert play.found() == ["M012", "M017"]


def test_a_call_that_comes_after_its_answer_was_listed_calls_nobody_else() -> None:
    """Another monitor has the event that says who is coming: it isn't sent again."""
    play = Play(targets=TWO_GROUPS)
    play.hear(1.0, alarm((1, "acknowledged")))
    play.hear(2.0, press(1))
    play.until(2.0 + 2 * ESCALATE_S)

    assert play.record().is_answered
    assert ("alarm", 1) not in play.told()


@pytest.mark.parametrize("boot", [BOOT, "0000b008"], ids=["of the same boot", "of a later boot"])
def test_a_call_that_comes_after_its_end_was_listed_is_found_to_have_none(boot: str) -> None:
    """Another monitor has the event that ended it: somebody has to look."""
    play = Play()
    play.hear(0.5, birth(boot=boot))
    play.hear(1.0, alarm(boot=boot))
    play.hear(2.0, press(1))
    play.until(2.0 + NORMAL_S + 1.0)

    assert RESET_MISSING.code in play.found()


def test_a_list_of_before_a_call_says_nothing_of_it() -> None:
    """It lists nothing, since there was nothing yet."""
    play = Play()
    play.hear(1.0, replaced(alarm(), seq=1))
    play.hear(2.0, press(2))
    play.until(2.0 + NORMAL_S + 1.0)

    assert RESET_MISSING.code not in play.found()


def test_a_list_with_more_presses_of_an_alarm_that_was_noted_here_takes_that_back() -> None:
    """Somebody said to be coming while the node was away, and hasn't seen the press since."""
    play = Play()
    play.hear(0.0, heartbeat())
    play.hear(1.0, press(1))
    play.ask(100.0, Acknowledge(INCIDENT, "guard-desk"))

    play.hear(200.0, alarm((1, "active"), presses=2))

    assert not play.record().is_answered
    assert play.told()[-1] == ("alarm", 0)


def test_a_list_with_more_presses_calls_once_more_where_nobody_has_come() -> None:
    """As its event would."""
    play = Play()
    play.hear(1.0, press(1))

    play.hear(2.0, alarm((1, "active"), presses=2))
    soon = play.told()
    play.hear(300.0, alarm((1, "received"), presses=3))

    assert soon == [("alarm", 0)] * 2
    assert play.told() == [("alarm", 0)] * 3
    assert play.all.notices[-1].key.endswith(":more:3:0")


@pytest.mark.parametrize("phase", ["active", "acknowledged"])
@pytest.mark.parametrize(("presses", "is_open"), [(1, False), (2, True)])
@pytest.mark.parametrize("restart", [False, True], ids=["as it is", "after a restart"])
def test_a_list_with_more_presses_than_an_end_knew_of_opens_it_again(
    restart: bool, presses: int, is_open: bool, phase: Phase
) -> None:
    """Its node was away at the end, and the press after it has its receipt of another monitor."""
    play = Play()
    ended_here(play)
    if restart:
        play = Play(again(play.record()))

    play.hear(100.0, alarm((1, phase), presses=presses))
    play.until(100.5 + LISTED_S)

    assert (INCIDENT in play.incidents) == is_open
    if is_open:
        assert play.record().is_answered == (phase == "acknowledged")
        assert play.all.notices[-1].key.endswith(":again:2:0" if phase == "active" else f"{INCIDENT}:0")

"""Tests and their due dates where things go wrong."""

from datetime import timedelta

import pytest

from node.monitor.batch import Memory
from node.monitor.hub import REVIEW_S
from node.monitor.model import Button, WalkTest
from node.monitor.requests import EndWalkTest, StartWalkTest
from tests.monitor.nodes import ROOM, SITE, START, event, heartbeat, moment, will
from tests.monitor.play import Play

DAY_S = 86400.0


def button(days: float, name: str = "button") -> Button:
    """One that was tested so many days ago."""
    since = START - timedelta(days=400)
    return Button(node=ROOM, input=name, since_utc=since, last_test_utc=START - timedelta(days=days))


def walk(left_s: float, name: str = "walk-1") -> WalkTest:
    """One that an earlier run began."""
    until = START + timedelta(seconds=left_s)
    return WalkTest(id=name, site=SITE, nodes=(ROOM.node,), by="x", started_utc=START, until_utc=until)


@pytest.mark.parametrize(("days", "found"), [(30.9, []), (31.0, ["M006"])])
def test_a_button_is_overdue_by_the_calendar(days: float, found: list[str]) -> None:
    """Also what was tested before a restart."""
    play = Play(Memory(buttons=(button(days),)))
    play.hear(0.5, heartbeat())

    play.hub.drills.review(moment(1.0))

    assert play.found() == found


def test_a_test_ends_the_finding() -> None:
    """At once."""
    play = Play(Memory(buttons=(button(40.0),)))
    play.hear(0.5, heartbeat())
    play.hub.drills.review(moment(1.0))
    overdue = play.found()

    play.hear(2.0, event(1, "tested", input="button", test=True))
    play.hear(2.1, event(2, "test-confirmed", input="button", test=True, for_s=0.1))

    assert (overdue, play.found()) == (["M006"], [])


def test_a_test_whose_confirmation_comes_after_a_restart_counts() -> None:
    """The history has the one, and the node says the other."""
    before = Play(Memory(buttons=(button(40.0),)))
    before.hear(1.0, event(1, "tested", input="button", test=True))
    play = Play(Memory(buttons=(button(40.0),), unconfirmed=tuple(before.all.tests)))

    play.hear(1.0, event(2, "test-confirmed", input="button", test=True, for_s=0.1))

    assert [each.reaction_s for each in play.all.tests] == [0.1]
    assert play.hub.drills.buttons[ROOM, "button"].last_test_utc == before.all.tests[0].at_utc


def test_a_test_of_a_button_that_found_no_room_is_confirmed_to_nobody() -> None:
    """It was noted before the restart all the same."""
    before = Play()
    before.hear(1.0, event(1, "tested", input="button", test=True))
    play = Play(Memory(unconfirmed=tuple(before.all.tests)))

    play.hear(1.0, event(2, "test-confirmed", input="button", test=True, for_s=0.1))

    assert play.all.tests == []


def test_an_older_test_that_comes_late_takes_no_newer_ones_place() -> None:
    """A backlog may be of last week."""
    play = Play(Memory(buttons=(button(1.0),)))
    late = event(1, "tested", input="button", test=True, age_ms=int(5 * DAY_S * 1000))

    play.hear(1.0, late)
    play.hear(1.1, event(2, "test-confirmed", input="button", test=True, for_s=0.1))

    assert play.hub.drills.buttons[ROOM, "button"] == button(1.0)


def test_a_clock_that_was_wrong_ends_the_finding_by_itself() -> None:
    """It said a date a month too late."""
    play = Play(Memory(buttons=(button(1.0),)))
    play.hear(0.5, heartbeat())
    play.hub.drills.review(moment(40 * DAY_S))
    overdue = play.found()

    play.hub.drills.review(moment(2.0))

    assert (overdue, play.found()) == (["M006"], [])


def test_a_button_that_was_taken_off_the_wall_is_nobodys_business() -> None:
    """Its node no longer names it."""
    play = Play(Memory(buttons=(button(40.0), button(40.0, "other"))))
    play.hear(0.5, heartbeat(buttons=("button", "other")))
    play.hub.drills.review(moment(1.0))
    both = play.found()

    play.hear(2.0, heartbeat(buttons=("button",)))
    play.hub.drills.review(moment(3.0))

    assert (both, play.found()) == (["M006", "M006"], ["M006"])


def test_a_confirmation_without_a_test_counts_nothing() -> None:
    """The test may have been of before a restart."""
    play = Play()

    play.hear(1.0, event(2, "test-confirmed", input="button", test=True, for_s=0.1))

    assert play.all.tests == []


@pytest.mark.parametrize("ended", [False, True], ids=["while it holds", "after its end"])
def test_a_confirmation_is_of_the_walk_test_of_its_test(ended: bool) -> None:
    """One that has ended shows nobody any more."""
    play = Play()
    play.hear(0.0, heartbeat())
    for _ in range(2):
        play.ask(1.0, StartWalkTest(SITE, "x", 600.0))
    first, second = play.hub.drills.walks.values()
    play.hear(2.0, event(1, "tested", input="button", test=True))
    if ended:
        play.ask(3.0, EndWalkTest(first.record.id, "x"))

    play.hear(4.0, event(2, "test-confirmed", input="button", test=True, for_s=0.1))

    assert play.all.tests[-1].walk_test == first.record.id
    assert (bool(first.tested), bool(second.tested)) == (not ended, False)


@pytest.mark.parametrize(
    ("left_s", "ends"), [(300.0, 300.0), (-5.0, 0.0), (1e6, 3600.0)], ids=["as it was", "over", "a wrong clock"]
)
def test_a_walk_test_goes_on_after_a_restart_until_its_end(left_s: float, ends: float) -> None:
    """And never for more than an hour."""
    play = Play(Memory(walk_tests=(walk(left_s),)))

    play.until(ends - 0.1)
    held = bool(play.hub.drills.walks)
    play.until(ends)

    assert (held, bool(play.hub.drills.walks)) == (True, False)
    assert play.all.walk_tests[-1].ended_utc is not None


def test_a_node_that_is_gone_is_not_told_of_an_end() -> None:
    """The roster lost it, or it was never heard since."""
    play = Play(Memory(walk_tests=(walk(300.0),)))
    play.hear(0.5, will(), retained=True)
    play.hub.fleet.nodes[ROOM].boot = ""

    play.ask(1.0, EndWalkTest("walk-1", "x"))

    assert play.commands("walk-test-end") == []
    assert play.hub.drills.walks == {}


def test_a_node_that_names_the_same_buttons_changes_nothing() -> None:
    """Its doors may have moved."""
    play = Play()
    play.hear(0.0, heartbeat())
    known = len(play.all.buttons)
    moved = heartbeat()
    moved.inputs["door"] = type(moved.inputs["button"])(kind="door", state="active", wire="supervised")

    play.hear(REVIEW_S, moved)

    assert len(play.all.buttons) == known == 1

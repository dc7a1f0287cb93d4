"""Tests and their due dates where things go wrong."""

from datetime import UTC, datetime, timedelta

import pytest

from node.monitor.core.decisions.batch import Remembered
from node.monitor.core.hub import REVIEW_S
from node.monitor.core.model.monitor_settings import Place
from node.monitor.core.model.records import Button, NodeRecord, Pause, Status, WalkTest
from node.monitor.core.model.requests import EndWalkTest, StartWalkTest
from tests.monitor.core.node_messages import BOOT, ROOM, SITE, START, event, heartbeat, moment
from tests.monitor.core.play import Play

DAY_S = 86400.0


def button(days: float, name: str = "button") -> Button:
    """One that was tested so many days ago."""
    since = START - timedelta(days=400)
    return Button(node=ROOM, input=name, since_utc=since, last_test_utc=START - timedelta(days=days))


def walk(left_s: float, name: str = "walk-1") -> WalkTest:
    """One that an earlier run began."""
    until = START + timedelta(seconds=left_s)
    return WalkTest(id=name, site=SITE, nodes=(ROOM.node,), by="x", started_utc=START, until_utc=until)


def overdue(play: Play, at: float = REVIEW_S) -> int:
    """How many buttons should have been tested by then."""
    play.jump(at)
    return play.found().count("M006")


@pytest.mark.parametrize(("days", "count"), [(30.9, 0), (31.0, 1)])
def test_a_button_is_overdue_by_the_calendar(days: float, count: int) -> None:
    """Also what was tested before a restart."""
    play = Play(Remembered(buttons=(button(days),)))

    play.hear(0.5, heartbeat())

    assert overdue(play) == count


UNSET = datetime(1970, 1, 1, 0, 0, 20, tzinfo=UTC)


def test_a_date_of_a_clock_that_was_not_set_counts_from_when_it_is() -> None:
    """A monitor that starts in 1970 finds nothing overdue then, nor once the clock is set: a month later it does."""
    play = Play()
    play.clock_off = UNSET - START
    play.hear(0.5, heartbeat())
    unset = overdue(play)

    play.clock_off = timedelta(0)
    at_the_jump, due = overdue(play, 120.0), play.view().buttons[0].due

    assert (unset, at_the_jump, overdue(play, 120.0 + 31 * DAY_S)) == (0, 0, 1)
    assert due == moment(120.0).utc + timedelta(days=31)


def test_a_test_of_a_clock_that_was_ahead_is_counted_from_when_that_is_found() -> None:
    """Else a button that was tested by a clock of 2030 would be due in 2030."""
    play = Play(Remembered(buttons=(button(-1500.0),)))
    play.hear(0.5, heartbeat())

    assert (overdue(play), overdue(play, REVIEW_S + 31 * DAY_S)) == (0, 1)


def test_a_start_without_a_set_clock_takes_no_date_for_a_wrong_one() -> None:
    """A machine without a battery begins in 1970, and knows better some seconds later: what was tested stays so."""
    play = Play(Remembered(buttons=(button(40.0),)))
    play.hear(0.5, heartbeat())

    play.clock_off = UNSET - START
    unset = overdue(play)
    play.clock_off = timedelta(0)

    assert (unset, overdue(play, 120.0)) == (0, 1)


@pytest.mark.parametrize("days", [-1500.0, 20500.0], ids=["of the future", "of 1970"])
def test_mistaken_calls_of_a_wrong_clock_count_as_of_now(days: float) -> None:
    """For twelve months, and not for ever."""
    calls = tuple((ROOM, "button", START - timedelta(days=days)) for _ in range(2))
    play = Play(Remembered(mistaken=calls))
    before = play.found()

    play.jump(366 * DAY_S)

    assert (before, play.found()) == (["M007"], [])


def test_a_pause_of_a_clock_that_was_not_set_has_its_whole_time_after_a_restart() -> None:
    """It began in 1970 for an hour, and the clock was set meanwhile."""
    pause = Pause(node=ROOM, by="desk", reason="works", since_utc=UNSET, until_utc=UNSET + timedelta(hours=1))
    record = NodeRecord(node=ROOM, status=Status.UP, since_utc=START, boot=BOOT, period_s=10.0)
    play = Play(Remembered(nodes=(record,), pauses=(pause,)))

    shown = play.node(at=1.0)
    play.until(3590.0)
    before = play.node().status
    play.until(3610.0)

    assert shown.paused_until == START + timedelta(hours=1)
    assert (before, play.node().paused_by) == (Status.PAUSED, None)


def test_a_test_ends_the_finding() -> None:
    """At once."""
    play = Play(Remembered(buttons=(button(40.0),)))
    play.hear(0.5, heartbeat())
    before = overdue(play)

    play.hear(61.0, event(1, "tested", input="button", test=True))
    play.hear(61.1, event(2, "test-confirmed", input="button", test=True, for_s=0.1))

    assert (before, "M006" in play.found()) == (1, False)


def test_a_test_whose_confirmation_comes_after_a_restart_counts() -> None:
    """The history has the one, and the node says the other."""
    before = Play(Remembered(buttons=(button(40.0),)))
    before.hear(1.0, event(1, "tested", input="button", test=True))
    play = Play(Remembered(buttons=(button(40.0),), unconfirmed=tuple(before.all.tests)))

    play.hear(1.0, event(2, "test-confirmed", input="button", test=True, for_s=0.1))

    assert [each.reaction_s for each in play.all.tests] == [0.1]
    assert play.view().buttons[0].last_test == before.all.tests[0].at_utc


def test_a_test_of_a_button_that_found_no_room_is_confirmed_to_nobody() -> None:
    """It was noted before the restart all the same."""
    before = Play()
    before.hear(1.0, event(1, "tested", input="button", test=True))
    play = Play(Remembered(unconfirmed=tuple(before.all.tests)))

    play.hear(1.0, event(2, "test-confirmed", input="button", test=True, for_s=0.1))

    assert play.all.tests == []


def test_an_older_test_that_comes_late_takes_no_newer_ones_place() -> None:
    """A backlog may be of last week."""
    play = Play(Remembered(buttons=(button(1.0),)))
    late = event(1, "tested", input="button", test=True, age_ms=int(5 * DAY_S * 1000))

    play.hear(1.0, late)
    play.hear(1.1, event(2, "test-confirmed", input="button", test=True, for_s=0.1))

    assert play.view().buttons[0].last_test == button(1.0).last_test_utc


def test_a_clock_that_was_wrong_ends_the_finding_by_itself() -> None:
    """It said a date a month too late."""
    play = Play(Remembered(buttons=(button(1.0),)))
    play.hear(0.5, heartbeat())
    play.clock_off = timedelta(days=40)
    wrong = overdue(play)

    play.clock_off = timedelta(0)

    assert (wrong, overdue(play, 120.0)) == (1, 0)


def test_a_button_that_was_taken_off_the_wall_is_nobodys_business() -> None:
    """Its node no longer names it."""
    play = Play(Remembered(buttons=(button(40.0), button(40.0, "other"))))
    play.hear(0.5, heartbeat(buttons=("button", "other")))
    both = overdue(play)

    play.hear(61.0, heartbeat(buttons=("button",)))

    assert (both, overdue(play, 120.0)) == (2, 1)


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
    first, second = (each.id for each in play.view().walk_tests)
    play.hear(2.0, event(1, "tested", input="button", test=True))
    if ended:
        play.ask(3.0, EndWalkTest(first, "x"))

    play.hear(4.0, event(2, "test-confirmed", input="button", test=True, for_s=0.1))

    assert play.all.tests[-1].walk_test == first
    tested = {each.id: bool(each.tested) for each in play.view().walk_tests}
    assert tested == ({second: False} if ended else {first: True, second: False})


@pytest.mark.parametrize(
    ("left_s", "ends"), [(300.0, 300.0), (-5.0, 0.0), (1e6, 3600.0)], ids=["as it was", "over", "a wrong clock"]
)
def test_a_walk_test_goes_on_after_a_restart_until_its_end(left_s: float, ends: float) -> None:
    """And never for more than an hour."""
    play = Play(Remembered(walk_tests=(walk(left_s),)))

    play.until(ends - 0.1)
    held = bool(play.view().walk_tests)
    play.until(ends)

    assert (held, bool(play.view().walk_tests)) == (True, False)
    assert play.all.walk_tests[-1].ended_utc is not None


@pytest.mark.parametrize("roster", [(), (Place(ROOM),)], ids=["not in the roster", "not heard since"])
def test_a_node_that_is_gone_is_not_told_of_an_end(roster: tuple[Place, ...]) -> None:
    """A restart knows of the walk test alone."""
    play = Play(Remembered(walk_tests=(walk(300.0),)), roster=roster)

    play.ask(1.0, EndWalkTest("walk-1", "x"))

    assert play.commands("walk-test-end") == []
    assert play.view().walk_tests == ()


def test_a_node_that_names_the_same_buttons_changes_nothing() -> None:
    """Its doors may have moved."""
    play = Play()
    play.hear(0.0, heartbeat())
    known = len(play.all.buttons)
    moved = heartbeat()
    moved.inputs["door"] = type(moved.inputs["button"])(kind="door", state="active", wire="supervised")

    play.hear(REVIEW_S, moved)

    assert len(play.all.buttons) == known == 1

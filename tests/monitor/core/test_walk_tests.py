"""Walk tests: which nodes are told of one, and until when."""

from datetime import timedelta

import pytest

from node.core.model import EventKind
from node.monitor.core.commands.walk_tests import NAMED, NODES_LIMIT, TOLD_AGAIN_S
from node.monitor.core.decisions.batch import Remembered
from node.monitor.core.decisions.ledger import SendCommand
from node.monitor.core.model.records import NodeKey, WalkTest
from node.monitor.core.model.requests import Answer, EndWalkTest, StartWalkTest
from tests.monitor.core.node_messages import (
    BOOT,
    LATER_BOOT,
    ROOM,
    SITE,
    START,
    birth,
    event,
    goodbye,
    heartbeat,
    press,
)
from tests.monitor.core.play import Play

DESK = "guard-desk"
OTHER = NodeKey(SITE, "room-215")


def there() -> Play:
    """A node is heard."""
    play = Play()
    play.hear(1.0, heartbeat())
    return play


def test_a_walk_test_leaves_out_who_is_down() -> None:
    """And says so."""
    play = there()
    play.hear(2.0, heartbeat(node=OTHER), OTHER)
    play.hear(3.0, goodbye(node=OTHER), OTHER)

    number = play.ask(4.0, StartWalkTest(SITE, DESK, 600.0))

    answer = play.answer(number)
    assert answer is not None
    assert (answer.outcome, answer.reason) == ("done", f"left out: {OTHER.node} (down)")
    assert [each.node for each in play.commands("walk-test")] == [ROOM]


def test_a_walk_test_names_the_first_of_many_that_it_leaves_out() -> None:
    """An answer stays short where half a building is down."""
    play = there()
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
    play = there()
    play.hear(3.0, goodbye(node=OTHER), OTHER)

    number = play.ask(4.0, request_)

    assert play.answer(number) == answer


def test_a_walk_test_has_as_many_nodes_as_somebody_can_walk() -> None:
    """A floor at a time."""
    play = Play()
    for number in range(NODES_LIMIT + 1):
        node = NodeKey(SITE, f"n-{number}")
        play.hear(0.0, heartbeat(node=node), node)

    asked = play.ask(1.0, StartWalkTest(SITE, DESK, 600.0))

    answer = play.answer(asked)
    assert answer is not None
    assert answer.outcome == "refused"
    assert play.commands("walk-test") == []


def test_a_walk_test_is_ended_at_its_nodes() -> None:
    """Those that the roster still has."""
    play = there()
    started = play.answer(play.ask(2.0, StartWalkTest(SITE, DESK, 600.0, nodes=("room-214",))))
    assert started is not None

    number = play.ask(3.0, EndWalkTest(started.id, DESK))

    assert play.answer(number) == Answer("done")
    assert [each.node for each in play.commands("walk-test-end")] == [ROOM]
    assert play.view().walk_tests == ()


def test_an_end_names_no_node_that_the_roster_lost() -> None:
    """Of a walk test of before a restart."""
    until = START + timedelta(seconds=600)
    walk = WalkTest(id="walk-1", site=SITE, nodes=("gone",), by="x", started_utc=START, until_utc=until)
    play = Play(Remembered(walk_tests=(walk,)))

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
    return play.view(0.0).walk_tests[0].not_testing


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

    play.hear(2.0 + TOLD_AGAIN_S - 0.1, heartbeat())

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
    play = Play(Remembered(walk_tests=(walk,)))

    play.hear(20.0, heartbeat())
    before = not_testing(play)
    play.hear(30.0, heartbeat(walk_test_s=570.0))

    assert (before, not_testing(play)) == ((ROOM.node,), ())
    assert play.commands("walk-test") == []


def walk_tests(play: Play) -> list[str]:
    """The ids of those that hold."""
    return [each.id for each in play.view().walk_tests]


def ended(play: Play, at: float = 20.0) -> Play:
    """Somebody ends the walk test, at which its node was there."""
    (walk,) = walk_tests(play)
    play.hear(at - 1.0, heartbeat(walk_test_s=60.0))
    play.ask(at, EndWalkTest(walk, DESK))
    return play


def test_a_node_that_was_away_when_a_walk_test_was_ended_is_told_once_it_is_there() -> None:
    """Its first press would be a test for which nobody waits; one that had it takes it for the same command."""
    play = ended(walking())

    play.hear(30.0, heartbeat(walk_test_s=570.0))
    play.hear(31.0, heartbeat(walk_test_s=569.0))

    first, second = play.commands("walk-test-end")
    assert (first.id, first.boot, first.by) == (second.id, second.boot, second.by)
    assert first.id != play.commands("walk-test")[0].id


def test_a_node_that_says_that_it_tests_no_more_is_told_of_no_end() -> None:
    """Nor when it tests again: another monitor may have begun that."""
    play = ended(walking())

    play.hear(30.0, heartbeat())
    play.hear(40.0, heartbeat(walk_test_s=560.0))

    assert len(play.commands("walk-test-end")) == 1


def test_an_end_is_told_no_longer_than_the_walk_test_would_have_held() -> None:
    """The node has ended it by itself; what it tests now is another one."""
    play = ended(walking(60.0))

    play.hear(63.0, heartbeat(walk_test_s=100.0))

    assert len(play.commands("walk-test-end")) == 1


def test_an_end_waits_for_the_heartbeat_after_it() -> None:
    """One that was on its way says nothing."""
    play = ended(walking())

    play.hear(20.1, heartbeat())
    play.hear(30.0, heartbeat(walk_test_s=570.0))

    assert len(play.commands("walk-test-end")) == 2


def test_a_walk_test_that_begins_after_an_end_is_not_ended() -> None:
    """The node says that it tests, and means the newer one."""
    play = ended(walking())
    play.ask(21.0, StartWalkTest(SITE, DESK, 600.0))

    play.hear(30.0, heartbeat(walk_test_s=590.0))

    assert len(play.commands("walk-test-end")) == 1
    assert not_testing(play) == ()


def test_a_walk_test_of_before_a_restart_is_ended_for_good_too() -> None:
    """Where its node was away."""
    until = START + timedelta(seconds=600)
    walk = WalkTest(id="walk-1", site=SITE, nodes=(ROOM.node,), by="x", started_utc=START, until_utc=until)
    play = Play(Remembered(walk_tests=(walk,)))
    play.hear(10.0, heartbeat())

    ended(play)
    play.hear(30.0, heartbeat(walk_test_s=570.0))

    assert len(play.commands("walk-test-end")) == 2


def test_an_end_is_still_told_where_a_shorter_walk_test_has_begun_since() -> None:
    """A node that was away at both says for how long it tests: so long nobody waits for a test."""
    play = ended(walking(3_600.0))
    play.ask(21.0, StartWalkTest(SITE, DESK, 60.0))

    play.hear(30.0, heartbeat(walk_test_s=3_572.0))
    play.hear(40.0, heartbeat())
    play.hear(50.0, heartbeat(walk_test_s=3_552.0))

    assert len(play.commands("walk-test-end")) == 1
    last = play.commands("walk-test")[-1]
    assert (last.id, last.arguments) == (play.commands("walk-test-end")[0].id, {"for_s": 51.0})
    assert len(play.commands("walk-test")) == 3


def test_the_end_of_a_shorter_walk_test_is_not_all_that_a_node_is_told() -> None:
    """It was away at both, and still tests when the shorter one would be over."""
    play = ended(walking(3_600.0))
    play.ask(21.0, StartWalkTest(SITE, DESK, 60.0))
    (shorter,) = walk_tests(play)
    play.ask(22.0, EndWalkTest(shorter, DESK))

    play.hear(90.0, heartbeat(walk_test_s=3_512.0))

    assert [each.id.startswith(shorter) for each in play.commands("walk-test-end")] == [False, True, False]


def test_a_node_that_was_not_known_when_a_walk_test_was_ended_is_told_once_it_is_heard() -> None:
    """Nothing was known of it after a restart."""
    until = START + timedelta(seconds=600)
    walk = WalkTest(id="walk-1", site=SITE, nodes=(ROOM.node,), by="x", started_utc=START, until_utc=until)
    play = Play(Remembered(walk_tests=(walk,)))
    play.ask(1.0, EndWalkTest("walk-1", DESK))

    play.hear(10.0, heartbeat(walk_test_s=590.0))

    assert [(each.node, each.boot) for each in play.commands("walk-test-end")] == [(ROOM, BOOT)]


def two(first_s: float, second_s: float) -> Play:
    """Two walk tests of one node, begun at 2.0 and at 20.0, of which it says at 12.0 that it tests."""
    play = walking(first_s)
    play.hear(12.0, heartbeat(walk_test_s=first_s - 10.0))
    play.ask(20.0, StartWalkTest(SITE, DESK, second_s))
    return play


@pytest.mark.parametrize(("second_s", "for_s"), [(60.0, 582.0), (900.0, 900.0)], ids=["ends before", "ends after"])
def test_a_node_of_two_walk_tests_is_told_the_later_end(second_s: float, for_s: float) -> None:
    """A shorter one that begins meanwhile would make the rest of the longer one's first presses real."""
    play = two(600.0, second_s)

    assert play.commands("walk-test")[-1].arguments == {"for_s": for_s}


def test_a_node_that_tests_does_so_for_a_second_walk_test_too() -> None:
    """Nobody is told that a press is real there, before it has said anything since, or after the first one's time."""
    play = two(60.0, 600.0)
    shown = [each.not_testing for each in play.view(20.0).walk_tests]
    play.hear(61.0, heartbeat(walk_test_s=559.0))

    play.until(70.0)

    assert shown == [(), ()]
    assert not_testing(play) == ()
    assert play.commands("walk-test-end") == []


@pytest.mark.parametrize(
    ("second_s", "told"),
    [(900.0, []), (60.0, [("walk-test", {"for_s": 50.0})]), (10.5, [("walk-test-end", {})])],
    ids=["ends after", "ends before", "ends at once"],
)
def test_an_end_by_somebody_leaves_the_others_walk_test(second_s: float, told: list[tuple[str, object]]) -> None:
    """A press is real once the last of them has ended; whoever ends the one is told of the other."""
    play = two(600.0, max(second_s, 60.0))
    first, second = walk_tests(play)
    at = 30.0 if second_s >= 60.0 else 79.5
    before = len(play.all.says)

    answer = play.answer(play.ask(at, EndWalkTest(first, DESK)))

    sent = [(each.action, each.arguments) for each in play.all.says[before:] if isinstance(each, SendCommand)]
    assert sent == told
    assert answer == Answer(
        "done", f"also in another walk test, so a first press there is a test until that one ends: {ROOM.node}"
    )
    assert walk_tests(play) == [second]


def real(play: Play, at: float) -> list[tuple[str, ...]]:
    """Of each walk test the buttons that have no test, as they are shown."""
    return [each.real for each in play.view(at).walk_tests]


@pytest.mark.parametrize("kind", ["pressed", "tested", "inhibited-press"])
@pytest.mark.parametrize(("at", "is_named"), [(101.0, True), (399.0, True), (401.0, False)])
def test_a_start_names_the_buttons_that_were_pressed_a_moment_ago(kind: EventKind, at: float, is_named: bool) -> None:
    """Their nodes take each press for real, so whoever tests must know."""
    play = there()
    play.hear(100.0, event(1, kind, input="button", test=kind == "tested", age_ms=0))
    play.hear(at - 0.5, heartbeat())

    answer = play.answer(play.ask(at, StartWalkTest(SITE, DESK, 600.0)))

    assert answer is not None
    free = START + timedelta(seconds=401)  # five minutes after the press, and a second for rounding
    named = (
        "pressed a moment ago or in another walk test, so their next press raises an alarm: room-214/button; "
        f"wait until {free:%Y-%m-%dT%H:%M:%SZ}, end this walk test, then start a new one for them"
    )
    assert answer.reason == (named if is_named else "")
    assert real(play, at) == [("room-214/button",) if is_named else ()]


def test_a_button_that_its_node_can_not_read_is_named() -> None:
    """A press of it would be no test; the list goes on saying so until the node reads it again."""
    play = Play()
    play.hear(1.0, heartbeat(buttons=("button", "other"), faults=(("F001", "button"),)))

    answer = play.answer(play.ask(2.0, StartWalkTest(SITE, DESK, 600.0)))
    shown = play.view(3.0).walk_tests[0].unreadable
    play.hear(4.0, heartbeat(buttons=("button", "other")))

    assert answer is not None
    assert answer.reason == "can't be tested now: room-214/button (F001)"
    assert shown == ("room-214/button",)
    assert play.view(5.0).walk_tests[0].unreadable == ()


def test_how_long_ago_a_press_was_is_what_its_event_says() -> None:
    """A backlog may be of last week; one of an earlier start of the machine may be of a minute ago."""
    play = Play()
    play.hear(1.0, heartbeat(buttons=("button", "other", "third")))
    play.hear(2.0, event(1, "tested", input="button", test=True, age_ms=400_000))
    play.hear(2.0, event(2, "tested", input="other", test=True, age_ms=None))
    play.hear(2.0, event(3, "tested", input="unheard", test=True, age_ms=0))

    play.ask(3.0, StartWalkTest(SITE, DESK, 600.0))
    play.hear(4.0, event(4, "tested", input="third", test=True, age_ms=400_000))

    assert real(play, 4.0) == [("room-214/other",)]


def test_a_second_start_names_the_buttons_that_the_first_one_has_tested() -> None:
    """At their nodes it gives none of them its test back, however long ago that was."""
    play = there()
    play.ask(2.0, StartWalkTest(SITE, DESK, 3_600.0))
    play.hear(3.0, event(1, "tested", input="button", test=True, age_ms=0))
    play.hear(3.1, event(2, "test-confirmed", input="button", test=True, for_s=0.1))
    play.hear(499.0, heartbeat())

    answer = play.answer(play.ask(500.0, StartWalkTest(SITE, DESK, 600.0)))

    assert answer is not None
    assert answer.reason.startswith("pressed a moment ago")
    first_ends = START + timedelta(seconds=3_603)
    assert f"wait until {first_ends:%Y-%m-%dT%H:%M:%SZ}, " in answer.reason
    assert real(play, 500.0) == [(), ("room-214/button",)]
    assert play.view(500.0).walk_tests[1].untested == ("room-214/button",)


def test_a_press_while_a_walk_test_holds_is_shown() -> None:
    """A test that isn't confirmed, or a real one: the next press is real."""
    play = there()
    play.ask(2.0, StartWalkTest(SITE, DESK, 600.0))
    before = real(play, 3.0)

    play.hear(3.0, press(1))

    assert (before, real(play, 4.0)) == ([()], [("room-214/button",)])

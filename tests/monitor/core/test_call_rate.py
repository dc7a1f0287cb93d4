"""A node that calls more often than people can is told after every other one, and somebody hears of it."""

import pytest
from msgspec.structs import replace

from node.monitor.core.decisions.batch import Remembered
from node.monitor.core.incidents.call_rate import ANOTHER_S, CALL, CALLS, FURTHER_PRESS, SHOWN_S
from node.monitor.core.model.monitor_settings import Target
from node.monitor.core.model.records import NodeKey, NodeRecord, Notice, NoticeKind, Status
from tests.monitor.core.node_messages import ROOM, SITE, START, about, press
from tests.monitor.core.play import ESCALATE_S, Play

HALL = NodeKey(SITE, "hall")


def calls(play: Play, node: NodeKey = ROOM) -> list[Notice]:
    """The calls of a node, in their order."""
    return [each for each in play.all.notices if each.kind is NoticeKind.ALARM and each.node == node.node]


def test_calls_beyond_the_limit_yield_to_those_of_other_nodes() -> None:
    """Opened and reset again and again; another node's are as they always are, and the finding is told."""
    play = Play()
    for number in range(CALLS + 2):
        play.hear(1.0, press(2 * number + 1))
        play.hear(1.0, about(2 * number + 2, "reset", 2 * number + 1, by="guard-desk", reason="real"))
    play.hear(1.0, press(1), HALL)

    assert [each.yields for each in calls(play)] == [False] * CALLS + [True] * 2
    assert [each.yields for each in calls(play, HALL)] == [False]
    assert play.found() == ["M017"]
    assert [each.finding.code for each in play.all.notices if each.finding is not None] == ["M017"]


def test_a_node_that_calls_now_and_then_never_yields() -> None:
    """One call every ``ANOTHER_S``, for as long as it wants."""
    play = Play()

    for number in range(4 * CALLS):
        play.hear(number * ANOTHER_S, press(number + 1))

    assert not any(each.yields for each in calls(play))
    assert play.found() == []


@pytest.mark.parametrize(("after_s", "yields"), [(ANOTHER_S - 0.1, True), (ANOTHER_S, False)], ids=["before", "then"])
def test_one_more_call_is_allowed_every_12_seconds(after_s: float, yields: bool) -> None:
    """A moment earlier it is still beyond the limit."""
    play = Play()
    for number in range(CALLS):
        play.hear(1.0, press(number + 1))

    play.hear(1.0 + after_s, press(CALLS + 1))

    assert [each.yields for each in calls(play)] == [False] * CALLS + [yields]


def test_a_node_that_rests_calls_as_any_other_and_the_finding_ends() -> None:
    """A minute after the last call that was too many."""
    play = Play()
    for number in range(CALLS + 1):
        play.hear(1.0, press(number + 1))

    play.until(SHOWN_S)
    before = "M017" in play.found()
    play.until(SHOWN_S + 2.0)
    after = "M017" in play.found()
    play.hear(SHOWN_S + 3.0, press(50))

    assert (before, after, "M017" in play.found()) == (True, False, False)
    assert not calls(play)[-1].yields


def test_further_presses_yield_later_than_new_calls_do() -> None:
    """A frightened person presses often."""
    before = round((CALLS - CALL) / FURTHER_PRESS)
    play = Play()
    play.hear(1.0, press(1))
    for number in range(2, before + 3):
        play.hear(1.0, press(number, incident=1, presses=number))

    assert [each.yields for each in calls(play)] == [False] * (1 + before) + [True]
    assert [each.presses for each in calls(play)] == [*range(1, before + 3)]


def test_the_next_group_is_called_for_it_after_all_others_too() -> None:
    """What yielded once goes on to yield."""
    play = Play(targets=(Target("t0", "json://x"), Target("t1", "json://x", level=1)))
    for number in range(CALLS + 1):
        play.hear(1.0, press(number + 1))

    play.until(1.0 + ESCALATE_S)

    assert [each.yields for each in calls(play) if each.level == 1] == [False] * CALLS + [True]


def test_tests_are_no_calls() -> None:
    """They are told after all calls anyway."""
    play = Play()

    for number in range(2 * CALLS):
        play.hear(1.0, replace(press(number + 1), test=True))

    assert not any(each.yields for each in calls(play))


def test_after_a_restart_the_finding_ends_by_itself() -> None:
    """As any other that stands for a while."""
    play = Play()
    for number in range(CALLS + 1):
        play.hear(1.0, press(number + 1))
    known = tuple(play.findings.values())

    node = NodeRecord(node=ROOM, status=Status.UP, since_utc=START)
    again = Play(Remembered(findings=known, nodes=(node,)))
    before = again.found()
    again.until(SHOWN_S + 1.0)

    assert before == ["M017"]
    assert "M017" not in again.found()

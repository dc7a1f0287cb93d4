"""A disk that takes its time: a fault that stands until every write was quick for a minute."""

from math import inf

import pytest

from node.core.disk_stall import CALM_S, PROBE_S, next_instant
from node.core.effects import StoreSnapshot
from node.core.events import EventsStored, RecordFailed, RecordRecovered
from tests.core.playbook import Playbook, Stage


@pytest.fixture
def stalled(alone: Stage) -> Playbook:
    """A node whose disk has just needed 5 s for a press, and is quick again."""
    play = alone()
    play.stalled = True
    play.press().release().wait(5.0)
    play.stalled = False
    return play.stored().skip()


def test_a_stall_stands_for_a_minute_after_its_end(stalled: Playbook) -> None:
    """Every write was quick since: then it is cleared, once."""
    stalled.wait(CALM_S - 0.001)
    before = stalled.faults()

    stalled.wait(0.001)

    assert (before, stalled.faults()) == ([("F020", "")], [])
    stalled.wait(10 * CALM_S)
    assert stalled.kinds().count("fault-cleared") == 1


def test_meanwhile_something_is_written_now_and_then(stalled: Playbook) -> None:
    """Nothing written is nothing known; once the stall is over, nothing is written only to look."""
    stalled.wait(CALM_S + 5 * PROBE_S)

    assert len(stalled.take(StoreSnapshot)) == 5


def test_a_disk_that_is_slow_each_time_is_one_fault(stalled: Playbook) -> None:
    """Every look takes 5 s: nothing is cleared and raised again in ten minutes."""
    stalled.stalled = True
    for _ in range(40):
        stalled.wait(PROBE_S + 5.0).stored()

    assert stalled.faults() == [("F020", "")]
    assert {"fault-raised", "fault-cleared"}.isdisjoint(stalled.kinds())


def test_a_stall_is_not_over_while_a_write_is_awaited(stalled: Playbook) -> None:
    """What hasn't come back may never do so; when it does, it was slow, and the minute begins anew."""
    stalled.wait(CALM_S - PROBE_S - 1.0)
    stalled.stalled = True
    stalled.wait(3 * CALM_S)
    hanging = stalled.faults()
    stalled.stalled = False

    stalled.stored().wait(CALM_S - 0.001)

    assert hanging == stalled.faults() == [("F020", "")]
    assert stalled.wait(0.001).skip().faults() == []


def test_a_stall_that_ends_in_a_failure_outlives_it(alone: Stage) -> None:
    """The disk is taken back, and isn't trusted at once."""
    play = alone()
    play.stalled = True
    play.tap().wait(4.0)

    play >> RecordFailed(play.now, "disk I/O error")
    play.stalled = False
    play.stored() >> RecordRecovered(play.now)

    assert play.faults() == [("F020", "")]
    assert play.wait(CALM_S).skip().faults() == []


def test_what_waited_for_a_disk_that_was_away_is_no_stall(alone: Stage) -> None:
    """It failed at once, and is well once it is back."""
    play = alone()
    play >> RecordFailed(play.now, "disk full")
    play.stalled = True
    play.tap().wait(30.0)

    play.stalled = False
    play.stored() >> RecordRecovered(play.now)

    assert play.skip().faults() == []


def test_a_quick_disk_wants_nothing(stage: Stage) -> None:
    """Without a stall there is no deadline, and a write that nobody awaits changes nothing."""
    play = stage()

    play >> EventsStored(play.now, ())

    play << []
    assert next_instant(play.state.supervision.stall) == inf

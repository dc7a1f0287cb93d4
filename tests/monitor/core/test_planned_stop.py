"""A clean stop: how long a node may be away, as it says, and after a restart of the monitor."""

import pytest

from node.errors.severity import Severity
from node.monitor.core.decisions.batch import Remembered
from node.monitor.core.model.records import Finding, FindingKey, NodeRecord, Status
from node.monitor.core.nodes.restored_nodes import GOODBYE_S
from tests.monitor.core.node_messages import BOOT, ROOM, START, goodbye, heartbeat
from tests.monitor.core.play import Play

MONTH_S = 30 * 86_400.0
OVERDUE = "M002"


@pytest.mark.parametrize(
    ("said", "waits_s"),
    [(0.0, 0.0), (MONTH_S, MONTH_S), (-0.5, GOODBYE_S), (MONTH_S + 1, GOODBYE_S), (None, GOODBYE_S)],
)
def test_a_node_may_stay_away_for_up_to_a_month(said: float | None, waits_s: float) -> None:
    """What is beyond that, or below 0, is no duration that a node says."""
    play = Play()
    play.hear(0.0, heartbeat())
    play.hear(5.0, goodbye(back_in_s=said))

    assert play.view(5.0).nodes[0].planned_s == waits_s


def test_after_a_restart_a_node_that_was_stopped_has_two_minutes() -> None:
    """The monitor doesn't know for how long it wanted to be away."""
    play = Play(Remembered(nodes=(_stopped(),)))

    play.until(GOODBYE_S - 0.1)
    before = play.found()
    play.until(GOODBYE_S)

    assert (before, play.found()) == ([], [OVERDUE])


def test_after_a_restart_a_node_that_was_overdue_is_found_no_second_time() -> None:
    """People were told once."""
    known = Finding(key=FindingKey(OVERDUE, *ROOM, ""), severity=Severity.WARNING, since_utc=START)
    play = Play(Remembered(nodes=(_stopped(),), findings=(known,)))

    play.until(2 * GOODBYE_S)

    assert (play.found(), play.all.raised) == ([OVERDUE], [])


def _stopped() -> NodeRecord:
    return NodeRecord(node=ROOM, status=Status.DOWN, since_utc=START, boot=BOOT, reason="goodbye")

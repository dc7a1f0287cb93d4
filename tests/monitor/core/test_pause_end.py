"""A pause that ends by itself: the node is as it is at that moment, neither better nor worse."""

from node.monitor.core.model.records import Status
from node.monitor.core.model.requests import PauseNode
from tests.monitor.core.node_messages import ROOM, heartbeat
from tests.monitor.core.play import Play

PAUSE_S = 60.0


def test_a_node_that_was_heard_in_time_is_up_and_never_late() -> None:
    """Its last heartbeat is 8 s old when the pause ends."""
    play = _paused()
    for at in range(2, 60, 10):
        play.hear(float(at), heartbeat())

    play.until(60.0)

    assert _flips(play) == [Status.PAUSED, Status.UP]


def test_a_node_whose_broker_is_away_is_not_late() -> None:
    """It was heard 15 s ago, but its broker is away since 10 s: its silence means nothing."""
    play = _paused()
    for at in range(5, 50, 10):
        play.hear(float(at), heartbeat())
    play.link_down(50.0, "gone")

    play.until(60.0)

    assert _flips(play) == [Status.PAUSED, Status.UP]


def _paused() -> Play:
    """A node that is paused from second 0 on, for PAUSE_S."""
    play = Play()
    play.hear(0.0, heartbeat())
    play.all.flips.clear()
    play.ask(0.0, PauseNode(ROOM, "facilities", "paint", PAUSE_S))
    return play


def _flips(play: Play) -> list[Status]:
    return [each.after for each in play.all.flips]

"""What holds up to an exact instant or number, and what from there on."""

from datetime import timedelta
from typing import Any

import pytest

from node.core.walk_test import RECENT_S
from node.monitor.core.model.monitor_settings import Place
from node.monitor.core.model.records import NodeKey, Pause, Status
from node.monitor.core.model.requests import StartWalkTest
from tests.monitor.core.fleet_play import DOWN_S, LATE_S
from tests.monitor.core.fleet_play import Play as FleetPlay
from tests.monitor.core.node_messages import ROOM, SITE, START, about, alarm, birth, heartbeat, moment, press, will
from tests.monitor.core.play import DrivenHub, Play

ELSEWHERE = NodeKey(SITE, "hall")


@pytest.mark.parametrize(("at", "status"), [(59.9, Status.PAUSED), (60.0, Status.UP)], ids=["before", "then"])
def test_a_pause_ends_at_its_instant(at: float, status: Status) -> None:
    """A node that beats is up from then on."""
    until_utc = START + timedelta(seconds=60)
    pause = Pause(node=ROOM, by="facilities", reason="paint", since_utc=START, until_utc=until_utc)
    play = FleetPlay()
    play.say(0.0, heartbeat())
    play.fleet.pause(moment(0.0), play.fleet.nodes[ROOM], pause)
    play.say(59.0, heartbeat())

    play.until(at)

    assert play.status() is status


def test_a_node_that_its_broker_has_lost_is_down_and_never_late() -> None:
    """Late means that a heartbeat may still come."""
    play = FleetPlay()
    play.say(0.0, birth())
    play.say(LATE_S - 0.5, will())

    play.until(DOWN_S)

    assert play.flips() == [("new", "up", 0.0), ("up", "down", LATE_S + 0.5)]


@pytest.mark.parametrize(
    ("message", "roster", "known"),
    [
        (birth(), None, True),
        (birth(), (), False),
        (alarm(), (), False),
        (alarm((1, "active")), (), True),
        (alarm(), (Place(ROOM),), True),
    ],
    ids=["without a roster", "a stranger", "its empty list", "its call", "a node of the roster"],
)
def test_what_a_broker_kept_of_a_stranger_makes_it_known_if_it_calls(message: Any, roster: Any, known: bool) -> None:
    """It may have been renamed or taken away. A call for help counts, whoever sent it."""
    play = Play(roster=roster)

    play.hear(1.0, message, retained=True)

    assert [each.node for each in play.view(1.0).nodes] == [ROOM.node] * known


@pytest.mark.parametrize(("after_s", "real"), [(RECENT_S - 0.1, 1), (RECENT_S, 0)], ids=["a moment ago", "before"])
@pytest.mark.parametrize("nodes", [(), (ROOM.node,)], ids=["of the site", "of the node"])
def test_a_button_that_was_pressed_a_moment_ago_has_no_test(after_s: float, real: int, nodes: tuple[str, ...]) -> None:
    """Whoever pressed it then may need help."""
    play = Play()
    play.hear(0.0, heartbeat())
    play.hear(10.0, press(1))
    play.hear(10.0, about(2, "reset", 1, by="key", reason="mistaken"))

    play.hear(10.0 + after_s, heartbeat(seq=2))
    play.ask(10.0 + after_s, StartWalkTest(SITE, "facilities", 600.0, nodes=nodes))

    (walk,) = play.view(10.0 + after_s).walk_tests
    assert len(walk.real) == real


def test_a_walk_test_of_another_node_knows_nothing_of_a_press() -> None:
    """Only buttons that it covers are named in it."""
    play = Play()
    for node in (ROOM, ELSEWHERE):
        play.hear(0.0, heartbeat(node), node)
    play.hear(10.0, press(1))

    play.ask(11.0, StartWalkTest(SITE, "facilities", 600.0, nodes=(ELSEWHERE.node,)))

    (walk,) = play.view(11.0).walk_tests
    assert len(walk.real) == 0


def test_the_view_says_for_how_long_the_monitor_runs() -> None:
    """The clock of a machine that was started long ago shows more."""
    hub = DrivenHub(at=3.0)

    assert hub.view(7.5).uptime_s == 4.5


def test_the_view_says_when_a_node_was_heard_and_when_it_is_down() -> None:
    """In seconds from now."""
    play = Play()
    play.hear(5.0, heartbeat())

    (node,) = play.view(7.5).nodes

    assert (node.heard_s, node.due_s) == (2.5, DOWN_S - 2.5)

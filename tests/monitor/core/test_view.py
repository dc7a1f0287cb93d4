"""The numbers of the view: how long, how many, and how long still."""

from datetime import timedelta
from typing import Any

import pytest

from node.monitor.core.model.records import IncidentKey, NodeKey
from node.monitor.core.model.requests import PauseNode
from node.monitor.core.view.view_types import NodeView, View, incident_view
from tests.monitor.core.node_messages import ROOM, SITE, START, goodbye, heartbeat, press
from tests.monitor.core.play import DrivenHub, Play, record_of

QUIET = NodeKey(SITE, "room-215")


def test_the_monitor_runs_since_its_own_start() -> None:
    """The clock that counts seconds began long before."""
    hub = DrivenHub(at=100.0)

    assert hub.view(160.5).uptime_s == 60.5


def test_each_node_has_its_own_open_incidents() -> None:
    """Two here, none there."""
    play = Play()
    play.hear(1.0, heartbeat(QUIET), QUIET)
    play.hear(1.0, heartbeat())
    play.hear(2.0, press(1))
    play.hear(3.0, press(2))

    assert {each.node: each.incidents for each in _view(play, 4.0).nodes} == {ROOM.node: 2, QUIET.node: 0}


@pytest.mark.parametrize(
    ("fields", "phase"),
    [
        ({}, "open"),
        ({"held_utc": START}, "held"),
        ({"held_utc": START, "told_presses": 1}, "told"),
        ({"told_presses": 1, "acknowledged_utc": START, "answered": 1}, "acknowledged"),
        ({"told_presses": 1, "acknowledged_utc": START, "answered": 1, "presses": 2}, "open"),
        ({"acknowledged_utc": START, "answered": 1, "reset_utc": START}, "reset"),
    ],
)
def test_an_incident_shows_how_far_it_has_got(fields: dict[str, Any], phase: str) -> None:
    """The furthest of all that is known; what people were told of an earlier press says nothing of a further one."""
    record = record_of(IncidentKey(ROOM.site, ROOM.node, "0badcafe-1"), **fields)

    assert incident_view(record, "2. OG").phase == phase


def test_a_node_shows_the_version_that_it_said_last() -> None:
    """Before its first heartbeat, and from a node that is older than the field, none is known."""
    play = Play()
    play.hear(1.0, press(1))
    unheard = _node(play, 1.5).version
    play.hear(2.0, heartbeat(version="1.0.0"))
    old = _node(play, 2.5).version
    play.hear(12.0, heartbeat(version="1.1.0"))
    new = _node(play, 12.5).version
    play.hear(22.0, heartbeat())

    assert (unheard, old, new, _node(play, 22.5).version) == (None, "1.0.0", "1.1.0", None)


def test_a_node_is_due_after_its_period_and_the_grace() -> None:
    """10 s and 9 s after it was heard; half a second has gone."""
    play = Play()
    play.hear(20.0, heartbeat())

    shown = _node(play, 20.5)

    assert (shown.heard_s, shown.due_s, shown.planned_s, shown.rtt_ms) == (0.5, 18.5, None, 1.0)


def test_a_clean_stop_is_planned_for_as_long_as_the_node_says() -> None:
    """And below 0 past that: it is overdue."""
    play = Play()
    play.hear(20.0, heartbeat())
    play.hear(21.0, goodbye(back_in_s=60.0))

    assert _node(play, 22.0).planned_s == 59.0
    assert _node(play, 22.0).due_s is None


def test_a_pause_says_until_when_by_whom_and_why() -> None:
    """What a guard asks first."""
    play = Play()
    play.hear(20.0, heartbeat())
    play.ask(21.0, PauseNode(ROOM, "facilities", "paint", 600.0))

    shown = _node(play, 22.0)

    assert (shown.paused_by, shown.pause_reason) == ("facilities", "paint")
    assert shown.paused_until == START + timedelta(seconds=621)


def test_each_target_has_its_own_messages() -> None:
    """How many wait, and how many were told; a target without any has none."""
    play = Play()

    counted = play.view(1.0, {"telephone": (3, 5)}).targets[0]
    uncounted = play.view(1.0).targets[0]

    assert (counted.waiting, counted.told) == (3, 5)
    assert (uncounted.waiting, uncounted.told) == (0, 0)


def _view(play: Play, at: float) -> View:
    play.until(at)
    return play.view()


def _node(play: Play, at: float) -> NodeView:
    return _view(play, at).nodes[0]

"""Who is there where things go wrong: pauses, goodbyes, clocks and ways that make a dead node look alive."""

from datetime import timedelta

import pytest

from node.monitor.core.decisions.batch import Remembered
from node.monitor.core.model.monitor_settings import Place
from node.monitor.core.model.records import NodeRecord, NoticeKind, Pause, Status
from node.monitor.core.model.requests import PauseNode, Resume
from node.monitor.core.nodes.restored_nodes import GOODBYE_S
from tests.monitor.core.node_messages import (
    BOOT,
    LATER_BOOT,
    OTHER_BROKER,
    ROOM,
    START,
    birth,
    goodbye,
    heartbeat,
)
from tests.monitor.core.play import Play
from tests.monitor.core.settings import TWO_BROKERS

DOWN_S = 19.0


def status(play: Play) -> Status:
    """What is known of the one node."""
    return play.node().status


@pytest.mark.parametrize("resumed_at", [None, 300.0], ids=["by itself", "by somebody"])
def test_a_node_that_was_stopped_in_a_pause_and_forgotten_is_told(resumed_at: float | None) -> None:
    """Its planned end was within the pause, and nobody's business then."""
    play = Play()
    play.hear(0.0, heartbeat())
    play.ask(1.0, PauseNode(ROOM, "facilities", "paint", 600.0))
    play.hear(60.0, goodbye())
    if resumed_at is not None:
        play.ask(resumed_at, Resume(ROOM, "facilities"))
    ends = 601.0 if resumed_at is None else resumed_at

    play.until(ends + GOODBYE_S - 0.1)
    before = play.found()
    play.until(ends + GOODBYE_S)

    assert (before, play.found()) == ([], ["M002"])
    assert (status(play), play.node().reason) == (Status.DOWN, "goodbye")


def test_that_a_dead_node_is_paused_is_not_told_as_its_return() -> None:
    """Whoever was told that it is down would believe that it is heard again."""
    play = Play()
    play.hear(0.0, heartbeat())
    play.until(DOWN_S)
    told = [each.kind for each in play.all.notices]

    play.ask(60.0, PauseNode(ROOM, "facilities", "paint", 600.0))

    assert (told, play.found()) == ([NoticeKind.FINDING], ["M019"])
    assert [each.kind for each in play.all.notices] == [*told, NoticeKind.FINDING]


def test_a_goodbye_that_a_broker_kept_moves_no_end() -> None:
    """A monitor whose connection comes and goes hears it each time."""
    play = Play()
    play.hear(0.0, heartbeat())
    play.hear(10.0, goodbye())

    for at in (60.0, 120.0):
        play.hear(at, goodbye(), retained=True)
    play.until(10.0 + GOODBYE_S)

    assert play.found() == ["M002"]


def test_a_goodbye_of_an_older_boot_says_nothing_of_the_one_that_speaks() -> None:
    """It was on its way for long."""
    play = Play()
    play.hear(0.0, heartbeat(boot=LATER_BOOT))

    play.hear(1.0, goodbye())

    assert status(play) is Status.UP


def test_a_planned_end_is_known_again_after_a_restart() -> None:
    """The broker kept it."""
    record = NodeRecord(node=ROOM, status=Status.DOWN, since_utc=START, boot=BOOT, reason="goodbye")
    play = Play(Remembered(nodes=(record,)))

    play.hear(1.0, goodbye(back_in_s=600.0), retained=True)
    play.until(600.9)
    before = play.found()
    play.until(601.0)

    assert (before, play.found()) == ([], ["M002"])


@pytest.mark.parametrize(("clock_off", "left_s"), [(-365.0, 600.0), (365.0, 0.0), (0.0, 300.0)])
def test_a_pause_outlives_no_clock(clock_off: float, left_s: float) -> None:
    """A machine that starts a year too early must not take a node for paused that long."""
    since = START + timedelta(seconds=-300.0) - timedelta(days=clock_off)
    pause = Pause(node=ROOM, by="x", reason="paint", since_utc=since, until_utc=since + timedelta(seconds=600))
    record = NodeRecord(node=ROOM, status=Status.PAUSED, since_utc=START, boot=BOOT)

    play = Play(Remembered(nodes=(record,), pauses=(pause,)))

    assert play.node().paused_until == START + timedelta(seconds=left_s)
    play.until(left_s + DOWN_S + 1.0)
    assert play.found() == ["M001"]


def test_what_came_before_the_last_sign_of_life_says_nothing_new() -> None:
    """A heartbeat stands behind what came after it: it must not bring an old boot back."""
    play = Play()
    play.hear(0.0, heartbeat())
    play.hear(10.0, birth(boot=LATER_BOOT))

    play.hear(9.9, heartbeat(period_s=60.0))

    shown = play.node(at=12.0)
    assert (shown.boot, shown.heard_s, shown.period_s) == (LATER_BOOT, 2.0, 10.0)


def test_a_way_is_known_by_what_came_late() -> None:
    """By which broker it came matters all the same."""
    play = Play(brokers=TWO_BROKERS)
    play.link_up(0.0, OTHER_BROKER)
    play.hear(10.0, heartbeat())

    play.hear(9.9, heartbeat(), broker=OTHER_BROKER)
    play.link_down(11.0, "gone")
    play.until(10.0 + DOWN_S)

    assert status(play) is Status.DOWN


def test_a_node_that_was_taken_out_of_the_roster_is_forgotten() -> None:
    """With its pause."""
    record = NodeRecord(node=ROOM, status=Status.PAUSED, since_utc=START, boot=BOOT)
    pause = Pause(node=ROOM, by="x", reason="paint", since_utc=START, until_utc=START + timedelta(seconds=600))

    play = Play(Remembered(nodes=(record,), pauses=(pause,)), roster=())

    assert play.view().nodes == ()


def test_a_node_of_the_roster_is_as_it_was_before_a_restart() -> None:
    """With its place, and once."""
    record = NodeRecord(node=ROOM, status=Status.UP, since_utc=START, boot=BOOT, period_s=30.0)

    play = Play(Remembered(nodes=(record,)), roster=(Place(ROOM, "2"),))

    (shown,) = play.view().nodes
    assert (shown.floor, shown.boot, shown.period_s) == ("2", BOOT, 30.0)
    play.hear(1.0, heartbeat())
    assert not play.all.flips, "it was up"


def test_after_a_restart_a_node_is_shown_as_up_once_it_is_heard() -> None:
    """It may have died meanwhile; nobody is told so before its time is over."""
    record = NodeRecord(node=ROOM, status=Status.UP, since_utc=START, boot=BOOT)
    play = Play(Remembered(nodes=(record,)))

    play.until(5.0)
    before = status(play)
    play.hear(6.0, heartbeat())

    assert before is Status.NEW
    assert status(play) is Status.UP
    assert not play.all.flips

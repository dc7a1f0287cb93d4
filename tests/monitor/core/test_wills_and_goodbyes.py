"""A node that says goodbye, and one whose connection a broker has lost."""

import pytest

from node.monitor.core.model.records import Status
from node.monitor.core.nodes.restored_nodes import GOODBYE_S
from tests.monitor.core.fleet_play import DOWN_S, Play
from tests.monitor.core.node_messages import (
    BOOT,
    BROKER,
    LATER_BOOT,
    OTHER_BROKER,
    ROOM,
    birth,
    goodbye,
    heartbeat,
    moment,
    will,
)


def test_a_will_says_within_a_second_that_a_node_is_down() -> None:
    """The broker knows it before the deadline."""
    play = Play()
    play.say(0.0, birth())
    play.say(1.0, heartbeat())

    play.say(3.0, will())
    play.until(3.9)
    before = play.flips()
    play.until(4.0)

    assert before == [("new", "up", 0.0)]
    assert play.flips() == [("up", "down", 4.0)]
    assert play.found() == ["M001"]


@pytest.mark.parametrize("brokers", [(BROKER,), (BROKER, OTHER_BROKER)], ids=["the only one", "one of two"])
def test_a_will_of_a_broker_that_goes_itself_says_nothing(brokers: tuple[str, ...]) -> None:
    """One that is stopped tells everybody's will; once it is back, a node has its whole time to be heard."""
    play = Play(brokers=brokers)
    play.say(0.0, birth())

    play.say(3.0, will())
    play.until(3.5)
    play.fleet.broker_down(BROKER)
    play.until(100.0)
    while_away = play.found()
    play.fleet.broker_up(moment(100.0), BROKER)
    play.until(100.0 + DOWN_S - 0.1)

    assert while_away == play.found() == []
    play.until(100.0 + DOWN_S)
    assert play.found() == ["M001"]


def test_a_will_that_was_kept_leaves_a_node_its_time_to_be_heard() -> None:
    """A broker that was started again has the wills of its own stop; the nodes are on their way back."""
    play = Play()
    play.say(0.0, birth())
    play.fleet.broker_down(BROKER)
    play.fleet.broker_up(moment(5.0), BROKER)

    play.say(5.0, will(), retained=True)
    play.until(5.0 + DOWN_S - 0.1)
    before = play.found()
    play.until(5.0 + DOWN_S)

    assert before == []
    assert play.found() == ["M001"]


def test_a_node_that_is_heard_after_its_will_is_up() -> None:
    """It was quicker back than its loss was decided."""
    play = Play()
    play.say(0.0, birth())
    play.say(3.0, will())

    play.say(3.5, birth(session=2))
    play.until(10.0)

    assert play.flips() == [("new", "up", 0.0)]


def test_a_will_that_waited_says_nothing_of_a_node_that_was_heard_since() -> None:
    """What strangers say waits while the history is behind, and their heartbeats don't."""
    play = Play()
    play.say(0.0, birth())
    play.say(10.0, heartbeat())

    play.say(3.0, will())
    play.say(3.5, birth(session=2))
    play.until(19.0)

    assert play.flips() == [("new", "up", 0.0)]
    assert play.found() == []


def test_a_will_counts_of_a_node_that_was_heard_in_the_same_instant() -> None:
    """It comes after the last message that the broker had of the node."""
    play = Play()
    play.say(0.0, birth())
    play.say(3.0, heartbeat())

    play.say(3.0, will())
    play.until(4.0)

    assert play.flips() == [("new", "up", 0.0), ("up", "down", 4.0)]


def test_after_a_loss_the_will_counts_though_its_birth_was_not_heard() -> None:
    """The birth before the loss says nothing of the connection with which the node came back."""
    play = Play()
    play.say(0.0, birth(session=1))
    play.until(DOWN_S)
    play.say(30.0, heartbeat())

    play.say(33.0, will(session=2))
    play.until(34.0)

    assert play.flips()[-2:] == [("down", "up", 30.0), ("up", "down", 34.0)]


@pytest.mark.parametrize(("boot", "session"), [(BOOT, 1), (LATER_BOOT, 2)])
def test_a_will_of_another_connection_says_nothing(boot: str, session: int) -> None:
    """Only that of the connection that the node was born with counts."""
    play = Play()
    play.say(0.0, birth(boot=BOOT, session=2))

    play.say(3.0, will(boot=boot, session=session))

    assert play.status() is Status.UP


def test_a_will_on_one_broker_says_nothing_while_another_brings_the_node() -> None:
    """One of its two ways is lost; presses still arrive."""
    play = Play(brokers=(BROKER, OTHER_BROKER))
    play.say(0.0, birth(session=1))
    play.say(0.0, birth(session=4), broker=OTHER_BROKER)

    play.say(3.0, will(session=4), broker=OTHER_BROKER)

    assert play.status() is Status.UP


def test_a_clean_stop_is_planned_until_its_end() -> None:
    """Nobody is told, until it isn't back by when it said."""
    play = Play()
    play.say(0.0, heartbeat())
    play.say(5.0, goodbye(back_in_s=300.0))

    play.until(304.9)
    before = play.found()
    play.until(305.0)

    assert play.status() is Status.DOWN
    assert play.fleet.nodes[ROOM].reason == "goodbye"
    assert (before, play.found()) == ([], ["M002"])


def test_a_clean_stop_without_an_end_has_two_minutes() -> None:
    """Whoever restarts a node needs no longer."""
    play = Play()
    play.say(0.0, heartbeat())
    play.say(5.0, goodbye())

    play.until(5.0 + GOODBYE_S)

    assert play.found() == ["M002"]


def test_what_a_boot_says_after_its_goodbye_is_no_sign_of_life() -> None:
    """It was still on its way by another broker."""
    play = Play(brokers=(BROKER, OTHER_BROKER))
    play.say(0.0, heartbeat())
    play.say(5.0, goodbye())

    play.say(5.1, heartbeat(), broker=OTHER_BROKER)

    assert play.status() is Status.DOWN


def test_a_birth_after_a_goodbye_is_a_sign_of_life() -> None:
    """The goodbye wasn't its own: a node that reads one in its name says its birth again, and beats as before."""
    play = Play()
    play.say(0.0, birth())
    play.say(5.0, goodbye())

    play.say(5.1, birth())
    play.say(10.0, heartbeat())

    assert play.status() is Status.UP

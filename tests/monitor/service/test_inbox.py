"""The inbox: nothing fills it, and an alarm stands behind little."""

from collections.abc import Callable

import pytest

from node.monitor.core.decisions.monitor_codec import Heard
from node.monitor.core.model.records import NodeKey
from node.monitor.service import inbox as module
from node.monitor.service.inbox import NODE_ROOM, Inbox, Said
from tests.monitor.core.node_messages import BROKER, OTHER_BROKER, SITE, birth, heartbeat, press

LOUD, QUIET = NodeKey(SITE, "loud"), NodeKey(SITE, "quiet")


def said(node: NodeKey, message: Heard, broker: str = BROKER, *, retained: bool = False) -> Said:
    """What a node says; the time it came at matters to nobody here."""
    return Said(0.0, broker, node, message, retained)


def test_heartbeats_by_two_brokers_both_count() -> None:
    """Else one way is forgotten, and whoever dies together with the other broker looks alive."""
    inbox = Inbox()

    for broker in (BROKER, OTHER_BROKER, BROKER, OTHER_BROKER):
        inbox.put(said(QUIET, heartbeat(), broker))

    _, taken = inbox.take(0.0, 256)
    assert [each.broker for each in taken] == [BROKER, OTHER_BROKER]


def test_the_newest_heartbeat_takes_the_place_of_an_older_one() -> None:
    """Nobody looks at what is past."""
    inbox = Inbox()

    for seq in range(3):
        inbox.put(said(QUIET, heartbeat(seq=seq)))

    _, taken = inbox.take(0.0, 256)
    assert [each.message.seq for each in taken] == [2]


def test_nodes_take_turns() -> None:
    """Who floods delays itself alone."""
    inbox = Inbox()
    for seq in range(1, 11):
        inbox.put(said(LOUD, press(seq)))
    inbox.put(said(QUIET, press(1)))

    _, taken = inbox.take(0.0, 2)

    assert [each.node for each in taken] == [LOUD, QUIET]


def test_a_node_keeps_its_order() -> None:
    """Over several takes."""
    inbox = Inbox()
    for seq in range(1, 6):
        inbox.put(said(LOUD, press(seq)))

    taken = [each for _ in range(3) for each in inbox.take(0.0, 2)[1]]

    assert [each.message.seq for each in taken] == [1, 2, 3, 4, 5]


def test_what_finds_no_room_in_its_line_is_dropped_and_counted() -> None:
    """Once."""
    inbox = Inbox()

    for seq in range(NODE_ROOM + 3):
        inbox.put(said(LOUD, press(seq)))
    inbox.put(said(QUIET, press(1)))

    assert inbox.lost() == (3, 0)
    assert inbox.lost() == (0, 0)
    assert len(inbox.take(0.0, 2 * NODE_ROOM)[1]) == NODE_ROOM + 1


@pytest.mark.parametrize(
    ("room", "message"),
    [("ROOM", lambda: press(1)), ("BEATS_ROOM", heartbeat)],
    ids=["of all lines", "of all heartbeats"],
)
def test_all_room_has_an_end(monkeypatch: pytest.MonkeyPatch, room: str, message: Callable[[], Heard]) -> None:
    """However many nodes somebody invents."""
    monkeypatch.setattr(module, room, 5)
    inbox = Inbox()

    for number in range(8):
        inbox.put(said(NodeKey(SITE, f"n-{number}"), message()))

    assert inbox.lost() == (3, 0)
    assert len(inbox.take(0.0, 256)[1]) == 5


def test_there_is_room_again_once_it_was_taken() -> None:
    """A line that was full takes the next one."""
    inbox = Inbox()
    for _ in range(2):
        for seq in range(NODE_ROOM):
            inbox.put(said(LOUD, press(seq)))

        inbox.take(0.0, 256)

    assert inbox.lost() == (0, 0)


def test_own_matters_come_all_at_once_and_are_never_dropped() -> None:
    """They are few."""
    inbox = Inbox()
    called: list[int] = []
    for number in range(300):
        inbox.call_soon(lambda number=number: called.append(number))  # type: ignore[misc]

    own, _ = inbox.take(0.0, 1)
    for call in own:
        call()

    assert called == list(range(300))


def test_a_retained_heartbeat_stands_in_line() -> None:
    """Nothing says that it is of now: it takes no fresh one's place."""
    inbox = Inbox()
    inbox.put(said(QUIET, heartbeat(seq=7)))

    inbox.put(said(QUIET, heartbeat(seq=1), retained=True))

    assert [each.retained for each in inbox.take(0.0, 256)[1]] == [True, False]


def test_heartbeats_wait_where_too_much_else_is_there() -> None:
    """They come with the next turn."""
    inbox = Inbox()
    inbox.put(said(QUIET, heartbeat()))
    inbox.put(said(QUIET, birth()))

    first, second = inbox.take(0.0, 1)[1], inbox.take(0.0, 1)[1]

    assert [type(each.message).__name__ for each in (*first, *second)] == ["State", "HeartbeatMessage"]


def test_nothing_comes_of_nothing() -> None:
    """After the time that was given."""
    assert Inbox().take(0.0, 256) == ([], [])


def test_what_means_nothing_is_counted_apart() -> None:
    """It was thrown away before it came here."""
    inbox = Inbox()

    inbox.malformed()

    assert inbox.lost() == (0, 1)

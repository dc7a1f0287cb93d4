"""Whose turn it is: nobody's flood stands before another node's alarm."""

import pytest

from node.monitor.core.model.records import NodeKey
from node.monitor.service import inbox as inbox_module
from node.monitor.service.inbox import NODE_ROOM, STRANGERS_TURN, Inbox, Said
from tests.monitor.core.node_messages import BROKER, ROOM, SITE, press

STRANGER = NodeKey(SITE, "stranger")


def put(inbox: Inbox, node: NodeKey, count: int = 1) -> None:
    """A node says so many things."""
    for number in range(1, count + 1):
        inbox.put(Said(0.0, BROKER, node, press(number, node), retained=False))


def taken(inbox: Inbox, most: int) -> list[NodeKey]:
    """Whose messages are taken next."""
    return [each.node for each in inbox.take(0.0, most)[1]]


def test_nodes_take_turns() -> None:
    """One that says much delays another by one message."""
    inbox = Inbox()
    put(inbox, STRANGER, 10)
    put(inbox, ROOM)

    assert taken(inbox, 3) == [STRANGER, ROOM, STRANGER]


def test_the_rosters_nodes_come_before_strangers() -> None:
    """However many those are."""
    inbox = Inbox({ROOM})
    for number in range(100):
        put(inbox, NodeKey(SITE, f"stranger-{number}"))
    put(inbox, ROOM)

    assert taken(inbox, 1) == [ROOM]


def test_strangers_have_a_turn_all_the_same() -> None:
    """A frightened person may stand there."""
    inbox = Inbox({ROOM})
    put(inbox, ROOM, 30)
    put(inbox, STRANGER)

    assert taken(inbox, STRANGERS_TURN)[-1] == STRANGER


def test_while_the_history_is_behind_strangers_wait_and_others_do_not() -> None:
    """What they say is kept, and taken as soon as it may be."""
    inbox = Inbox({ROOM})
    put(inbox, STRANGER, 3)
    put(inbox, ROOM, 20)

    held = [each.node for each in inbox.take(0.0, 256, strangers=False)[1]]
    nothing = inbox.take(0.0, 256, strangers=False)

    assert held == [ROOM] * 20
    assert nothing == ([], [])
    assert taken(inbox, 256) == [STRANGER] * 3


def test_strangers_leave_room_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many they are, and for however long they wait."""
    monkeypatch.setattr(inbox_module, "STRANGERS_ROOM", 10)
    inbox = Inbox({ROOM})
    for number in range(100):
        put(inbox, NodeKey(SITE, f"stranger-{number}"))
    put(inbox, ROOM)

    assert inbox.lost() == (90, 0)
    assert taken(inbox, 1000).count(ROOM) == 1
    put(inbox, STRANGER)
    assert taken(inbox, 1000) == [STRANGER]


def test_who_becomes_one_of_ours_is_so_from_its_next_line_on() -> None:
    """What it said before stays in its order."""
    ours = {ROOM}
    inbox = Inbox(ours)
    put(inbox, STRANGER, 2)
    ours.add(STRANGER)
    put(inbox, STRANGER)
    before = [each.node for each in inbox.take(0.0, 256, strangers=False)[1]]
    taken(inbox, 256)

    put(inbox, STRANGER)

    assert before == []
    assert [each.node for each in inbox.take(0.0, 256, strangers=False)[1]] == [STRANGER]


def test_without_others_strangers_wait_for_nobody() -> None:
    """All that there is is taken."""
    inbox = Inbox({ROOM})
    put(inbox, STRANGER, 3)

    assert taken(inbox, 10) == [STRANGER] * 3


def test_what_a_node_says_too_much_of_is_dropped_and_counted() -> None:
    """Its own, and nobody else's."""
    inbox = Inbox()
    put(inbox, STRANGER, NODE_ROOM + 5)
    put(inbox, ROOM)

    assert inbox.lost() == (5, 0)
    assert taken(inbox, 1000).count(ROOM) == 1

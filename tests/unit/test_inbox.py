"""The order in which the loop takes its events."""

import pytest

from node.core.events import EdgeSeen, Event, MonitorHeard, TimePassed
from node.service.inbox import Inbox


def _edge(at: float) -> Event:
    return EdgeSeen(at, "button", high=True)


def _message(at: float) -> Event:
    return MonitorHeard(at, "the-broker", "desk", "0badcafe", alive=True, birth=False)


def _taken(inbox: Inbox) -> list[Event]:
    taken = []
    while (event := inbox.get(0.0)) is not None:
        taken.append(event)
    return taken


def test_an_edge_overtakes_messages_that_wait() -> None:
    """The two edges of a press come before the second of a hundred messages, and all come once, in their order."""
    inbox = Inbox()
    messages = [_message(float(number)) for number in range(100)]
    for message in messages:
        inbox.put(message)
    inbox.put_of_panel(_edge(200.0))
    inbox.put_of_panel(_edge(201.0))

    taken = _taken(inbox)

    assert taken[:3] == [_edge(200.0), messages[0], _edge(201.0)]
    assert [event for event in taken if isinstance(event, MonitorHeard)] == messages


def test_a_cable_that_hums_keeps_no_message_away() -> None:
    """While edges come without end, every second event is another one."""
    inbox = Inbox()
    inbox.put_of_panel(_edge(0.0))
    for number in range(20):
        inbox.put(_message(float(number)))
        inbox.put_of_panel(_edge(float(number)))

    kinds = [type(inbox.get(0.0)) for _ in range(40)]

    assert kinds == [EdgeSeen, MonitorHeard] * 20


@pytest.mark.parametrize("put", [Inbox.put, Inbox.put_of_panel], ids=["message", "edge"])
def test_the_only_event_is_taken_at_once(put: object) -> None:
    """Whatever was taken before."""
    inbox = Inbox()
    for number in range(3):
        put(inbox, TimePassed(float(number)))  # type: ignore[operator]

        assert inbox.get(0.0) == TimePassed(float(number))
    assert inbox.get(0.0) is None

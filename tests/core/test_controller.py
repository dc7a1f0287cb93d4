"""The controller's table: each event that can happen leads somewhere."""

from node.core import controller, events


def test_every_event_has_a_handler() -> None:
    """An event that is added without one is missed here, and not in the night."""
    declared = {each for each in vars(events).values() if isinstance(each, type) and issubclass(each, events.Event)}

    assert controller.HANDLERS.keys() == declared - {events.Event}

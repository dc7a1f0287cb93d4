"""Deliberate defects in what the core decides about a call for help."""

from collections.abc import Callable
from typing import Any

from node.core import delivery, incident_events, link_events, reconcile
from node.core.alarm import Happening
from node.core.model import EventKind, Key, Step
from node.core.turn import Turn


def older_receipt() -> None:
    """A receipt for an older press counts for the newest one too."""
    advance_calls = _of(link_events, "_advance_calls")

    def generous(turn: Turn, key: Key, happening: Happening, step: Step) -> None:
        for incident in turn.state.incidents:
            if key.boot == incident.press.boot and key.seq < incident.press.seq and incident.presses > 1:
                incident_events.advance(turn, incident, happening, step)
        advance_calls(turn, key, happening, step)

    _put(link_events, "_advance_calls", generous)


def held_is_enough() -> None:
    """What a monitor has stored counts as told, though its channels take nothing."""
    advance_calls = _of(link_events, "_advance_calls")

    def satisfied(turn: Turn, key: Key, happening: Happening, step: Step) -> None:
        advance_calls(turn, key, happening, step)
        if happening is Happening.HELD:
            advance_calls(turn, key, Happening.TOLD, Step.TOLD)

    _put(link_events, "_advance_calls", satisfied)


def further_press_unsent() -> None:
    """A press during an open incident is shown and stored, and never sent."""
    press = incident_events.press

    def once(turn: Turn, name: str, at: float, kind: EventKind) -> None:
        known = turn.state.incident_of(name) is not None
        key = turn.next_key()
        press(turn, name, at, kind)
        if known:
            turn.change(waiting=delivery.remove(turn.state.waiting, key))

    incident_events.press = once


def nobody_unsaid() -> None:
    """A call that was told of stays so, though no monitor is heard any more."""
    _put(reconcile, "_report_unheard_calls", lambda _turn: None)


DEFECTS: dict[str, Callable[[], None]] = {
    "older-receipt": older_receipt,
    "held-is-enough": held_is_enough,
    "further-press-unsent": further_press_unsent,
    "nobody-unsaid": nobody_unsaid,
}


def _of(module: object, name: str) -> Any:
    return getattr(module, name)


def _put(module: object, name: str, function: Callable[..., object]) -> None:
    assert hasattr(module, name), f"{name} has moved"
    setattr(module, name, function)

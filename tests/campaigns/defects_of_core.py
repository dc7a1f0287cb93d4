"""Deliberate defects in what the core decides about a call for help."""

from collections.abc import Callable
from typing import Any

from node.core import delivery, hearing, outlook, presses
from node.core.alarm import Happening
from node.core.memory import Key, Step
from node.core.turn import Turn


def older_receipt() -> None:
    """A receipt for an older press counts for the newest one too."""
    received = _of(hearing, "_event_received")

    def generous(turn: Turn, key: Key, by: str) -> None:
        for incident in turn.state.incidents:
            if key.boot == incident.press.boot and key.seq < incident.press.seq and incident.presses > 1:
                presses.climb(turn, incident, Happening.RECEIVED, Step.RECEIVED)
        received(turn, key, by)

    _put(hearing, "_event_received", generous)


def further_press_unsent() -> None:
    """A press during an open incident is shown and stored, and never sent."""
    press = presses.press

    def once(turn: Turn, name: str, at: float, kind: str) -> None:
        known = turn.state.incident_of(name) is not None
        key = turn.next_key()
        press(turn, name, at, kind)
        if known:
            turn.change(outbox=delivery.remove(turn.state.outbox, key))

    presses.press = once


def nobody_unsaid() -> None:
    """A received alarm stays received, though no monitor is heard any more."""
    _put(outlook, "_tell_unheard", lambda _turn: None)


DEFECTS: dict[str, Callable[[], None]] = {
    "older-receipt": older_receipt,
    "further-press-unsent": further_press_unsent,
    "nobody-unsaid": nobody_unsaid,
}


def _of(module: object, name: str) -> Any:
    return getattr(module, name)


def _put(module: object, name: str, function: Callable[..., object]) -> None:
    setattr(module, name, function)

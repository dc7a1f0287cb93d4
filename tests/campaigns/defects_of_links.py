"""Deliberate defects on the way from the node to the building: what is sent, in which order, and what is believed."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

from msgspec.structs import force_setattr, replace

from node.core import delivery, link_events, reconcile
from node.core.alarm import Happening
from node.core.delivery import WaitingEvents
from node.core.effects import Effect
from node.core.model import Key, Step
from node.core.turn import Turn
from node.io.mqtt.link_types import NODE_BOUNDS
from node.io.mqtt.login import connect_errors
from node.io.record import record_file


def birth_before_retained() -> None:
    """``normal`` is published over an alarm that hasn't been read yet."""

    def hasty(alarms: Callable[[Turn], list[Effect]], turn: Turn) -> list[Effect]:
        for link in turn.state.supervision.links:
            turn.change_link(replace(link, retained_read=True))
        return alarms(turn)

    _wrap(reconcile, "_send_retained_alarm", hasty)


def mark_on_puback() -> None:
    """An event counts as held when the broker has it, although a monitor must say so."""

    def believing(advance_calls: Callable[..., None], turn: Turn, key: Key, happening: Happening, step: Step) -> None:
        advance_calls(turn, key, happening, step)
        if happening is Happening.ACCEPTED:
            _of(link_events, "_stop_sending")(turn, key, "desk")

    _wrap(link_events, "_advance_calls", believing)


def fifo_backlog() -> None:
    """Everything goes out in the order in which it happened, and alarms overtake nothing."""

    def oldest_first(_sendable: object, waiting: WaitingEvents, link: str) -> list[Key]:
        events = waiting.events
        in_flight = sum(link in entry.in_flight for entry in events.values())
        ready = [key for key, entry in events.items() if link not in entry.in_flight | entry.set_aside]
        return sorted(ready, key=lambda key: events[key].order)[: max(0, delivery.WINDOW - in_flight)]

    def no_hurry(_send_fresh_alarms: object, _turn: Turn) -> list[Effect]:
        return []

    _wrap(delivery, "sendable", oldest_first)
    _wrap(reconcile, "_send_fresh_alarms", no_hurry)
    setattr(record_file, "UNRECEIPTED", _of(record_file, "UNRECEIPTED").replace("outstanding.alarm DESC, ", ""))  # noqa: B010 - a constant


def unbounded_queue() -> None:
    """As much is in flight as there is, and as much waits for the loop as anybody sends."""
    delivery.WINDOW = 10**6
    force_setattr(NODE_BOUNDS, "heard", 10**6)


def one_code_for_all() -> None:
    """Whatever keeps a session from beginning is told as a broker that can't be reached."""

    def vague(told: Callable[[Any], tuple[str, object]], failure: object) -> tuple[str, None]:
        return told(failure)[0], None

    _wrap(connect_errors, "told", vague)
    _wrap(connect_errors, "broken", vague)
    _wrap(connect_errors, "refused", vague)


DEFECTS: dict[str, Callable[[], None]] = {
    "birth-before-retained": birth_before_retained,
    "mark-on-puback": mark_on_puback,
    "fifo-backlog": fifo_backlog,
    "unbounded-queue": unbounded_queue,
    "one-code-for-all": one_code_for_all,
}


def _of(module: ModuleType, name: str) -> Any:
    return getattr(module, name)


def _wrap(module: ModuleType, name: str, around: Callable[..., object]) -> None:
    """Call ``around`` in the function's place: it gets the function, and then what that would have got."""
    function = _of(module, name)

    def wrapped(*args: Any, **kwargs: Any) -> object:
        return around(function, *args, **kwargs)

    setattr(module, name, wrapped)

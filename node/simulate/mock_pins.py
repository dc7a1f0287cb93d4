"""gpiozero's mock pins, with a contact to ground on each."""

from collections.abc import Callable
from typing import Any

from node.stand_ins import stand_ins

with stand_ins("importlib.metadata"):
    from gpiozero.pins.mock import MockFactory, MockPin

OnLevel = Callable[[float, int, bool], None]
"""Called with (monotonic seconds, BCM pin, level) whenever an output changes."""

_PI_3B = "a02082"


class WiredPin(MockPin):  # type: ignore[misc] # gpiozero has no types
    """A mock pin with a contact to ground. Its factory says who is called when it is an output and changes."""

    def __init__(self, factory: "WiredFactory", info: Any) -> None:
        self.contact_closed = False
        self.edges_lost = False
        super().__init__(factory, info)

    @property
    def changed_at(self) -> float:
        """The time stamp of its newest edge (monotonic seconds), which the node uses, too."""
        return float(self._last_change)

    def set_contact(self, closed: bool) -> None:
        """Close the contact to ground, or open it and leave the level to the pull resistor."""
        # A press while the panel switches the pull resistor on must not be lost (HAZARDS.md H12).
        with self._when_changed_lock:
            self.contact_closed = closed
            if closed:
                self.drive_low()
            elif self.pull == "up":
                self.drive_high()

    def drive_high(self) -> None:
        """As MockPin's, but the level stays low while the contact is closed."""
        with self._when_changed_lock:
            if self.contact_closed:
                self.drive_low()
            else:
                super().drive_high()

    def _change_state(self, value: bool) -> bool:
        changed: bool = super()._change_state(value)
        if changed and self.function == "output":
            self.factory.on_level(self._last_change, self._number, value)
        return changed

    def _call_when_changed(self) -> None:
        # The lock: otherwise a panel that closes now could remove the handler between MockPin's check and its call.
        with self._when_changed_lock:
            if self._when_changed is not None and not self.edges_lost:
                super()._call_when_changed()


class WiredFactory(MockFactory):  # type: ignore[misc] # gpiozero has no types
    """A factory of WiredPins, independent of the environment; it shares no pins with other factories."""

    def __init__(self, on_level: OnLevel) -> None:
        super().__init__(revision=_PI_3B, pin_class=WiredPin)
        self.on_level = on_level

    def close(self) -> None:
        """Keep the pins: the wall that they are part of outlives the panel."""

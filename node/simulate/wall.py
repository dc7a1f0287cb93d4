"""The simulated wall: mock pins with contacts to ground, on wires that can be cut and shorted.

bounce 3 ms  ‾‾|_|‾|_|‾‾|______________    then held, until it is released
tap 40 ms    ‾‾|_______________|‾‾‾‾‾‾‾    normally open: pressed is low
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from gpiozero.pins.mock import MockFactory, MockPin

from node.core.settings import InputSettings

OnLevel = Callable[[float, int, bool], None]
"""Called with (monotonic seconds, BCM pin, level) whenever an output changes."""

OnContact = Callable[[float, str, bool], None]
"""Called with (monotonic seconds, input, actuated) whenever a contact was moved."""

TURN_MS = 200.0
"""How long a key stays turned, in milliseconds."""

_PI_3B = "a02082"
_CHATTER_S = (0.0005, 0.0015)


class Wire(StrEnum):
    """The state of an input's cable. Cut: its lines are high. Shorted: they are low, whatever the contact does."""

    INTACT = "intact"
    CUT = "cut"
    SHORTED = "shorted"


class WiredPin(MockPin):  # type: ignore[misc] # gpiozero has no types
    """A mock pin with a contact to ground. A WiredFactory makes it, and says who is called about outputs."""

    def __init__(self, factory: "WiredFactory", info: Any) -> None:
        self.contact_closed = False
        self.edges_lost = False
        super().__init__(factory, info)

    @property
    def changed_at(self) -> float:
        """The stamp of its newest edge (monotonic seconds), which the node uses."""
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


class Wall:
    """The contacts and cables of a simulated wall, by input name. Only one thread may use it.

    ``line_pins``: the BCM pins of the inputs' lines. ``seed`` makes the chatter of ``bounce`` repeatable. Pass
    ``factory`` to the node's panel. Every contact is at rest until it is actuated, which may be before the panel is
    made.
    """

    def __init__(
        self,
        inputs: Sequence[InputSettings],
        line_pins: Mapping[str, int],
        *,
        on_level: OnLevel = lambda at, pin, level: None,
        on_contact: OnContact = lambda at, name, actuated: None,
        on_wire: Callable[[float, str, Wire], None] = lambda at, name, wire: None,
        seed: int | None = None,
    ) -> None:
        self.factory = WiredFactory(on_level)
        self._on_contact = on_contact
        self._on_wire = on_wire
        self._inputs = {each.name: each for each in inputs}
        self._pins = {line: self.factory.pin(line_pins[line]) for each in inputs for line in each.lines}
        self._random = random.Random(seed)  # noqa: S311 - chatter, no secret
        self._actuated = dict.fromkeys(self._inputs, False)
        self._wires = dict.fromkeys(self._inputs, Wire.INTACT)
        for name in self._inputs:
            self._move(name, actuated=False)

    @property
    def kinds(self) -> dict[str, str]:
        """What each input is (button, door, tamper, reset), by its name, in the order given."""
        return {name: each.role.kind for name, each in self._inputs.items()}

    def press(self, name: str) -> None:
        """Actuate the contact: a normally open one closes, a normally closed one opens, a door opens."""
        self._actuate(name, True)

    def release(self, name: str) -> None:
        """Put the contact at rest."""
        self._actuate(name, False)

    def tap(self, name: str, ms: float) -> None:
        """Press for at least this long, then release."""
        self.press(name)
        _wait_until(time.monotonic() + ms / 1000)
        self.release(name)

    def bounce(self, name: str, ms: float) -> None:
        """Begin a press that chatters for this long, about once a millisecond, and stays pressed."""
        due = time.monotonic()
        end = due + ms / 1000
        actuated = True
        while due < end:
            _wait_until(due)
            self._actuate(name, actuated)
            actuated = not actuated
            due += self._random.uniform(*_CHATTER_S)
        _wait_until(end)
        self.press(name)

    def wire(self, name: str, wire: Wire) -> None:
        """Cut, short or mend an input's cable."""
        self._wires[name] = wire
        self._on_wire(self._move(name, self._actuated[name]), name, wire)

    def edges(self, on: bool) -> None:
        """Let the callbacks of all lines through, or drop them."""
        for pin in self._pins.values():
            pin.edges_lost = not on

    def _actuate(self, name: str, actuated: bool) -> None:
        at = self._move(name, actuated)
        if self._actuated[name] is not actuated:
            self._actuated[name] = actuated
            self._on_contact(at, name, actuated)

    def _move(self, name: str, actuated: bool) -> float:
        """Set the lines, break before make: a changeover contact opens first. When the last of its lines changed."""
        before = time.monotonic()
        settings, wire = self._inputs[name], self._wires[name]
        closed = {
            line: wire is Wire.SHORTED
            or (wire is Wire.INTACT and settings.wiring.actuated(True, number) is not actuated)
            for number, line in enumerate(settings.lines)
        }
        for line in sorted(closed, key=closed.__getitem__):
            self._pins[line].set_contact(closed[line])
        changed: list[float] = [self._pins[line].changed_at for line in closed]
        return max(before, *changed)


def _wait_until(at: float) -> None:
    while (left := at - time.monotonic()) > 0:
        time.sleep(left)

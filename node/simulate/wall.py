"""The simulated wall: contacts to ground, on cables that can be cut and shorted.

bounce 3 ms  ‾‾|_|‾|_|‾‾|______________    then held, until it is released
tap 40 ms    ‾‾|_______________|‾‾‾‾‾‾‾    normally open: pressed is low
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

from node.core.settings import InputSettings
from node.simulate.mock_pins import OnLevel, WiredFactory

OnContact = Callable[[float, str, bool], None]
"""Called with (monotonic seconds, input, actuated) whenever a contact was moved."""

TURN_MS = 200.0
"""How long a key stays turned, in milliseconds."""

_BOUNCE_S = (0.0005, 0.0015)


class Cable(StrEnum):
    """The state of an input's cable. Cut: its lines are high. Shorted: they are low, whatever the contact does."""

    INTACT = "intact"
    CUT = "cut"
    SHORTED = "shorted"


class Wall:
    """The contacts and cables of a simulated wall, by input name. Only one thread may use it.

    ``factory`` is for the node's panel. ``line_pins``: the BCM pins of the inputs' lines. ``seed`` makes ``bounce``
    repeatable. Every contact is at rest until it is actuated, which may be before the panel is made.
    """

    def __init__(
        self,
        inputs: Sequence[InputSettings],
        line_pins: Mapping[str, int],
        *,
        on_level: OnLevel = lambda at, pin, level: None,
        on_contact: OnContact = lambda at, name, actuated: None,
        on_cable: Callable[[float, str, Cable], None] = lambda at, name, cable: None,
        seed: int | None = None,
    ) -> None:
        self.factory = WiredFactory(on_level)
        self._on_contact = on_contact
        self._on_cable = on_cable
        self._inputs = {each.name: each for each in inputs}
        self._pins = {line: self.factory.pin(line_pins[line]) for each in inputs for line in each.lines}
        self._random = random.Random(seed)  # noqa: S311 - bounce, no secret
        self._actuated = dict.fromkeys(self._inputs, False)
        self._cables = dict.fromkeys(self._inputs, Cable.INTACT)
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
        """Begin a press that bounces for this long, about once a millisecond, and stays pressed."""
        due = time.monotonic()
        end = due + ms / 1000
        actuated = True
        while due < end:
            _wait_until(due)
            self._actuate(name, actuated)
            actuated = not actuated
            due += self._random.uniform(*_BOUNCE_S)
        _wait_until(end)
        self.press(name)

    def set_cable(self, name: str, cable: Cable) -> None:
        """Cut, short or mend an input's cable."""
        self._cables[name] = cable
        self._on_cable(self._move(name, self._actuated[name]), name, cable)

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
        """Set the lines; the instant at which the last one changed. A changeover contact breaks before it makes."""
        before = time.monotonic()
        settings, cable = self._inputs[name], self._cables[name]
        closed = {
            line: cable is Cable.SHORTED
            or (cable is Cable.INTACT and settings.wiring.actuated(True, number) is not actuated)
            for number, line in enumerate(settings.lines)
        }
        for line in sorted(closed, key=closed.__getitem__):
            self._pins[line].set_contact(closed[line])
        changed: list[float] = [self._pins[line].changed_at for line in closed]
        return max(before, *changed)


def _wait_until(at: float) -> None:
    while (left := at - time.monotonic()) > 0:
        time.sleep(left)

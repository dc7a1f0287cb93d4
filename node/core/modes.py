"""Modes that people switch on for a while: an inhibited input, an identified node, a walk test.

Each mode has an actor and a mandatory end. A mode can't hide a press from before its start or after its end. Each mode
that is on is shown: an inhibited input is a standing fault, a walk test shows on the lamp and in each heartbeat.

Rules of a walk test:

1. The first press of each button within it is the button's test; every later press is real. A press that counts
   otherwise (in an open incident, or of an inhibited button) also uses up the test.
   A button that is pressed when the walk test starts, or was pressed in the ``RECENT_S`` before, has no test: somebody
   in need who sees nobody come presses again. Starting again while a walk test runs gives no button its test back.
2. A press is judged by its own instant, from the start on and before the end, even if it is decided later.
3. A test that is held for ``HELD_REAL_S`` becomes a real press at that instant, even if the walk test is over by then.
   Only a release that was seen in time prevents this; a wire that breaks meanwhile doesn't.
4. A button that is already pressed when it is first read is a real alarm, because no tester was seen to press it.
5. A restart ends the walk test, so the record doesn't store it. It does store which buttons were pressed recently.

    walk test   ______|‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾|________
    button      ________|‾|_____|‾|____|‾‾‾‾‾‾‾‾‾‾|_    another one: __|‾‾‾‾‾‾‾‾‾‾|_
    is           tested ^  real ^  real ^                     tested ^  2 s ^ real
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import inf

from node.core.model import Inhibit, Key

HELD_REAL_S = 2.0
"""How long a test may be held before it is real (PROTOCOL.md 10)."""


RECENT_S = 300.0
"""For so long after a press, a walk test takes the next press of the same button for real.

It is as long as a call that nobody has may wait to be sent again (delivery.py). So a second press by the same
frightened person is never a test.
"""


@dataclass(frozen=True, slots=True)
class WalkTest:
    """From ``since`` to ``until`` (monotonic seconds) the buttons that aren't in ``pressed`` may be tested.

    ``over``: its end was reported. It is kept for presses from before its end that are decided late.
    """

    since: float
    until: float
    by: str
    pressed: frozenset[str] = frozenset()
    over: bool = False

    def covers(self, at: float) -> bool:
        """Whether a press at this instant falls into the walk test."""
        return self.since <= at < self.until

    def tests(self, name: str, at: float) -> bool:
        """Whether a press of this button at this instant may be its test."""
        return self.covers(at) and name not in self.pressed

    def after_press(self, name: str) -> "WalkTest":
        """The walk test after any press of this button: no later press of it is a test."""
        return replace(self, pressed=self.pressed | {name})

    def ended(self, at: float) -> "WalkTest":
        """The walk test once its end is reported: at its time, or earlier by command."""
        return replace(self, until=min(self.until, at), over=True)


@dataclass(frozen=True, slots=True)
class AwaitedTest:
    """A button's newest test, until a monitor holds its event ``key``; ``at`` is the instant of the press."""

    key: Key
    at: float


def recent(pressed_at: Mapping[str, float], now: float) -> dict[str, float]:
    """Those of these presses that are so recent that a walk test takes the next press of their button for real."""
    return {name: at for name, at in pressed_at.items() if at > now - RECENT_S}


def inhibited(inhibits: Iterable[Inhibit], name: str) -> bool:
    """Whether this input is out of service."""
    return any(inhibit.input == name for inhibit in inhibits)


def inhibit(inhibits: tuple[Inhibit, ...], new: Inhibit) -> tuple[Inhibit, ...]:
    """The inhibits with this one; it replaces any other inhibit of its input."""
    return (*(each for each in inhibits if each.input != new.input), new)


def ended(inhibits: tuple[Inhibit, ...], at: float) -> tuple[Inhibit, ...]:
    """The inhibits whose end has come."""
    return tuple(each for each in inhibits if each.until <= at)


def next_end(inhibits: tuple[Inhibit, ...], walk_test: WalkTest | None, *shown_until: float | None) -> float:
    """When the next mode, or the next temporary display, ends; inf if none does."""
    ends = [each.until for each in inhibits]
    if walk_test is not None and not walk_test.over:
        ends.append(walk_test.until)
    ends += [each for each in shown_until if each is not None]
    return min(ends, default=inf)

"""What people ask of a node for a while: an inhibited input, an identified node, a walk test.

Each has an actor and a mandatory end. Nothing here can hide a press that comes while the mode doesn't hold, and each
mode that holds is told: an inhibited input is a standing fault, a walk test is seen on the lamp and in each heartbeat.

Rules of a walk test:

1. Of each button the first press within it is its test, every later one is real. What came to something else (a press
   of an open incident, one that is inhibited) has used the test up, too.
   A button that is pressed at the start, or was in the ``RECENT_S`` before it, has no test: whoever pressed and sees
   nobody come presses again. Nor does a further start, while a walk test holds, give a button its test back.
2. A press counts by its own instant: from the start on, and before the end. One that is decided late is judged as it
   would have been in time.
3. A test that is held for ``HELD_REAL_S`` is a real press at that instant, whether the walk test still holds or not.
   Only a release that was seen in time ends the wait for it: a wire that breaks meanwhile doesn't.
4. A button of which nothing was known before is found pressed, and was pressed by nobody that tests: that is real.
5. A restart ends it, and so no record remembers it; which buttons were pressed of late is remembered.

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
"""For so long after a press a walk test takes the next one for real: as long as a call that nobody has may wait to be
sent again (delivery.py), so that a second press of the same fright is never a test."""


@dataclass(frozen=True, slots=True)
class WalkTest:
    """From ``since`` to ``until`` (monotonic seconds) the buttons that aren't ``pressed`` may be tested.

    ``over``: its end was told. It is kept all the same, for presses from before its end that are decided late.
    """

    since: float
    until: float
    by: str
    pressed: frozenset[str] = frozenset()
    over: bool = False

    def covers(self, at: float) -> bool:
        """Whether a press at this instant falls into it."""
        return self.since <= at < self.until

    def tests(self, name: str, at: float) -> bool:
        """Whether a press of this button at this instant may be its test."""
        return self.covers(at) and name not in self.pressed

    def after_press(self, name: str) -> "WalkTest":
        """The walk test after any press of this button: none that follows is its test."""
        return replace(self, pressed=self.pressed | {name})

    def ended(self, at: float) -> "WalkTest":
        """The walk test once its end is told: at its time, or earlier by command."""
        return replace(self, until=min(self.until, at), over=True)


@dataclass(frozen=True, slots=True)
class AwaitedTest:
    """A button's newest test, until somebody holds its event ``key``; ``at`` is the instant of its press."""

    key: Key
    at: float


def recent(pressed_at: Mapping[str, float], now: float) -> dict[str, float]:
    """Of these presses those that are too young for a walk test to take the next one of their button for a test."""
    return {name: at for name, at in pressed_at.items() if at > now - RECENT_S}


def inhibited(inhibits: Iterable[Inhibit], name: str) -> bool:
    """Whether this input is out of service."""
    return any(inhibit.input == name for inhibit in inhibits)


def inhibit(inhibits: tuple[Inhibit, ...], new: Inhibit) -> tuple[Inhibit, ...]:
    """The inhibits with this one in the place of any other of its input."""
    return (*(each for each in inhibits if each.input != new.input), new)


def ended(inhibits: tuple[Inhibit, ...], at: float) -> tuple[Inhibit, ...]:
    """Those whose end has come."""
    return tuple(each for each in inhibits if each.until <= at)


def next_end(inhibits: tuple[Inhibit, ...], walk_test: WalkTest | None, *shown_until: float | None) -> float:
    """When the next mode, or the next thing that is shown for a while, ends; inf when none does."""
    ends = [each.until for each in inhibits]
    if walk_test is not None and not walk_test.over:
        ends.append(walk_test.until)
    ends += [each for each in shown_until if each is not None]
    return min(ends, default=inf)

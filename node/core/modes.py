"""What people ask of a node for a while: an inhibited input, an identified node.

Each has an actor and a mandatory end. Nothing here can hide a press that comes while the mode doesn't hold, and each
mode that holds is told: an inhibited input is a standing fault.
"""

from collections.abc import Iterable
from math import inf

from node.core.memory import Inhibit


def inhibited(inhibits: Iterable[Inhibit], name: str) -> bool:
    """Whether this input is out of service."""
    return any(inhibit.input == name for inhibit in inhibits)


def inhibit(inhibits: tuple[Inhibit, ...], new: Inhibit) -> tuple[Inhibit, ...]:
    """The inhibits with this one in the place of any other of its input."""
    return (*(each for each in inhibits if each.input != new.input), new)


def ended(inhibits: tuple[Inhibit, ...], at: float) -> tuple[Inhibit, ...]:
    """Those whose end has come."""
    return tuple(each for each in inhibits if each.until <= at)


def next_end(inhibits: tuple[Inhibit, ...], identify_until: float | None) -> float:
    """When the next mode ends; inf when none holds."""
    ends = [each.until for each in inhibits]
    if identify_until is not None:
        ends.append(identify_until)
    return min(ends, default=inf)

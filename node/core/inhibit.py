"""Inputs that people take out of service for a while.

An inhibit has an actor, a reason and a mandatory end. It hides no press from before its start or after its end, and it
is a standing fault for as long as it lasts (supervision.py).
"""

from collections.abc import Iterable
from math import inf

from node.core.model import Inhibit


def is_inhibited(inhibits: Iterable[Inhibit], name: str) -> bool:
    """Whether this input is out of service."""
    return any(inhibit.input == name for inhibit in inhibits)


def add(inhibits: tuple[Inhibit, ...], new: Inhibit) -> tuple[Inhibit, ...]:
    """The inhibits with this one; it replaces any other inhibit of its input."""
    return (*(each for each in inhibits if each.input != new.input), new)


def ended(inhibits: tuple[Inhibit, ...], at: float) -> tuple[Inhibit, ...]:
    """The inhibits whose end has come."""
    return tuple(each for each in inhibits if each.until <= at)


def next_end(inhibits: Iterable[Inhibit]) -> float:
    """When the next inhibit ends; inf if there is none."""
    return min((each.until for each in inhibits), default=inf)

"""What any plugin for Nagios, Icinga and Checkmk says: states, thresholds, performance data, one line. Pure.

By the Monitoring Plugins' development guidelines, whose words these are.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum

from node.sanitize import plain

REASONS = 6
"""How many reasons the one line gives; -v gives all."""


class State(IntEnum):
    """A service's state, and the exit code that says so."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


_WORST_LAST = (State.OK, State.UNKNOWN, State.WARNING, State.CRITICAL)


@dataclass(frozen=True, slots=True)
class Range:
    """A threshold as the guidelines write it, ``[@]start:end``: it alerts outside of both, or with ``@`` inside."""

    text: str
    start: float
    end: float
    inside: bool

    def alerts(self, value: float) -> bool:
        """Whether this value is one to tell about."""
        return (self.start <= value <= self.end) is self.inside


@dataclass(frozen=True, slots=True)
class Measure:
    """One piece of performance data, judged by its thresholds."""

    name: str
    value: float
    unit: str = ""
    warning: Range | None = None
    critical: Range | None = None

    @property
    def state(self) -> State:
        """What the thresholds say of it."""
        if self.critical is not None and self.critical.alerts(self.value):
            return State.CRITICAL
        return State.WARNING if self.warning is not None and self.warning.alerts(self.value) else State.OK

    def __str__(self) -> str:
        thresholds = [each.text if each is not None else "" for each in (self.warning, self.critical)]
        return ";".join([f"{self.name}={self.value:.10g}{self.unit}", *thresholds, "0"])


@dataclass(slots=True)
class Report:
    """What is found: what it is about, how bad it is and why, and what was measured."""

    subject: str
    reasons: list[tuple[State, str]] = field(default_factory=list)
    measures: list[Measure] = field(default_factory=list)
    details: list[str] = field(default_factory=list)

    @property
    def state(self) -> State:
        """The worst of all: critical, warning, unknown, ok."""
        states = [state for state, _ in self.reasons] + [measure.state for measure in self.measures]
        return max(states, key=_WORST_LAST.index, default=State.OK)

    def lines(self, verbose: int) -> Iterator[str]:
        """The one line; with -v a line for each finding after it."""
        ordered = sorted(self.reasons, key=lambda reason: -_WORST_LAST.index(reason[0]))
        told = ", ".join(_plain(text) for _, text in ordered[:REASONS])
        told += f", and {len(ordered) - REASONS} more" if len(ordered) > REASONS else ""
        data = " ".join(map(str, self.measures))
        line = f"ALARM {self.state.name} - {_plain(self.subject)}: {told or 'all is well'}"
        yield f"{line} | {data}" if data else line
        if verbose:
            yield from map(_plain, self.details)


def threshold(text: str) -> Range:
    """The range that this text means; ValueError where it means none."""
    found = re.fullmatch(r"(@?)(?:(~|-?\d+(?:\.\d+)?)?(:))?(-?\d+(?:\.\d+)?)?", text)
    if found is None or not (found[2] or found[4]):
        raise ValueError(text)
    start = float("-inf") if found[2] == "~" else float(found[2] or 0)
    end = float(found[4]) if found[4] else float("inf")
    if start > end:
        raise ValueError(text)
    return Range(text, start, end, inside=bool(found[1]))


def _plain(text: str) -> str:
    """The same on one line, without what begins performance data."""
    return plain(text).replace("|", "/")

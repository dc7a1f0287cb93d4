"""What a building's monitor was measured to do, and the goals of that."""

import re
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tests.support.receivers import Posted

GOAL = 15_000
"""Heartbeats a second that one monitor must hold."""

GOAL_RECEIPT_S = 0.05
"""Within which 99 of 100 events have their receipt, at every rate that is held up to ``GOAL``."""

GOAL_STORED = 2_000
"""Events a second that must be held."""

GOAL_TOLD_S = 0.05
"""From a press until a target has the message: the median."""

GOAL_LOST_S = 20.0
"""Within which every loss is known at a period of 10 s (deploy/design/ARCHITECTURE.md 5, step 6)."""

SLACK, ON_ITS_WAY = 0.01, 5
"""Of what was accepted in a step, the share, and how many beside that, that may be on its way at its end."""


class Used(NamedTuple):
    """CPU seconds of each process until now."""

    monitor: float
    broker: float
    nodes: float


@dataclass(frozen=True, slots=True)
class Step:
    """One rate, held for a while. Counts are heartbeats within it; shares of one CPU; ``delays_s`` of receipts.

    ``overdue``: events without a receipt at the end, for longer than it may take.
    """

    wanted: float
    seconds: float
    sent: int
    accepted: int
    heard: int
    not_up: int
    overdue: int
    delays_s: Sequence[float]
    cpu: Used
    memory_mib: float
    load: float

    @property
    def behind(self) -> str:
        """Who didn't keep up, named from the source on, since what comes after it couldn't; empty where all did."""
        if self.sent < (1 - SLACK) * self.wanted * self.seconds - ON_ITS_WAY:
            return "the nodes"
        if self.accepted < (1 - SLACK) * self.sent - ON_ITS_WAY:
            return "the broker"
        if self.heard < (1 - SLACK) * self.accepted - ON_ITS_WAY or self.not_up or self.overdue:
            return "the monitor"
        return ""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a monitor with this database does. ``told_s``: from each press until a target had its message.

    ``delays_s``: from each event until its receipt, of all that were held within ``seconds``.
    """

    database: str
    told_s: Sequence[float]
    seconds: float
    delays_s: Sequence[float]
    load: float

    @property
    def rate(self) -> float:
        """How many events a second are held."""
        return len(self.delays_s) / self.seconds

    @property
    def problems(self) -> list[str]:
        """Which goals it missed."""
        found = []
        told_s = statistics.median(self.told_s)
        if told_s > GOAL_TOLD_S:
            found.append(f"{self.database}: a call is told after {told_s * 1e3:.0f} ms")
        if self.rate < GOAL_STORED:
            found.append(f"{self.database}: {self.rate:.0f} events a second are held, not {GOAL_STORED}")
        return found


@dataclass(frozen=True, slots=True)
class Loss:
    """What became of ``nodes`` whose connections were cut within ``cut_s``. Seconds count from the cut's begin.

    ``recorded`` flips to down by their reason; ``twice``: nodes with more than one; ``early``: flips from before, when
    every node was there; ``messages`` that people got.
    """

    nodes: int
    cut_s: float
    recorded: Counter[str]
    twice: int
    early: int
    first_s: float
    last_s: float
    messages: Sequence[Posted]
    message_s: float
    load: float

    @property
    def problems(self) -> list[str]:
        """What should be otherwise."""
        found = []
        recorded = sum(self.recorded.values())
        if recorded != self.nodes or self.twice:
            found.append(f"{recorded} of {self.nodes} are recorded as down, {self.twice} more than once")
        if self.early:
            found.append(f"{self.early} times a node was down in the monitor's eyes that wasn't")
        if self.last_s > GOAL_LOST_S:
            found.append(f"the last was known after {self.last_s:.1f} s")
        if len(self.messages) != 1:
            found.append(f"people got {len(self.messages)} messages")
        elif named(self.messages[0]) != self.nodes:
            found.append(f"the message tells of {named(self.messages[0])} nodes")
        return found


def named(posted: Posted) -> int:
    """Of how many nodes a message tells, by its title: ``mitte 10.000: 10.000 x …``; that of one counts nothing."""
    counts = re.search(r"[\d.,]+(?= x )", posted.title)
    return int(re.sub(r"\D", "", counts[0])) if counts else 1


def p99(delays_s: Sequence[float]) -> float:
    """What 99 of 100 don't exceed; NaN if there are none."""
    ordered = sorted(delays_s) or [float("nan")]
    return ordered[round(0.99 * (len(ordered) - 1))]


def missed(steps: Sequence[Step]) -> list[str]:
    """Which goals the rates missed."""
    held = [step for step in steps if not step.behind]
    most = max((step.wanted for step in held), default=0.0)
    found = [] if most >= GOAL else [f"{most:.0f} heartbeats a second are held, not {GOAL}"]
    for step in held:
        receipt_s = p99(step.delays_s)
        if step.wanted <= GOAL and receipt_s > GOAL_RECEIPT_S:
            found.append(f"at {step.wanted:.0f} a second a receipt takes {receipt_s * 1e3:.0f} ms (p99)")
    return found

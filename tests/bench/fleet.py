"""How many nodes one monitor process holds: a real mosquitto, a real ``alarm-monitor run``, thousands of connections.

``python -m tests.bench.fleet``, or ``make fleet``. Two questions:

1. The rate. All nodes beat faster and faster. A heartbeat that waits in the monitor's inbox until the next one of its
   node takes its place is never counted, nor is one that the broker drops for a monitor too slow to take it. So the
   monitor holds a rate when its own counter grew by what the broker accepted meanwhile. Events are said beside that:
   what they wait for their receipt is what a press would wait.
2. The loss. Every connection is cut at once. All nodes must be down in the history, once each, and people get one
   message about it.

Ends with 1 if a goal is missed. The broker has the queue of deploy/mosquitto/alarm-node.conf.
"""

import argparse
import os
import re
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

from rich.console import Console
from rich.table import Table

from node.monitor.core.model.records import NodeKey
from tests.bench.nodes import Crowd
from tests.support.broker import Broker
from tests.support.monitor import RunningMonitor, write_monitor
from tests.support.receivers import HttpReceiver, Posted

NODES = 10_000
PERIOD_S = 10.0
QUEUED = 20_000
RATES = (1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 7_000, 8_000, 10_000, 12_000)
GOAL = 5_000
"""Heartbeats a second that one monitor must hold."""

GOAL_LOST_S = 20.0
"""Within which every loss is known at a period of 10 s (deploy/design/ARCHITECTURE.md 5, step 6)."""

SLACK, ON_ITS_WAY = 0.01, 5
"""Of what was accepted in a step, the share, and how many beside that, that may be on its way at its end."""

EVENT_S = 0.1
SETTLE_S = 1.0
LOOK_S = 1.0
"""How often the monitor is asked how it does: each answer takes some of what is measured."""

WAIT_LIMIT_S = 60.0
NODES_PER_SITE = 1_000
LATER_S = 15.0
"""For how long a second message would be waited for."""

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Used:
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


class House:
    """Broker, nodes, people and the monitor, from entering the context to leaving it. ``queued``: as mosquitto's."""

    def __init__(self, directory: Path, nodes: int, *, period_s: float = PERIOD_S, queued: int = QUEUED) -> None:
        keys = [NodeKey(f"site-{number // NODES_PER_SITE}", f"room-{number}") for number in range(nodes)]
        self._directory = directory
        self._keys = keys
        self._within = ExitStack()
        quiet = ["log_type none", "log_type error", "log_type warning"]
        self.broker = Broker(directory / "broker", options=[*quiet, f"max_queued_messages {queued}"])
        self.people = HttpReceiver()
        self.crowd = Crowd(self.broker.port, keys, period_s)
        self.monitor: RunningMonitor

    def __enter__(self) -> Self:
        with ExitStack() as within:
            within.enter_context(self.people)
            within.enter_context(self.broker)
            within.enter_context(self.crowd)
            self.monitor = within.enter_context(RunningMonitor(self._config()))
            self._wait_until_all_are_up()
            self._within = within.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._within.__exit__(kind, value, traceback)

    def not_up(self) -> int:
        """How many nodes are anything but up, in the monitor's eyes."""
        statuses: Counter[str] = Counter()
        for site in self.monitor.get("/fleet")["sites"]:
            statuses.update(site["nodes"])
        return len(self._keys) - statuses["up"]

    def _wait_until_all_are_up(self) -> None:
        deadline = time.monotonic() + WAIT_LIMIT_S
        while self.not_up():
            assert time.monotonic() < deadline, f"{self.not_up()} nodes aren't up"
            time.sleep(LOOK_S)

    def hold(self, rate: float, seconds: float) -> Step:
        """Let all nodes together beat ``rate`` times a second for so many seconds."""
        crowd = self.crowd
        crowd.pace(len(self._keys) / rate, EVENT_S)
        began, first = self._heard(time.monotonic() + SETTLE_S)
        used, told = self._used(), len(crowd.delays_s)
        used_at = time.monotonic()
        ended, last = self._heard(began + seconds)
        after, spent_s = self._used(), time.monotonic() - used_at
        (sent_before, accepted_before), (sent, accepted) = crowd.at(began), crowd.at(ended)
        spent = Used(*((b - a) / spent_s for a, b in zip(_each(used), _each(after), strict=True)))
        return Step(
            wanted=rate,
            seconds=ended - began,
            sent=sent - sent_before,
            accepted=accepted - accepted_before,
            heard=last - first,
            not_up=self.not_up(),
            overdue=crowd.overdue(),
            delays_s=crowd.delays_s[told:],
            cpu=spent,
            memory_mib=_memory_mib(self.monitor.pid),
            load=os.getloadavg()[0],
        )

    def lose_all(self, wait_limit_s: float = WAIT_LIMIT_S, later_s: float = LATER_S) -> Loss:
        """Cut all connections, and see what becomes of it."""
        began_utc = time.time()
        began, ended = self.crowd.cut()
        message = self.people.taken.wait(lambda items: items[:1], wait_limit_s)[0]
        time.sleep(later_s)
        told = [flip for flip in self._flips() if flip["after"] == "down"]
        downs = [flip for flip in told if _seconds(flip["at"]) >= began_utc]
        moments = sorted(_seconds(flip["at"]) - began_utc for flip in downs) or [0.0]
        of = Counter((flip["site"], flip["node"]) for flip in downs)
        return Loss(
            nodes=len(self._keys),
            cut_s=ended - began,
            recorded=Counter(flip["reason"] for flip in downs),
            twice=sum(count > 1 for count in of.values()),
            early=len(told) - len(downs),
            first_s=moments[0],
            last_s=moments[-1],
            messages=self.people.taken.items,
            message_s=message.at - began,
            load=os.getloadavg()[0],
        )

    def _config(self) -> Path:
        sites = sorted({key.site for key in self._keys})
        roster = [{"id": key.node, "site": key.site, "floor": "2", "location": key.node} for key in self._keys]
        target = {"name": "guards", "url": self.people.url}
        return write_monitor(
            self._directory / "monitor", self.broker.port, sites=sites, roster=roster, targets=[target]
        )

    def _heard(self, since: float) -> tuple[float, int]:
        """How many heartbeats the monitor had counted, and when (monotonic), in its first view from ``since`` on."""
        while True:
            time.sleep(max(LOOK_S, since - time.monotonic()))
            fleet = self.monitor.get("/fleet")
            seen_at = time.monotonic() - fleet["age_s"]
            if seen_at >= since:
                return seen_at, fleet["counters"]["heartbeats"]

    def _flips(self) -> Iterator[dict[str, Any]]:
        wanted: dict[str, object] = {"limit": 1000}
        while True:
            page = self.monitor.get(f"/flips?{urlencode(wanted)}")
            yield from page["items"]
            if page["next"] is None:
                return
            wanted["cursor"] = page["next"]

    def _used(self) -> Used:
        return Used(_cpu_s(self.monitor.pid), _cpu_s(self.broker.pid), time.process_time())


def named(posted: Posted) -> int:
    """Of how many nodes a message tells, by its title: ``mitte 10.000: 10.000 x …``; that of one counts nothing."""
    counts = re.search(r"[\d.,]+(?= x )", posted.title)
    return int(re.sub(r"\D", "", counts[0])) if counts else 1


def _each(used: Used) -> tuple[float, float, float]:
    return used.monitor, used.broker, used.nodes


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _memory_mib(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="ascii"))
    assert found is not None
    return int(found[1]) / 1024


def _seconds(at_utc: str) -> float:
    return datetime.fromisoformat(at_utc).timestamp()


def ramp(house: House, rates: Sequence[float], seconds: float, table: Table) -> list[Step]:
    """Faster and faster, until somebody doesn't keep up."""
    steps = []
    for rate in rates:
        step = house.hold(rate, seconds)
        steps.append(step)
        table.add_row(*_row(step))
        if step.behind:
            break
    return steps


def _table() -> Table:
    table = Table("wanted/s", "accepted/s", "heard/s", "CPU monitor", "broker", "nodes", "MiB")
    for more in ("receipt median ms", "p99", "load", "behind"):
        table.add_column(more)
    return table


def _row(step: Step) -> list[str]:
    delays = sorted(step.delays_s) or [float("nan")]
    return [
        f"{step.wanted:.0f}",
        f"{step.accepted / step.seconds:.0f}",
        f"{step.heard / step.seconds:.0f}",
        *(f"{share:.0%}" for share in _each(step.cpu)),
        f"{step.memory_mib:.0f}",
        f"{statistics.median(delays) * 1e3:.1f}",
        f"{delays[round(0.99 * (len(delays) - 1))] * 1e3:.1f}",
        f"{step.load:.1f}",
        step.behind or "nobody",
    ]


def _rest(step: Step, nodes: int) -> str:
    per = NODES / nodes
    return (
        f"per {NODES} nodes at {PERIOD_S:g} s: {step.cpu.monitor * per:.0%} of a CPU; "
        f"{step.memory_mib:.0f} MiB with {nodes} nodes, all of the process"
    )


def _told(loss: Loss) -> Table:
    table = Table("lost", "cut within s", "recorded as down", "first/last known s", "messages", "told s", "load")
    table.add_row(
        f"{loss.nodes}",
        f"{loss.cut_s:.2f}",
        ", ".join(f"{count} {reason}" for reason, count in sorted(loss.recorded.items())),
        f"{loss.first_s:.2f} / {loss.last_s:.1f}",
        f"{len(loss.messages)}: {'; '.join(each.title for each in loss.messages)}",
        f"{loss.message_s:.1f}",
        f"{loss.load:.1f}",
    )
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.fleet", description="How many nodes a monitor holds.")
    parser.add_argument("--nodes", type=int, default=NODES, help="default: %(default)s")
    parser.add_argument("--rates", type=lambda text: tuple(map(float, text.split(","))), default=RATES)
    parser.add_argument("--seconds", type=float, default=15.0, help="of each rate; default: %(default)s")
    parser.add_argument("--queued", type=int, default=QUEUED, help="mosquitto's max_queued_messages; %(default)s")
    parser.add_argument("--no-loss", action="store_true", help="only the rates")
    asked = parser.parse_args(arguments)
    console = Console(width=140)
    with tempfile.TemporaryDirectory() as directory, House(Path(directory), asked.nodes, queued=asked.queued) as house:
        console.print(f"{asked.nodes} nodes are up; load {os.getloadavg()[0]:.1f}")
        table = _table()
        steps = ramp(house, asked.rates, asked.seconds, table)
        console.print(table)
        held = max((step.wanted for step in steps if not step.behind), default=0.0)
        problems = [] if held >= GOAL else [f"{held:.0f} heartbeats a second are held, not {GOAL}"]
        if not asked.no_loss:
            console.print(_rest(house.hold(asked.nodes / PERIOD_S, 2 * PERIOD_S), asked.nodes))
            loss = house.lose_all()
            console.print(_told(loss))
            problems += loss.problems
    for problem in problems:
        console.print(f"MISSED: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

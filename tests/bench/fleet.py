"""How many nodes one monitor process holds: a real mosquitto, a real ``alarm-monitor run``, thousands of connections.

``python -m tests.bench.fleet``, or ``make fleet``. Four questions:

1. The rate. All nodes beat faster and faster. A heartbeat that waits in the monitor's inbox until the next one of its
   node takes its place is never counted, nor is one that the broker drops for a monitor too slow to take it. So the
   monitor holds a rate when its own counter grew by what the broker accepted meanwhile. Events are said beside that:
   what they wait for their receipt is what a press would wait.
2. The loss. Every connection is cut at once. All nodes must be down in the history, once each, and people get one
   message about it.

3. The call. How long after a press a target on this machine has the message, one press after the other.
4. The store. How many events a second are held, with SQLite and with PostgreSQL: each of a thousand nodes says the next
   one when the one before is held.

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
from tests.support.postgres import Postgres
from tests.support.receivers import HttpReceiver, Posted

NODES = 10_000
PERIOD_S = 10.0
QUEUED = 20_000
RATES = (1_000, 2_000, 5_000, 7_500, 10_000, 12_500, 15_000, 17_500, 20_000)
GOAL = 15_000
"""Heartbeats a second that one monitor must hold."""

GOAL_RECEIPT_S = 0.05
"""Within which 99 of 100 events have their receipt, at every rate that is held up to ``GOAL``."""

GOAL_STORED = 2_000
"""Events a second that must be held."""

GOAL_TOLD_S = 0.05
"""From a press until a target has the message: the median."""

STORING = 1_000
"""How many nodes say events while what is stored is counted."""

CALLS = 40

GOAL_LOST_S = 20.0
"""Within which every loss is known at a period of 10 s (deploy/design/ARCHITECTURE.md 5, step 6)."""

SLACK, ON_ITS_WAY = 0.01, 5
"""Of what was accepted in a step, the share, and how many beside that, that may be on its way at its end."""

EVENT_S = 0.02
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


class House:
    """Broker, nodes, people and the monitor, from entering the context to leaving it.

    ``queued``: as mosquitto's. ``history_url``: of another database than the monitor's own file.
    """

    def __init__(
        self,
        directory: Path,
        nodes: int,
        *,
        period_s: float = PERIOD_S,
        queued: int = QUEUED,
        history_url: str | None = None,
    ) -> None:
        keys = [NodeKey(f"site-{number // NODES_PER_SITE}", f"room-{number}") for number in range(nodes)]
        self._directory = directory
        self._history_url = history_url
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

    def call(self, count: int) -> list[float]:
        """Let one node after the other press; how many seconds later a target has each message."""
        waited: list[float] = []
        for number in range(count):
            came = len(self.people.taken.items)
            pressed_at = self.crowd.press(number)
            message = self.people.taken.first(came + 1)[came]
            waited.append(message.at - pressed_at)
        return waited

    def store(self, seconds: float, nodes: int = STORING) -> tuple[float, list[float]]:
        """Let so many nodes say events, each the next one as soon as the one before is held.

        Returns for how long they did, and how long each event waited for its receipt.
        """
        crowd = self.crowd
        crowd.pace(PERIOD_S)
        crowd.pour(nodes)
        time.sleep(SETTLE_S)
        began, first = time.monotonic(), len(crowd.delays_s)
        time.sleep(seconds)
        ended, last = time.monotonic(), len(crowd.delays_s)
        crowd.pace(PERIOD_S)
        return ended - began, crowd.delays_s[first:last]

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
            self._directory / "monitor",
            self.broker.port,
            sites=sites,
            roster=roster,
            targets=[target],
            history_url=self._history_url,
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
    table = Table("wanted/s", "accepted/s", "heard/s", "us each", "CPU monitor", "broker", "nodes", "MiB")
    for more in ("receipt median ms", "p99", "load", "behind"):
        table.add_column(more)
    return table


def _row(step: Step) -> list[str]:
    delays = sorted(step.delays_s) or [float("nan")]
    return [
        f"{step.wanted:.0f}",
        f"{step.accepted / step.seconds:.0f}",
        f"{step.heard / step.seconds:.0f}",
        f"{step.cpu.monitor * step.seconds / max(step.heard, 1) * 1e6:.0f}",
        *(f"{share:.0%}" for share in _each(step.cpu)),
        f"{step.memory_mib:.0f}",
        f"{statistics.median(delays) * 1e3:.1f}",
        f"{_p99(delays) * 1e3:.1f}",
        f"{step.load:.1f}",
        step.behind or "nobody",
    ]


def _rest(step: Step, nodes: int) -> str:
    per = NODES / nodes
    return (
        f"per {NODES} nodes at {PERIOD_S:g} s: {step.cpu.monitor * per:.0%} of a CPU; "
        f"{step.memory_mib:.0f} MiB with {nodes} nodes, all of the process"
    )


def _p99(delays_s: Sequence[float]) -> float:
    ordered = sorted(delays_s) or [float("nan")]
    return ordered[round(0.99 * (len(ordered) - 1))]


def _kept(kept: Kept) -> str:
    return (
        f"{kept.database}: a call is told after {statistics.median(kept.told_s) * 1e3:.0f} ms (median; p99 "
        f"{_p99(kept.told_s) * 1e3:.0f} ms). {kept.rate:.0f} events a second are held; their receipts take "
        f"{statistics.median(kept.delays_s or [float('nan')]) * 1e3:.0f} ms (median; p99 "
        f"{_p99(kept.delays_s) * 1e3:.0f} ms). Load {kept.load:.1f}"
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


def keep(database: str, seconds: float, nodes: int = STORING, history_url: str | None = None) -> Kept:
    """Measure a monitor with this database."""
    with (
        tempfile.TemporaryDirectory() as directory,
        House(Path(directory), nodes, history_url=history_url) as house,
    ):
        told_s = house.call(min(CALLS, nodes))
        held_s, delays_s = house.store(seconds, nodes)
        return Kept(database, told_s, held_s, delays_s, os.getloadavg()[0])


def keep_in_postgresql(seconds: float) -> Kept:
    """Measure one with a PostgreSQL of our own."""
    with Postgres() as server, server.database() as name:
        return keep("PostgreSQL", seconds, history_url=server.url(name))


def missed(steps: Sequence[Step]) -> list[str]:
    """Which goals the rates missed."""
    held = [step for step in steps if not step.behind]
    most = max((step.wanted for step in held), default=0.0)
    found = [] if most >= GOAL else [f"{most:.0f} heartbeats a second are held, not {GOAL}"]
    for step in held:
        p99_s = _p99(step.delays_s)
        if step.wanted <= GOAL and p99_s > GOAL_RECEIPT_S:
            found.append(f"at {step.wanted:.0f} a second a receipt takes {p99_s * 1e3:.0f} ms (p99)")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.fleet", description="How many nodes a monitor holds.")
    parser.add_argument("--nodes", type=int, default=NODES, help="default: %(default)s")
    parser.add_argument("--rates", type=lambda text: tuple(map(float, text.split(","))), default=RATES)
    parser.add_argument("--seconds", type=float, default=15.0, help="of each rate; default: %(default)s")
    parser.add_argument("--queued", type=int, default=QUEUED, help="mosquitto's max_queued_messages; %(default)s")
    parser.add_argument("--only-rates", action="store_true", help="no calls, no events, no loss")
    asked = parser.parse_args(arguments)
    console = Console(width=140)
    problems: list[str] = []
    with tempfile.TemporaryDirectory() as directory, House(Path(directory), asked.nodes, queued=asked.queued) as house:
        console.print(f"{asked.nodes} nodes are up; load {os.getloadavg()[0]:.1f}")
        table = _table()
        steps = ramp(house, asked.rates, asked.seconds, table)
        console.print(table)
        problems += missed(steps)
        console.print(_rest(house.hold(asked.nodes / PERIOD_S, 2 * PERIOD_S), asked.nodes))
        if not asked.only_rates:
            loss = house.lose_all()
            console.print(_told(loss))
            problems += loss.problems
    if not asked.only_rates:
        for kept in (keep("SQLite", asked.seconds), keep_in_postgresql(asked.seconds)):
            console.print(_kept(kept))
            problems += kept.problems
    for problem in problems:
        console.print(f"MISSED: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

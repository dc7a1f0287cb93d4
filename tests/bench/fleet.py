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
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.figures import Kept, Loss, Step, missed, p99
from tests.bench.house import NODES, PERIOD_S, QUEUED, House
from tests.support.postgres import Postgres

RATES = (1_000, 2_000, 5_000, 7_500, 10_000, 12_500, 15_000, 17_500, 20_000)
STORING = 1_000
"""How many nodes say events while what is stored is counted."""

CALLS = 40


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
        *(f"{share:.0%}" for share in step.cpu),
        f"{step.memory_mib:.0f}",
        f"{statistics.median(delays) * 1e3:.1f}",
        f"{p99(delays) * 1e3:.1f}",
        f"{step.load:.1f}",
        step.behind or "nobody",
    ]


def _rest(step: Step, nodes: int) -> str:
    per = NODES / nodes
    return (
        f"per {NODES} nodes at {PERIOD_S:g} s: {step.cpu.monitor * per:.0%} of a CPU; "
        f"{step.memory_mib:.0f} MiB with {nodes} nodes, all of the process"
    )


def _kept(kept: Kept) -> str:
    return (
        f"{kept.database}: a call is told after {statistics.median(kept.told_s) * 1e3:.0f} ms (median; p99 "
        f"{p99(kept.told_s) * 1e3:.0f} ms). {kept.rate:.0f} events a second are held; their receipts take "
        f"{statistics.median(kept.delays_s or [float('nan')]) * 1e3:.0f} ms (median; p99 "
        f"{p99(kept.delays_s) * 1e3:.0f} ms). Load {kept.load:.1f}"
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

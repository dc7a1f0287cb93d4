"""A large building on this machine: a real mosquitto, a real ``alarm-monitor run``, and a crowd of nodes.

It holds a rate of heartbeats, calls, says events, and loses its nodes; what became of that are figures.py's.
"""

import os
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

from node.monitor.core.model.records import NodeKey
from tests.bench.figures import Loss, Step, Used
from tests.bench.nodes import Crowd
from tests.support.broker import Broker
from tests.support.monitor import RunningMonitor, write_monitor
from tests.support.receivers import HttpReceiver

NODES = 10_000
PERIOD_S = 10.0
QUEUED = 20_000
EVENT_S = 0.05
SETTLE_S = 1.0
LOOK_S = 1.0
"""How often the monitor is asked how it does: each answer takes some of what is measured."""

WAIT_LIMIT_S = 60.0
NODES_PER_SITE = 1_000
LATER_S = 15.0
"""For how long a second message would be waited for."""

_TICKS = os.sysconf("SC_CLK_TCK")


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
        spent = Used(*((b - a) / spent_s for a, b in zip(used, after, strict=True)))
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

    def store(self, seconds: float, nodes: int) -> tuple[float, list[float]]:
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
        """Cut all connections, and see what becomes of it. The broker learns of all at once: it stands still meanwhile.

        A further message is waited for from the moment at which every node is recorded as down.
        """
        began_utc = time.time()
        self.broker.freeze()
        began, ended = self.crowd.cut()
        self.broker.thaw()
        message = self.people.taken.wait(lambda items: items[:1], wait_limit_s)[0]
        while True:
            told = [flip for flip in self._flips() if flip["after"] == "down"]
            downs = [flip for flip in told if _seconds(flip["at"]) >= began_utc]
            if len(downs) >= len(self._keys) or time.monotonic() > began + wait_limit_s:
                break
            time.sleep(LOOK_S)
        time.sleep(later_s)
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


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _memory_mib(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="ascii"))
    assert found is not None
    return int(found[1]) / 1024


def _seconds(at_utc: str) -> float:
    return datetime.fromisoformat(at_utc).timestamp()

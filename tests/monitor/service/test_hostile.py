"""Hostile messages, in bursts, on every topic that a monitor hears: a real wall is answered all the same."""

import itertools
import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from node.monitor.core.nodes.roster import NODES_LIMIT, STRANGERS_LIMIT
from tests.support.broker import Broker
from tests.support.examples import examples
from tests.support.flood import Flood, Packet
from tests.support.hostile import KINDS, Hostile
from tests.support.monitor import MONITOR, RunningMonitor, write_monitor
from tests.support.mqtt import Client
from tests.support.node import NODE, SITE, SimulatedNode, write_config
from tests.support.receivers import HttpReceiver
from tests.support.standins import StandIns, names
from tests.support.used import Used

SEED = 5
BURST = 4_000
RESTING = 5
STRANGERS = 50_000
ANSWERED = 250
"""How many times the work of a press at rest the monitor may do from a press in a burst until that is held, both in
seconds of its CPU. It is at most a burst or two. By the clock it takes longer where the machine has other things to do,
and a slow machine takes longer for both."""

GROWTH_KIB, NODE_KIB = 24 * 1024, 12
"""What a monitor may take beyond one that has heard a single node: for all that waits and all that runs for the first
time, and for each node that it keeps, with what is open of it."""

LATER_KIB = 32 * 1024
"""What the last burst may add beyond its nodes."""

WARM, STEADY_KIB, MESSAGE_BYTES = 2, 3 * 1024, 64
"""After how many bursts a monitor that keeps no more nodes may only grow by what varies from run to run, and by so much
for each message. One that is kept takes several hundred bytes."""

SENDING, SENDING_FILES = 1, 10
"""A message under way is a thread; it, and each thread that has asked the database, has files of its own."""


class Wall:
    """A real node whose button is pressed again and again, each time as a new incident."""

    def __init__(self, node: SimulatedNode, monitor: RunningMonitor) -> None:
        self._node = node
        self._monitor = monitor
        self.taken_s: list[float] = []

    def press(self) -> None:
        """Until a monitor holds it; how long the monitor worked meanwhile is kept."""
        mark = self._node.mark
        before = Used.by(self._monitor.pid)
        self._node.tap(45)
        self._node.expect(since=mark, ladder="held", timeout_s=60.0)
        self.taken_s.append(Used.by(self._monitor.pid).cpu_s - before.cpu_s)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A private broker that takes a whole burst, and drops nothing for a slow monitor."""
    options = ("max_inflight_messages 0", "max_queued_messages 0")
    with Broker(tmp_path / "broker", options=options) as started:
        yield started


@pytest.mark.many
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("listed", "bursts"), [(True, examples(25, 4)), (False, examples(16, 2))], ids=["with a roster", "without one"]
)
def test_a_wall_is_answered_whatever_else_is_said(tmp_path: Path, broker: Broker, listed: bool, bursts: int) -> None:
    """In each burst within ANSWERED times the work of one at rest; memory, threads and files stay bounded.

    Every second message is of a node of its own, which nobody knows. Without a roster the wall's node is known from an
    earlier run of the monitor.
    """
    roster = [{"id": NODE, "location": "Room 214"}] if listed else None
    branch = f"alarm/v1/{SITE}/node/{NODE}"
    with ExitStack() as stack:
        guards = stack.enter_context(HttpReceiver())
        target = {"name": "guards", "url": guards.url, "language": "en", "findings": "none"}
        config = write_monitor(tmp_path / "monitor", broker.port, roster=roster, targets=[target])
        monitor = stack.enter_context(RunningMonitor(config))
        witness = stack.enter_context(Client(broker.port, subscribe=[f"{branch}/{kind}" for kind in KINDS]))
        panel = {"chatter_presses": 10_000}
        node = stack.enter_context(SimulatedNode(write_config(tmp_path, broker.port, panel=panel, heartbeat_s=1)))
        monitor.expect_status(NODE, "up")
        monitor.terminate()
        monitor.start()
        monitor.wait_until_ready()
        monitor.expect_status(NODE, "up")
        wall = Wall(node, monitor)
        for _ in range(RESTING):
            wall.press()
        said = [Packet(each.topic, each.payload) for each in witness.received]
        used = [Used.by(monitor.pid)]

        rubbish = iter(Hostile(SEED, MONITOR, said, STRANGERS))
        flood = stack.enter_context(Flood(broker.port))
        for _ in range(bursts):
            burst = list(itertools.islice(rubbish, BURST))
            pouring = threading.Thread(target=flood.pour, args=(burst,))
            pouring.start()
            wall.press()
            pouring.join()
            used.append(Used.by(monitor.pid))
        wall.press()

        wall.press()
        monitor.expect_status(NODE, "up")
        used.append(Used.by(monitor.pid))
    at_rest_s = sum(wall.taken_s[:RESTING]) / RESTING
    assert max(wall.taken_s) < ANSWERED * at_rest_s, wall.taken_s
    limit = STRANGERS_LIMIT if listed else NODES_LIMIT
    before, kept = (min(limit, number * BURST // 2) for number in (bursts - 1, bursts))
    assert used[-1].kib - used[0].kib < GROWTH_KIB + NODE_KIB * kept, used
    assert used[-1].kib - used[-3].kib < LATER_KIB + NODE_KIB * (kept - before), used
    if listed:
        assert used[-1].kib - used[WARM].kib < STEADY_KIB + (bursts - WARM) * BURST * MESSAGE_BYTES / 1024, used
    assert used[-1].threads <= used[0].threads + SENDING, used
    assert used[-1].files <= used[0].files + SENDING_FILES, used
    assert "Traceback" not in monitor.log


@pytest.mark.parametrize("field", ["presses", "by"])
def test_what_no_database_takes_keeps_no_other_alarm_back(
    tmp_path: Path, broker: Broker, empty_url: str, field: str
) -> None:
    """A number beyond every column or a NUL, in messages that are decided together with those of real walls."""
    with ExitStack() as stack:
        guards = stack.enter_context(HttpReceiver())
        target = {"name": "guards", "url": guards.url, "language": "en", "findings": "none"}
        config = write_monitor(tmp_path / "monitor", broker.port, history_url=empty_url, targets=[target])
        monitor = stack.enter_context(RunningMonitor(config))
        nodes = stack.enter_context(StandIns(broker.port))
        flood = stack.enter_context(Flood(broker.port))
        walls = names(60)

        os.kill(monitor.pid, signal.SIGSTOP)  # so that it has all of them at once
        for number, wall in enumerate(walls):
            flood.pour(_unstorable(field, number))
            nodes.press(wall)
        os.kill(monitor.pid, signal.SIGCONT)

        nodes.wait_for_all()
        called = {f"ALARM, threat: {SITE}/{wall}" for wall in walls}
        guards.taken.wait(lambda taken: called <= {each.title for each in taken})
        assert "Traceback" not in monitor.log


def _unstorable(field: str, number: int) -> list[Packet]:
    """A call, somebody who comes, the end, and a fault, of a node of its own."""
    node, boot = f"hostile-{number}", "0badcafe"
    head = {"v": 1, "node": node, "boot": boot, "at_utc": "2026-11-25T08:00:00.000Z", "clock": "free"}
    odd: dict[str, object] = {"presses": 1, "by": "x", "reason": "drill", "subject": "x"}
    odd[field] = 2**53 if field == "presses" else "\x00"
    about = {"input": "button", "class": "assist", "incident": f"{boot}-1"}
    said = [
        {**head, **about, **odd, "seq": seq, "kind": kind}
        for seq, kind in enumerate(("pressed", "acknowledged", "reset"), 1)
    ]
    return [Packet(f"alarm/v1/{SITE}/node/{node}/event", json.dumps(each).encode()) for each in said]

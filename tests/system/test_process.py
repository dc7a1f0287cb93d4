"""The node's process as the kernel counts it: at rest it sleeps, and it starts no other process."""

import time
from pathlib import Path

from tests.support.desk import Desk
from tests.support.node import SimulatedNode, wait_until

REST_S = 2.0
WAKES_A_SECOND = 60
"""Twice what 20 readings a second, heartbeats and keepalives need. A thread that polls as lgpio's does takes 1,500."""


def _wakes(pid: int) -> int:
    """How often the process's threads have gone to sleep so far: each time they were woken before."""
    statuses = [path.read_text(encoding="ascii") for path in Path(f"/proc/{pid}/task").glob("*/status")]
    lines = [line for status in statuses for line in status.splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))


def _page_faults_of_children(pid: int) -> int:
    """The page faults of all children that have ended. Each child that ever ran has some: even its start is one."""
    return int(Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[8])


def _living_children(pid: int) -> list[str]:
    return [each for path in Path(f"/proc/{pid}/task").glob("*/children") for each in path.read_text().split()]


def names(pid: int) -> set[str]:
    """What the kernel calls the process's threads."""
    return {path.read_text(encoding="utf-8").rstrip("\n") for path in Path(f"/proc/{pid}/task").glob("*/comm")}


def test_a_node_at_rest_sleeps(node: SimulatedNode) -> None:
    """On mock pins, where lgpio's thread isn't there: none of the node's own threads polls."""
    before, begun = _wakes(node.pid), time.monotonic()

    time.sleep(REST_S)  # nothing is waited for: this is the time that is measured

    assert _wakes(node.pid) - before < WAKES_A_SECOND * (time.monotonic() - begun)


def test_a_node_starts_no_process(desk: Desk, node: SimulatedNode) -> None:
    """Neither at its start nor for a press: a child would hold the GPIO chip."""
    node.tap()
    desk.receive("event", kind="pressed")
    desk.receive("heartbeat")

    assert (_page_faults_of_children(node.pid), _living_children(node.pid)) == (0, [])


def test_the_kernel_knows_each_thread_by_its_name(node: SimulatedNode) -> None:
    """`ps -T` and `top -H` show which part of a node works; the first thread has the program's name."""
    threads = {"files", "health", "link 127.0.0.1:", "log", "player", "record", "status", "wall"}

    wait_until(lambda: threads <= names(node.pid), what="all threads")

    assert len(names(node.pid) - threads) == 1

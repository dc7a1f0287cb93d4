"""A node whose record lies in memory: F058 where it must outlast a power cut, until it lies on a disk."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.io.health import readers
from tests.support.desk import Desk
from tests.support.node import SimulatedNode
from tests.support.tmpfs import mounted

READ_AGAIN_S = 60.0
"""Longer than the 30 s after which the node looks again."""


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A real tmpfs."""
    with mounted(tmp_path / "memory", size="16m") as directory:
        yield directory


def test_a_state_directory_of_systemd_in_memory_is_a_fault_until_a_disk_is_mounted(
    config: Path, desk: Desk, memory: Path, tmp_path: Path
) -> None:
    """As a data partition that comes after all: what was stored meanwhile is stored again, there."""
    disk, state = tmp_path / "disk", memory / "state"
    if readers.is_in_memory(Path("/"), tmp_path):
        pytest.skip("the tests' own directory is in memory; next: pytest --basetemp on a disk")
    disk.mkdir()
    state.mkdir()
    with SimulatedNode(config, environ={"STATE_DIRECTORY": str(state)}) as node:
        desk.expect_fault("F058")
        subprocess.run(["mount", "--bind", disk, state], check=True)
        try:
            desk.receive("event", kind="fault-cleared", fault="F058", timeout_s=READ_AGAIN_S)
            node.tap()
            desk.receive("event", kind="pressed")
            node.expect(ladder="stored")
            code = node.quit()
        finally:
            subprocess.run(["umount", state], check=True)

    assert code == 0
    assert (disk / "record.sqlite").stat().st_size > 0


def test_a_trial_may_store_in_memory(config: Path, desk: Desk, memory: Path) -> None:
    """Systemd hasn't given this state directory: it is as in the demo, and nobody is told."""
    settings = config.read_text(encoding="utf-8").replace(str(config.parent / "state"), str(memory))
    config.write_text(settings, encoding="utf-8")
    with SimulatedNode(config) as node:
        read = desk.expect("heartbeat", lambda heartbeat: heartbeat["health"]["age_s"] is not None)
        node.tap()
        node.expect(ladder="stored")
        code = node.quit()

    assert code == 0
    assert (memory / "record.sqlite").stat().st_size > 0
    assert "F058" not in {fault["code"] for fault in read["faults"]}

"""What a node writes to its memory card on a day on which nothing happens: cards die by being written."""

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import pytest

from node import config
from node.core import events as ev
from node.core import heartbeat
from node.core.model import EventKind
from node.core.turn import Turn
from node.service.loop import Clocks
from tests.campaigns import standins
from tests.campaigns.standins import Action, VirtualClock, VirtualService
from tests.support.examples import examples
from tests.support.node import write_config

MINUTE_S, HOUR_S = 60.0, 3_600.0
MEGABYTE = 1_000_000
UTC_OFFSET = 1.7e9
IN_MEMORY = Path("/dev/shm")  # noqa: S108 - as /run on a node, and each test has a directory of its own there


def written() -> int:
    """The bytes that this process has sent to a disk so far (proc_pid_io(5))."""
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return int(dict(line.split(": ") for line in lines)["write_bytes"])


def _quiet(seconds: float) -> Iterator[tuple[float, Action]]:
    """A desk that is there, a machine that is well."""
    begin = VirtualClock().now
    for second in range(0, int(seconds), 5):
        yield begin + second + 0.5, lambda node: node.link.monitor("00000001")
        if second % 30 == 0:
            yield begin + second + 0.75, lambda node: node.put(ev.HealthRead(node.clock.now, ()))


def _bytes_of(seconds: float, directory: Path, runtime: Path) -> int:
    """What a node writes in so much time, from its start to its end."""
    directory.mkdir(exist_ok=True)
    clock = VirtualClock()
    settings = config.load(write_config(directory, 20_000))
    before = written()
    with standins.in_place():
        node = VirtualService(
            settings,
            SimpleNamespace,
            config.state_directory(settings, {}),
            environ={"RUNTIME_DIRECTORY": str(runtime)},
            clocks=Clocks(clock, lambda: clock.now + UTC_OFFSET),
        )
        node.play(clock, _quiet(seconds))
    assert clock.now >= VirtualClock().now + seconds - 5.0
    return written() - before


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """A directory on a disk whose bytes are counted; the test is skipped where there is none."""
    before = written()
    with (tmp_path / "probe").open("wb") as file:
        file.write(bytes(MEGABYTE))
        os.fsync(file.fileno())
    if written() - before < MEGABYTE:
        pytest.skip("what is written to the tests' directory isn't counted: it is in memory; next: pytest --basetemp=…")
    return tmp_path


@pytest.fixture
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Systemd's runtime directory, which is in memory."""
    if not IN_MEMORY.is_dir():
        pytest.skip(f"there is no {IN_MEMORY}")
    made = IN_MEMORY / f"alarm-node-{os.getpid()}"
    made.mkdir()
    yield made
    for path in made.iterdir():
        path.unlink()
    made.rmdir()


@pytest.mark.many
def test_a_quiet_day_costs_the_card_a_megabyte_at_most(card: Path, runtime: Path) -> None:
    """With all heartbeats, canaries and health readings of a day, reckoned from its quarter in `make test`."""
    hours = examples(24, least=6)
    start = _bytes_of(MINUTE_S, card / "start", runtime)
    rest = _bytes_of(hours * HOUR_S, card / "day", runtime) - start

    assert start > 0
    assert start + rest * 24 / hours <= MEGABYTE


def test_a_node_that_stored_its_heartbeats_would_be_found(card: Path, runtime: Path) -> None:
    """The test above can fail: with an event for each of them, those of an hour are more than that."""
    send = heartbeat.send

    def send_and_store(turn: Turn) -> None:
        send(turn)
        turn.log(EventKind.UNEXPECTED, reason="a heartbeat")

    with patch.object(heartbeat, "send", send_and_store):
        assert _bytes_of(HOUR_S, card, runtime) > MEGABYTE

"""Real processes on one history: killed while they write, and competing for every claim; on both databases."""

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from node.monitor.core.model.requests import RecordFilter
from node.monitor.history.history import Batch, History
from tests.support.historian import TARGET, batch, room, targets
from tests.support.history import BOOT, at, record

TRIES = 200
TIMEOUT_S = 60.0


@contextmanager
def historian(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process of tests.support.historian, which doesn't outlive this."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.historian", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str]) -> str:
    """Its next line."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("kill", range(5))
def test_what_was_told_as_stored_outlives_a_kill(history_url: str, kill: int) -> None:
    """Every batch of which a receipt may have gone out is there whole; of the one under way there is all or nothing."""
    with historian("write", history_url) as process:
        lines = [said(process) for _ in range(random.SystemRandom().randrange(20, 60))]
        process.kill()
        assert process.stdout is not None
        last = int([*lines, *process.stdout.read().split()][-1])

    history = History(history_url, targets)
    events, _ = history.reading.events(RecordFilter(), 10_000)
    remembered = history.remember(at())
    known = [notice for notice in range(1, last + 3) if not history.store(Batch(notices=batch(notice).notices)).notices]
    history.close()
    count = len(events)
    assert count in {last, last + 1}
    assert sorted(event.key.seq for event in events) == list(range(1, count + 1))
    assert [int(each.key.incident.removeprefix(f"{BOOT}-")) for each in remembered.incidents] == list(
        range(1, count + 1)
    )
    assert remembered.tallies[0].ranges == ((1, count),)
    assert known == list(range(1, count + 1))


def test_of_two_monitors_one_wins_each_claim(history_url: str) -> None:
    """Flips, findings, notices and deliveries: each exactly once, and nothing falls between the two."""
    history = History(history_url, targets)
    history.store(Batch(nodes=[record(room(number)) for number in range(TRIES)]))
    monitors = ("guard-desk", "control-room")

    with (
        historian("compete", history_url, monitors[0], str(TRIES)) as first,
        historian("compete", history_url, monitors[1], str(TRIES)) as second,
    ):
        for _stage in ("raise", "clear"):
            assert [said(process) for process in (first, second)] == ["ready", "ready"]
            for process in (first, second):
                assert process.stdin is not None
                process.stdin.write("go\n")
                process.stdin.flush()
        won = [json.loads(said(process)) for process in (first, second)]

    rooms = sorted(str(room(number)) for number in range(TRIES))
    notices = sorted([str(number) for number in range(TRIES)] + [f"alarm:{number}" for number in range(TRIES)])
    for kind, expected in (("flips", rooms), ("raised", rooms), ("cleared", rooms), ("notices", notices)):
        assert sorted(won[0][kind] + won[1][kind]) == expected, kind
    deliveries = won[0]["deliveries"] + won[1]["deliveries"]
    assert len(deliveries) == len(set(deliveries)) == len(notices)
    assert history.outbox.waiting(TARGET).held == len(notices)
    flips, _ = history.reading.flips(RecordFilter(), 10_000)
    assert sorted(str(flip.node) for flip in flips) == rooms
    history.close()

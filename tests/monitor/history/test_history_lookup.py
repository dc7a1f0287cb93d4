"""The name server doesn't answer for the database's name: no deadline of the driver ends that, and people are told."""

from pathlib import Path

import pytest

from tests.support.broker import Broker
from tests.support.hanging_names import NAME
from tests.support.monitor import RunningMonitor, write_monitor
from tests.support.node import NODE, SimulatedNode, write_config
from tests.support.postgres import Postgres
from tests.support.receivers import HttpReceiver

HANGS = "its database or disk doesn't answer"


def test_a_lookup_that_hangs_keeps_no_call_from_being_told_no_end_and_no_start(tmp_path: Path) -> None:
    """It is found while the monitor runs and when it begins; an end waits neither for it nor for an API reader."""
    hangs = tmp_path / "hangs"
    with (
        Broker(tmp_path / "broker") as broker,
        HttpReceiver() as people,
        Postgres() as postgres,
        postgres.database() as database,
    ):
        url = postgres.network_url(database).replace("127.0.0.1", NAME)
        targets = [{"name": "guards", "url": people.url, "findings": "critical", "language": "en"}]
        config = write_monitor(tmp_path / "monitor", broker.port, history_url=url, targets=targets)
        with (
            RunningMonitor(config, program=("-m", "tests.support.hanging_names", str(hangs))) as monitor,
            SimulatedNode(write_config(tmp_path, broker.port, receipt_s=5)) as node,
        ):
            monitor.expect_status(NODE, "up")
            hangs.touch()
            postgres.cut(database)
            mark = node.mark
            node.tap(45)
            node.expect(since=mark, ladder="told")
            running = people.taken.first(2)
            health = monitor.health()
            with pytest.raises(AssertionError, match="503"):
                monitor.items("/incidents/past")
            code = monitor.terminate()

            monitor.start()
            monitor.wait(lambda: monitor.health() == "history", 60.0, "a monitor that runs without its history")
            beginning = people.taken.first(4)[2:]
            held = node.lines(since=mark, ladder="held")
            hangs.unlink()
            node.expect(since=mark, ladder="held", timeout_s=60.0)
            monitor.wait(lambda: monitor.health() == "ok", 60.0, "a monitor that is well")
            (past,) = monitor.items("/incidents/past")

    assert (health, code, held) == ("history", 0, [])
    for told in (running, beginning):
        assert sum(each.title.startswith("ALARM, threat: ") for each in told) == 1
        assert sum(HANGS in each.body for each in told) == 1
    assert past["presses"] == 1

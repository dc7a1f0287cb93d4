"""The database goes away while somebody calls: people are told, no receipt lies, and nothing is lost."""

from pathlib import Path

import pytest

from tests.support.broker import Broker
from tests.support.monitor import RunningMonitor, write_monitor
from tests.support.node import NODE, SimulatedNode, write_config
from tests.support.postgres import Postgres
from tests.support.receivers import HttpReceiver


def test_a_call_while_the_database_is_away_is_told_and_receipted_when_it_is_back(tmp_path: Path) -> None:
    """People hear of it within seconds, and once, and the wall says so; it is held only once it is stored."""
    with (
        Broker(tmp_path / "broker") as broker,
        HttpReceiver() as people,
        Postgres() as postgres,
        postgres.database() as name,
    ):
        targets = [{"name": "guards", "url": people.url, "findings": "critical", "language": "en"}]
        config = write_monitor(tmp_path / "monitor", broker.port, history_url=postgres.url(name), targets=targets)
        with RunningMonitor(config) as monitor, SimulatedNode(write_config(tmp_path, broker.port, receipt_s=5)) as node:
            monitor.expect_status(NODE, "up")
            postgres.stop()
            mark = node.mark

            node.tap(45)
            told = people.taken.first(2)
            node.expect(since=mark, ladder="told")
            monitor.wait(lambda: monitor.health() == "history", what="a monitor that says what it lacks")
            postgres.start()
            node.expect(since=mark, ladder="held", timeout_s=40.0)

            monitor.wait(lambda: monitor.health() == "ok", what="a monitor that is well")
            (past,) = monitor.items("/incidents/past")
            assert past["presses"] == 1
            assert any(each.title.startswith("ALARM, threat: ") for each in told)
            assert any("the history can't be written" in each.body for each in told)
            people.taken.first(3)
            assert sum(each.title.startswith("ALARM") for each in people.taken.items) == 1


@pytest.mark.parametrize("hang", ["standby", "stopped"])
def test_a_call_while_the_database_hangs_is_told(tmp_path: Path, hang: str) -> None:
    """Neither a commit that waits for a dead standby nor a server that stands still holds back what people hear."""
    with (
        Broker(tmp_path / "broker") as broker,
        HttpReceiver() as people,
        Postgres() as postgres,
        postgres.database() as name,
    ):
        targets = [{"name": "guards", "url": people.url, "findings": "critical", "language": "en"}]
        config = write_monitor(tmp_path / "monitor", broker.port, history_url=postgres.url(name), targets=targets)
        with RunningMonitor(config) as monitor, SimulatedNode(write_config(tmp_path, broker.port, receipt_s=5)) as node:
            monitor.expect_status(NODE, "up")
            with postgres.waiting_for_nobody() if hang == "standby" else postgres.stopped():
                mark = node.mark
                node.tap(45)
                told = people.taken.first(2)
                node.expect(since=mark, ladder="told")
                monitor.wait(lambda: monitor.health() == "history", what="a monitor that says what it lacks")
            node.expect(since=mark, ladder="held", timeout_s=40.0)

            monitor.wait(lambda: monitor.health() == "ok", what="a monitor that is well")
            (past,) = monitor.items("/incidents/past")
            assert past["presses"] == 1
            assert any(each.title.startswith("ALARM, threat: ") for each in told)
            assert any("its database or disk doesn't answer" in each.body for each in told)

"""The database goes away or hangs while somebody calls: people are told, no receipt lies, and nothing is lost."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.support.broker import Broker
from tests.support.monitor import RunningMonitor, write_monitor
from tests.support.node import NODE, SimulatedNode, write_config
from tests.support.postgres import Postgres
from tests.support.receivers import HttpReceiver

OUTAGES: dict[str, tuple[Callable[[Postgres], AbstractContextManager[None]], str]] = {
    "away": (Postgres.away, "the history can't be written"),
    "its standby is gone": (Postgres.waiting_for_nobody, "its database or disk doesn't answer"),
    "it stands still": (Postgres.stopped, "its database or disk doesn't answer"),
}
"""What becomes of the database, and what people read of it."""


@pytest.mark.parametrize(("outage", "said"), OUTAGES.values(), ids=OUTAGES)
def test_a_call_while_the_database_does_not_answer_is_told_and_held_when_it_does(
    tmp_path: Path, outage: Callable[[Postgres], AbstractContextManager[None]], said: str
) -> None:
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
            with outage(postgres):
                mark = node.mark
                node.tap(45)
                told = people.taken.first(2)
                node.expect(since=mark, ladder="told")
                monitor.wait(lambda: monitor.health() == "history", what="a monitor that says what it lacks")
                held = node.lines(since=mark, ladder="held")
            node.expect(since=mark, ladder="held", timeout_s=40.0)

            monitor.wait(lambda: monitor.health() == "ok", what="a monitor that is well")
            (past,) = monitor.items("/incidents/past")
            assert held == []
            assert past["presses"] == 1
            assert any(each.title.startswith("ALARM, threat: ") for each in told)
            assert any(said in each.body for each in told)
            people.taken.first(3)
            assert sum(each.title.startswith("ALARM") for each in people.taken.items) == 1

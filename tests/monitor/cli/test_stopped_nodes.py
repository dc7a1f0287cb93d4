"""A node that was stopped raises no alarm: whoever looks is shown that at once, before people get a message."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from node.monitor.cli.output.stopped_nodes import stopped
from tests.support.broker import Broker
from tests.support.monitor import RunningMonitor, alarm_monitor, write_monitor
from tests.support.node import NODE, SITE, SimulatedNode, write_config

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def told(status: str = "down", reason: str = "goodbye", planned_s: float | None = 120.0) -> dict[str, object]:
    """A node as the API shows it."""
    return {"site": "mitte", "node": "desk-1", "status": status, "reason": reason, "planned_s": planned_s}


@pytest.mark.parametrize(
    "node",
    [
        told("up", "", None),
        told("paused", "painting"),
        told("down", "silent", None),
        told(planned_s=None),
        told(planned_s=-1.0),
    ],
    ids=["up", "paused", "silent", "a finding already", "a finding at this moment"],
)
def test_a_node_of_another_kind_has_no_such_line(node: dict[str, object]) -> None:
    """It is well, in maintenance, or has its finding."""
    assert list(stopped([node], NOW)) == []


def test_the_line_says_when_it_becomes_a_finding() -> None:
    """In this machine's time, with the date where that is another day."""
    soon, later = NOW + timedelta(minutes=2), NOW + timedelta(days=3)

    lines = list(stopped([told(), told(planned_s=3 * 86400.0)], NOW))

    text = "mitte/desk-1 was stopped: a press there raises no alarm (a finding from {} on)"
    assert lines == [text.format(f"{soon.astimezone():%H:%M}"), text.format(f"{later.astimezone():%Y-%m-%d %H:%M}")]


@pytest.fixture(scope="module")
def monitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningMonitor]:
    """A monitor whose only node was stopped as by systemctl stop."""
    directory, home = tmp_path_factory.mktemp("stopped"), tmp_path_factory.mktemp("node")
    with (
        Broker(directory) as broker,
        RunningMonitor(write_monitor(directory / "m", broker.port, roster=[{"id": NODE, "site": SITE}])) as running,
    ):
        with SimulatedNode(write_config(home, broker.port, heartbeat_s=1)) as node:
            running.expect_status(NODE, "up")
            assert node.terminate() == 0
        running.expect_status(NODE, "down")
        yield running


@pytest.mark.parametrize(
    ("language", "line", "word"),
    [
        ("en", "was stopped: a press there raises no alarm (a finding from", "stopped"),
        ("de", "wurde abgeschaltet: Drücken löst dort keinen Alarm aus (ab", "aus"),
    ],
)
def test_a_stopped_node_is_shown_at_once(monitor: RunningMonitor, language: str, line: str, word: str) -> None:
    """By the status and by check, which fails; no finding tells people yet."""
    status = alarm_monitor(monitor.config, "status", "--language", language)
    check = alarm_monitor(monitor.config, "check", "--language", language)

    assert f"{SITE}/{NODE} {line}" in status.stdout
    assert [cell.strip() for row in status.stdout.splitlines() for cell in row.split("│")].count(word) == 1
    assert f"{SITE}/{NODE} {line}" in check.stdout
    assert "sudo systemctl start alarm-node" in check.stdout
    assert check.returncode == 1
    assert "M002" not in monitor.codes()

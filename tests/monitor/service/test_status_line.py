"""The line of ``systemctl status``: it calls nothing up that isn't known to be."""

from pathlib import Path

import pytest

from node.errors.severity import Severity
from node.monitor.core.model.records import Status
from node.monitor.core.view.view_types import BrokerView, View
from node.monitor.service.current_view import status_line
from tests.support.broker import Broker
from tests.support.building import NOW, building, finding, node
from tests.support.manager import Manager
from tests.support.monitor import RunningMonitor, write_monitor


def calm(problem: str = "", *, blind: bool = False, findings: int = 0) -> View:
    """Two nodes, one up and one down; its broker has this problem."""
    return building(
        nodes=(node("desk-1"), node("desk-2", Status.DOWN)),
        incidents=(),
        findings=tuple(finding("M010", Severity.CRITICAL, subject=f"t-{number}") for number in range(findings)),
        brokers=(BrokerView(name="broker:8883", connected=not blind, since=NOW, problem=problem),),
        blind=blind,
    )


@pytest.mark.parametrize(
    ("view", "line"),
    [
        (calm(), "1 up, 1 down"),
        (calm(findings=1), "1 up, 1 down, 1 finding"),
        (calm(findings=2), "1 up, 1 down, 2 findings"),
        (calm(blind=True), "connecting to the brokers, 1 down, 1 not known"),
        (calm("refused", blind=True, findings=1), "no broker is reached, 1 down, 1 not known, 1 finding"),
    ],
)
def test_the_line_says_what_is_known(view: View, line: str) -> None:
    """As the status does."""
    assert status_line(view) == line


def test_the_last_line_of_a_monitor_that_is_stopped_says_so(tmp_path: Path) -> None:
    """It stays there, as systemctl shows it: no node is up for a monitor that doesn't run."""
    with Broker(tmp_path / "broker") as broker, Manager(tmp_path) as manager:
        config = write_monitor(tmp_path / "monitor", broker.port)
        with RunningMonitor(config, environ={"NOTIFY_SOCKET": manager.address}) as monitor:
            code = monitor.terminate()
        told = manager.take()

    assert code == 0
    assert told[-2:] == [b"STOPPING=1", b"STATUS=stopped: nobody is notified"]

"""GET /metrics, as literal text; and what promtool says of it."""

import subprocess
from pathlib import Path

import pytest

from node.monitor.api.metrics import Metrics
from node.monitor.core.model.records import Status
from node.monitor.core.view.view_types import BrokerView
from tests.support.building import NOW, building, node
from tests.support.web import Behind

EXPECTED = (Path(__file__).parent / "metrics.txt").read_text(encoding="utf-8")


def text(behind: Behind, accept: str = "") -> str:
    """What a scrape reads, without what is said of the process."""
    content, _ = Metrics(behind.sources(), lambda: 6).text(accept)
    return content.decode().partition("# HELP process_")[0]


def test_the_metrics_are_these() -> None:
    """Names, texts, labels and values, to the letter: dashboards and rules count on them."""
    found = text(Behind())

    assert found == EXPECTED


def test_promtool_finds_nothing_to_say() -> None:
    """Names and units keep Prometheus's conventions; those of the process, too."""
    content, _ = Metrics(Behind().sources(), lambda: 6).text("")

    checked = subprocess.run(["promtool", "check", "metrics"], input=content, capture_output=True, check=False)

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
    assert b"process_resident_memory_bytes" in content


def test_an_empty_building_has_metrics_too() -> None:
    """A monitor that has just started is no error; and there is no sample that nobody knows."""
    behind = Behind(
        view=building(nodes=(), incidents=(), findings=(), buttons=(), brokers=(), targets=(), walk_tests=())
    )

    found = text(behind)

    assert "alarm_monitor_view_age_seconds 0.25" in found
    assert "alarm_node_up{" not in found


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (Status.UP, ["alarm_node_up 1.0"]),
        (Status.LATE, ["alarm_node_up 1.0"]),
        (Status.DOWN, ["alarm_node_up 0.0"]),
        (Status.NEW, []),
        (Status.PAUSED, []),
    ],
)
def test_a_node_is_up_down_or_unknown(status: Status, expected: list[str]) -> None:
    """What isn't known, or isn't watched, has no sample: neither up nor down."""
    behind = Behind(view=building(nodes=(node("desk-1", status),)))

    found = text(behind)

    samples = [line.replace('{node="desk-1",site="mitte"}', "") for line in found.splitlines()]
    assert [line for line in samples if line.startswith("alarm_node_up ")] == expected


@pytest.mark.parametrize(("blind", "age_s"), [(True, 0.25), (False, 10.5)])
def test_a_monitor_that_sees_nothing_calls_nobody_up(blind: bool, age_s: float) -> None:
    """What was true when it last looked isn't told as if it were so now."""
    found = text(Behind(view=building(blind=blind), age_s=age_s))

    assert "alarm_node_up{" not in found
    assert "alarm_node_paused{" in found


def test_a_node_that_the_roster_does_not_list_has_no_version() -> None:
    """Somebody else may speak in its name, and a version that changes makes a new series each time."""
    behind = Behind(view=building(nodes=(node("desk-1"), node("desk-2", known=False, version="6.6.6"))))

    found = text(behind)

    assert [line for line in found.splitlines() if line.startswith("alarm_node_info")] == [
        'alarm_node_info{node="desk-1",site="mitte",version="1.0.0"} 1.0'
    ]


def test_strange_names_stay_one_line() -> None:
    """A broker's name or a place can't write a metric of its own."""
    broker = BrokerView(name='a"\n b 1', connected=True, since=NOW, problem="")
    behind = Behind(view=building(brokers=(broker,)))

    found = text(behind)

    assert 'alarm_monitor_broker_connected{broker="a\\"  b 1"} 1.0\n' in found


def test_openmetrics_is_spoken_to_who_asks_for_it() -> None:
    """Prometheus asks for it by its Accept header."""
    found, media_type = Metrics(Behind().sources(), lambda: 6).text("application/openmetrics-text; version=1.0.0")

    assert media_type.startswith("application/openmetrics-text; version=1.0.0")
    assert found.endswith(b"# EOF\n")

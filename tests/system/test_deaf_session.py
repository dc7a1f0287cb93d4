"""A session in which the broker delivers nothing any more, although it takes everything: it is renewed.

mosquitto counts each message that is larger than its client takes as unanswered, and at last delivers nothing more. Our
configuration of mosquitto lets no such message in; this broker has none of it.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from node.io.mqtt.link_types import NODE_BOUNDS
from node.monitor.service.links.broker_link import BOUNDS
from tests.support.broker import Broker
from tests.support.desk import BRANCH
from tests.support.flood import Flood, Packet
from tests.support.monitor import RunningMonitor, write_monitor
from tests.support.node import NODE, SimulatedNode, write_config

TOO_LARGE = b"x" * 30_000
OF_A_NODE, OF_A_MONITOR = NODE_BOUNDS.window, BOUNDS.window
"""How many unanswered messages each of them takes. The broker has reached that number without sending one."""

RENEWED = "session 1 is down: our own messages don't come back any more"
HEARD_AGAIN_S = 90.0


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A private broker that lets in messages of every size."""
    with Broker(tmp_path / "broker") as started:
        yield started


@pytest.mark.parametrize("kind", ["command", "receipt"])
def test_a_node_that_hears_nothing_any_more_renews_its_session(tmp_path: Path, broker: Broker, kind: str) -> None:
    """It hears no monitor any more, so it sends itself a canary. That doesn't come back either."""
    with (
        RunningMonitor(write_monitor(tmp_path / "monitor", broker.port)) as monitor,
        SimulatedNode(write_config(tmp_path, broker.port)) as node,
        Flood(broker.port) as flood,
    ):
        monitor.expect_status(NODE, "up")

        flood.pour([Packet(f"{BRANCH}/{kind}", TOO_LARGE)] * OF_A_NODE)

        node.expect_log(RENEWED, timeout_s=HEARD_AGAIN_S)
        mark = node.mark
        node.tap()
        node.expect(since=mark, ladder="told", timeout_s=HEARD_AGAIN_S)


@pytest.mark.parametrize("kind", ["event", "heartbeat"])
def test_a_monitor_that_hears_nothing_any_more_renews_its_session(tmp_path: Path, broker: Broker, kind: str) -> None:
    """None of its own heartbeats comes back, nor anything else. What the nodes said meanwhile reaches it afterwards."""
    with (
        RunningMonitor(write_monitor(tmp_path / "monitor", broker.port)) as monitor,
        SimulatedNode(write_config(tmp_path, broker.port)) as node,
        Flood(broker.port) as flood,
    ):
        monitor.expect_status(NODE, "up")

        flood.pour([Packet(f"{BRANCH}/{kind}", TOO_LARGE)] * OF_A_MONITOR)
        mark = node.mark
        node.tap()

        node.expect(since=mark, ladder="told", timeout_s=HEARD_AGAIN_S)
        assert RENEWED in monitor.log


def test_a_message_that_waits_among_many_and_is_too_large_keeps_no_alarm_back(tmp_path: Path) -> None:
    """Mosquitto 2.0.21 delivers nothing behind it any more, however few there are; 2.0.11 leaves it out."""
    options = ("max_inflight_messages 0", "max_queued_messages 0")
    among = [Packet(f"{BRANCH}/event", b"{}")] * (3 * BOUNDS.window)
    with (
        Broker(tmp_path / "broker", options=options) as broker,
        RunningMonitor(write_monitor(tmp_path / "monitor", broker.port)) as monitor,
        SimulatedNode(write_config(tmp_path, broker.port)) as node,
        Flood(broker.port) as flood,
    ):
        monitor.expect_status(NODE, "up")

        flood.pour([*among, Packet(f"{BRANCH}/event", TOO_LARGE), *among])
        mark = node.mark
        node.tap()

        node.expect(since=mark, ladder="told", timeout_s=HEARD_AGAIN_S)

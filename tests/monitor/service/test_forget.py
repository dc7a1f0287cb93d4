"""A node that is forgotten, by a real monitor and its broker."""

from pathlib import Path

from tests.support.broker import Broker
from tests.support.monitor import RunningMonitor, alarm_monitor, write_monitor
from tests.support.mqtt import Client
from tests.support.node import NODE, SITE, SimulatedNode, write_config


def test_a_node_that_was_taken_away_is_forgotten_by_a_real_monitor(broker: Broker, tmp_path: Path) -> None:
    """Nothing stands after that, at the broker and over a restart either."""
    config = write_monitor(tmp_path / "monitor", broker.port)
    (tmp_path / "node").mkdir()
    with RunningMonitor(config) as monitor:
        with SimulatedNode(write_config(tmp_path / "node", broker.port)) as node:
            monitor.expect_status(NODE, "up")
            refused = alarm_monitor(config, "forget", f"{SITE}/{NODE}")
            node.kill()
        monitor.expect_status(NODE, "down", 40.0)
        done = alarm_monitor(config, "forget", f"{SITE}/{NODE}")

        monitor.wait(lambda: monitor.codes() == [], what="no finding")
        monitor.kill()
        monitor.start()
        monitor.wait_until_ready()
        with Client(broker.port, "reader", subscribe=[f"alarm/v1/{SITE}/node/#"]) as reader:
            reader.publish("alarm/v1/mitte/node/end/state", "over")
            reader.expect_topic("alarm/v1/mitte/node/end/state")
            kept = [each.topic for each in reader.received if each.retain]

        assert (refused.returncode, done.returncode, done.stderr) == (1, 0, "")
        assert "still sends messages" in refused.stderr
        assert (kept, monitor.items("/nodes"), monitor.codes()) == ([], [], [])

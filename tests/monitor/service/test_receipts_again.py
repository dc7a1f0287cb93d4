"""A building without a monitor gets one again: what happened meanwhile reaches it, too."""

import os
import signal
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.broker import Broker
from tests.support.monitor import RunningMonitor, write_monitor
from tests.support.mqtt import Client
from tests.support.node import NODE, SimulatedNode, alarm_node, wait_until, write_config


def events(config: Path, words: str) -> set[str]:
    """The numbers of the events of which the node's log says this."""
    lines = alarm_node("log", "--config", config, cwd=config.parent).stdout.splitlines()
    return {line.split()[1] for line in lines if words in line}


def read_again(node: SimulatedNode) -> None:
    """Let the node read its file; wait until it says what came of that."""
    since = node.log.count("node.toml is")
    os.kill(node.pid, signal.SIGHUP)
    wait_until(lambda: node.log.count("node.toml is") > since, what="the word about the file")


@pytest.mark.parametrize("restarts", [False, True], ids=["reloaded", "restarted"])
def test_no_event_is_missing_once_receipts_are_required_again(tmp_path: Path, restarts: bool) -> None:
    """The node sends what only a broker took; a monitor that counts its events would miss them for a day (M003)."""
    with ExitStack() as stack:
        broker = stack.enter_context(Broker(tmp_path / "broker"))
        monitor = stack.enter_context(RunningMonitor(write_monitor(tmp_path / "monitor", broker.port)))
        config = write_config(tmp_path, broker.port, heartbeat_s=1)
        node = stack.enter_context(SimulatedNode(config))
        monitor.expect_status(NODE, "up")
        node.tap()
        node.expect(ladder="told")
        monitor.kill()
        write_config(tmp_path, broker.port, heartbeat_s=1, receipts="none")
        read_again(node)
        with Client(broker.port, subscribe=["alarm/v1/#"]):
            node.tap()
            wait_until(lambda: len(events(config, "[accepted by a broker")) >= 2, what="a press that only a broker has")
        taken = events(config, "[accepted by a broker")

        write_config(tmp_path, broker.port, heartbeat_s=1)
        if restarts:
            node.quit()
            node = stack.enter_context(SimulatedNode(config))
        else:
            read_again(node)
        monitor.start()
        monitor.wait_until_ready()

        wait_until(lambda: taken <= events(config, "[confirmed by monitor "), what="the monitor has them")
        held = {f"{each['boot']}-{each['seq']}" for each in monitor.items("/events")}

    assert taken <= held

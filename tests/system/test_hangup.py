"""SIGHUP: neither node nor monitor ends by it; a command does, as any other program."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.broker import Broker
from tests.support.desk import Desk
from tests.support.monitor import RunningMonitor, write_monitor
from tests.support.node import SimulatedNode, write_config

IGNORED = "SIGHUP is ignored"


def test_a_node_goes_on_after_a_hangup(tmp_path: Path, broker: Broker, desk: Desk) -> None:
    """It reads node.toml again, a press is told as ever, and its end is a clean one."""
    with SimulatedNode(write_config(tmp_path, broker.port)) as node:
        node.expect(output="lamp")
        for _ in range(3):
            os.kill(node.pid, signal.SIGHUP)
        node.expect_log("node.toml is taken")

        node.tap()
        desk.receive("event", kind="pressed")
        code = node.quit()

    assert code == 0


def test_a_monitor_goes_on_after_a_hangup(tmp_path: Path, broker: Broker) -> None:
    """It says so in its log, answers as ever, and its end is a clean one."""
    with RunningMonitor(write_monitor(tmp_path, broker.port)) as monitor:
        for _ in range(3):
            os.kill(monitor.pid, signal.SIGHUP)
        monitor.wait(lambda: IGNORED in monitor.log, what="the line in its log")

        health = monitor.health()
        code = monitor.terminate()

    assert (health, code) == ("ok", 0)


def test_a_command_that_waits_ends_with_its_terminal(tmp_path: Path, broker: Broker) -> None:
    """Nobody reads what it would go on to print."""
    config = write_config(tmp_path, broker.port)
    with SimulatedNode(config) as node:
        node.expect(output="lamp")
        node.tap()
        node.expect(ladder="stored")
        command = [sys.executable, "-m", "node", "log", "--follow", "--config", str(config)]
        with subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE) as following:
            assert following.stdout is not None
            following.stdout.readline()
            following.send_signal(signal.SIGHUP)
            code = following.wait(30.0)

    assert code == -signal.SIGHUP

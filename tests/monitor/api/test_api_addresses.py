"""Where a real monitor is asked: its port may be taken, or full of connections that say nothing; commands get in."""

import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.broker import Broker, free_port
from tests.support.monitor import RunningMonitor, alarm_monitor, write_monitor


def test_a_monitor_whose_port_is_taken_runs_and_is_reached_by_its_commands(tmp_path: Path, broker: Broker) -> None:
    """It hears its nodes, says once what is wrong, and serves its port as soon as that is free."""
    port = free_port()
    config = write_monitor(tmp_path / "monitor", broker.port, api={"port": port})
    with ExitStack() as taken:
        taken.enter_context(socket.create_server(("127.0.0.1", port)))
        with RunningMonitor(config) as monitor:
            monitor.wait(lambda: "M040" in monitor.codes(), what="the finding")
            status = alarm_monitor(config, "status")
            checked = alarm_monitor(config, "check")
            findings = [each["detail"] for each in monitor.items("/findings") if each["code"] == "M040"]
            taken.close()
            monitor.wait(lambda: "M040" not in monitor.codes(), what="the end of the finding")
            socket.create_connection(("127.0.0.1", port), 20.0).close()
            logged = [line for line in monitor.log.splitlines() if "M040" in line]

    assert status.returncode == 0
    assert "M040" in status.stdout
    assert "M040" in checked.stdout
    assert findings == [f"127.0.0.1 port {port}: Address already in use"]
    assert len(logged) == 2  # that it is so, and that it is over
    assert "Traceback" not in monitor.log


@pytest.mark.parametrize("count", [110, 1_000])
def test_connections_that_say_nothing_keep_no_command_out(tmp_path: Path, broker: Broker, count: int) -> None:
    """However many a stranger opens, whoever works on the monitor's machine is answered at once."""
    port = free_port()
    config = write_monitor(tmp_path / "monitor", broker.port, api={"port": port})
    with RunningMonitor(config), ExitStack() as strangers:
        for _ in range(count):
            strangers.enter_context(socket.create_connection(("127.0.0.1", port), 20.0))
        status = alarm_monitor(config, "status")

    assert (status.returncode, status.stderr) == (0, "")


def test_a_monitor_that_was_killed_is_reached_again_after_its_start(tmp_path: Path, broker: Broker) -> None:
    """What it left of its socket is in nobody's way."""
    with RunningMonitor(write_monitor(tmp_path / "monitor", broker.port)) as monitor:
        monitor.kill()
        gone = alarm_monitor(monitor.config, "status")
        monitor.start()
        monitor.wait_until_ready()
        back = alarm_monitor(monitor.config, "status")

    assert "Next: find out why it doesn't run: sudo alarm-monitor check" in gone.stderr
    assert (gone.returncode, back.returncode) == (1, 0)

"""Neither service imports a file of its package once it runs: during an upgrade it could be one of the next version.

dpkg replaces the files below /usr/lib while the old process goes on; postinst restarts it afterwards. What belongs to
Python itself (encodings, strptime) isn't replaced by our package.
"""

import os
import re
import signal
import sys
from pathlib import Path

from tests.support.broker import Broker
from tests.support.desk import Desk
from tests.support.monitor import RunningMonitor, write_monitor
from tests.support.node import NODE, SimulatedNode, write_config
from tests.support.receivers import HttpReceiver

TELL_IMPORTS = {"PYTHONPROFILEIMPORTTIME": "1"}
"""Python writes a line on standard error for each module that it imports."""

_IMPORTED = re.compile(r"import time: +\d+ \| +\d+ \| +([\w.]+)")


def imported(log: str) -> list[str]:
    """The modules of packages, in the order of their import; those of Python itself are left out."""
    return [name for name in _IMPORTED.findall(log) if name.partition(".")[0] not in sys.stdlib_module_names]


def test_a_node_that_runs_imports_nothing_more(tmp_path: Path, broker: Broker, desk: Desk) -> None:
    """Through an alarm, a reload, a lost broker, a name that leads nowhere and a goodbye."""
    config = write_config(tmp_path, broker.port, brokers=[{"host": "nowhere.invalid", "port": 8883, "insecure": True}])
    with SimulatedNode(config, environ=TELL_IMPORTS) as node:
        desk.receive("heartbeat")
        at_start = imported(node.log)

        node.tap()
        desk.receive("event", kind="pressed")
        os.kill(node.pid, signal.SIGHUP)
        node.expect_log("node.toml is taken")
        broker.kill()
        node.expect_log("is down")
        node.quit()

        assert imported(node.log) == at_start
        assert "node.service.loop" in at_start


def test_a_monitor_that_runs_imports_nothing_more(tmp_path: Path, broker: Broker) -> None:
    """Through an alarm of which people are told, commands, requests, a lost broker and a goodbye."""
    with HttpReceiver() as people:
        config = write_monitor(tmp_path / "monitor", broker.port, targets=[{"name": "desk", "url": people.url}])
        with RunningMonitor(config, environ=TELL_IMPORTS) as monitor:
            monitor.wait(lambda: monitor.items("/nodes") == [], what="an answer")
            at_start = imported(monitor.log)

            with SimulatedNode(write_config(tmp_path, broker.port, heartbeat_s=1)) as node:
                node.tap()
                incident = monitor.expect_incident()["id"]
                people.taken.first(1)
                assert monitor.post(f"/incidents/{incident}/acknowledge")[0] == 200
                assert monitor.post(f"/incidents/{incident}/reset", {"reason": "technical"})[0] == 200
            for view in ("/fleet", f"/nodes/mitte/{NODE}", "/events", "/incidents/past", "/tests", "/openapi.json"):
                monitor.get(view)
            monitor.metrics()
            broker.kill()
            monitor.wait(lambda: "M008" in monitor.codes(), what="a finding")
            monitor.terminate()

        assert imported(monitor.log) == at_start
        assert "node.monitor.service.monitor_loop" in at_start

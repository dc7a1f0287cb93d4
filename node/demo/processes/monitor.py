"""``alarm-monitor run``, as it is installed. It is another program: nothing of it is imported here."""

import sys
from pathlib import Path

from node.demo.processes.config_files import monitor_toml, nodes_toml
from node.demo.processes.process import ManagedProcess


class Monitor(ManagedProcess):
    """The monitor of all rooms. ``target_url``: who gets its messages; ``socket``: where it answers its commands."""

    def __init__(self, directory: Path, port: int, api_port: int, target_url: str) -> None:
        super().__init__(directory / "monitor.log")
        state = directory / "monitor"
        roster = directory / "nodes.toml"
        self.socket = state / "api.socket"
        self._config = directory / "monitor.toml"
        roster.write_text(nodes_toml(), encoding="utf-8")
        self._config.write_text(monitor_toml(state, roster, port, api_port, target_url), encoding="utf-8")

    def start(self) -> None:
        """Start it; it answers some seconds later."""
        self.stop()
        self._spawn([sys.executable, "-m", "node.monitor", "run", "--config", str(self._config)])

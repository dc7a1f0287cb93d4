"""A private mosquitto. It listens on loopback only, on a port of its own; never on 1883, where the machine's may be."""

import os
import shutil
import socket
import time
from contextlib import suppress
from pathlib import Path

from node.demo.processes.process import ManagedProcess
from node.errors import ToolMissingError

SBIN = ("/usr/sbin", "/usr/local/sbin")
"""Where Debian keeps mosquitto; not on every user's PATH."""

READY_S = 10.0


class BrokerStartError(Exception):
    """The broker doesn't answer; its text says why."""


class Broker(ManagedProcess):
    """A mosquitto on 127.0.0.1, always on the same ``port``. Raises ToolMissingError if mosquitto isn't installed."""

    def __init__(self, directory: Path, port: int) -> None:
        super().__init__(directory / "broker.log")
        self.port = port
        self._program = _find_mosquitto()
        self._config = directory / "mosquitto.conf"
        lines = [f"listener {self.port} 127.0.0.1", "allow_anonymous true", "set_tcp_nodelay true", "log_dest stdout"]
        if os.geteuid() == 0:
            lines.append("user root")  # otherwise it becomes mosquitto, who may not read this directory
        self._config.write_text("\n".join([*lines, ""]), encoding="utf-8")

    def start(self) -> None:
        """Start it, and return when it answers. Raises BrokerStartError."""
        self.stop()
        # Looked at first: if another program answered on this port, it would be taken for our broker.
        if not is_free(self.port):
            raise BrokerStartError(f"another program uses port {self.port}")
        self._spawn([self._program, "-c", str(self._config)])
        deadline = time.monotonic() + READY_S
        while self.running:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1.0):
                return
            if time.monotonic() > deadline:
                raise BrokerStartError(f"it doesn't answer within {READY_S:g} s")
            time.sleep(0.01)
        raise BrokerStartError(next(iter(self.last_lines(1)), "it says nothing"))


def is_free(port: int) -> bool:
    """Whether nobody listens on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that have ended don't count
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _find_mosquitto() -> str:
    found = shutil.which("mosquitto", path=os.pathsep.join([os.environ.get("PATH", os.defpath), *SBIN]))
    if found is None:
        raise ToolMissingError("the demo needs a broker, and mosquitto isn't here", "sudo apt-get install mosquitto")
    return found

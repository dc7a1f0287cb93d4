"""The processes of the demo: a private mosquitto, and simulated nodes.

Rules:

1. Whatever is started here is ended and reaped here, by its process id, whichever way the demo ends.
2. Each process has a session of its own: Ctrl-C reaches the demo alone, which then ends them in order.
3. The broker listens on loopback only, on a port of its own; never on 1883, where the machine's own may be.

Threads: one for each start of a node; it reads the node's JSON lines until they end.
"""

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import node
from node.demo.observe.observations import NodeEnded, Seen, Shown
from node.demo.rooms import Room, node_toml
from node.errors import ToolMissingError

SBIN = ("/usr/sbin", "/usr/local/sbin")
"""Where Debian keeps mosquitto; not on every user's PATH."""

READY_S = 10.0
STOP_S = 10.0


class Program:
    """One that is started and ended at will; what it says is added to ``log``."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """End it as a service manager would; nothing where it doesn't run."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def kill(self) -> None:
        """End it as a power cut would; nothing where it doesn't run."""
        if self._process is not None:
            self._process.kill()
        self.stop()

    def last_words(self, count: int) -> list[str]:
        """The last lines of its log."""
        return self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:] if self.log.exists() else []


class Broker(Program):
    """A mosquitto on 127.0.0.1, always on the same ``port``. Raises ToolMissingError where there is none."""

    def __init__(self, directory: Path, port: int) -> None:
        super().__init__(directory / "broker.log")
        self.port = port
        self._program = find_mosquitto()
        self._config = directory / "mosquitto.conf"
        lines = [f"listener {self.port} 127.0.0.1", "allow_anonymous true", "set_tcp_nodelay true", "log_dest stdout"]
        if os.geteuid() == 0:
            lines.append("user root")  # or it becomes mosquitto, who may not read this directory
        self._config.write_text("\n".join([*lines, ""]), encoding="utf-8")

    def start(self) -> bool:
        """Start it, and tell whether it answers; ``log`` has the reason where it doesn't."""
        self.stop()
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [self._program, "-c", str(self._config)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = time.monotonic() + READY_S
        while self.running and time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1.0):
                return True
            time.sleep(0.01)
        return False


class Node(Program):
    """``alarm-node simulate`` in a room; ``put`` gets what its wall shows."""

    def __init__(self, room: Room, directory: Path, port: int, put: Callable[[Seen], None]) -> None:
        super().__init__(directory / f"{room.id}.log")
        self.room = room
        self.state = directory / room.id
        self._directory = directory
        self._config = directory / f"{room.id}.toml"
        self._put = put
        self._reader: threading.Thread | None = None
        self._config.write_text(node_toml(room, self.state, port), encoding="utf-8")

    def start(self, *, held: bool = False) -> None:
        """Start it; ``held``: the button is pressed already."""
        command = [sys.executable, "-m", "node", "simulate", "--config", str(self._config)]
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [*command, "--held", "button"] if held else command,
                bufsize=0,
                cwd=self._directory,
                env=environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        self._process = process
        self._reader = threading.Thread(target=self._read, args=(process.stdout,), name="node's lines", daemon=True)
        self._reader.start()

    def say(self, instruction: str) -> None:
        """Hand it a line, e.g. ``button press``; nothing where it has ended."""
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.write(f"{instruction}\n".encode())

    def wait(self, timeout_s: float) -> int | None:
        """Its exit code, once it has ended by itself; None when it hasn't by then."""
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                return self._process.wait(timeout_s)
        return None

    def stop(self) -> None:
        """End it, after its last line was read; nothing where it doesn't run."""
        process = self._process
        super().stop()
        if self._reader is not None:
            self._reader.join()
        if process is not None and process.stdin is not None:
            process.stdin.close()
        self._reader = None

    def _read(self, output: io.RawIOBase) -> None:
        with io.BufferedReader(output) as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break  # the node was killed in the middle of it
                fields = json.loads(line)
                self._put(Shown(fields.pop("at"), self.room.id, fields))
        self._put(NodeEnded(time.monotonic(), self.room.id))


def find_mosquitto() -> str:
    """The broker's program. Raises ToolMissingError where there is none."""
    found = shutil.which("mosquitto", path=os.pathsep.join([os.environ.get("PATH", os.defpath), *SBIN]))
    if found is None:
        raise ToolMissingError("the demo needs a broker, and mosquitto isn't here", "sudo apt-get install mosquitto")
    return found


def environment() -> Mapping[str, str]:
    """Ours, but with this package wherever it was imported from, and without a service's directories."""
    package = str(Path(node.__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    ours = {name: value for name, value in os.environ.items() if name not in ("STATE_DIRECTORY", "RUNTIME_DIRECTORY")}
    return {**ours, "PYTHONPATH": path}

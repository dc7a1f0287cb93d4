"""The things of the demo: a directory, a private mosquitto and a simulated node; nothing of them outlives it.

Rules:

1. Whatever is started here is ended and reaped here, by its process id, whichever way the demo ends.
2. Both processes have a session of their own: Ctrl-C reaches the demo alone, which then ends them in order.
3. The broker listens on loopback only, on a port of its own; never on 1883, where the machine's own may be.

Threads: one for each start of the node; it reads the node's JSON lines until they end.
"""

import io
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import node
from node.demo.desk import Desk
from node.demo.seen import NodeEnded, Seen, Shown
from node.errors import ToolMissingError
from node.wire import Wire

ROOT = "alarm/v1"
SITE = "demo"
NODE = "room-214"
LOCATION = "2. OG, Zimmer 214"
SBIN = ("/usr/sbin", "/usr/local/sbin")
"""Where Debian keeps mosquitto; not on every user's PATH."""

READY_S = 10.0
STOP_S = 10.0

# Below the range from which the kernel takes ports for outgoing connections: while the broker is away, a client that
# tries to connect must neither take its port nor, by chance, connect to itself.
_PORTS = range(20_000, 30_000)


class Broker:
    """A mosquitto on 127.0.0.1 that is started and stopped at will, always on the same ``port``."""

    def __init__(self, directory: Path) -> None:
        self.port = _free_port()
        self.log = directory / "broker.log"
        self._program = find_mosquitto()
        self._config = directory / "mosquitto.conf"
        self._process: subprocess.Popen[bytes] | None = None
        lines = [f"listener {self.port} 127.0.0.1", "allow_anonymous true", "set_tcp_nodelay true", "log_dest stdout"]
        if os.geteuid() == 0:
            lines.append("user root")  # or it becomes mosquitto, who may not read this directory
        self._config.write_text("\n".join([*lines, ""]), encoding="utf-8")

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        return self._process is not None and self._process.poll() is None

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

    def stop(self) -> None:
        """End it as a service manager would; nothing where it doesn't run."""
        _end(self._process)
        self._process = None


class Node:
    """``alarm-node simulate`` as a process of its own; ``put`` gets what its wall shows."""

    def __init__(self, directory: Path, port: int, put: Callable[[Seen], None]) -> None:
        self.log = directory / "node.log"
        self.state = directory / "state"
        self._directory = directory
        self._config = directory / "node.toml"
        self._put = put
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._config.write_text(_node_toml(self.state, port), encoding="utf-8")

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self, *, held: bool = False) -> None:
        """Start it; ``held``: the button is pressed already."""
        command = [sys.executable, "-m", "node", "simulate", "--config", str(self._config)]
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [*command, "--held", "button"] if held else command,
                bufsize=0,
                cwd=self._directory,
                env=_environment(),
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

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
        self.stop()

    def wait(self, timeout_s: float) -> int | None:
        """Its exit code, once it has ended by itself; None when it hasn't by then."""
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                return self._process.wait(timeout_s)
        return None

    def stop(self) -> None:
        """End it as a service manager would, after its last line was read; nothing where it doesn't run."""
        if self._process is None:
            return
        _end(self._process)
        if self._reader is not None:
            self._reader.join()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process = self._reader = None

    def _read(self, output: io.RawIOBase) -> None:
        with io.BufferedReader(output) as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break  # the node was killed in the middle of it
                fields = json.loads(line)
                self._put(Shown(fields.pop("at"), fields))
        self._put(NodeEnded(time.monotonic()))


class Stage:
    """A broker, a node and a guard's desk; none of them is started yet."""

    def __init__(self, directory: Path, put: Callable[[Seen], None]) -> None:
        self.broker = Broker(directory)
        self.node = Node(directory, self.broker.port, put)
        self.desk = Desk(Wire(ROOT, SITE, NODE, boot=""), f"{ROOT}/{SITE}", self.broker.port, put)

    def last_words(self, count: int) -> list[str]:
        """The last lines of the node's log and of the broker's."""
        told = []
        for name, log in (("node", self.node.log), ("broker", self.broker.log)):
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
            told += [f"{name}: {line}" for line in lines[-count:]]
        return told

    def close(self) -> None:
        """End everything that runs: the node first, so that it can still say goodbye."""
        try:
            self.node.stop()
        finally:
            self.desk.close()
            self.broker.stop()


@contextmanager
def build(put: Callable[[Seen], None]) -> Iterator[Stage]:
    """A stage in a directory that is removed at the end. Raises ToolMissingError without a mosquitto."""
    with TemporaryDirectory(prefix="alarm-node-demo-") as directory:
        stage = Stage(Path(directory), put)
        try:
            yield stage
        finally:
            stage.close()


def find_mosquitto() -> str:
    """The broker's program. Raises ToolMissingError where there is none."""
    found = shutil.which("mosquitto", path=os.pathsep.join([os.environ.get("PATH", os.defpath), *SBIN]))
    if found is None:
        raise ToolMissingError("the demo needs a broker, and mosquitto isn't here", "sudo apt-get install mosquitto")
    return found


def _free_port() -> int:
    while True:
        port = random.SystemRandom().choice(_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _node_toml(state: Path, port: int) -> str:
    return f"""\
[node]
id = "{NODE}"
site = "{SITE}"
location = "{LOCATION}"
topic_root = "{ROOT}"
state_directory = {json.dumps(str(state))}

[panel]
pin_factory = "lgpio"

[[button]]
pin = 17
wiring = "normally-open"
class = "threat"
sound = "loud"

[buzzer]
pin = 22

[lamp]
pin = 23

[[broker]]
host = "127.0.0.1"
port = {port}

[supervision]
receipt_s = 5
"""


def _environment() -> dict[str, str]:
    """Ours, but with this package wherever it was imported from, and without a service's directories."""
    package = str(Path(node.__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    ours = {name: value for name, value in os.environ.items() if name not in ("STATE_DIRECTORY", "RUNTIME_DIRECTORY")}
    return {**ours, "PYTHONPATH": path}


def _end(process: subprocess.Popen[bytes] | None) -> None:
    if process is None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

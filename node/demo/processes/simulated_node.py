"""``alarm-node simulate`` in a room.

Threads: one for each start; it reads the node's JSON lines until they end.
"""

import io
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from node.demo.observe.observations import NodeEnded, NodeOutput, Observation
from node.demo.processes.config_files import node_toml
from node.demo.processes.process import ManagedProcess
from node.demo.rooms import Room
from node.threads import new_thread


class SimulatedNode(ManagedProcess):
    """The node of ``room``; ``put`` gets each of its JSON lines. ``state``: its state directory."""

    def __init__(self, room: Room, directory: Path, port: int, put: Callable[[Observation], None]) -> None:
        super().__init__(directory / f"{room.id}.log")
        self.room = room
        self.state = directory / room.id
        self._config = directory / f"{room.id}.toml"
        self._put = put
        self._reader: threading.Thread | None = None
        self._config.write_text(node_toml(room, self.state, port), encoding="utf-8")

    def start(self, *, held: bool = False) -> None:
        """Start it; ``held``: its button is pressed already."""
        command = [sys.executable, "-m", "node", "simulate", "--config", str(self._config)]
        process = self._spawn(
            [*command, "--held", "button"] if held else command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._reader = new_thread("node output", self._read, process.stdout)
        self._reader.start()

    def instruct(self, instruction: str) -> None:
        """Send it an instruction, e.g. ``button press``. Nothing if it has ended."""
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.write(f"{instruction}\n".encode())

    def wait(self, timeout_s: float) -> int | None:
        """Its exit code, once it has ended by itself; None if it hasn't by then."""
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                return self._process.wait(timeout_s)
        return None

    def stop(self) -> None:
        """End it, after its last line was read. Nothing if it doesn't run."""
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
                self._put(NodeOutput(fields.pop("at"), self.room.id, fields))
        self._put(NodeEnded(time.monotonic(), self.room.id))

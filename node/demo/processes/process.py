"""One process of the demo, started and ended at will.

Rules:

1. Whatever is started here is ended and reaped here, by its process id, whichever way the demo ends.
2. Each process has a session of its own: Ctrl-C reaches the demo alone, which then ends them in order.
"""

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import node

STOP_S = 10.0


class ManagedProcess:
    """What it writes is added to ``log``; the log's directory is its working directory."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        return self._process is not None and self._process.poll() is None

    def ask_to_end(self) -> None:
        """Send SIGTERM and don't wait; ``stop`` has to follow. Nothing if it doesn't run."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """End it as a service manager would: SIGTERM, and SIGKILL after ``STOP_S``. Nothing if it doesn't run."""
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
        """End it as a power cut would. Nothing if it doesn't run."""
        if self._process is not None:
            self._process.kill()
        self.stop()

    def last_lines(self, count: int) -> list[str]:
        """The last lines of its log."""
        return self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:] if self.log.exists() else []

    def _spawn(self, command: Sequence[str], **pipes: Any) -> subprocess.Popen[bytes]:
        """Start this command; ``pipes`` are Popen's, instead of no input and the log."""
        with self.log.open("ab") as log:
            streams = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, **pipes}
            process: subprocess.Popen[bytes] = subprocess.Popen(
                command, bufsize=0, cwd=self.log.parent, env=_environment(), start_new_session=True, **streams
            )
        self._process = process
        return process


def _environment() -> dict[str, str]:
    """Ours, but with this package wherever it was imported from, and without a service's directories."""
    package = str(Path(node.__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    ours = {name: value for name, value in os.environ.items() if name not in ("STATE_DIRECTORY", "RUNTIME_DIRECTORY")}
    return {**ours, "PYTHONPATH": path}

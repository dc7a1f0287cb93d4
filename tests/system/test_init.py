"""``alarm-node init`` as a person types it: a process of its own at a terminal, and the file that comes of it."""

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

import node
from node import config
from node.core.settings import Lamp, Sound, Wiring
from tests.support.node import alarm_node

ROOT = Path(node.__file__).resolve().parent.parent
TIMEOUT_S = 20.0
AGAIN_S = 2.0
CTRL_C = "\x03"


class Installer:
    """A person at a terminal, who reads each question before typing the answer."""

    def __init__(self, path: Path) -> None:
        self._pressed = ""
        self._path = path
        self.shown = ""

    def __enter__(self) -> Self:
        self._master, terminal = pty.openpty()
        self.process = subprocess.Popen(
            ["setsid", "--ctty", sys.executable, "-m", "node", "init", "--config", str(self._path)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
        )
        os.close(terminal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self.process:
            if self.process.poll() is None:
                self.process.kill()
        os.close(self._master)

    def type(self, prompt: str, keys: str, end: str = "\n") -> None:
        """Press these keys once this prompt stands there and is waited at."""
        deadline = time.monotonic() + TIMEOUT_S
        # Python overlooks a Ctrl-C that comes in the microseconds between a prompt and its read, until the next key.
        while not (self.shown.endswith(prompt) and self._sleeps()):
            assert time.monotonic() < deadline, f"{prompt!r} never came:\n{self.shown}"
            assert self._more(time.monotonic() + 0.01), f"it ended before {prompt!r}:\n{self.shown}"
        os.write(self._master, f"{keys}{end}".encode())
        self._pressed = f"{keys}{end}"

    def leave(self) -> int:
        """Read to the end; the exit code. Whoever pressed Ctrl-C and sees nothing happen presses it again."""
        deadline = time.monotonic() + TIMEOUT_S
        again = time.monotonic() + AGAIN_S
        while self._more(min(deadline, again)):
            assert time.monotonic() < deadline, f"it doesn't end:\n{self.shown}"
            if self._pressed == CTRL_C and time.monotonic() >= again:
                again += AGAIN_S
                os.write(self._master, CTRL_C.encode())
        return self.process.wait(TIMEOUT_S)

    def _sleeps(self) -> bool:
        state = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        return state == "S"

    def _more(self, deadline: float) -> bool:
        if not select.select([self._master], [], [], max(0.0, deadline - time.monotonic()))[0]:
            return True
        try:
            read = os.read(self._master, 65_536)
        except OSError:
            return False  # the last one has closed the terminal
        self.shown += read.decode().replace("\r\n", "\n")
        return bool(read)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is to be."""
    return tmp_path / "node.toml"


@pytest.fixture
def installer(path: Path) -> Iterator[Installer]:
    """A person who has just started it."""
    with Installer(path) as started:
        yield started


def test_a_room_is_typed_in_and_can_be_used(installer: Installer, path: Path) -> None:
    """From the first question to a file that the node takes, by way of some slips."""
    installer.type("\nid = ", "Zimmer 214")
    installer.type("\nid = ", "room-214")
    installer.type("\nsite = ", "mitte")
    installer.type("\nlocation = ", "2. Obergeschoß, Zimmer 214")
    installer.type("\npin [17] = ", "")
    installer.type("\nwiring = ", "normally-closed")
    installer.type("\nclass = ", "threat")
    installer.type("\nsound = ", "")
    installer.type("\nsound = ", "silent")
    installer.type("\nlamp = ", "discreet")
    installer.type("\npin [23] = ", "17")
    installer.type("\npin [23] = ", "24")
    installer.type("\nhost = ", "broker.example.org")
    installer.type("\nport [8883] = ", "")
    installer.type("\nca_file = ", "/etc/alarm-node/ca.pem")
    installer.type("\nusername [room-214 or none] = ", "")
    installer.type("\npassword_file [none] = ", "broker.password")

    code = installer.leave()

    loaded = config.load(path)
    (button,), (broker,) = loaded.settings.inputs, loaded.brokers
    assert code == 0, installer.shown
    assert installer.shown.endswith(f"{path} is written. Next:\n  alarm-node check --config {path}\n")
    assert (loaded.node, loaded.location) == ("room-214", "2. Obergeschoß, Zimmer 214")
    assert (button.wiring, button.sound, button.lamp) == (Wiring.NORMALLY_CLOSED, Sound.SILENT, Lamp.DISCREET)
    assert (loaded.lamp_pin, loaded.buzzer_pin) == (24, None)
    assert (broker.name, broker.login) == (
        "broker.example.org:8883",
        config.Login("room-214", Path("broker.password")),
    )


@pytest.mark.parametrize("end", ["\x03", "\x04"], ids=["Ctrl-C", "Ctrl-D"])
def test_breaking_off_leaves_nothing(installer: Installer, path: Path, end: str) -> None:
    """Nothing is written, the last line says so, and the prompt that follows stands on a line of its own."""
    installer.type("\nid = ", "room-214")
    installer.type("\nsite = ", "", end)

    code = installer.leave()

    assert code == 1
    assert re.search(r"\nE007 stopped before the last answer: nothing was written\. Next: .*\n$", installer.shown)
    assert "Traceback" not in installer.shown
    assert list(path.parent.iterdir()) == []


def test_without_a_terminal_it_does_not_ask(tmp_path: Path) -> None:
    """It ends at once, with every flag that is missing, whatever stands on its input."""
    done = alarm_node("init", "--config", "node.toml", cwd=tmp_path)

    told = done.stderr.splitlines()
    assert done.returncode == 1
    assert done.stdout == ""
    assert all(line.startswith("--") for line in told[:-1])
    assert told[-1].startswith("E007 10 flags are missing or wrong: nothing was written")

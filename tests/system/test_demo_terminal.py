"""The demo at a terminal, as a person uses it: real processes, a real mosquitto, a real monitor, and keys."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.support.demo import DEMO, TIMEOUT_S, environment, left_behind, processes

UP = "1 room-214 up"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """For what the demo needs while it runs."""
    made = tmp_path / "tmp"
    made.mkdir()
    return made


class Person:
    """A person at a terminal of 80 x 24: presses keys, and reads what stands on the screen."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._rows: dict[int, str] = {}
        self._row = 1
        self._unread = ""
        self.raw = b""

    def __enter__(self) -> Self:
        self._master, self.terminal = pty.openpty()
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.before = termios.tcgetattr(self.terminal)
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *DEMO],
            env=environment(self._directory),
            stdin=self.terminal,
            stdout=self.terminal,
            stderr=subprocess.PIPE,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self.process:
            if self.process.poll() is None:
                self.process.terminate()
        os.close(self._master)
        os.close(self.terminal)

    def press(self, keys: str) -> None:
        """Press these keys."""
        os.write(self._master, keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size."""
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    @property
    def shown(self) -> str:
        """The screen's text."""
        return "\n".join(self._rows.get(row, "") for row in range(1, max(self._rows, default=0) + 1))

    def wait(self, *texts: str) -> str:
        """Wait until all these texts stand on the screen together; the screen."""
        return self.wait_until(lambda: all(text in self.shown for text in texts), f"{texts}")

    def wait_until(self, condition: Callable[[], bool], what: str = "it") -> str:
        """Read until the condition holds; the screen."""
        deadline = time.monotonic() + TIMEOUT_S
        while not condition():
            assert time.monotonic() < deadline, f"{what} never came:\n{self.shown}"
            self._read(deadline)
        return self.shown

    def leave(self) -> int:
        """Read to the end of the demo; its exit code."""
        deadline = time.monotonic() + TIMEOUT_S
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it doesn't end:\n{self.shown}"
            self._read(time.monotonic() + 0.05)
        self._read(time.monotonic())
        return self.process.returncode

    def _read(self, until: float) -> None:
        if select.select([self._master], [], [], max(0.0, until - time.monotonic()))[0]:
            self.raw += (read := os.read(self._master, 65_536))
            self._show(read.decode())

    def _show(self, read: str) -> None:
        *pieces, rest = re.split(r"(\x1b\[[0-9;?]*[A-Za-z])", self._unread + read)
        text, escape, begun = rest.partition("\x1b")
        self._unread = escape + begun
        for piece in filter(None, [*pieces, text]):
            if place := re.fullmatch(r"\x1b\[(\d+);1H", piece):
                self._row = int(place[1])
                self._rows[self._row] = ""
            elif piece == "\x1b[2J":
                self._rows.clear()
            elif not piece.startswith("\x1b"):
                self._rows[self._row] = self._rows.get(self._row, "") + piece


@pytest.fixture
def person(directory: Path) -> Iterator[Person]:
    """A person who has just started the demo."""
    with Person(directory) as started:
        yield started


def test_a_press_is_watched_from_the_wall_to_the_reset(person: Person, directory: Path) -> None:
    """Each key does what its line says: press, acknowledge, a refused reset, release, reset, quit."""
    person.wait("LAMP    ready", "[  released  ]", UP, "monitor: on", "p: somebody presses the panic button")

    person.press("p")
    person.wait("[## PRESSED ##]", "LAMP    received", "[x] told to people", "(threat)", "BZZZ", f"{UP} CALLS")
    person.press("a")
    person.wait(
        "LAMP    acknowledged",
        "steady: acknowledged, somebody is coming",
        "[x] acknowledged",
        "alarm          ACKNOWLEDGED",
    )
    person.press("x")
    person.wait("refused: the button is still pressed")
    person.press("r")
    person.wait("[  released  ]", "restored button")
    person.press("x")
    person.wait("LAMP    ready", "no call for help", "BUZZER  silent")
    person.press("q")

    assert person.leave() == 0
    assert left_behind(directory) == []


def test_the_broker_goes_and_comes_back_under_a_press(person: Person) -> None:
    """Without a broker the ladder stops at stored, with the fault's next step; with it the press is received."""
    person.wait("LAMP    ready", UP)

    person.press("b")
    away = person.wait("broker: OFF", "LAMP    fault", "F010", "M008")
    person.press("p")
    stored = person.wait("LAMP    calling", "[x] stored", "[ ] accepted", "b starts the broker")
    person.press("b")
    person.wait("broker: on", "LAMP    received", "[x] told")

    assert "Next: check the network cable" in re.sub(r"\s+", " ", away)
    assert "CALL FOR HELP" in stored


def test_a_killed_node_is_found_and_comes_back_in_the_same_alarm(person: Person) -> None:
    """Dark and down, with what to do; started again, what is acknowledged is the incident from before."""
    person.wait("LAMP    ready", UP)
    person.press("p")
    before = person.wait("LAMP    received", "(threat)")
    person.press("r")
    person.wait("restored button")

    person.press("k")
    person.wait_until(lambda: b"lost session 1 (its will)" in person.raw, "the will")
    down = person.wait("1 room-214 DOWN", "node: OFF", "LAMP    dark", "Its last log", "M001", "k starts the node")
    person.press("k")
    person.wait(UP, "node: heartbeat", "LAMP    received")
    person.press("a")
    after = person.wait("LAMP    acknowledged", "ACKNOWLEDGED")

    incident = re.findall(r"CALL FOR HELP (\S+)", before)
    assert re.findall(r"ACKNOWLEDGED  (\S+)", after) == incident
    assert "Next: tell the people there" in re.sub(r"\s+", " ", down)


def test_a_node_that_died_is_told_and_started_again(person: Person, directory: Path) -> None:
    """A dead node has a dark lamp, its last log lines are shown, and its key brings it back."""
    person.wait("LAMP    ready")
    (died,) = [number for number, line in processes(directory).items() if "simulate" in line and "room-214" in line]

    os.kill(died, signal.SIGKILL)
    person.wait("node: OFF", "LAMP    dark", "Its last log", "k starts the node again")
    person.press("k")

    person.wait("node: heartbeat", "LAMP    ready")


def test_a_button_held_through_a_kill_is_pressed_again(person: Person) -> None:
    """As on a real wall: the node that starts finds the button pressed, which counts in the open incident."""
    person.wait("LAMP    ready", UP)
    person.press("p")
    person.wait("LAMP    received", "1 press")

    person.press("kk")

    person.wait("LAMP    received", "2 presses")


def test_without_the_monitor_nobody_has_it(person: Person) -> None:
    """No receipt comes while no monitor runs, the lamp says so, and a receipt follows once one does."""
    person.wait("LAMP    ready", UP)

    person.press("mp")
    person.wait("monitor: OFF", "1 room-214 -", "LAMP    nobody", "NOBODY HAS IT, get help another way")
    person.press("a")
    person.wait("no acknowledge: the monitor is off")
    person.press("m")
    person.wait("monitor: on", "LAMP    received", UP)


def test_another_room_is_chosen_and_pressed(person: Person) -> None:
    """Its own wall, its own class; the first one stays as it is, and both calls are seen from either."""
    person.wait("LAMP    ready", UP, "2 desk-012 up")

    person.press("2")
    person.wait("desk-012, EG, Info-Theke", "assist, silent", "no call for help")
    person.press("p")
    person.wait("LAMP    received", "(assist)", "BUZZER  silent", "2 desk-012 up CALLS")
    person.press("1")

    person.wait("room-214, 2. OG, Zimmer 214", "no call for help", "LAMP    ready", "2 desk-012 up CALLS")


def test_a_walk_test_begins_and_ends_by_its_key(person: Person) -> None:
    """On every wall; a tap meanwhile calls nobody."""
    person.wait("LAMP    ready", UP, "3 room-310 up")

    person.press("w")
    person.wait("LAMP    walk-test", "p, then r at once: a test")
    person.press("p")
    person.wait("[## PRESSED ##]", "tested button")
    person.press("r")
    person.wait("test-confirmed button", "no call for help")
    person.press("3")
    person.wait("room-310, 3. OG, Sekretariat", "LAMP    walk-test")
    person.press("w")

    person.wait("LAMP    ready")


@pytest.mark.parametrize("end", ["q", "\x03", "\x04Q", "\x1b[Aq", signal.SIGTERM], ids=repr)
def test_the_terminal_is_left_as_it_was_found(person: Person, directory: Path, end: str | signal.Signals) -> None:
    """However the demo ends, echo and lines are back, the cursor is shown, and nothing of the demo is left."""
    person.wait("LAMP    ready")
    during = termios.tcgetattr(person.terminal)

    if isinstance(end, str):
        person.press(end)
    else:
        person.process.send_signal(end)
    code = person.leave()

    assert code == 0
    assert during[6][termios.VINTR] == during[6][termios.VSUSP] == during[6][termios.VQUIT] == b"\0"
    assert termios.tcgetattr(person.terminal) == person.before
    assert person.raw.endswith(b"\x1b[?25h\x1b[?1049l")
    assert left_behind(directory) == []


def test_a_terminal_that_becomes_small_still_shows_the_keys(person: Person) -> None:
    """After a change of size the screen is drawn anew, within the size."""
    person.wait("LAMP    ready", "q quit")

    person.resize(44, 14)
    shown = person.wait_until(
        lambda: "q quit" in person.shown and max(len(row) for row in person.shown.splitlines()) <= 44, "44 columns"
    )

    assert len(shown.splitlines()) == 14
    assert "LAMP    ready" in shown

"""The demo as a person starts it: a process of its own, a real mosquitto, and a terminal where it wants one."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

import node
from node.core.memory import Step
from node.core.signals import LAMP_WAVES, LampPattern
from node.demo import screen
from node.demo.picture import Passed, Picture

ROOT = Path(node.__file__).resolve().parent.parent
TIMEOUT_S = 40.0
HEADLESS = (sys.executable, "-m", "node", "demo", "--headless")
STEPS = (
    "a private broker answers",
    "the node was born",
    "its canary passed",
    "its heartbeat came",
    "the buzzer sounds",
    "the ladder says: pressed",
    "the lamp says: calling",
    "the press reached the broker",
    "the ladder says: stored",
    "the ladder says: accepted",
    "the ladder says: received",
    "the lamp says: received",
    "the acknowledgement is done",
    "the lamp says: somebody is coming",
    "a reset is refused while the button is held: input-active",
    "the button was released",
    "the reset is done",
    "the building sees no alarm any more",
    "the buzzer is silent",
    "the lamp says: a fault",
    "the buzzer sounds all the same",
    "the ladder says: stored",
    "a private broker answers",
    "the press reached the broker",
    "the ladder says: received",
    "the broker tells the node's will: lost",
    "the buzzer sounds again",
    "the node was born again",
    "the same incident is still in alarm",
    "the acknowledgement is done",
    "the reset is done",
    "it says goodbye: offline",
)


def environment(directory: Path, **changes: str) -> dict[str, str]:
    """Ours, with this package to be imported and this directory for what is temporary."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(directory), "TERM": "xterm", **changes}


def processes(directory: Path) -> dict[int, str]:
    """The ids and command lines of all processes that were started with something of this directory."""
    found = {}
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = each.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if f"{directory}/alarm-node-demo-" in line:
            found[int(each.parent.name)] = line
    return found


def left_behind(directory: Path) -> list[str]:
    """Processes and files that outlived a demo."""
    return [*processes(directory).values(), *(str(each) for each in directory.iterdir())]


def play(directory: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    """The whole of ``alarm-node demo --headless``."""
    return subprocess.run(
        HEADLESS,
        cwd=directory.parent,
        env=environment(directory, **changes),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=2 * TIMEOUT_S,
    )


def put_on_path(directory: Path, script: str) -> str:
    """A PATH on which this shell script is found before the real mosquitto."""
    directory.mkdir()
    program = directory / "mosquitto"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    return os.pathsep.join([str(directory), os.environ["PATH"]])


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """For what the demo needs while it runs."""
    made = tmp_path / "tmp"
    made.mkdir()
    return made


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """A story that was played to its end, and the directory that it had."""
    made = tmp_path_factory.mktemp("demo") / "tmp"
    made.mkdir()
    return play(made), made


def test_the_story_ends_well_and_says_how_many_steps_were_seen(
    played: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    """Exit code 0, nothing missing, and the last line counts the lines before it."""
    done, _ = played

    lines = done.stdout.splitlines()

    seen = [line for line in lines if line.startswith("ok ")]
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.fullmatch(rf"{len(seen)} steps seen in \d+\.\d s", lines[-1])
    assert "MISSING" not in done.stdout
    assert done.stderr == ""


def test_the_story_tells_every_step_in_order(played: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    """Start, press, receipt, acknowledgement, reset, broker away and back, kill and restart each have their lines."""
    done, _ = played
    told = iter(re.findall(r"^ok +\d+\.\d s  (.*)$", done.stdout, re.MULTILINE))

    missing = [step for step in STEPS if not any(line.startswith(step) or step in line for line in told)]

    assert missing == []


def test_the_incident_after_the_kill_is_the_one_from_before_it(
    played: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    """What was raised without a broker reaches it, and comes back, under the same id; the first incident is another."""
    done, _ = played

    reached = re.findall(r"the press reached the broker: incident (\S+), class threat", done.stdout)
    still = re.findall(r"the same incident is still in alarm: incident (\S+), class threat", done.stdout)

    assert len(reached) == 2
    assert reached[0] != reached[1]
    assert still == reached[1:]


def test_the_story_leaves_nothing_behind(played: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    """Neither a process nor a file of the demo outlives it."""
    _, directory = played

    left = left_behind(directory)

    assert left == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_story_that_is_stopped_leaves_nothing_behind(directory: Path, number: signal.Signals) -> None:
    """Ctrl-C and its like end the broker and the node in order, and the exit code doesn't claim the whole story."""
    process = subprocess.Popen(HEADLESS, env=environment(directory), stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            if "its heartbeat came" in line:
                break
        running = processes(directory)

        process.send_signal(number)
        told = process.stdout.read()

    assert len(running) == 2
    assert process.returncode == 1
    assert re.search(r"^stopped after \d+ steps$", told, re.MULTILINE)
    assert left_behind(directory) == []


def test_a_missing_mosquitto_is_told_with_the_command_that_installs_it(directory: Path) -> None:
    """Without the broker's program the demo doesn't begin, and says what to do."""
    nowhere = "from node.demo import stage; stage.SBIN = (); from node.cli import main; raise SystemExit(main())"

    done = subprocess.run(
        [sys.executable, "-c", nowhere, "demo", "--headless"],
        env=environment(directory, PATH=str(directory)),
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )

    assert done.returncode == 1
    assert done.stderr == (
        "E005 the demo needs a broker, and mosquitto isn't here. Next: sudo apt-get install mosquitto.\n"
    )
    assert done.stdout == ""
    assert left_behind(directory) == []


def test_a_broker_that_does_not_start_is_a_missing_step(directory: Path, tmp_path: Path) -> None:
    """The story ends at its first line, with what the broker said."""
    path = put_on_path(tmp_path / "bin", "echo 'Error: no broker today'; exit 3")

    done = play(directory, PATH=path)

    lines = done.stdout.splitlines()
    assert done.returncode == 1
    assert re.match(r"MISSING +\d+\.\d s  a private broker answers: it doesn't start", lines[1])
    assert "  broker: Error: no broker today" in lines
    assert lines[-1] == "0 steps seen, then one was missing"
    assert left_behind(directory) == []


def test_a_node_that_is_not_heard_is_a_missing_step(directory: Path, tmp_path: Path) -> None:
    """Where the broker refuses the node's replies, no reply counts as seen, and the node's own log says why."""
    path = put_on_path(
        tmp_path / "bin",
        """\
acl="$(dirname "$2")/acl"
printf 'topic deny +/v1/+/node/+/reply\\ntopic readwrite #\\n' >"$acl"
chmod 600 "$acl"
grep -q acl_file "$2" || echo "acl_file $acl" >>"$2"
PATH=${PATH#*:}:/usr/sbin exec mosquitto "$@"
""",
    )

    done = play(directory, PATH=path)

    assert done.returncode == 1
    assert re.search(
        r"^MISSING .* the guard's desk probed the birth: .*: waited 10 s for it$", done.stdout, re.MULTILINE
    )
    assert re.search(r"^  node: .* F011 .*/reply", done.stdout, re.MULTILINE)
    assert left_behind(directory) == []


def test_a_node_that_ends_by_itself_is_a_missing_step(directory: Path, tmp_path: Path) -> None:
    """A node that refuses its configuration isn't waited for, and its last words are told."""
    path = put_on_path(
        tmp_path / "bin",
        'echo "[surprise]" >>"$(dirname "$2")/node.toml"\nPATH=${PATH#*:}:/usr/sbin exec mosquitto "$@"',
    )

    done = play(directory, PATH=path)

    assert done.returncode == 1
    assert re.search(r"^MISSING .*: the node has ended by itself$", done.stdout, re.MULTILINE)
    assert "surprise is unknown" in done.stdout
    assert left_behind(directory) == []


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
            ["setsid", "--ctty", sys.executable, "-m", "node", "demo"],
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


def test_a_press_is_watched_from_the_wall_to_the_reset(person: Person) -> None:
    """Each key does what its line says: press, acknowledge, a refused reset, release, reset, quit."""
    person.wait("LAMP    ready", "[  released  ]", "p: somebody presses the panic button")

    person.press("p")
    person.wait("[## PRESSED ##]", "LAMP    received", "[x] received by the guard's desk", "(threat)", "BZZZ")
    person.press("a")
    person.wait("LAMP    acknowledged", "steady: somebody is coming", "[x] acknowledged", "alarm          ACKNOWLEDGED")
    person.press("x")
    person.wait("refused, the button is still pressed")
    person.press("r")
    person.wait("[  released  ]", "restored button")
    person.press("x")
    person.wait("LAMP    ready", "no call for help", "BUZZER  silent")
    person.press("q")

    assert person.leave() == 0


def test_the_broker_goes_and_comes_back_under_a_press(person: Person) -> None:
    """Without a broker the ladder stops at stored, with the fault's next step; with it the press is received."""
    person.wait("LAMP    ready", "reply          done")

    person.press("b")
    away = person.wait("broker: STOPPED", "LAMP    fault", "F010")
    person.press("p")
    stored = person.wait("LAMP    calling", "[x] stored", "[ ] accepted", "b starts the broker")
    person.press("b")
    person.wait("broker: on", "LAMP    received", "[x] received")

    assert "Next: check the cable" in re.sub(r"\s+", " ", away)
    assert "CALL FOR HELP" in stored


def test_a_killed_node_comes_back_in_the_same_alarm(person: Person) -> None:
    """After kill -9 the will is seen, the node is born again, and what is acknowledged is the incident from before."""
    person.wait("LAMP    ready", "reply          done")
    person.press("p")
    before = person.wait("LAMP    received", "(threat)")
    person.press("r")
    person.wait("restored button")

    person.press("k")
    person.wait_until(lambda: b"lost session 1 (its will)" in person.raw, "the will")
    person.wait_until(lambda: b"done (probe-2)" in person.raw, "the answer to the second birth's probe")
    person.press("a")
    after = person.wait("LAMP    acknowledged", "ACKNOWLEDGED")

    incident = re.findall(r"CALL FOR HELP (\S+)", before)
    assert re.findall(r"ACKNOWLEDGED  (\S+)", after) == incident


def test_a_node_that_died_is_told_and_started_again(person: Person, directory: Path) -> None:
    """A dead node has a dark lamp, its last words are told, and its key brings it back."""
    person.wait("LAMP    ready", "reply          done")
    (died,) = [number for number, line in processes(directory).items() if "simulate" in line]

    os.kill(died, signal.SIGKILL)
    person.wait("node: ENDED", "LAMP    dark", "Its last words", "k starts the node again")
    person.press("k")

    person.wait("node: heartbeat", "LAMP    ready")


def test_a_button_held_through_a_kill_is_pressed_again(person: Person) -> None:
    """As on a real wall: the node that starts finds the button pressed, which counts in the open incident."""
    person.wait("LAMP    ready", "reply          done")
    person.press("p")
    person.wait("LAMP    received", "1 press")

    person.press("k")

    person.wait("LAMP    received", "2 presses")


def test_without_the_guards_desk_nobody_has_it(person: Person) -> None:
    """No receipt comes while nobody is at the desk, the lamp says so, and a receipt follows once somebody is."""
    person.wait("LAMP    ready", "reply          done")

    person.press("mp")
    person.wait("guard's desk: OFF", "LAMP    nobody", "NOBODY HAS IT, get help another way")
    person.press("a")
    person.wait("no acknowledge: nobody is at the desk")
    person.press("m")
    person.wait("guard's desk: on", "LAMP    received")


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
    assert during[6][termios.VSUSP] == during[6][termios.VQUIT] == b"\0"
    assert termios.tcgetattr(person.terminal) == person.before
    assert person.raw.endswith(b"\x1b[?25h\x1b[?1049l")
    assert left_behind(directory) == []


def test_a_terminal_that_becomes_small_still_shows_the_keys(person: Person) -> None:
    """After a change of size the screen is drawn anew, within the size."""
    person.wait("LAMP    ready", "q quit")

    person.resize(44, 12)
    shown = person.wait_until(
        lambda: "q quit" in person.shown and max(len(row) for row in person.shown.splitlines()) <= 44, "44 columns"
    )

    assert len(shown.splitlines()) == 12
    assert "LAMP    ready" in shown


def full_picture() -> Picture:
    """More than fits on any screen."""
    picture = Picture(began_at=0.0, port=20_000, broker_on=True, node_on=True, lamp=LampPattern.CALLING)
    picture.ladder = dict.fromkeys((Step.PRESSED, Step.STORED, Step.NOBODY), 1.0)
    picture.passed.extend(Passed(float(number), "event", "words " * 40) for number in range(100))
    return picture


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (200, 60), (60, 15), (30, 8), (5, 3), (1, 1)])
def test_the_screen_keeps_within_its_size(width: int, height: int) -> None:
    """Nothing is wider or higher than the terminal, which would make it scroll."""
    lines = [screen.text(line) for line in screen.draw(full_picture(), 2.0, width, height)]

    assert len(lines) == height
    assert max(len(line) for line in lines) <= width


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (60, 15), (40, 8)])
def test_every_key_is_told_on_any_usable_screen(width: int, height: int) -> None:
    """The keys are never pushed out by what is shown above them."""
    lines = [screen.text(line) for line in screen.draw(full_picture(), 2.0, width, height)]

    told = " ".join(lines[:height])
    assert all(f" {key} {does}" in told for key, does in screen.KEYS)


def test_the_newest_messages_stand_lowest() -> None:
    """As in a log: what just passed is right above the keys."""
    lines = [screen.text(line) for line in screen.draw(full_picture(), 2.0, 80, 24)]

    passed = [line for line in lines if "words" in line]
    assert passed[-1].startswith("   99.0 s")
    assert len(passed) >= 6


@pytest.mark.parametrize("pattern", LampPattern)
def test_the_drawn_lamp_keeps_the_real_ones_time(pattern: LampPattern) -> None:
    """From one change to the next the drawn lamp goes around its wave, pair by pair."""
    wave = (*LAMP_WAVES[pattern], *LAMP_WAVES[pattern])
    begins = [1000.0 + sum(seconds for _, seconds in wave[:number]) for number in range(len(wave))]

    drawn = [screen.lamp_level(pattern, 1000.0, begin + 0.001) for begin in begins]

    assert [level for level, _ in drawn] == [level for level, _ in wave]
    assert [left + 0.001 for _, left in drawn] == pytest.approx([seconds for _, seconds in wave])


def test_a_lamp_without_a_node_is_dark() -> None:
    """No pattern is a dark lamp, which says that the node is dead."""
    level, _ = screen.lamp_level(None, 0.0, 1.0)

    assert level is False

"""Runs in the guest, as root: does what the tests ask over a serial line. One JSON object on each line, both ways.

    {"id": 7, "do": "level", "with": {"pin": 22}}   →   {"id": 7, "value": true}   or   {"id": 7, "error": "…"}

Its first line is ``{"hello": …}``: the guest has booted, or the agent was started anew.

Rules:

1. It needs Python's standard library alone, of any Python from 3.11 on: the guest has nothing else of the tests.
2. Each request runs in a process of its own, so that one that waits holds up no other, and no thread of this program
   disturbs a wave. What has to last longer than its request (``hold``) is done by the agent's own process.
3. Every instant is CLOCK_MONOTONIC of the guest, in seconds.
"""

import fcntl
import gc
import json
import multiprocessing
import os
import sqlite3
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

NAME = "agent"
"""Of the virtio port (tests/vm/machine.py)."""

WORKERS = 6
POLL_S = 0.001
AWAKE_S = 0.0003
"""So long before an instant it stops sleeping, and only looks at the clock."""

HELD_UP_S = 0.001

AHEAD = 10
"""The real-time priority of what is the outside world: the service can't hold it up. The kernel's threads (50) can."""

CONFIGFS = Path("/sys/kernel/config/gpio-sim")
CHIP, LINES, LABEL = "pi", 28, "pinctrl-bcm2711"
"""Named as a Pi 4's, with as many lines as its header has: the pins of a real configuration fit."""

HELD = Path("/vm/held")
"""The pins whose contacts are closed when the machine starts, one a line; none where this file is missing."""

INPUTS = (5, 6, 12, 13, 16, 17, 19, 27)
"""Where wires come in: the pins of deploy/node.example.toml. A contact that is open leaves them high."""

PULL = {True: b"pull-up", False: b"pull-down"}

_GET_LINE_HANDLE = 0xC16CB403
_LINE_HANDLE = struct.Struct("=64I I 64B 32s I i")
"""``struct gpiohandle_request`` of linux/gpio.h: offsets, flags, default values, consumer, number of lines, fd."""

_held: list[int] = []


def _line(pin: int) -> Path:
    """The sysfs directory of a line of the simulated chip."""
    device = (CONFIGFS / CHIP / "dev_name").read_text(encoding="ascii").strip()
    chip = (CONFIGFS / CHIP / "bank0" / "chip_name").read_text(encoding="ascii").strip()
    return Path("/sys/devices/platform") / device / chip / f"sim_gpio{pin}"


def _high(file: int) -> bool:
    return os.pread(file, 8, 0).startswith(b"1")


@contextmanager
def _opened(path: Path, flags: int = os.O_RDONLY) -> Iterator[int]:
    file = os.open(path, flags)
    try:
        yield file
    finally:
        os.close(file)


@contextmanager
def _ahead() -> Iterator[None]:
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(AHEAD))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def _sleep_until(at: float) -> None:
    while (left := at - time.monotonic()) > 0.0:
        if left > AWAKE_S:
            time.sleep(left - AWAKE_S)


def run(command: list[str], text: str = "", timeout_s: float = 300.0) -> tuple[int, str]:
    """Run a program to its end; its exit code, and what it said on both its outputs."""
    done = subprocess.run(
        command, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout_s, check=False
    )
    return done.returncode, done.stdout


def read(path: str) -> str:
    """What a file says."""
    return Path(path).read_text(encoding="utf-8", errors="replace")


def write(path: str, text: str) -> None:
    """Write a file, and the directories that it needs."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text, encoding="utf-8")


def level(pin: int) -> bool:
    """The level of a line, whoever drives it."""
    with _opened(_line(pin) / "value") as file:
        return _high(file)


def drive(pin: int, wave: list[tuple[bool, float]]) -> list[tuple[float, float]]:
    """Set the wire of an input to each level for so many seconds; the last one stays.

    Where this machine was held up at a level, the others come so much later: none gets shorter.
    Returns for each level the instants before and after it was set: the edge was between the two.
    """
    set_at = []
    with _opened(_line(pin) / "pull", os.O_WRONLY) as file, _ahead():
        due = time.monotonic()
        for high, seconds in wave:
            _sleep_until(due)
            before = time.monotonic()
            os.pwrite(file, PULL[high], 0)
            after = time.monotonic()
            set_at.append((before, after))
            due = (after if after - due > HELD_UP_S else due) + seconds
    return set_at


def until(pin: int, high: bool, timeout_s: float) -> float | None:
    """When the line was first seen at this level; None if it wasn't within so many seconds."""
    with _opened(_line(pin) / "value") as file:
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            if _high(file) is high:
                return time.monotonic()
            time.sleep(POLL_S)
    return None


def now() -> float:
    """The instant."""
    return time.monotonic()


def wait(seconds: float) -> None:
    """Let time pass in the guest."""
    time.sleep(seconds)


def signal_when_high(pins: list[int], pid: int, sent: int, timeout_s: float) -> float | None:
    """Send a process a signal at a moment when all these lines are high; when. None if there was none in that time.

    Without any line it is sent at once.
    """
    with ExitStack() as stack:
        files = [stack.enter_context(_opened(_line(pin) / "value")) for pin in pins]
        end = time.monotonic() + timeout_s
        while (now := time.monotonic()) < end:
            if all(map(_high, files)):
                os.kill(pid, sent)
                return now
            time.sleep(POLL_S)
    return None


def watch(pins: list[int], seconds: float, ends: str = "") -> list[tuple[float, int, bool]]:
    """The levels of these lines at first, and each change that was seen: when, which line, and its new level.

    It ends after so many seconds, or as soon as there is a file of the name ``ends``.
    """
    seen: list[tuple[float, int, bool]] = []
    levels: dict[int, bool] = {}
    with ExitStack() as stack:
        files = {pin: stack.enter_context(_opened(_line(pin) / "value")) for pin in pins}
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end and not (ends and Path(ends).exists()):
            for pin, file in files.items():
                high = _high(file)
                if levels.get(pin) is not high:
                    levels[pin] = high
                    seen.append((now, pin, high))
            time.sleep(POLL_S)
    return seen


def select_until_found(path: str, query: str, after: int, timeout_s: float) -> int | None:
    """Ask a SQLite file, with ``after`` as the parameter, until it answers a number; None after so many seconds."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            (number,) = connection.execute(query, (after,)).fetchone()
            if number is not None:
                return int(number)
            time.sleep(POLL_S)
    return None


def plug(chip: str = CHIP, lines: int = LINES, label: str = LABEL) -> None:
    """Make a simulated GPIO chip, with its inputs as they are at rest, or held."""
    bank = CONFIGFS / chip / "bank0"
    bank.mkdir(parents=True)
    (bank / "num_lines").write_text(str(lines), encoding="ascii")
    (bank / "label").write_text(label, encoding="ascii")
    (CONFIGFS / chip / "live").write_text("1", encoding="ascii")
    if chip == CHIP:
        held = HELD.read_text(encoding="ascii").split() if HELD.exists() else []
        for pin in INPUTS:
            (_line(pin) / "pull").write_bytes(PULL[str(pin) not in held])
    subprocess.run(["udevadm", "settle"], check=True)  # udev gives the device to the group gpio


def unplug(chip: str = CHIP) -> None:
    """Take a simulated chip away, whoever uses it."""
    (CONFIGFS / chip / "live").write_text("0", encoding="ascii")
    (CONFIGFS / chip / "bank0").rmdir()
    (CONFIGFS / chip).rmdir()


def hold(chip: str, pin: int, consumer: str) -> None:
    """Ask the kernel for a line, as any other program may, and keep it."""
    request = _LINE_HANDLE.pack(pin, *[0] * 63, 1, *[0] * 64, consumer.encode(), 1, -1)
    with _opened(Path("/dev") / chip, os.O_RDWR) as device:
        answer = fcntl.ioctl(device, _GET_LINE_HANDLE, request)
    _held.append(_LINE_HANDLE.unpack(answer)[-1])


def let_go() -> None:
    """Give back all lines that are held."""
    while _held:
        os.close(_held.pop())


ACTIONS: dict[str, Callable[..., Any]] = {
    each.__name__: each
    for each in (
        run,
        read,
        write,
        level,
        drive,
        until,
        now,
        wait,
        signal_when_high,
        watch,
        select_until_found,
        plug,
        unplug,
        hold,
        let_go,
    )
}
LASTING = (hold, let_go)


class Port:
    """The serial line: whole lines only, from any thread."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._lock = threading.Lock()

    def send(self, message: object) -> None:
        """Send one line."""
        data = json.dumps(message).encode() + b"\n"
        with self._lock:
            while data:
                data = data[os.write(self._file, data) :]

    def answer(self, number: int, done: Future[Any]) -> None:
        """Send what came of a request."""
        failure = done.exception()
        if failure is None:
            self.send({"id": number, "value": done.result()})
        else:
            self.send({"id": number, "error": f"{type(failure).__name__}: {failure}"})


def _port() -> Path:
    """The device of the port with our name."""
    for each in Path("/sys/class/virtio-ports").iterdir():
        if (each / "name").exists() and (each / "name").read_text(encoding="ascii").strip() == NAME:
            return Path("/dev") / each.name
    raise FileNotFoundError(f"there is no virtio port named {NAME}")


def lines_of(file: int) -> Iterator[bytes]:
    """Each whole line that arrives. Nothing can be read while nobody is at the other end of the port."""
    rest = b""
    while True:
        data = os.read(file, 65_536)
        if not data:
            time.sleep(0.05)
            continue
        *lines, rest = (rest + data).split(b"\n")
        yield from lines


def serve() -> None:
    """Do what is asked, for ever."""
    gc.disable()  # it would hold up a wave
    with ProcessPoolExecutor(WORKERS, multiprocessing.get_context("fork")) as pool, _opened(_port(), os.O_RDWR) as file:
        for _ in range(WORKERS):
            pool.submit(time.sleep, 0.05)  # starts the processes now: later this one has threads and held lines
        port = Port(file)
        port.send({"hello": sys.version})
        for line in lines_of(file):
            request = json.loads(line)
            number, action, arguments = request["id"], ACTIONS[request["do"]], request["with"]
            if action in LASTING:
                done: Future[Any] = Future()
                try:
                    done.set_result(action(**arguments))
                except OSError as failure:
                    done.set_exception(failure)
            else:
                done = pool.submit(action, **arguments)
            done.add_done_callback(partial(port.answer, number))


if __name__ == "__main__":
    if sys.argv[1:] == ["plug"]:
        plug()
    else:
        serve()

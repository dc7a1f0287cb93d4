r"""The demo at a terminal: keys in, one screen out; the terminal is left as it was found, whatever happens.

Rules:

1. Plain ANSI on the alternate screen, the keys read without waiting for a line (termios), one ``select`` for keys and
   for what was seen. The lamp's own timing says when the screen is due again.
2. Only lines that changed are written.
3. Ctrl-Z and Ctrl-\ are off: they would leave the terminal as it is here. Ctrl-C asks for the end.
"""

import os
import re
import select
import sys
import termios
import time
import tty
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Self

import msgspec

from node.demo.installation import Stage
from node.demo.observe.observations import Inbox, StopWanted
from node.demo.processes.programs import Node
from node.demo.screen import layout
from node.demo.screen.state import Picture, Wall
from node.errors import ToolMissingError
from node.io import health
from node.protocol.messages import HeartbeatMessage, OpenIncident
from node.service import status_file

REFRESH_S = 0.25
FAULTS_S = 0.5
"""How often the node is asked for its faults: its status file has them also while the broker is away."""

_SEQUENCE = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|O.|.)?")
"""What an arrow, a function key or Alt sends: letters in it are no keys of ours."""

_TRY_AGAIN = "try it once more; if it returns, run mosquitto -v by hand and see what it says"
_ENTER = "\x1b[?1049h\x1b[?25l\x1b[2J"
_LEAVE = "\x1b[0m\x1b[?25h\x1b[?1049l"


class Terminal:
    """Standard input and output as a screen with keys; a context."""

    def __init__(self) -> None:
        self.keyboard = sys.stdin.fileno()
        self._output = sys.stdout.fileno()
        self._before = termios.tcgetattr(self.keyboard)
        self._size = (0, 0)
        self._drawn: list[str] = []

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        columns, rows = 0, 0
        with suppress(OSError):
            columns, rows = os.get_terminal_size(self._output)
        return columns or 80, rows or 24

    def draw(self, lines: list[layout.Line], size: tuple[int, int]) -> None:
        """Show these lines, made for this size, from the top; what hasn't changed isn't written again."""
        pieces = []
        if size != self._size:
            self._size, self._drawn = size, []
            pieces.append("\x1b[0m\x1b[2J")
        drawn = ["".join(f"\x1b[0;{style}m{piece}" for piece, style in line) for line in lines]
        for row, line in enumerate(drawn):
            if row >= len(self._drawn) or self._drawn[row] != line:
                pieces.append(f"\x1b[{row + 1};1H{line}\x1b[0m\x1b[K")
        self._drawn = drawn
        if pieces:
            self._write("".join(pieces))

    def keys(self) -> str | None:
        """The keys that were pressed, in lower case; None where there is no keyboard any more."""
        try:
            read = os.read(self.keyboard, 256)
        except OSError:
            return None
        if not read:
            return None
        return _SEQUENCE.sub("", read.decode(errors="replace")).lower()

    def __enter__(self) -> Self:
        tty.setcbreak(self.keyboard)
        mode = termios.tcgetattr(self.keyboard)
        off = os.fpathconf(self.keyboard, "PC_VDISABLE").to_bytes(1, "little")
        mode[6][termios.VSUSP] = mode[6][termios.VQUIT] = off
        termios.tcsetattr(self.keyboard, termios.TCSANOW, mode)
        self._write(_ENTER)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._write(_LEAVE)
        with suppress(termios.error):
            termios.tcsetattr(self.keyboard, termios.TCSAFLUSH, self._before)

    def _write(self, written: str) -> None:
        rest = written.encode("ascii", errors="replace")
        with suppress(OSError):  # the terminal has gone: the keyboard's end says so
            while rest:
                rest = rest[os.write(self._output, rest) :]


class Show:
    """One person at all the walls and at the guard's desk, until they have seen enough."""

    def __init__(self, stage: Stage, inbox: Inbox) -> None:
        self._stage = stage
        self._inbox = inbox
        self._picture = Picture(
            began_at=time.monotonic(),
            port=stage.broker.port,
            walls={name: Wall(each.room) for name, each in stage.nodes.items()},
            chosen=next(iter(stage.nodes)),
        )
        self._kernel_boot = health.kernel_boot()
        self._faults_due = 0.0
        self._over = False
        self._keys: dict[str, Callable[[], None]] = {
            "p": self._press,
            "r": self._release,
            "a": self._acknowledge,
            "x": self._reset,
            "w": self._walk_test,
            "b": self._broker,
            "m": self._monitor,
            "k": self._kill,
            "q": self._quit,
        }
        self._keys.update(
            (str(number), partial(self._choose, name)) for number, name in enumerate(stage.nodes, start=1)
        )

    @property
    def _node(self) -> Node:
        return self._stage.nodes[self._picture.chosen]

    def run(self, terminal: Terminal) -> None:
        """Draw and obey until ``q``, Ctrl-C, a signal, or the keyboard's end. Raises ToolMissingError."""
        if not self._stage.broker.start():
            words = self._stage.broker.last_words(1)
            raise ToolMissingError(f"mosquitto doesn't start ({words[-1] if words else 'it says nothing'})", _TRY_AGAIN)
        self._stage.watch()
        for each in self._stage.nodes.values():
            each.start()
        while not self._over:
            now = time.monotonic()
            self._look(now)
            size = terminal.size
            terminal.draw(layout.draw(self._picture, now, *size), size)
            _, stays_s = layout.lamp_level(self._picture.wall.lamp, self._picture.wall.lamp_at, now)
            ready, _, _ = select.select([terminal.keyboard, self._inbox], [], [], min(stays_s, REFRESH_S))
            if terminal.keyboard in ready:
                self._obey(terminal.keys())

    def _look(self, now: float) -> None:
        picture, wall = self._picture, self._picture.wall
        for seen in self._inbox.take():
            self._over = self._over or isinstance(seen, StopWanted)
            picture.take(seen)
        picture.broker_on = self._stage.broker.running
        picture.monitor_on = self._stage.monitor.running
        for name, each in self._stage.nodes.items():
            picture.walls[name].node_on = each.running
        wall.last_words = "" if wall.node_on else next(iter(self._node.last_words(1)), "")
        if now >= self._faults_due:
            self._faults_due = now + FAULTS_S
            newest = status_file.read(self._node.state, now, self._kernel_boot)
            heartbeat = newest and msgspec.convert(newest.heartbeat, HeartbeatMessage)
            wall.faults = tuple(heartbeat.faults) if heartbeat else ()

    def _obey(self, keys: str | None) -> None:
        if keys is None:
            self._over = True
            return
        for key in keys:
            action = self._keys.get(key)
            if action is not None:
                self._answer("")
                action()

    def _choose(self, name: str) -> None:
        self._picture.chosen = name
        self._faults_due = 0.0

    def _press(self) -> None:
        self._picture.wall.pressed = True
        self._node.say("button press")

    def _release(self) -> None:
        self._picture.wall.pressed = False
        self._node.say("button release")

    def _acknowledge(self) -> None:
        if incident := self._incident("acknowledge"):
            self._stage.monitor.acknowledge(self._picture.chosen, incident.incident)

    def _reset(self) -> None:
        if incident := self._incident("reset"):
            self._stage.monitor.reset(self._picture.chosen, incident.incident)

    def _incident(self, action: str) -> OpenIncident | None:
        """The incident that somebody at the guard's desk can see."""
        if self._can(action):
            if self._picture.wall.incidents:
                return self._picture.wall.incidents[0]
            self._answer(f"nothing to {action}: no incident is open at {self._picture.chosen}")
        return None

    def _walk_test(self) -> None:
        if self._can("walk test"):
            if self._picture.wall.walk_test:
                self._stage.monitor.end_walk_test()
            else:
                self._stage.monitor.begin_walk_test()

    def _can(self, action: str) -> bool:
        """Whether a person at the guard's desk can do anything."""
        picture = self._picture
        if not picture.broker_on:
            self._answer(f"no {action}: the broker is stopped, b starts it")
        elif not picture.monitor_on:
            self._answer(f"no {action}: the monitor is off, m brings it back")
        return picture.broker_on and picture.monitor_on

    def _answer(self, note: str) -> None:
        self._picture.answer(note, time.monotonic())

    def _broker(self) -> None:
        if self._stage.broker.running:
            self._stage.broker.kill()  # as in scenes.py
        elif not self._stage.broker.start():
            self._answer("the broker didn't start; b tries again")

    def _monitor(self) -> None:
        if self._stage.monitor.running:
            self._stage.monitor.stop()
        else:
            self._stage.monitor.start()

    def _kill(self) -> None:
        if self._node.running:
            self._node.kill()
        else:
            self._node.start(held=self._picture.wall.pressed)

    def _quit(self) -> None:
        self._over = True

r"""Standard input and output as a screen with keys. The terminal is left as it was found, whatever happens.

Rules:

1. Plain ANSI on the alternate screen; the keys are read without waiting for a line (termios).
2. Only lines that have changed are written.
3. Ctrl-C is a key like any other, so that ``make``, which the signal would reach, too, reports no error. Ctrl-Z and
   Ctrl-\ are off: they would leave the terminal as it is here.
"""

import os
import re
import sys
import termios
import tty
from contextlib import suppress
from types import TracebackType
from typing import Self

from node.demo.screen.text import Line, Style

_SEQUENCE = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|O.|.)?")
"""What an arrow, a function key or Alt sends: letters in it are no keys of ours."""

_ENTER = "\x1b[?1049h\x1b[?25l\x1b[2J"
_LEAVE = "\x1b[0m\x1b[?25h\x1b[?1049l"


class Terminal:
    """A context; ``keyboard`` is the descriptor to wait for. With NO_COLOR in the environment nothing has a colour."""

    def __init__(self) -> None:
        self.keyboard = sys.stdin.fileno()
        self._output = sys.stdout.fileno()
        self._before = termios.tcgetattr(self.keyboard)
        self._has_colour = not os.environ.get("NO_COLOR")
        self._size = (0, 0)
        self._drawn: list[str] = []

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        columns, rows = 0, 0
        with suppress(OSError):
            columns, rows = os.get_terminal_size(self._output)
        return columns or 80, rows or 24

    def draw(self, lines: list[Line], size: tuple[int, int]) -> None:
        """Show these lines, made for this size, from the top."""
        pieces = []
        if size != self._size:
            self._size, self._drawn = size, []
            pieces.append("\x1b[0m\x1b[2J")
        drawn = ["".join(f"\x1b[0;{self._sgr(style)}m{piece}" for piece, style in line) for line in lines]
        for row, line in enumerate(drawn):
            if row >= len(self._drawn) or self._drawn[row] != line:
                pieces.append(f"\x1b[{row + 1};1H{line}\x1b[0m\x1b[K")
        self._drawn = drawn
        if pieces:
            self._write("".join(pieces))

    def keys(self) -> str | None:
        """The keys that were pressed, in lower case; None if there is no keyboard any more."""
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
        mode[6][termios.VINTR] = mode[6][termios.VSUSP] = mode[6][termios.VQUIT] = off
        termios.tcsetattr(self.keyboard, termios.TCSANOW, mode)
        self._write(_ENTER)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._write(_LEAVE)
        with suppress(termios.error):
            termios.tcsetattr(self.keyboard, termios.TCSAFLUSH, self._before)

    def _sgr(self, style: Style) -> Style:
        return style if self._has_colour or style is not Style.LIT else Style.LOUD

    def _write(self, written: str) -> None:
        rest = written.encode("ascii", errors="replace")
        with suppress(OSError):  # the terminal has gone: the keyboard's end says so
            while rest:
                rest = rest[os.write(self._output, rest) :]

"""What a command prints: it works in any locale, and output that can't be written is reported.

1. A character that the locale or the terminal can't print is replaced, so a name in a foreign script ends no command.
2. If standard output can't be written (a full disk), the command fails and says so. If its reader has gone
   (``| head``), the command ends quietly, like a command that the signal SIGPIPE kills.
3. An export is UTF-8 in any locale: its own text says so, and tools read it so.
"""

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn, TextIO, cast

from node.errors import AlarmNodeError
from node.sanitize import plain


class OutputError(AlarmNodeError):
    """Standard output can't be written."""

    code = "E051"

    def __init__(self, problem: OSError) -> None:
        super().__init__(
            f"the output is incomplete: standard output can't be written ({problem.strerror})",
            "make room there, or write to another place, then run this again",
        )


class ReaderGoneError(Exception):
    """The reader of standard output has gone."""


@contextmanager
def printing() -> Iterator[None]:
    """In this context standard output and standard error follow the rules above; at its end everything is written.

    Raises OutputError or ReaderGoneError if standard output can't be written.
    """
    before = sys.stdout
    for stream in (before, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    output = _Output(before)
    sys.stdout = cast("TextIO", output)
    try:
        try:
            yield
        finally:
            output.flush()
    except (OutputError, ReaderGoneError):
        _discard(before)
        raise
    finally:
        sys.stdout = before


def explain(*lines: str) -> None:
    """Print on standard error why a command ends."""
    with suppress(OSError, AttributeError):  # if nobody can be told, the exit code is left
        sys.stderr.write("".join(f"{plain(line)}\n" for line in lines))


def as_utf8() -> None:
    """From here on, the output is an export."""
    stream = direct()
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding="utf-8")


def direct() -> TextIO:
    """Standard output for a caller that handles its errors itself."""
    return cast("TextIO", getattr(sys.stdout, "stream", sys.stdout))


class _Output:
    """Standard output that raises named errors. ``stream`` is None if the program was started without one."""

    def __init__(self, stream: TextIO | None) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """As any text stream."""
        try:
            if self.stream is None:
                _refuse()
            return self.stream.write(text)
        except OSError as problem:
            raise _named(problem) from None

    def flush(self) -> None:
        """As any text stream."""
        try:
            if self.stream is not None:
                self.stream.flush()
        except OSError as problem:
            raise _named(problem) from None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def _refuse() -> NoReturn:
    raise OSError(errno.EBADF, os.strerror(errno.EBADF))


def _named(problem: OSError) -> OutputError | ReaderGoneError:
    return ReaderGoneError() if isinstance(problem, BrokenPipeError) else OutputError(problem)


def _discard(stream: TextIO | None) -> None:
    """Let buffered text go nowhere: Python flushes it again at its end, and would print an error."""
    with suppress(OSError, ValueError, AttributeError):
        target = cast("TextIO", stream).fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, target)
        os.close(nowhere)

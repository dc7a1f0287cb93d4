"""Files that are read while the program runs, and that may be anything at any time: replaced, half-written, gone.

1. Whatever is wrong with a file is one FileError. Its text names the file, says what is wrong, and shows nothing of
   what the file holds: that may be a secret.
2. What stands on one line (a password, a URL, a token): a byte order mark before it and one end of line behind it (LF,
   CR LF or CR) don't belong to it. A NUL byte or a second line is refused. Every other byte is left as it is.
3. What was read last is kept and used on until the file can be used again (``Kept``).
"""

import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

LIMIT = 2**20
"""In bytes; ten times as large as a file with every authority of the world."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""Editors on Windows begin a file with it."""

_TICK_NS = 1_000_000_000

_SOCKET_PATH_BYTES = 107
"""What the kernel takes as the path of a socket (unix(7), with a NUL behind it)."""

T = TypeVar("T")


class FileError(Exception):
    """A file can't be used; ``reason`` says why, and the whole text which file it is too."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} {reason}")
        self.reason = reason


@contextmanager
def socket_path(path: Path) -> Iterator[str]:
    """A name of this path that a socket can be bound and connected to, however long the path is. Raises OSError."""
    if len(os.fsencode(path)) <= _SOCKET_PATH_BYTES:
        yield os.fspath(path)
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def content(path: Path) -> bytes:
    """What a file holds. A directory, a pipe or a device isn't read: nobody knows when that would end."""
    _must_be_absolute(path)
    try:
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as opened:  # noqa: PTH123
            if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                raise FileError(path, "is a pipe or a device, not a file")
            found = opened.read(LIMIT + 1)
    except OSError as failure:
        raise _unreadable(path, failure) from failure
    if len(found) > LIMIT:
        raise FileError(path, f"is larger than {LIMIT} bytes")
    return found


def one_line(path: Path, what: str) -> bytes:
    """The one line that a file holds: ``what`` (by rule 2)."""
    line = content(path).removeprefix(_BYTE_ORDER_MARK).removesuffix(b"\n").removesuffix(b"\r")
    if b"\0" in line:
        raise FileError(path, f"holds a NUL byte: write the {what} into it as plain text (UTF-8)")
    if not line.strip():
        raise FileError(path, f"is empty: write the {what} into it, on one line")
    if b"\n" in line or b"\r" in line:
        raise FileError(path, f"holds several lines: leave one, the {what}")
    return line


class Kept(Generic[T]):
    """What ``read`` makes of these files, as it last could. Until ``look`` was called nothing is known.

    ``value``: what was read last, None before that. ``problem``: which file can't be used as it is now, and why; empty
    where all are in order. ``read`` raises FileError, and takes all of the files or none.
    """

    def __init__(self, paths: Sequence[Path], read: Callable[[], T]) -> None:
        self.value: T | None = None
        self.problem = ""
        self._paths = paths
        self._read = read
        self._stamps: list[tuple[int, ...]] | None = None

    def look(self) -> None:
        """Read the files if one of them has changed, or couldn't be used the last time."""
        try:
            now_ns = time.time_ns()
            stamps = [_stamp(path) for path in self._paths]
            if stamps != self._stamps:
                self._stamps = None
                self.value = self._read()
                # Two changes within a tick of the file system's clock would look like one.
                self._stamps = stamps if all(now_ns - changed > _TICK_NS for *_, changed in stamps) else None
            self.problem = ""
        except FileError as unusable:
            self.problem = str(unusable)


def _stamp(path: Path) -> tuple[int, ...]:
    """What differs when a file was changed or replaced."""
    _must_be_absolute(path)
    try:
        found = path.stat()
    except OSError as failure:
        raise _unreadable(path, failure) from failure
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _must_be_absolute(path: Path) -> None:
    if not path.is_absolute():
        raise FileError(
            path,
            "is a bare name, and there is no $CREDENTIALS_DIRECTORY: write an absolute path, or let systemd give the "
            "file to the service by LoadCredential=NAME:PATH",
        )


def _unreadable(path: Path, failure: OSError) -> FileError:
    reason = f"can't be read ({failure.strerror}): check that the file exists and that the service may read it"
    return FileError(path, reason)

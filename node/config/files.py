"""Files that are read while the program runs. Any of them may be replaced, half-written or deleted at any time.

1. Every problem with a file is one FileError. Its text names the file and says what is wrong. It shows nothing of the
   file's content, which may be a secret.
2. For a value on one line (a password, a URL, a token), a byte order mark before it and one end of line after it (LF,
   CR LF or CR) are removed. A NUL byte or a second line is refused. Every other byte is kept as it is.
3. The last content that could be read is used until the file can be read again (``Kept``).
4. A file that the program writes is replaced in one step (``replace``): after a power cut the old or the new one is
   whole.
5. Nothing waits for what lies in the place of a file: a pipe, a device or a directory is refused (``open_file``). A
   library that opens a file by itself gets its path only after ``require_file``.
"""

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

LIMIT = 2**20
"""In bytes; ten times the size of a file with all public authorities."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""Editors on Windows put it at the beginning of a file."""

_TICK_NS = 1_000_000_000

_SOCKET_PATH_BYTES = 107
"""The longest path of a socket that the kernel takes (unix(7); a NUL follows it)."""

T = TypeVar("T")


class FileError(Exception):
    """A file can't be used. ``reason`` says why; the whole text also says which file it is."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} {reason}")
        self.reason = reason


class _NoFileError(OSError):
    """A pipe or a device lies in the place of a file."""


def open_file(path: Path, flags: int, mode: int = 0o600) -> int:
    """Open a file by these flags of os.open; returns its descriptor. OSError also for whatever isn't a file."""
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK, mode)
    try:
        _require_file(path, os.fstat(descriptor))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def require_file(path: Path) -> None:
    """OSError unless there is a file."""
    _require_file(path, path.stat())


def _require_file(path: Path, found: os.stat_result) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(found.st_mode):
        raise _NoFileError(errno.EINVAL, "Is a pipe or a device", str(path))


@contextmanager
def socket_path(path: Path) -> Iterator[str]:
    """A name of this path that a socket can bind or connect to, however long the path is. Raises OSError."""
    if len(os.fsencode(path)) <= _SOCKET_PATH_BYTES:
        yield os.fspath(path)
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def content(path: Path) -> bytes:
    """The content of a file. A directory, a pipe or a device is refused: reading one could take for ever."""
    _must_be_absolute(path)
    try:
        with open(open_file(path, os.O_RDONLY), "rb") as opened:
            found = opened.read(LIMIT + 1)
    except _NoFileError as failure:
        raise FileError(path, "is a pipe or a device, not a file") from failure
    except OSError as failure:
        raise _unreadable(path, failure) from failure
    if len(found) > LIMIT:
        raise FileError(path, f"is larger than {LIMIT} bytes")
    return found


def json_of(path: Path, kind: type[T]) -> T:
    """The content of a file that this program has written as JSON of this type. Raises FileError, whatever is in it."""
    found = content(path)
    try:
        return msgspec.json.decode(found, type=kind)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as problem:
        raise FileError(path, f"isn't as this program writes it ({problem})") from problem


def one_line(path: Path, what: str) -> bytes:
    """The only line of a file, as rule 2 says; ``what`` names it in errors."""
    line = content(path).removeprefix(_BYTE_ORDER_MARK).removesuffix(b"\n").removesuffix(b"\r")
    if b"\0" in line:
        raise FileError(path, f"contains a NUL byte: write the {what} into it as plain text (UTF-8)")
    if not line.strip():
        raise FileError(path, f"is empty: write the {what} into it, on one line")
    if b"\n" in line or b"\r" in line:
        raise FileError(path, f"holds several lines: leave one, the {what}")
    return line


def replace(
    path: Path,
    new: bytes,
    mode: int,
    check: Callable[[Path], object] = lambda fresh: None,
    *,
    synced: bool = True,
) -> None:
    """Put this content in the place of a file, once ``check`` has accepted the new file. Its rights are ``mode``.

    ``synced``: it outlasts a power cut, and the caller waits for the disk. Raises OSError, and whatever ``check``
    raises.
    """
    fresh = path.with_name(f".{path.name}.new")
    try:
        fresh.unlink(missing_ok=True)
        with fresh.open("xb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(new)
            if synced:
                file.flush()
                os.fsync(file.fileno())
        check(fresh)
        fresh.replace(path)
        if synced:
            _sync(path.parent)
    finally:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)


def _sync(directory: Path) -> None:
    opened = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


class Kept(Generic[T]):
    """What ``read`` last made of these files. Before the first ``look`` there is nothing.

    ``value``: what was read last, None before that. ``problem``: which file can't be used at the moment, and why; empty
    if all are in order. ``read`` raises FileError; it succeeds for all of the files or fails as a whole.
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
                # Two changes within one tick of the file system's clock have the same stamp.
                self._stamps = stamps if all(now_ns - changed > _TICK_NS for *_, changed in stamps) else None
            self.problem = ""
        except FileError as unusable:
            self.problem = str(unusable)


def _stamp(path: Path) -> tuple[int, ...]:
    """Values that differ when a file was changed or replaced."""
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

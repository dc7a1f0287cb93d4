"""Reads files of /proc and /sys: an absent file is None, an unreadable one is a HealthError with the reason."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_ABSENT = (FileNotFoundError, NotADirectoryError)


class HealthError(Exception):
    """The file is there but can't be read or understood; ``str()`` is the reason."""


def text(path: Path) -> str | None:
    """The file's text without surrounding white space; None if there is no such file."""
    return _read(path, lambda: path.read_text(encoding="utf-8").strip())


def number(path: Path, base: int = 10) -> int | None:
    """The whole number in the file; None if there is no such file."""
    found = text(path)
    if found is None:
        return None
    try:
        return int(found, base)
    except ValueError:
        raise HealthError(f"{path} says {found[:40]!r}, which is no number") from None


def entries(directory: Path) -> list[Path] | None:
    """The directory's entries, sorted by name; None if there is no such directory."""
    return _read(directory, lambda: sorted(directory.iterdir()))


def is_there(path: Path) -> bool:
    """Whether there is a file or directory of this name."""
    return _read(path, path.stat) is not None


def _read(path: Path, read: Callable[[], T]) -> T | None:
    try:
        return read()
    except _ABSENT:
        return None
    except OSError as error:
        raise HealthError(f"{path}: {error.strerror}") from error
    except UnicodeError as error:
        raise HealthError(f"{path} isn't text") from error

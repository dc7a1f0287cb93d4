"""What becomes of a file: an editor, a renewal, a memory card that dies or a power cut leave one of these behind."""

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

Damage = Callable[[Path], None]


def _emptied(path: Path) -> None:
    path.write_bytes(b"")


def _blanks(path: Path) -> None:
    path.write_bytes(b"  \t \n")


def _zeros(path: Path) -> None:
    """As ext4 leaves a file whose blocks weren't written before the power cut."""
    path.write_bytes(bytes(path.stat().st_size))


def _garbage(path: Path) -> None:
    path.write_bytes(b"\x00\xff\xfe\x80\n\x07\r" * 40)


def _half(path: Path) -> None:
    found = path.read_bytes()
    path.write_bytes(found[: len(found) // 2])


def _utf_16(path: Path) -> None:
    """As an editor saves it that calls this Unicode."""
    path.write_bytes(path.read_text(encoding="utf-8").encode("utf-16"))


def _missing(path: Path) -> None:
    path.unlink()


def _directory(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def _unreadable(path: Path) -> None:
    """For every account, root included: a link to itself."""
    path.unlink(missing_ok=True)
    path.symlink_to(path)


def _pipe(path: Path) -> None:
    """Whoever reads it waits for ever."""
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def _device(path: Path) -> None:
    """Whoever reads it gets zeros without an end."""
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/zero")


def _endless(path: Path) -> None:
    path.write_bytes(b"x" * (2**20 + 1))


DAMAGES: Mapping[str, Damage] = {
    "emptied": _emptied,
    "blanks": _blanks,
    "zeros": _zeros,
    "garbage": _garbage,
    "UTF-16": _utf_16,
    "missing": _missing,
    "a directory": _directory,
    "unreadable": _unreadable,
    "a pipe": _pipe,
    "a device": _device,
    "endless": _endless,
}
"""What no file can be used with, whatever it is for."""

NO_FILES: Mapping[str, Damage] = {name: DAMAGES[name] for name in ("a directory", "unreadable", "a pipe", "a device")}
"""What may lie where a file should be; there needn't be a file before."""

HALF: Mapping[str, Damage] = {"half-written": _half}
"""Nobody can see it on a password or a URL."""


def mend(path: Path, content: bytes) -> None:
    """Whatever lies there now, the file holds this again."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    path.write_bytes(content)

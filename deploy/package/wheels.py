"""The locked wheels of a program for a target: fetched by pip, which checks their hashes, and unpacked as pip would."""

import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Set
from pathlib import Path

from deploy.package.targets import Target

_BUILD_ONLY = frozenset({"setuptools"})
"""colorzero names it as a dependency and never uses it."""


class Pip:
    """pip in an environment of its own below ``directory``: Debian's pip refuses to work outside of one."""

    def __init__(self, directory: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", directory], check=True)
        self._command: list[str | Path] = [
            directory / "bin/python",
            "-m",
            "pip",
            "--disable-pip-version-check",
            "--no-input",
            "--quiet",
        ]

    def fetch(self, lock: Path, without: Set[str], target: Target, to: Path) -> list[Path]:
        """The wheels of this lock that run on the target, sorted.

        pip resolves for the target: what a package needs there and the lock hasn't ends in CalledProcessError, as does
        a package without a wheel.
        """
        to.mkdir(parents=True)
        wanted = to / "requirements.txt"
        wanted.write_text("".join(_entries(lock.read_text(encoding="utf-8"), without)), encoding="utf-8")
        platforms = [f"--platform={tag}" for tag in target.platforms]
        options = ["--only-binary=:all:", f"--python-version={target.python}", "--implementation=cp", *platforms]
        subprocess.run(
            [*self._command, "download", "--require-hashes", *options, f"--dest={to}", f"--requirement={wanted}"],
            check=True,
        )
        return [path for path in sorted(to.glob("*.whl")) if name_of(path) not in _BUILD_ONLY]


def name_of(wheel: Path) -> str:
    """The name of a wheel's package, as it stands in a lock."""
    return wheel.name.partition("-")[0].lower().replace("_", "-").replace(".", "-")


def unpack(wheel: Path, to: Path) -> None:
    """Put what a wheel holds into a directory of packages, without its commands: people have the program's own."""
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            place = _place(member.filename)
            if place is None or member.is_dir():
                continue
            if ".." in Path(place).parts or Path(place).is_absolute():
                raise ValueError(f"{wheel.name} holds {member.filename}, which lies outside of it")
            path = to / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(archive.read(member))


def _place(member: str) -> str | None:
    """Where a wheel's file goes; None for its commands (the binary distribution format says what .data holds)."""
    top, _, rest = member.partition("/")
    if not top.endswith(".data"):
        return member
    kind, _, below = rest.partition("/")
    if kind in ("purelib", "platlib"):
        return below
    if kind == "scripts":
        return None
    raise ValueError(f"{member}: nobody knows where this goes")


def _entries(lock: str, without: Set[str]) -> Iterator[str]:
    """The entries of a lock but those of these names; an entry is a line with the lines that continue it."""
    for entry in re.findall(r"^[a-z0-9].*\n(?:^ .*\n)*", lock, re.MULTILINE):
        if re.split(r"[\[=]", entry)[0] not in without:
            yield entry

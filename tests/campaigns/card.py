"""A memory card that can fail under a node that runs, and be cut from its power: shim.c, steered from here."""

import atexit
import functools
import random
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path

SECTOR = 512
_SOURCE = Path(__file__).with_name("shim.c")


class Fault(IntEnum):
    """What the card does; the first byte of the control file (shim.c)."""

    WELL = 0
    FULL = 1
    READ_ONLY = 2
    STALLED = 3


def missing() -> str:
    """What this machine lacks for such a card, "" where it has all."""
    return "" if shutil.which("gcc") else "gcc isn't installed"


class Card:
    """The card on which ``directory``/state lies. A node is on it that is started with ``environ``."""

    def __init__(self, directory: Path) -> None:
        self._state = directory / "state"
        self._control, self._synced = directory / "card", directory / "synced"
        self._synced.mkdir()
        self._control.write_bytes(bytes([Fault.WELL]))

    @property
    def environ(self) -> Mapping[str, str]:
        """What the node's environment has in addition."""
        return {
            "LD_PRELOAD": str(_library()),
            "SHIM_DIRECTORY": str(self._state),
            "SHIM_CONTROL": str(self._control),
            "SHIM_SYNCED": str(self._synced),
        }

    def set(self, fault: Fault) -> None:
        """From now on it behaves so; at once, in whatever it is about to do."""
        with self._control.open("r+b") as control:
            control.write(bytes([fault]))

    def cut(self, chance: random.Random, *, torn: bool) -> None:
        """Leave what a power cut would, once the node is killed: what was synced.

        ``torn``: of what wasn't synced, some sectors got there all the same, whatever their order.
        """
        left = {}
        for line in self._lines():
            identity, _, name = line.partition(" ")
            kept = self._synced / identity
            durable = kept.read_bytes() if kept.exists() else b""
            left[name] = self._torn(name, identity, durable, chance) if torn else durable
        for path in self._state.iterdir():
            path.unlink()
        for name, content in left.items():
            (self._state / name).write_bytes(content)

    def _lines(self) -> list[str]:
        entries = self._synced / "entries"
        return entries.read_text(encoding="utf-8").splitlines() if entries.exists() else []

    def _torn(self, name: str, identity: str, durable: bytes, chance: random.Random) -> bytes:
        path = self._state / name
        if not path.exists() or str(path.stat().st_ino) != identity.partition("-")[0]:
            return durable
        written, share = path.read_bytes(), chance.random()
        longest = max(len(durable), len(written))
        length = chance.choice([len(durable), len(written)])
        sectors = range(0, longest, SECTOR)
        mixed = (written if chance.random() < share else durable for _ in sectors)
        content = b"".join(
            source[at : at + SECTOR].ljust(min(SECTOR, longest - at), b"\0")
            for at, source in zip(sectors, mixed, strict=True)
        )
        return content[:length]


@functools.cache
def _library() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="card-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    library = directory / "shim.so"
    build = ["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-o", str(library), str(_SOURCE), "-ldl"]
    built = subprocess.run(build, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return library

"""On what kind of file system a path lies, by /proc/self/mountinfo (proc_pid_mountinfo(5)).

A line of it, in which blanks of names are octal numbers:

    36 35 179:2 / /var/lib/alarm-node rw,noatime shared:1 - ext4 /dev/mmcblk0p3 rw,data=ordered
                  mounted at          options               type source         options of the file system
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

OVERLAY = "overlay"
_IN_MEMORY = ("tmpfs", "ramfs")


class Mount(Struct, frozen=True):
    """A file system and where it is mounted; ``upper``: where an overlay keeps what is changed, None elsewhere."""

    at: Path
    kind: str
    source: str
    options: frozenset[str]
    upper: Path | None = None

    @property
    def is_in_memory(self) -> bool:
        """Whether a power cut loses all that is written there."""
        return self.kind in _IN_MEMORY


def mounts_of(mountinfo: str) -> list[Mount]:
    """The mounts that this text lists; lines that make no sense are left out."""
    found = []
    for line in mountinfo.splitlines():
        fields, separator, rest = line.partition(" - ")
        before, behind = fields.split(" "), rest.split(" ")
        if not separator or len(before) < 6 or len(behind) < 3:
            continue
        options = [*before[5].split(","), *behind[2].split(",")]
        upper = next((each.removeprefix("upperdir=") for each in options if each.startswith("upperdir=")), None)
        found.append(
            Mount(
                Path(_plain(before[4])),
                behind[0],
                _plain(behind[1]),
                frozenset(options),
                None if upper is None else Path(_plain(upper)),
            )
        )
    return found


def lies_on(path: Path, mounts: Sequence[Mount]) -> Mount | None:
    """The file system that keeps what is written there; an overlay if it doesn't show where it keeps that.

    May hang as long as the disk.
    """
    real = Path(os.path.realpath(path))
    above = [mount for mount in mounts if real.is_relative_to(mount.at)]
    # Of several at one place the last one is seen.
    deepest = max(enumerate(above), key=lambda each: (len(each[1].at.parts), each[0]), default=(0, None))[1]
    if deepest is None or deepest.upper is None or not _is_here(deepest.upper):
        return deepest
    upper = lies_on(deepest.upper, [mount for mount in mounts if mount.kind != OVERLAY])
    return upper or deepest


def _is_here(upper: Path) -> bool:
    """A container sees the path that an overlay has outside; what lies at such a path inside is something else."""
    try:
        upper.stat()
    except FileNotFoundError:
        return False
    except OSError:
        return True  # this account may not look at it
    return True


def _plain(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), field)

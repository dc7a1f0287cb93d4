"""The doctor asks what a power cut would lose: on what kind of file system the record and the configuration lie.

A line of /proc/self/mountinfo (proc_pid_mountinfo(5)), in which blanks of names are octal numbers:

    36 35 179:2 / /var/lib/alarm-node rw,noatime shared:1 - ext4 /dev/mmcblk0p3 rw,data=ordered
                  mounted at          options               type source         options of the file system
"""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from node import config
from node.io.terminal.check_result import CheckResult

_OVERLAY = "overlay"
_IN_MEMORY = ("tmpfs", "ramfs")
_LAX = {
    "nobarrier": "what it calls synced may still be in the card's own memory",
    "barrier=0": "what it calls synced may still be in the card's own memory",
    "fsync_mode=nobarrier": "what it calls synced may still be in the card's own memory",
    "data=writeback": "a file may hold old content afterwards",
}
"""Options that trade safety for speed (ext4(5), f2fs of the kernel's documentation), and what that costs."""


@dataclass(frozen=True, slots=True)
class Mount:
    """A file system and where it is mounted; ``upper``: where an overlay keeps what is changed, None elsewhere."""

    at: Path
    kind: str
    source: str
    options: frozenset[str]
    upper: Path | None = None


def look_at_storage(
    settings: config.Config, directory: Path, mountinfo: Path = Path("/proc/self/mountinfo")
) -> Iterator[CheckResult]:
    """What of the record, and of changes to the configuration, a power cut would lose."""
    try:
        mounts = _mounts(mountinfo.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return
    where = _lies_on(directory, mounts)
    if where is None:
        return
    if where.kind == _OVERLAY:
        text = f"{directory} is on an overlay that doesn't show where it keeps what is written: perhaps in memory"
        yield CheckResult(None, text, f"ask whoever prepared this machine, or mount a partition at {directory}")
        return
    if where.kind in _IN_MEMORY:
        text = (
            f"{directory} is in memory ({where.kind}): a power cut loses all that the node has stored, open alarms too"
        )
        yield CheckResult(False, text, f"mount a partition of the card or a disk at {directory}")
        return
    lax = sorted(where.options & _LAX.keys())
    for option in lax:
        text = f"the file system of {directory} has the option {option}: after a power cut, {_LAX[option]}"
        yield CheckResult(False, text, f"remove {option} from /etc/fstab or the kernel's command line")
    if not lax:
        told = f"a power cut loses nothing that the node has stored: {directory} is on {where.source} ({where.kind})"
        yield CheckResult(True, told)
    file = _lies_on(settings.path.absolute(), mounts)
    if file is not None and file.kind in _IN_MEMORY:
        text = f"changes to {settings.path} are in memory ({file.kind}): they are lost when the machine starts again"
        yield CheckResult(True, text, "to keep a change, make it while the root file system is writable")


def _lies_on(path: Path, mounts: Sequence[Mount]) -> Mount | None:
    """The file system that keeps what is written there; an overlay if it doesn't show where it keeps that."""
    real = Path(os.path.realpath(path))
    above = [mount for mount in mounts if real.is_relative_to(mount.at)]
    # Of several at one place the last one is seen.
    deepest = max(enumerate(above), key=lambda each: (len(each[1].at.parts), each[0]), default=(0, None))[1]
    if deepest is None or deepest.upper is None:
        return deepest
    upper = _lies_on(deepest.upper, [mount for mount in mounts if mount.kind != _OVERLAY])
    return upper or deepest


def _mounts(text: str) -> list[Mount]:
    found = []
    for line in text.splitlines():
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


def _plain(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), field)

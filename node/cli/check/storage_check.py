"""The doctor asks what a power cut would lose: on what kind of file system the record and the configuration lie."""

from collections.abc import Iterator
from pathlib import Path

from node import config
from node.errors.faults import RECORD_IN_MEMORY
from node.io.health.mounts import OVERLAY, lies_on, mounts_of
from node.io.terminal.check_result import CheckResult

_LAX = {
    "nobarrier": "what it calls synced may still be in the card's own memory",
    "barrier=0": "what it calls synced may still be in the card's own memory",
    "fsync_mode=nobarrier": "what it calls synced may still be in the card's own memory",
    "data=writeback": "a file may hold old content afterwards",
}
"""Options that trade safety for speed (ext4(5), f2fs of the kernel's documentation), and what that costs."""


def look_at_storage(
    settings: config.Config, directory: Path, mountinfo: Path = Path("/proc/self/mountinfo")
) -> Iterator[CheckResult]:
    """What of the record, and of changes to the configuration, a power cut would lose."""
    try:
        mounts = mounts_of(mountinfo.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return
    where = lies_on(directory, mounts)
    if where is None:
        return
    if where.kind == OVERLAY:
        text = f"{directory} is on an overlay that doesn't show where it keeps what is written: perhaps in memory"
        yield CheckResult(None, text, f"ask whoever prepared this machine, or mount a partition at {directory}")
        return
    if where.is_in_memory:
        yield CheckResult(False, f"{directory} ({where.kind}): {RECORD_IN_MEMORY.text}", RECORD_IN_MEMORY.next_step)
        return
    lax = sorted(where.options & _LAX.keys())
    for option in lax:
        text = f"the file system of {directory} has the option {option}: after a power cut, {_LAX[option]}"
        yield CheckResult(False, text, f"remove {option} from /etc/fstab or the kernel's command line")
    if not lax:
        told = f"a power cut loses nothing that the node has stored: {directory} is on {where.source} ({where.kind})"
        yield CheckResult(True, told)
    file = lies_on(settings.path.absolute(), mounts)
    if file is not None and file.is_in_memory:
        text = f"changes to {settings.path} are in memory ({file.kind}): they are lost when the machine starts again"
        yield CheckResult(True, text, "to keep a change, make it while the root file system is writable")

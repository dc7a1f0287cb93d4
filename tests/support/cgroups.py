"""A control group of its own for a machine of systemd-nspawn.

nspawn puts a machine below the group of whoever starts it. Two machines of one group would take each other's services
for their own, and end them.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ENTER = 'for each in $GROUPS_TO_ENTER; do echo $$ >"$each/cgroup.procs"; done; exec "$@"'
"""What sh does before it becomes the machine."""


@contextmanager
def own_groups(name: str) -> Iterator[list[Path]]:
    """New groups of this name below those of this process, in the hierarchies that systemd uses; removed at the end."""
    groups = [place / name for place in _places()]
    for group in groups:
        group.mkdir()
    try:
        yield groups
    finally:
        for group in groups:
            for directory, _, _ in os.walk(group, topdown=False):
                with suppress(OSError):  # the last process of a group may still be leaving it
                    Path(directory).rmdir()


def _places() -> Iterator[Path]:
    """Where this process is in cgroup 2, and in the hierarchy of cgroup 1 that is systemd's (cgroups(7))."""
    own = dict(re.findall(r"^\d+:(|name=systemd):(/.*)$", Path("/proc/self/cgroup").read_text("utf-8"), re.MULTILINE))
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8")
    for hierarchy, kind in (("", r"cgroup2 \S*"), ("name=systemd", r"cgroup \S*\bname=systemd\b\S*")):
        mounted = re.search(rf"^\S+ (\S+) {kind} ", mounts, re.MULTILINE)
        if mounted and hierarchy in own:
            yield Path(mounted[1] + own[hierarchy])

"""``python -m tests.vm``: proves the program on a GPIO chip of the kernel's own, in virtual machines.

Ends with 1 if a promise was broken. What this machine can't do is told as skipped, and is never counted as passed.
SIGTERM and SIGINT end the run, its machines and its temporary files.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from platform import machine
from types import FrameType
from typing import NoReturn

from tests.campaigns.campaign import Result
from tests.vm.cache import Cache, user_cache
from tests.vm.debian import Archive, UnavailableError
from tests.vm.groups import GROUPS, Run, results_of
from tests.vm.guest import Guest, guest
from tests.vm.machine import kill_all
from tests.vm.show import Proved, Show, write

SEED = 20261130

WANTED = {
    "amd64": ("qemu-system-x86_64", "mmdebstrap", "mke2fs", "e2fsck", "debugfs", "depmod", "dpkg-deb"),
    "arm64": ("qemu-system-aarch64", "mmdebstrap", "mke2fs", "depmod", "dpkg-deb"),
}
"""The programs that a guest of this architecture wants here."""

EMULATED = Path("/proc/sys/fs/binfmt_misc/qemu-aarch64")
"""There where this machine runs arm64's programs by qemu-user-static: the guest's packages are installed here."""


ENDING = (signal.SIGTERM, signal.SIGINT)


class Guests:
    """The guests of a run: each is made when it is first asked for."""

    def __init__(self, cache: Cache, asked: Run) -> None:
        self._cache, self._asked = cache, asked
        self._made: dict[tuple[str, str], Guest | str] = {}

    def get(self, suite: str, architecture: str) -> Guest | str:
        """The guest, or what this machine lacks for it."""
        key = suite, architecture
        if key not in self._made:
            self._made[key] = self._lack(architecture) or self._make(Archive(suite, architecture, self._cache))
        return self._made[key]

    def _make(self, archive: Archive) -> Guest | str:
        try:
            return guest(
                archive,
                self._cache,
                self._asked.work,
                tell=lambda what: self._asked.show.tell(f"{archive.name}: {what}"),
            )
        except UnavailableError as lack:
            return str(lack)

    def _lack(self, architecture: str) -> str:
        if os.geteuid() != 0:
            return "only root can make a root for a guest. Next: make vm, which asks for sudo"
        if architecture == "arm64" and machine() != "aarch64" and not EMULATED.exists():
            return "this machine runs no programs of arm64 (binfmt_misc). Next: apt-get install qemu-user-static"
        lacks = [name for name in WANTED[architecture] if shutil.which(name) is None]
        return f"{', '.join(lacks)} not found. Next: make vm, which installs what is missing" if lacks else ""


def main() -> int:
    """Run what the command line asks for; the exit code."""
    parsed = _parsed()
    for ending in ENDING:
        signal.signal(ending, _end)
    work = Path(tempfile.mkdtemp(prefix="alarm-node-vm-"))
    try:
        with Show() as show:
            asked = Run(parsed.seed, parsed.tries, frozenset(parsed.only or ()), work, show)
            proved = []
            for each in _proved(asked, Guests(Cache(parsed.cache), asked), parsed.where):
                proved.append(each)
                result = each.result
                show.tell(
                    f"{result.name} ({each.where}): {result.verdict}, {result.tried} tries, {result.seconds:.0f} s"
                )
                for broken in result.broken:
                    show.tell(f"  try {broken.number} {broken.kind}: {broken.reason}")
        show.results(proved, parsed.seed)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if parsed.json is not None:
        write(parsed.json, proved, parsed.seed)
    return 1 if any(each.result.broken for each in proved) else 0


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    for each in ENDING:
        signal.signal(each, signal.SIG_IGN)  # a second one would leave behind what the first one is clearing away
    kill_all()
    sys.exit(128 + number)


def _proved(asked: Run, guests: Guests, where: str) -> Iterator[Proved]:
    for group in GROUPS:
        chosen = {name: promise for name, promise in group.promises.items() if not asked.only or name in asked.only}
        if not chosen or where not in group.where:
            continue
        made = guests.get(*group.guest)
        if isinstance(made, str):
            yield from (Proved(group.where, Result(*each, skipped=made)) for each in chosen.items())
        else:
            asked.show.tell(f"{group.where}: {', '.join(chosen)}")
            yield from (Proved(group.where, result) for result in results_of(group, made, asked))


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.vm", description=__doc__.partition("\n")[0])
    names = list(dict.fromkeys(name for group in GROUPS for name in group.promises))
    parser.add_argument("--seed", type=int, default=SEED, help="whose tries (default: %(default)s)")
    parser.add_argument("--only", action="append", choices=names, metavar="POINT", help="this one; repeatable")
    parser.add_argument("--where", default="", help='only where this is part of it, such as "lgpio" or "arm64"')
    parser.add_argument("--tries", type=int, metavar="N", help="so many of each, in place of its own number")
    parser.add_argument("--cache", type=Path, default=user_cache(), metavar="DIRECTORY", help="default: %(default)s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="leave the results there too")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

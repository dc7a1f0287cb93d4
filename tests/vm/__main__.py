"""``python -m tests.vm``: proves the node on a real GPIO chip's kernel interface, in virtual machines.

Ends with 1 if a promise was broken. What this machine can't do is told as skipped, and is never counted as passed.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.campaigns.campaign import Break, Result, run
from tests.vm.cache import Cache, user_cache
from tests.vm.debian import Archive, UnavailableError
from tests.vm.guest import Guest, guest
from tests.vm.machine import Machine
from tests.vm.point import FACTORIES, READY, Point
from tests.vm.points import pressing
from tests.vm.room import Room

SEED = 20261130
POINTS: Sequence[Point] = (*pressing.POINTS,)

WANTED = ("qemu-system-x86_64", "mmdebstrap", "mke2fs", "depmod", "dpkg-deb")


@dataclass(frozen=True, slots=True)
class Proved:
    """What came of a point in one group: which guest, which factory."""

    where: str
    result: Result


class Show:
    """What is shown while it runs: a line for each step, and the one that is going on where there is a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begin = time.monotonic()

    def tell(self, text: str) -> None:
        """A line with the time since the beginning."""
        minutes, seconds = divmod(int(time.monotonic() - self._begin), 60)
        self._console.print(f"{minutes:3}:{seconds:02}  {text}", markup=False, highlight=False)


def main() -> int:
    """Run what the command line asks for; the exit code."""
    parsed = _parsed()
    console = Console()
    show = Show(console)
    missing = _missing()
    work = Path(tempfile.mkdtemp(prefix="alarm-node-vm-"))
    try:
        proved = list(_proved(parsed, work, show, missing))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    console.print(_table(proved, parsed.seed))
    for each in proved:
        for broken in each.result.broken:
            title = f"{each.result.name} {broken.number} {broken.kind} ({each.where})".replace("  ", " ")
            console.print(f"\n{title}\n{broken.reason}", markup=False, highlight=False)
    if parsed.json is not None:
        parsed.json.parent.mkdir(parents=True, exist_ok=True)
        told = [{"where": each.where, **asdict(each.result), "verdict": each.result.verdict} for each in proved]
        parsed.json.write_text(json.dumps({"seed": parsed.seed, "points": told}, indent=2) + "\n", encoding="utf-8")
    return 1 if any(each.result.broken for each in proved) else 0


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.vm", description=__doc__.partition("\n")[0])
    names = [point.name for point in POINTS]
    parser.add_argument("--seed", type=int, default=SEED, help="whose tries (default: %(default)s)")
    parser.add_argument("--only", action="append", choices=names, metavar="POINT", help="this one; repeatable")
    parser.add_argument("--factory", action="append", choices=FACTORIES, help="by this one only")
    parser.add_argument("--tries", type=int, metavar="N", help="so many of each, in place of its own number")
    parser.add_argument("--cache", type=Path, default=user_cache(), metavar="DIRECTORY", help="default: %(default)s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="leave the results there too")
    return parser.parse_args()


def _missing() -> str:
    """What this machine lacks, "" where it has all."""
    if os.geteuid() != 0:
        return "roots for the guests are made by root alone"
    lacks = [name for name in WANTED if shutil.which(name) is None]
    return f"{', '.join(lacks)} not found. Next: make vm, which installs what is missing" if lacks else ""


def _proved(parsed: argparse.Namespace, work: Path, show: Show, missing: str) -> Iterable[Proved]:
    points = [point for point in POINTS if point.name in (parsed.only or [each.name for each in POINTS])]
    cache = Cache(parsed.cache)
    archive = Archive("bookworm", "amd64", cache)
    made: Guest | None = None
    if not missing:
        try:
            made = guest(archive, cache, work, tell=lambda what: show.tell(f"{archive.name}: {what}"))
        except UnavailableError as lack:
            missing = str(lack)
    for factory in parsed.factory or FACTORIES:
        for counted in (False, True):
            chosen = [point for point in points if point.counted is counted and factory in point.factories]
            where = f"{archive.name}, {factory}"
            if chosen and made is None:
                yield from (Proved(where, Result(point.name, point.promise, skipped=missing)) for point in chosen)
            elif chosen and made is not None:
                for result in _group(made, factory, chosen, parsed, work, show):
                    yield Proved(where, result)


def _group(
    made: Guest, factory: str, points: Sequence[Point], parsed: argparse.Namespace, work: Path, show: Show
) -> Iterable[Result]:
    """Points on one machine, by one factory."""
    show.tell(f"{made.suite} {made.architecture}, {factory}: boots")
    try:
        with Machine(made.disks, work, counted=points[0].counted) as machine:
            room = Room(machine, factory)
            room.configure()
            room.start()
            machine.save(READY)
            for point in points:
                numbers = range(parsed.tries or point.tries)
                result = run(point.campaign(room), parsed.seed, numbers=numbers)
                show.tell(f"{point.name} ({factory}): {result.verdict}, {result.tried} tries, {result.seconds:.0f} s")
                yield result
    except Exception as failure:  # noqa: BLE001 - a machine that doesn't get ready has proved nothing
        for point in points:
            yield Result(point.name, point.promise, broken=[Break(0, "", f"{type(failure).__name__}: {failure}")])


def _table(proved: Sequence[Proved], seed: int) -> Table:
    table = Table(title=f"seed {seed}", title_justify="left")
    for heading in ("point", "where", "tries", "verdict", "time", "promise"):
        table.add_column(heading, justify="right" if heading in ("tries", "time") else "left")
    for each in proved:
        result = each.result
        said = f"{result.verdict}: {result.skipped}" if result.skipped else result.verdict
        worst = "".join(f"\n{name}: at most {value:.3g}" for name, value in sorted(result.worst.items()))
        table.add_row(
            result.name, each.where, str(result.tried), said, f"{result.seconds:.0f} s", result.invariant + worst
        )
    return table


if __name__ == "__main__":
    sys.exit(main())

"""What is proved, in groups: each wants one kind of guest, and boots a machine of its own."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.campaigns.campaign import Break, Result, run
from tests.vm.boards import BOARDS
from tests.vm.guest import Guest
from tests.vm.machine import Machine
from tests.vm.point import FACTORIES, Point
from tests.vm.points import cuts, idle, lines, outputs, outside, pressing, restarts, waves
from tests.vm.room import READY, Room
from tests.vm.show import Show
from tests.vm.wired_room import WiredRoom

CALM_S = 5.0
"""So long after READY what a start leaves to do is done."""

BOOKWORM = ("bookworm", "amd64")
TRIXIE = ("trixie", "amd64")
ON_ARM = (("bookworm", "arm64"), ("trixie", "arm64"))

_PATIENT = "[Service]\nTimeoutStartSec=infinity\nTimeoutStopSec=infinity\n"
"""On a busy machine a guest may take half a minute to start Python. One with counted time sees its clock jump then."""

OF_THE_NODE: Sequence[Point] = (
    *pressing.POINTS,
    *lines.POINTS,
    *outputs.POINTS,
    *restarts.POINTS,
    *idle.POINTS,
    *waves.POINTS,
)


@dataclass(frozen=True, slots=True)
class Run:
    """What was asked for. ``tries``: in place of each one's own number. ``only``: these names; empty for all."""

    seed: int
    tries: int | None
    only: frozenset[str]
    work: Path
    show: Show


class Group(Protocol):
    """Some points that are run together."""

    @property
    def guest(self) -> tuple[str, str]:
        """Suite and architecture of the guest that they want."""

    @property
    def where(self) -> str:
        """Guest and pin factory, for people."""

    @property
    def promises(self) -> Mapping[str, str]:
        """By the points' names."""

    def results(self, made: Guest, asked: Run) -> Iterator[Result]:
        """What comes of each point that is asked for, one after the other."""


@dataclass(frozen=True, slots=True)
class InOneRoom:
    """Points that all begin at the same moment of one machine, by one pin factory."""

    guest: tuple[str, str]
    factory: str
    points: Sequence[Point]
    mips: int | None = None

    @property
    def where(self) -> str:
        """Guest, factory, clock."""
        return f"{'-'.join(self.guest)}, {self.factory}"

    @property
    def promises(self) -> Mapping[str, str]:
        """By the points' names."""
        return {point.name: point.promise for point in self.points}

    def results(self, made: Guest, asked: Run) -> Iterator[Result]:
        """Boot, start the service, remember the moment, and begin each try there."""
        points = [point for point in self.points if not asked.only or point.name in asked.only]
        with Machine(made.disks, asked.work, mips=self.mips) as machine:
            room = self._room(machine)
            room.configure()
            room.drop_in("patient", _PATIENT)
            room.start()
            room.agent.do("wait", seconds=CALM_S)
            if not BOARDS[made.architecture].has_wires:
                machine.save(READY)
            for point in points:
                tries = asked.tries or point.tries
                with asked.show.bar(point.name, tries) as tell:
                    yield run(point.campaign(room), asked.seed, numbers=range(tries), on_try=tell)

    def _room(self, machine: Machine) -> Room:
        made = WiredRoom if BOARDS[self.guest[1]].has_wires else Room
        return made(machine, self.factory)


Cutting = Callable[[Guest, Path, int, int, Callable[[Result], None]], Result]


@dataclass(frozen=True, slots=True)
class PowerCuts:
    """One of the trials of tests/vm/points/cuts.py."""

    name: str
    promise: str
    tries: int
    cut: Cutting
    guest: tuple[str, str] = BOOKWORM

    @property
    def where(self) -> str:
        """Guest, factory."""
        return f"{'-'.join(self.guest)}, gpiod"

    @property
    def promises(self) -> Mapping[str, str]:
        """The one point."""
        return {self.name: self.promise}

    def results(self, made: Guest, asked: Run) -> Iterator[Result]:
        """Cut so often."""
        tries = asked.tries or self.tries
        with asked.show.bar(self.name, tries) as tell:
            yield self.cut(made, asked.work, asked.seed, tries, tell)


GROUPS: Sequence[Group] = (
    *(
        InOneRoom(BOOKWORM, factory, points, mips)
        for mips in dict.fromkeys(each.mips for each in OF_THE_NODE)
        for factory in FACTORIES
        if (points := [each for each in OF_THE_NODE if each.mips == mips and factory in each.factories])
    ),
    PowerCuts(cuts.NAME, cuts.PROMISE, cuts.TRIES, cuts.cut),
    PowerCuts(cuts.NORMAL, cuts.NORMAL_PROMISE, cuts.NORMAL_TRIES, cuts.cut_without_sync),
    InOneRoom(TRIXIE, "gpiod", [each for each in pressing.POINTS if each.mips is None]),
    *(InOneRoom(guest, "gpiod", outside.POINTS) for guest in ON_ARM),
)


def results_of(group: Group, made: Guest, asked: Run) -> Iterator[Result]:
    """What comes of a group. A machine that doesn't get ready breaks each promise that was to be tried on it."""
    left = {name: promise for name, promise in group.promises.items() if not asked.only or name in asked.only}
    try:
        for result in group.results(made, asked):
            del left[result.name]
            yield result
    except Exception as failure:  # noqa: BLE001 - whatever it was, it has proved nothing
        for name, promise in left.items():
            yield Result(name, promise, broken=[Break(0, "", f"{type(failure).__name__}: {failure}")])

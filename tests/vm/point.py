"""What a point is: one promise, tried in a room that is put back to the same state before each try.

It is run as a campaign is (tests/campaigns/campaign.py): each try has a seed of its own, a try that breaks the promise
raises AssertionError and is told with its number and kind, and of each figure the worst is told.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.campaigns.campaign import Campaign, Figures, Try
from tests.vm.room import Room

FACTORIES = ("gpiod", "lgpio")


@dataclass(frozen=True, slots=True)
class Point:
    """``attempt`` is called ``tries`` times; ``kinds`` are gone around.

    ``mips``: on a machine with counted time and so many million instructions a second (tests/vm/machine.py), because
    the wave on the wire has to be exact.
    """

    name: str
    promise: str
    attempt: Callable[[Room, Try], Figures]
    tries: int
    kinds: Sequence[str] = ("",)
    factories: Sequence[str] = FACTORIES
    mips: int | None = None

    def campaign(self, room: Room) -> Campaign:
        """The point as a campaign in this room."""

        def attempt(one: Try) -> Figures:
            room.go_back()
            return self.attempt(room, one)

        return Campaign(self.name, self.promise, self.tries, self.tries, attempt, tuple(self.kinds))

"""Which events of a node are accounted for, by the numbers that they carry, and which never came.

Rules:

1. A number is accounted for when its event is stored, or when the node says that it was evicted.
2. What a node must have said is known from every message's ``seq`` and from the first event of its next boot, which
   names the last one of the boot before. What was before the first number that we heard of isn't claimed.
3. A number that is missing for ``missing_s`` is a finding until it comes, or for ``GIVEN_UP_S``: by then whoever cares
   has read it at the node.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

BOOTS_KEPT = 4
"""Of each node; what is older has been told as missing long ago."""

RANGES_KEPT = 256
"""Of each boot: whoever invents numbers must not fill the memory."""

GIVEN_UP_S = 24 * 3600.0


@dataclass(slots=True)
class Boot:
    """The account of one boot: ranges in order and apart; ``expected`` is the highest number that the node has named.

    Nothing below ``claimed`` is missed. ``missing_since``: since when (monotonic) something is missing, None where
    nothing is.
    """

    claimed: int
    ranges: list[tuple[int, int]] = field(default_factory=list)
    expected: int = 0
    missing_since: float | None = None

    def holds(self, seq: int) -> bool:
        """Whether this number is accounted for."""
        return any(first <= seq <= last for first, last in reversed(self.ranges))

    def account(self, first: int, last: int) -> None:
        """These numbers are accounted for."""
        if self.ranges and first == self.ranges[-1][1] + 1:
            self.ranges[-1] = (self.ranges[-1][0], last)
        else:
            self.ranges = merged([*self.ranges, (first, last)])
            if len(self.ranges) > RANGES_KEPT:
                # Closing a gap would say of an event that never came that it is held: it is given up instead.
                self.claimed = max(self.claimed, self.ranges.pop(0)[1] + 1)
        self.expected = max(self.expected, last)

    @property
    def missing(self) -> int:
        """How many numbers never came."""
        held = sum(last - max(first, self.claimed) + 1 for first, last in self.ranges if last >= self.claimed)
        return max(0, self.expected - self.claimed + 1 - held)


def merged(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """These ranges in order, those that overlap or touch made one."""
    made: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if made and first <= made[-1][1] + 1:
            made[-1] = (made[-1][0], max(made[-1][1], last))
        else:
            made.append((first, last))
    return made


class Account:
    """The newest boots of one node."""

    def __init__(self) -> None:
        self.boots: dict[str, Boot] = {}

    def boot(self, name: str, claimed: int = 1) -> Boot:
        """The account of this boot; the oldest one is forgotten for it where there are too many."""
        found = self.boots.get(name)
        if found is None:
            found = self.boots[name] = Boot(claimed)
            if len(self.boots) > BOOTS_KEPT:
                del self.boots[next(iter(self.boots))]
        return found

    def expect(self, name: str, seq: int, *, whole: bool = False) -> None:
        """The node has named this number as its newest; ``whole``: we hear this boot from its beginning."""
        boot = self.boots.get(name) or self.boot(name, 1 if whole else seq + 1)
        boot.expected = max(boot.expected, seq)

    def account(self, name: str, first: int, last: int) -> Boot:
        """These events of a boot are accounted for."""
        boot = self.boots.get(name) or self.boot(name, first)
        boot.account(first, last)
        return boot

    def missing(self, at: float, missing_s: float) -> int:
        """How many events are missing for longer than ``missing_s``."""
        count = 0
        for boot in self.boots.values():
            if boot.missing == 0:
                boot.missing_since = None
            elif boot.missing_since is None:
                boot.missing_since = at
            if boot.missing_since is not None and missing_s <= at - boot.missing_since < GIVEN_UP_S:
                count += boot.missing
        return count

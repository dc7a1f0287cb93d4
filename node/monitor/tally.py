"""Which events of a node are accounted for, by the numbers that they carry, and which never came.

Rules:

1. A number is accounted for when its event is stored, or when the node says that it was evicted. Only what is stored is
   held: a receipt says nothing less.
2. What a node must have said is known from every message's ``seq`` and from the first event of its next boot, which
   names the last one of the boot before. What was before the first number that we heard of isn't claimed.
3. A number that is missing for ``missing_s`` is a finding until it comes, or for ``GIVEN_UP_S``: by then whoever cares
   has read it at the node. What goes missing after that is another finding.
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
    """The account of one boot: ranges in order and apart, of what is held and of what was ``evicted``.

    ``expected`` is the highest number that the node has named.
    Nothing below ``claimed`` is missed. ``missing_since``: since when (monotonic) something is missing, None where
    nothing is.
    """

    claimed: int
    ranges: list[tuple[int, int]] = field(default_factory=list)
    evicted: list[tuple[int, int]] = field(default_factory=list)
    expected: int = 0
    missing_since: float | None = None

    def holds(self, seq: int) -> bool:
        """Whether the event with this number is stored."""
        return any(first <= seq <= last for first, last in reversed(self.ranges))

    def account(self, first: int, last: int) -> None:
        """The events with these numbers are stored."""
        if self.ranges and first == self.ranges[-1][1] + 1:
            self.ranges[-1] = (self.ranges[-1][0], last)
        else:
            self.ranges = self._bounded([*self.ranges, (first, last)])
        self.expected = max(self.expected, last)

    def evict(self, first: int, last: int) -> None:
        """The node let these go, stored here or not."""
        self.evicted = self._bounded([*self.evicted, (first, last)])
        self.expected = max(self.expected, last)

    def _bounded(self, ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
        bounded = merged(ranges)
        if len(bounded) > RANGES_KEPT:
            # Closing a gap would say of an event that never came that it is held: it is given up instead.
            self.claimed = max(self.claimed, bounded.pop(0)[1] + 1)
        return bounded

    @property
    def missing(self) -> int:
        """How many numbers never came."""
        known = merged([*self.ranges, *self.evicted]) if self.evicted else self.ranges
        held = sum(last - max(first, self.claimed) + 1 for first, last in known if last >= self.claimed)
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
        boot = self.boot(name, 1 if whole else seq + 1)
        boot.expected = max(boot.expected, seq)

    def account(self, name: str, first: int, last: int) -> Boot:
        """These events of a boot are stored."""
        boot = self.boot(name, first)
        boot.account(first, last)
        return boot

    def evict(self, name: str, first: int, last: int) -> None:
        """The node has let these events of a boot go."""
        self.boot(name, first).evict(first, last)

    def missing(self, at: float, missing_s: float) -> int:
        """How many events are missing for longer than ``missing_s``."""
        count = 0
        for boot in self.boots.values():
            if boot.missing == 0:
                boot.missing_since = None
            elif boot.missing_since is None:
                boot.missing_since = at
            elif at - boot.missing_since >= GIVEN_UP_S:
                boot.missing_since, boot.claimed = None, boot.expected + 1
            elif at - boot.missing_since >= missing_s:
                count += boot.missing
        return count

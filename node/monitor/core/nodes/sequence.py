"""Which events of a node are accounted for, by the numbers that they carry, and which never came.

Rules:

1. A number is accounted for when its event is stored, or when the node says that it was evicted. Only what is stored is
   held: a receipt says nothing less.
2. What a node must have said is known from every message's ``seq`` and from the first event of its next boot, which
   names the last one of the boot before. What was before the first number that we heard of isn't claimed.
3. A number that is missing for ``missing_s`` is a finding until it comes, or for ``GIVEN_UP_S``: by then whoever cares
   has read it at the node. What goes missing after that is another finding.
4. Before a number counts as missing the history is asked, and again every ``missing_s``: another monitor may have
   stored it, or we did and have forgotten that boot since.
5. The boot that a node has now is never forgotten for another one, however many earlier ones its record still has.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import inf

BOOTS_KEPT = 4
"""Of each node, and the one that it has now; the one that was named last stays longest."""

RANGES_KEPT = 256
"""Of each boot: whoever invents numbers must not fill the memory."""

GIVEN_UP_S = 24 * 3600.0


@dataclass(slots=True)
class Boot:
    """The account of one boot: ranges in order and apart, of what is held and of what was ``evicted``.

    ``expected`` is the highest number that the node has named.
    Nothing below ``claimed`` is missed. ``missing_since``: since when (monotonic) something is missing, None where
    nothing is. ``asked_at``: when the history was asked last, ``asked_for`` up to which number; ``confirmed``: up to
    which it has answered.
    """

    claimed: int
    ranges: list[tuple[int, int]] = field(default_factory=list)
    evicted: list[tuple[int, int]] = field(default_factory=list)
    expected: int = 0
    missing_since: float | None = None
    asked_at: float = -inf
    asked_for: int = 0
    confirmed: int = 0

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

    def answered(self, ranges: Sequence[tuple[int, int]]) -> None:
        """The history has these of it: whoever stored them, none of them is missing."""
        if not ranges and self.ranges:
            self.claimed = self.expected + 1  # it was pruned there, and says nothing any more
        for first, last in ranges:
            self.evict(first, last)
        if len(ranges) >= RANGES_KEPT:
            self.claimed = max(self.claimed, ranges[0][0])
        self.confirmed = max(self.confirmed, self.asked_for)

    @property
    def missing(self) -> int:
        """How many numbers never came."""
        return self.missing_to(self.expected)

    def missing_to(self, end: int) -> int:
        """How many numbers up to this one never came."""
        known = merged([*self.ranges, *self.evicted]) if self.evicted else self.ranges
        return max(0, end - self.claimed + 1 - sum(_common(each, (self.claimed, end)) for each in known))


def _common(one: tuple[int, int], other: tuple[int, int]) -> int:
    """How many numbers two ranges have in common."""
    return max(0, min(one[1], other[1]) - max(one[0], other[0]) + 1)


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
    """Some boots of one node: ``now`` is the one that it has now, and the others stand in the order of their naming."""

    def __init__(self) -> None:
        self.boots: dict[str, Boot] = {}
        self.now = ""

    def boot(self, name: str, claimed: int = 1) -> Boot:
        """The account of this boot; where there are too many, the one that was named longest ago is forgotten."""
        found = self.boots.pop(name, None) or Boot(claimed)
        self.boots[name] = found
        others = [each for each in self.boots if each not in (self.now, name)]
        if len(others) >= BOOTS_KEPT + (name == self.now):
            del self.boots[others[0]]
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

    def ask(self, at: float, missing_s: float) -> list[str]:
        """The boots of which the history has to be asked what it has."""
        self.missing(at, missing_s)
        asked = []
        for name, boot in self.boots.items():
            since = at if boot.missing_since is None else boot.missing_since
            if at - max(since, boot.asked_at) >= missing_s:
                boot.asked_at, boot.asked_for = at, boot.expected
                asked.append(name)
        return asked

    def missing(self, at: float, missing_s: float) -> int:
        """How many events are missing for longer than ``missing_s``, and aren't in the history either."""
        count = 0
        for boot in self.boots.values():
            if boot.missing == 0:
                boot.missing_since = None
            elif boot.missing_since is None:
                boot.missing_since = at
            elif at - boot.missing_since >= GIVEN_UP_S:
                boot.missing_since, boot.claimed = None, boot.expected + 1
            elif at - boot.missing_since >= missing_s:
                count += boot.missing_to(boot.confirmed)
        return count

"""Accounts for a node's events by their numbers, and finds those that never came.

Rules:

1. A number is accounted for when its event is stored, or when the node says that it evicted the event. Only a stored
   event is held and gets a receipt.
2. The ``seq`` of each message says which events the node must have sent. The first event of its next boot also names
   the last one of the boot before. Numbers before the first one that we heard of aren't counted as missing.
3. A number that is missing for ``missing_s`` is a finding, until it comes or for ``GIVEN_UP_S``: by then whoever needs
   the event has read it at the node. Numbers that go missing after that are another finding.
4. Before a number counts as missing, the history is asked, and again every ``missing_s``. Another monitor may have
   stored the event, or we did and have dropped that boot's account since.
5. The account of the present boot is never dropped in favour of another one, however many earlier boots a node's record
   still names.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import inf

BOOTS_KEPT = 4
"""How many boots of each node are kept besides the present one. The boot that was named last stays longest."""

RANGES_KEPT = 256
"""How many ranges of each boot are kept, so that invented numbers can't fill the memory."""

GIVEN_UP_S = 24 * 3600.0


@dataclass(slots=True)
class Boot:
    """The account of one boot. ``ranges`` are held, ``evicted`` were evicted; both are ordered and don't touch.

    ``expected``: the highest number that the node has named. ``claimed``: no number below it counts as missing.
    ``missing_since``: since when (monotonic) something is missing; None if nothing is. ``asked_at``: when the history
    was last asked, ``asked_for``: up to which number; ``confirmed``: up to which number it has answered.
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
        """Note that the events with these numbers are stored."""
        if self.ranges and first == self.ranges[-1][1] + 1:
            self.ranges[-1] = (self.ranges[-1][0], last)
        else:
            self.ranges = self._bounded([*self.ranges, (first, last)])
        self.expected = max(self.expected, last)

    def evict(self, first: int, last: int) -> None:
        """Note that the node evicted these events, whether or not they are stored here."""
        self.evicted = self._bounded([*self.evicted, (first, last)])
        self.expected = max(self.expected, last)

    def _bounded(self, ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
        bounded = merged(ranges)
        if len(bounded) > RANGES_KEPT:
            # If the gap were closed, an event that never came would count as held. So the oldest range is given up.
            self.claimed = max(self.claimed, bounded.pop(0)[1] + 1)
        return bounded

    def answered(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Take what the history has of this boot. These events aren't missing, whoever stored them."""
        if not ranges and self.ranges:
            self.claimed = self.expected + 1  # the history has pruned them, so its answer says nothing
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
    """How many numbers are in both ranges."""
    return max(0, min(one[1], other[1]) - max(one[0], other[0]) + 1)


def merged(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """These ranges in order; those that overlap or touch become one."""
    made: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if made and first <= made[-1][1] + 1:
            made[-1] = (made[-1][0], max(made[-1][1], last))
        else:
            made.append((first, last))
    return made


class Account:
    """Some boots of one node. ``now`` is the present one; the others are in the order in which they were last named.

    ``complete``: nothing is missing of any boot. False if that isn't known since something was named.
    """

    def __init__(self) -> None:
        self.boots: dict[str, Boot] = {}
        self.now = ""
        self.complete = False

    def boot(self, name: str, claimed: int = 1) -> Boot:
        """The account of this boot. If there are too many, the one that was named longest ago is dropped."""
        self.complete = False
        found = self.boots.pop(name, None) or Boot(claimed)
        self.boots[name] = found
        others = [each for each in self.boots if each not in (self.now, name)]
        if len(others) >= BOOTS_KEPT + (name == self.now):
            del self.boots[others[0]]
        return found

    def is_settled(self, name: str, seq: int) -> bool:
        """Whether nothing is missing, and the present boot was named last, with this number or a higher one."""
        return self.complete and self.now == name == next(reversed(self.boots)) and seq <= self.boots[name].expected

    def expect(self, name: str, seq: int, *, whole: bool = False) -> None:
        """The node named this number as its newest. ``whole``: we have heard this boot from its beginning."""
        boot = self.boot(name, 1 if whole else seq + 1)
        boot.expected = max(boot.expected, seq)

    def account(self, name: str, first: int, last: int) -> Boot:
        """Note that these events of a boot are stored."""
        boot = self.boot(name, first)
        boot.account(first, last)
        return boot

    def evict(self, name: str, first: int, last: int) -> None:
        """Note that the node evicted these events of a boot."""
        self.boot(name, first).evict(first, last)

    def answered(self, name: str, ranges: Sequence[tuple[int, int]]) -> None:
        """Take what the history has of this boot, if it is still kept here."""
        boot = self.boots.get(name)
        if boot is not None:
            self.complete = False
            boot.answered(ranges)

    def ask(self, at: float, missing_s: float) -> list[str]:
        """The boots about which the history must be asked now."""
        self.missing(at, missing_s)
        asked: list[str] = []
        if self.complete:
            return asked
        for name, boot in self.boots.items():
            since = at if boot.missing_since is None else boot.missing_since
            if at - max(since, boot.asked_at) >= missing_s:
                boot.asked_at, boot.asked_for = at, boot.expected
                asked.append(name)
        return asked

    def missing(self, at: float, missing_s: float) -> int:
        """How many events have been missing for longer than ``missing_s``, and aren't in the history either."""
        if self.complete:
            return 0
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
        self.complete = bool(self.boots) and all(boot.missing_since is None for boot in self.boots.values())
        return count

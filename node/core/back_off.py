"""How long to wait before the next try: each wait is twice the last one, up to a limit.

    failures in a row   1        2          3          4          …
    wait                first_s  2 first_s  4 first_s  8 first_s  … limit_s

Everything that doubles a time uses this rule: connecting to a broker and the deadlines of its answers, sending events
again, the history's writer, telling targets. Some know how often they failed, others only how long they waited last. If
many clients must not try at the same instant, the caller adds a random part to the wait.
"""

from msgspec import Struct

_DOUBLINGS = 64
"""Beyond that a float would overflow."""


class BackOff(Struct, frozen=True):
    """``first_s``: the wait after the first failure. ``limit_s``: the longest wait."""

    first_s: float
    limit_s: float

    def wait_s(self, failures: int) -> float:
        """The wait after so many failures in a row (1 or more)."""
        return min(self.first_s * 2.0 ** min(failures - 1, _DOUBLINGS), self.limit_s)

    def longer_s(self, last_s: float) -> float:
        """The wait after one of ``last_s``; the first wait where ``last_s`` is 0."""
        return min(2.0 * last_s if last_s > 0 else self.first_s, self.limit_s)

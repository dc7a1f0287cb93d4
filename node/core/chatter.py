"""A contact that moves more often than people can move it: a loose wire, a worn spring, interference.

Rules:

1. In 10 minutes each input may have ``chatter_presses`` decided changes (ten times as many for doors that people walk
   through), and 50 times as many edges, because a worn contact bounces. Both limits are leaky buckets of that size.
2. When a bucket overflows, the input chatters, until no bucket has overflowed for 30 s. Chatter is a fault.
3. An input that chatters reports only a press that begins an incident: that press is always an alarm. So a wire that
   swings in the wind floods neither the record nor the guards.
"""

from msgspec import Struct
from msgspec.structs import replace

from node.core.settings import Role

WINDOW_S = 600.0
CALM_S = 30.0
EDGES_PER_PRESS = 50
WALKED_THROUGH = 10


class Bucket(Struct, frozen=True):
    """How full the bucket was at an instant (monotonic seconds)."""

    filled: float = 0.0
    at: float = 0.0


class Chatter(Struct, frozen=True):
    """One input's changes and edges.

    ``until``: when the input counts as calm again; None while it is calm. ``withheld``: a change of the input was not
    reported.
    """

    presses: Bucket = Bucket()
    edges: Bucket = Bucket()
    until: float | None = None
    withheld: bool = False


def allowance(role: Role, chatter_presses: float) -> float:
    """How many decided changes an input of this role may have in ``WINDOW_S``."""
    return chatter_presses * (WALKED_THROUGH if role.traits.is_doorway else 1)


def state_changed(chatter: Chatter, at: float, allowed: float) -> Chatter:
    """The chatter after one more decided change."""
    bucket, overflows = _pour(chatter.presses, 1, at, allowed)
    return _noted(replace(chatter, presses=bucket), at, overflows=overflows)


def edges_seen(chatter: Chatter, count: int, at: float, allowed: float) -> Chatter:
    """The chatter after ``count`` more edges."""
    bucket, overflows = _pour(chatter.edges, count, at, allowed * EDGES_PER_PRESS)
    return _noted(replace(chatter, edges=bucket), at, overflows=overflows)


def calmed(chatter: Chatter, at: float) -> Chatter:
    """The chatter at ``at``: over, if its end has come. The same object if nothing changes."""
    if chatter.until is None or at < chatter.until:
        return chatter
    return replace(chatter, until=None)


def _pour(bucket: Bucket, amount: float, at: float, size: float) -> tuple[Bucket, bool]:
    drained = max(0.0, at - bucket.at) * size / WINDOW_S
    filled = max(0.0, bucket.filled - drained) + amount
    return Bucket(min(filled, size), max(at, bucket.at)), filled > size


def _noted(chatter: Chatter, at: float, *, overflows: bool) -> Chatter:
    if not overflows:
        return chatter
    return replace(chatter, until=max(at + CALM_S, chatter.until or 0.0))

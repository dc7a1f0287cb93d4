"""A slow disk: when a stall begins, and when it is over.

Rules:

1. A write that takes ``STORE_GRACE_S`` or more is a stall. The stall is over when every write was quick for ``CALM_S``.
   Otherwise a disk that is slow each time would raise and clear a fault for ever, and both are written to it, too.
2. Without a write, nothing is known of the disk. So during a stall something is written every ``PROBE_S``, only to
   measure how long it takes.

    writes   _5 s_.__.__._..5 s..__.__.__.__.__.__.__
    stall    ___|‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾ 60 s ‾‾‾‾‾‾|__
"""

from math import inf

from msgspec import Struct
from msgspec.structs import replace

STORE_GRACE_S = 3.0
CALM_S = 60.0
PROBE_S = 10.0


class Stall(Struct, frozen=True):
    """``until``: when the stall is over, unless a write is slow. ``probe_due``: when the next probe is written.

    ``probed_at``: when the pending probe was handed over, None if none is pending.
    """

    until: float
    probe_due: float
    probed_at: float | None = None


def begun(at: float) -> Stall:
    """The stall after a slow write that ended at ``at``."""
    return Stall(at + CALM_S, at + PROBE_S)


def probing(stall: Stall | None, at: float) -> Stall | None:
    """The stall with a probe pending, if it is time for one; otherwise None."""
    if stall is None or stall.probed_at is not None or at < stall.probe_due:
        return None
    return replace(stall, probed_at=at)


def written(stall: Stall | None, at: float, *, slow: bool) -> Stall | None:
    """The stall after a write: begun (anew) by a slow write, still standing, or over (None)."""
    if slow or (stall is not None and stall.probed_at is not None and at >= stall.probed_at + STORE_GRACE_S):
        return begun(at)
    return None if stall is None else calmed(replace(stall, probed_at=None, probe_due=at + PROBE_S), at)


def calmed(stall: Stall | None, at: float) -> Stall | None:
    """The stall, or None once it is over. A stall doesn't end while a probe is pending."""
    return stall if stall is not None and (stall.probed_at is not None or at < stall.until) else None


def next_instant(stall: Stall | None) -> float:
    """When a probe or the stall's end is due, if no write ends before; inf when nothing is due."""
    return inf if stall is None or stall.probed_at is not None else min(stall.until, stall.probe_due)

"""A disk that takes its time: how long that is held against it.

Rules:

1. A write that takes ``STORE_GRACE_S`` or more is a stall. It is over when every write was quick for ``CALM_S``: a disk
   that is slow each time mustn't raise and clear a fault for ever, since both are written too.
2. Nothing written is nothing known: meanwhile something is written every ``PROBE_S``, only to see how long it takes.

    writes   _5 s_.__.__._..5 s..__.__.__.__.__.__.__
    stall    ___|‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾ 60 s ‾‾‾‾‾‾|__
"""

from dataclasses import dataclass, replace
from math import inf

STORE_GRACE_S = 3.0
CALM_S = 60.0
PROBE_S = 10.0


@dataclass(frozen=True, slots=True)
class Stall:
    """``until``: when it is over, unless a write is slow. ``probe_due``: when the next one is tried.

    ``probed_at``: since when one is awaited, None while none is.
    """

    until: float
    probe_due: float
    probed_at: float | None = None


def begun(at: float) -> Stall:
    """The stall as of a slow write that ended at ``at``."""
    return Stall(at + CALM_S, at + PROBE_S)


def probing(stall: Stall | None, at: float) -> Stall | None:
    """The stall with a write on its way, where it is time for one; None where it isn't."""
    if stall is None or stall.probed_at is not None or at < stall.probe_due:
        return None
    return replace(stall, probed_at=at)


def written(stall: Stall | None, at: float, *, slow: bool) -> Stall | None:
    """The stall after a write: begun (anew) by a slow one, going on, or over."""
    if slow or (stall is not None and stall.probed_at is not None and at >= stall.probed_at + STORE_GRACE_S):
        return begun(at)
    return None if stall is None else calmed(replace(stall, probed_at=None, probe_due=at + PROBE_S), at)


def calmed(stall: Stall | None, at: float) -> Stall | None:
    """The stall, None once it is over: not while a write is awaited."""
    return stall if stall is not None and (stall.probed_at is not None or at < stall.until) else None


def next_instant(stall: Stall | None) -> float:
    """When something is due, if nothing happens before; inf where nothing is."""
    return inf if stall is None or stall.probed_at is not None else min(stall.until, stall.probe_due)

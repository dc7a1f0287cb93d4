"""Certificates that expire: a fault 30, 14 and 3 days before the end and at the end; each replaces the one before.

    ---- 30 days ---- 14 days ---- 3 days ---- the end ----
         within 30    within 14    within 3    expired

A certificate's end is wall time. This is the only place where the wall clock decides: when somebody sets the clock,
every one of these instants moves.
"""

from collections.abc import Iterable, Iterator
from math import inf

from node.core.supervision import LinkState
from node.errors.faults import CERTIFICATE_EXPIRES, FaultKind

DAY_S = 86_400.0

_STEPS = {30: "within 30 days", 14: "within 14 days", 3: "within 3 days", 0: "expired"}


def conditions(links: Iterable[LinkState], now: float, utc_offset: float) -> Iterator[tuple[FaultKind, str, float]]:
    """What is wrong, or will be: (kind, subject, the instant from which it is a fault). Past steps are left out."""
    for link in links:
        for whose, ends_utc in link.certificates.items():
            begins = [ends_utc - utc_offset - days * DAY_S for days in _STEPS]
            for words, since, until in zip(_STEPS.values(), begins, [*begins[1:], inf], strict=True):
                if now < until:
                    yield CERTIFICATE_EXPIRES, f"{whose} certificate on {link.name}: {words}", since

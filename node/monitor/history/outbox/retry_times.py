"""What this process waits for by its own clock: to take over another monitor's claims, and to make the next try.

After a time in which nobody could renew a claim, claims of other monitors aren't taken over at once:

    looks of this monitor  ||||||||__________|||||||||||||||||||||
    the database           ‾‾‾‾‾‾‾‾|________|‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾    away; or its clock was set; or we were stopped
    claim of a living one  renewed  (void)   renewed
    takes over             ‾‾‾‾‾‾‾‾__________|_ LEASE_S _|‾‾‾‾‾‾‾‾

A wait that would begin within _NOT_AGAIN_S after the last one began is skipped. Otherwise, with a database that fails
again and again, nobody would be told an alarm that a dead monitor had claimed.

The stamp of a next try in the database is only a label for other monitors and for a later process: a clock that was set
back by 280 s must not hold an alarm back for 280 s. Instants ``at`` are monotonic seconds.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from threading import Lock

from node.monitor.core.decisions.deliveries import LEASE_S

_MISSED = timedelta(seconds=LEASE_S / 2)
"""Longer than from one renewal to the next: a claim survives so long without one."""

_NOT_AGAIN_S = 2 * LEASE_S


class Takeover:
    """When one monitor may take over expired claims, for all its threads. At its start it may at once."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._heard: datetime | None = None
        self._heard_at = 0.0
        self._since: float | None = None

    def answered(self, now: datetime, at: float) -> bool:
        """The database answers, and its clock says ``now``. Returns whether expired claims may be taken over."""
        with self._lock:
            away = at - self._heard_at > _MISSED.total_seconds()
            missed = self._heard is not None and (away or abs(now - self._heard) > _MISSED)
            if missed and (self._since is None or at - self._since > _NOT_AGAIN_S):
                self._since = at
            self._heard, self._heard_at = now, at
            return self._since is None or at - self._since > LEASE_S


class RetryTimes:
    """When this process retries what failed here. A failure is known by its stamp in the database.

    If another process fails after us, or makes everything due, it writes another stamp. Ours then means nothing any
    more.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._due: dict[str, dict[datetime, float]] = {}

    def wait(self, target: str, stamp: datetime, due: float) -> None:
        """Deliveries with this stamp are due at this instant."""
        with self._lock:
            self._due.setdefault(target, {})[stamp] = due

    def at(self, target: str, at: float) -> tuple[Sequence[datetime], Sequence[datetime]]:
        """The stamps that are due, and the stamps that aren't yet."""
        with self._lock:
            known = self._due.get(target, {})
            due = [stamp for stamp, each in known.items() if each <= at]
            return due, [stamp for stamp, each in known.items() if each > at]

    def forget(self, target: str, stamps: Sequence[datetime] | None = None) -> None:
        """Forget these stamps (None: all of the target), because no delivery has them any more."""
        with self._lock:
            known = self._due.pop(target, {})
            left = {} if stamps is None else {stamp: each for stamp, each in known.items() if stamp not in stamps}
            if left:
                self._due[target] = left

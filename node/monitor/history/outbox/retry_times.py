"""What waits in this process, by its own clock: for what another monitor has claimed, and for the next try.

What another monitor has claimed isn't taken over right after a time in which nobody could renew it:

    looks of this monitor  ||||||||__________|||||||||||||||||||||
    the database           ‾‾‾‾‾‾‾‾|________|‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾    away; or its clock was set; or we were stopped
    claim of a living one  renewed  (void)   renewed
    takes over             ‾‾‾‾‾‾‾‾__________|_ LEASE_S _|‾‾‾‾‾‾‾‾

What begins so soon after the last time doesn't count: a database that is away again and again must not keep the alarm
that a dead monitor held from everybody.

The stamp of a next try is a label for other monitors and for a later process: a clock that was set back by 280 s must
not hold an alarm back for 280 s. Instants ``at`` are monotonic seconds.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from threading import Lock

from node.monitor.core.deliveries import LEASE_S

_MISSED = timedelta(seconds=LEASE_S / 2)
"""Longer than from one renewal to the next: so long a claim can do without any."""

_NOT_AGAIN_S = 2 * LEASE_S


class Patience:
    """One monitor's, for all its threads. It begins with none: what is void at the start is a dead one's."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._heard: datetime | None = None
        self._heard_at = 0.0
        self._since: float | None = None

    def heard(self, now: datetime, at: float) -> bool:
        """The database answers, and its clock says ``now``. Whether this monitor may take over what is void."""
        with self._lock:
            away = at - self._heard_at > _MISSED.total_seconds()
            missed = self._heard is not None and (away or abs(now - self._heard) > _MISSED)
            if missed and (self._since is None or at - self._since > _NOT_AGAIN_S):
                self._since = at
            self._heard, self._heard_at = now, at
            return self._since is None or at - self._since > LEASE_S


class Retries:
    """When this process tries again what failed here: each failure is known by the stamp that it has in the database.

    Whoever fails after us, or makes everything due, writes another stamp: then ours says nothing any more.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._due: dict[str, dict[datetime, float]] = {}

    def wait(self, target: str, stamp: datetime, due: float) -> None:
        """What has this stamp is due then."""
        with self._lock:
            self._due.setdefault(target, {})[stamp] = due

    def at(self, target: str, at: float) -> tuple[Sequence[datetime], Sequence[datetime]]:
        """The stamps that are due, and those that aren't yet."""
        with self._lock:
            known = self._due.get(target, {})
            due = [stamp for stamp, each in known.items() if each <= at]
            return due, [stamp for stamp, each in known.items() if each > at]

    def forget(self, target: str, stamps: Sequence[datetime] | None = None) -> None:
        """Nothing has these stamps any more (None: any of the target's)."""
        with self._lock:
            known = self._due.pop(target, {})
            left = {} if stamps is None else {stamp: each for stamp, each in known.items() if stamp not in stamps}
            if left:
                self._due[target] = left

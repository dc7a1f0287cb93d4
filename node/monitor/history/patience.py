"""When what another monitor has claimed may be taken over: not right after a time in which nobody could renew it.

    looks of this monitor  ||||||||__________|||||||||||||||||||||
    the database           ‾‾‾‾‾‾‾‾|________|‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾    away; or its clock was set; or we were stopped
    claim of a living one  renewed  (void)   renewed
    takes over             ‾‾‾‾‾‾‾‾__________|_ LEASE_S _|‾‾‾‾‾‾‾‾

What begins so soon after the last time doesn't count: a database that is away again and again must not keep the alarm
that a dead monitor held from everybody.
"""

from datetime import datetime, timedelta
from threading import Lock

from node.monitor.outbox import LEASE_S

_MISSED = timedelta(seconds=LEASE_S / 2)
"""Longer than from one renewal to the next: so long a claim can do without any."""

_WAIT = timedelta(seconds=LEASE_S)
_NOT_AGAIN = timedelta(seconds=2 * LEASE_S)


class Patience:
    """One monitor's, for all its threads. It begins with none: what is void at the start is a dead one's."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._heard: datetime | None = None
        self._since: datetime | None = None

    def heard(self, now: datetime) -> bool:
        """The database answers, and its clock says ``now``. Whether this monitor may take over what is void."""
        with self._lock:
            missed = self._heard is not None and abs(now - self._heard) > _MISSED
            if missed and (self._since is None or abs(now - self._since) > _NOT_AGAIN):
                self._since = now
            self._heard = now
            return self._since is None or abs(now - self._since) > _WAIT

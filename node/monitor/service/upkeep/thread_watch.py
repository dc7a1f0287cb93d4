"""Watches the threads that a monitor needs, and ends the monitor when one of them dies.

A dead thread never works again, and no other thread notices: without its history thread a monitor stores nothing, and a
target without its thread seems to work although it is told nothing. So the monitor ends, and the service manager starts
it again. Before that it goes on for ``LAST_S`` with the threads that are left. What killed the thread may come again
right after each start, and people must hear of a call all the same.

    history  ___works___x                          ___works___
    log                 |critical
    told                |from memory (FALLBACK_S)     |
    watchdog |||||||||||                           |||||||||||
                        |_________ LAST_S _________|end, exit code 1, restart
"""

import logging
import math
import threading
from collections.abc import Iterable

from node.monitor.errors import ThreadDiedError

LAST_S = 8.0
"""Long enough to tell people from memory (fallback.py), and short enough for the watchdog, which isn't fed then."""

log = logging.getLogger(__name__)


class ThreadWatch:
    """Watches threads that were started and that nobody asked to end. To be used by one thread only.

    ``problem`` names the dead threads; it is "" while all live.
    """

    def __init__(self, last_s: float = LAST_S) -> None:
        self._last_s = last_s
        self._ends_at = math.inf
        self.problem = ""

    def look(self, at: float, threads: Iterable[threading.Thread]) -> bool:
        """Whether all live at ``at`` (monotonic). Raises ThreadDiedError ``last_s`` after one was first found dead."""
        if at >= self._ends_at:
            raise ThreadDiedError(self.problem)
        if not self.problem:
            self.problem = ", ".join(each.name for each in threads if not each.is_alive())
            if self.problem:
                self._ends_at = at + self._last_s
                log.critical("dead: %s; the monitor ends in %g s", self.problem, self._last_s)
        return not self.problem


def log_deaths() -> None:
    """From now on log each thread that dies by an exception (SystemExit, too), and where that happened."""
    threading.excepthook = _died


def _died(died: threading.ExceptHookArgs) -> None:
    name = "" if died.thread is None else died.thread.name
    told = died.exc_value or died.exc_type()
    log.critical("thread %s died by an exception", name, exc_info=(died.exc_type, told, died.exc_traceback))

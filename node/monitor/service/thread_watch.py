"""The threads that a monitor can't do without, and what becomes of it when one of them dies.

A thread that died does nothing ever again, and no other one notices: a history that nobody writes holds nothing, and a
target that nobody tells looks well. So the monitor ends, and the service manager starts it anew. Before that, for
``LAST_S``, it goes on with the threads that are left: what kills a thread may come again at once after each start, and
people must hear of a call all the same.

    history  ___works___x                          ___works___
    log                 |critical
    told                |from memory (SPARE_S)     |
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


class Needed:
    """Looks after threads, all of which were started and none of which was asked to end; for one thread alone.

    ``problem`` names those that are dead, and is empty where all live.
    """

    def __init__(self, last_s: float = LAST_S) -> None:
        self._last_s = last_s
        self._ends_at = math.inf
        self.problem = ""

    def look(self, at: float, threads: Iterable[threading.Thread]) -> bool:
        """Whether all live, at ``at`` (monotonic). Raises ThreadDiedError ``last_s`` after one was first found dead."""
        if at >= self._ends_at:
            raise ThreadDiedError(self.problem)
        if not self.problem:
            self.problem = ", ".join(each.name for each in threads if not each.is_alive())
            if self.problem:
                self._ends_at = at + self._last_s
                log.critical("dead: %s; the monitor ends in %g s", self.problem, self._last_s)
        return not self.problem


def log_deaths() -> None:
    """From now on the log says of each thread that dies by an exception, SystemExit too, where that happened."""
    threading.excepthook = _died


def _died(died: threading.ExceptHookArgs) -> None:
    name = "" if died.thread is None else died.thread.name
    told = died.exc_value or died.exc_type()
    log.critical("thread %s died by an exception", name, exc_info=(died.exc_type, told, died.exc_traceback))

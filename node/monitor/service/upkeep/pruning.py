"""Deletes once an hour what the history has kept for long enough. Thread: ``keep``."""

import logging
import threading
from datetime import UTC, datetime

from node.monitor.core.model.monitor_settings import Retention
from node.monitor.history.history import History
from node.threads import new_thread

PRUNE_S = 3600.0

log = logging.getLogger(__name__)


class Pruning:
    """Deletes from ``history`` what is older than ``retention`` says."""

    def __init__(self, history: History, retention: Retention) -> None:
        self._history = history
        self._retention = retention
        self._ended = threading.Event()
        self.thread = new_thread("keep", self._run)

    def start(self) -> None:
        """Start the thread. The first time comes after an hour."""
        self.thread.start()

    def close(self) -> None:
        """Begin no further deletion. Doesn't wait: one that is under way ends with the process."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.wait(PRUNE_S):
            now = datetime.now(UTC)
            try:
                if not self._history.may_prune(now):
                    log.error("nothing is deleted: nothing was heard for months; is this machine's clock right?")
                    continue
                gone = self._history.prune(now, self._retention)
            except Exception:  # a history that can't be pruned now may be in an hour
                log.exception("the history can't be pruned")
            else:
                log.info("kept for as long as was decided, and gone now: %s", gone)

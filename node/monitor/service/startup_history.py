"""Reads what a start must know from the history, within a fixed time, whatever the database waits for.

A name server that doesn't answer, a locked database and a hanging disk raise no error. psycopg's connect_timeout
doesn't end the lookup of a name. And the monitor hears no node before this is over, so it must not wait for long.

Thread: ``remember``. It is left alone if it hangs.
"""

import logging
from queue import Empty, SimpleQueue

from node.monitor.core.decisions.batch import Remembered
from node.monitor.core.decisions.ledger import Moment
from node.monitor.errors import HistoryError
from node.monitor.history.history import History
from node.monitor.history.writer import HANGS
from node.threads import new_thread

REMEMBER_S = 15.0
"""Longer than a writer waits for another one, and than a connection may take to be made."""

log = logging.getLogger(__name__)


def remembered(history: History, now: Moment) -> tuple[Remembered, str]:
    """What the history knows and "", or nothing and the reason why it can't be used."""
    try:
        history.upgrade()
        return history.remember(now.utc), ""
    except HistoryError as problem:
        return Remembered(), f"{problem.code} {problem.text}"
    except Exception as problem:
        # Without the history's knowledge the monitor still tells people, and the history's thread lives on.
        log.exception("the history can't be used")
        return Remembered(), f"the history can't be used: {type(problem).__name__}"


def remembered_soon(history: History, now: Moment, within_s: float = REMEMBER_S) -> tuple[Remembered, str]:
    """The same as ``remembered``; nothing and HANGS if that takes longer than ``within_s``."""
    answers: SimpleQueue[tuple[Remembered, str]] = SimpleQueue()
    new_thread("remember", lambda: answers.put(remembered(history, now))).start()
    try:
        return answers.get(timeout=within_s)
    except Empty:
        return Remembered(), HANGS

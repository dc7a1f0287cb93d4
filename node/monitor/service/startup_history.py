"""What a start must know: asked of the history within a time that ends, whatever that waits for.

A name server that doesn't answer, a database that is locked and a disk that hangs raise no error, and psycopg's
connect_timeout ends no lookup of a name. Nobody hears a node before the monitor has begun.

Thread: ``remember``, which is left alone where it hangs.
"""

import logging
from queue import Empty, SimpleQueue
from threading import Thread

from node.monitor.core.batch import Memory
from node.monitor.core.decisions import Moment
from node.monitor.errors import HistoryError
from node.monitor.history.history import History
from node.monitor.history.writer import HANGS

REMEMBER_S = 15.0
"""Longer than one waits for another who writes, and than a connection may take to come about."""

log = logging.getLogger(__name__)


def remembered(history: History, now: Moment) -> tuple[Memory, str]:
    """What the history knows; nothing, and why, where it can't be used."""
    try:
        history.upgrade()
        return history.remember(now.utc), ""
    except HistoryError as problem:
        return Memory(), f"{problem.code} {problem.text}"
    except Exception as problem:
        # Without what it knows the monitor still tells people; and the history's thread lives on.
        log.exception("the history can't be used")
        return Memory(), f"the history can't be used: {type(problem).__name__}"


def remembered_soon(history: History, now: Moment, within_s: float = REMEMBER_S) -> tuple[Memory, str]:
    """As ``remembered``; nothing, and HANGS, where that takes longer than ``within_s``."""
    answers: SimpleQueue[tuple[Memory, str]] = SimpleQueue()
    Thread(target=lambda: answers.put(remembered(history, now)), name="remember", daemon=True).start()
    try:
        return answers.get(timeout=within_s)
    except Empty:
        return Memory(), HANGS

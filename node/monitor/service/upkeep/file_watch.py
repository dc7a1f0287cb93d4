"""Looks once a minute, while the monitor runs, at the files that no link reads.

1. A target's new URL is used as soon as it is in the target's file. If the file can't be used, the last URL that could
   be read stays in use.
2. monitor.toml, the roster and the file with the database's URL are only read at a start. The monitor says in advance
   if the next start couldn't read them. What this start couldn't read is a finding already.
"""

import logging
import threading
from collections.abc import Callable
from functools import partial

from node.config.files import Kept
from node.config.reader import first_problem
from node.monitor.config import monitor_file
from node.monitor.config.secret_urls import read_url
from node.monitor.core.model.monitor_settings import Settings
from node.threads import new_thread

LOOK_S = 60.0

log = logging.getLogger(__name__)


class FileWatch:
    """``take`` gets a target's name and its URL; ``tell`` a target's name ("" for the configuration) and what is wrong.

    Both are called on the thread ``files``. What is wrong is "" if all is in order. It is told when it changes.
    """

    def __init__(self, settings: Settings, take: Callable[[str, str], None], tell: Callable[[str, str], None]) -> None:
        self._take, self._tell = take, tell
        self._urls = {
            target.name: (target.url, Kept([target.url_file], partial(read_url, target.url_file)))
            for target in settings.targets
            if target.url_file is not None
        }
        roster = None if settings.roster_problems else settings.roster_path
        history = None if settings.history_problem else settings.history_file
        given = [path.absolute() for path in (settings.path, roster, history) if path is not None]
        self._configuration = Kept(given, partial(_next_start, settings))
        self._told: dict[str, str] = {}
        self._ended = threading.Event()
        self.thread = new_thread("files", self._run)

    def start(self) -> None:
        """Start the thread."""
        self.thread.start()

    def close(self, timeout_s: float) -> None:
        """End the thread, unless a disk hangs."""
        self._ended.set()
        if self.thread.ident is not None:
            self.thread.join(timeout_s)

    def look(self) -> None:
        """Look at all files once."""
        for name, (used, kept) in self._urls.items():
            kept.look()
            if kept.value is not None and kept.value != used:
                self._urls[name] = (kept.value, kept)
                self._take(name, kept.value)
            self._tell_change(name, kept.problem)
        self._configuration.look()
        self._tell_change("", self._configuration.problem or self._configuration.value or "")

    def _tell_change(self, name: str, problem: str) -> None:
        if self._told.get(name) != problem:
            self._told[name] = problem
            self._tell(name, problem)

    def _run(self) -> None:
        while True:
            try:
                self.look()
            except Exception:
                # If this thread ended, nobody would watch the files any more.
                log.exception("the files can't be looked at")
            if self._ended.wait(LOOK_S):
                return


def _next_start(settings: Settings) -> str:
    """What would be wrong with the configuration if the monitor were started now, in one line."""

    def load() -> tuple[str, ...]:
        found = monitor_file.load(settings.path)
        roster = () if settings.roster_problems else found.roster_problems
        history = "" if settings.history_problem else found.history_problem
        return (*roster, *filter(None, [history]))

    return first_problem(load)

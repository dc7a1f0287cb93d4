"""Looks at node.toml while the node runs, and writes what the next start needs to know of this run.

That is which pins are outputs, so that they can be switched off without a configuration; a copy of node.toml, once the
node is ready with it; and that this run was no crash, once it has settled or ends cleanly (safe_mode.py). Everything
here may wait for the disk, so it happens on a thread of its own, ``files``.
"""

import logging
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from node import config
from node.config import last_good
from node.config.reader import first_problem
from node.core.events import ConfigurationRead, ConfigurationSeen, Event, StopRequested
from node.errors import ConfigError
from node.threads import new_thread

LOOK_S = 30.0

BACK_IN_S = 10.0
"""How long the way out of safe mode takes: systemd waits 2 s, and a start takes a few."""

SETTLED_S = 60.0
"""A run that has lasted so long isn't a crash any more, however it ends."""

log = logging.getLogger(__name__)


class FileWatch:
    """Watches the file of ``running``, the configuration in use; its last good copy lies in ``directory``.

    ``put`` gets a ConfigurationSeen when it has changed whether the file can be used, and a ConfigurationRead for each
    ``reload``. ``clock`` is monotonic seconds.
    ``note_outputs`` notes these pins on the disk, or raises OSError.
    ``settle`` notes that this run is no crash.
    """

    def __init__(
        self,
        running: config.Config,
        directory: Path,
        *,
        environ: Mapping[str, str],
        put: Callable[[Event], None],
        clock: Callable[[], float],
        note_outputs: Callable[[Sequence[int]], None] = lambda pins: None,
        settle: Callable[[], None] = lambda: None,
        period_s: float = LOOK_S,
        settled_s: float = SETTLED_S,
    ) -> None:
        self._running = running
        self._directory = directory
        self._environ = environ
        self._put = put
        self._clock = clock
        self._settle = settle
        self._settles_at = math.inf
        self._period_s = period_s
        self._settled_s = settled_s
        self._problem_of_file = config.watch(running.path)
        self._problem = ""
        self._note_outputs = note_outputs
        self._outputs: Sequence[int] = ()
        self._noted: Sequence[int] = ()
        self._noting_fails = False
        self._reload_asked = False
        self._to_keep: config.Config | None = None
        self._keeping_fails = False
        self._ending = False
        self._wake = threading.Event()
        self._thread = new_thread("files", self._run)

    def start(self) -> None:
        """Look now, and then every ``period_s``."""
        self._settles_at = self._clock() + self._settled_s
        self._thread.start()

    def reload(self) -> None:
        """Read the file again, for the loop to go on with. Doesn't wait for the disk."""
        self._reload_asked = True
        self._wake.set()

    def keep(self) -> None:
        """The node is ready: its configuration is the last good one from now on. Doesn't wait for the disk."""
        self._to_keep = self._running
        self._wake.set()

    def drives(self, outputs: Sequence[int]) -> None:
        """The node drives these pins: note that. Doesn't wait for the disk."""
        self._outputs = outputs
        self._wake.set()

    def stop(self, timeout_s: float, *, clean: bool) -> None:
        """End; ``clean``: so does the run, which is no crash then. A thread that hangs is left behind."""
        if clean:
            self._settles_at = -math.inf
        self._ending = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._ending:
            self._do(self._note)
            self._do(self._reload)
            self._do(self._look)
            self._do(self._keep)
            self._do(self._settle_when_due)
            self._wake.wait(self._period_s)
            self._wake.clear()
        self._do(self._settle_when_due)

    def _do(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:
            # If this thread ended, nobody would look at the files any more.
            log.exception("a mistake beside node.toml")

    def _settle_when_due(self) -> None:
        if self._clock() >= self._settles_at:
            self._settle()
            self._settles_at = math.inf

    def _reload(self) -> None:
        if not self._reload_asked:
            return
        self._reload_asked = False
        try:
            found = config.load(self._running.path, self._environ)
        except ConfigError as error:
            self._refuse(error.problems)
            return
        self._problem = ""
        if self._running.settings.safe_mode:
            self._leave_safe_mode(found)
        else:
            self._take(config.merged(self._running, found))

    def _refuse(self, problems: Sequence[str]) -> None:
        for problem in problems:
            log.error("%s", problem)
        log.error("node.toml isn't taken: the node goes on with the settings that it has")
        self._problem = first_problem(lambda: problems)
        self._put(ConfigurationRead(self._clock(), self._problem))

    def _take(self, taken: config.Config) -> None:
        due = taken.settings.restart_due
        log.info("node.toml is taken%s", f", but a restart is due for: {due}" if due else "")
        self._running = taken
        if not due:
            self._to_keep = taken
        self._put(ConfigurationRead(self._clock(), "", taken.settings, taken.brokers))

    def _leave_safe_mode(self, found: config.Config) -> None:
        """A changed file is reason enough to try everything again, by a new start."""
        if found.content == self._running.content:
            self._put(ConfigurationRead(self._clock(), ""))
        else:
            self._put(StopRequested(self._clock(), "safe mode is left", back_in_s=BACK_IN_S))

    def _look(self) -> None:
        problem = self._problem_of_file()
        if problem == self._problem:
            return
        self._problem = problem
        if problem:
            log.warning("node.toml can't be used: %s", problem)
        else:
            log.info("node.toml is in order again")
        self._put(ConfigurationSeen(self._clock(), problem))

    def _keep(self) -> None:
        if self._to_keep is None:
            return
        try:
            last_good.keep(self._to_keep, self._directory)
        except OSError as error:
            if not self._keeping_fails:
                log.warning("no copy of node.toml in %s: %s", self._directory, error.strerror)
            self._keeping_fails = True
        else:
            self._to_keep, self._keeping_fails = None, False

    def _note(self) -> None:
        outputs = self._outputs
        if outputs == self._noted:
            return
        try:
            self._note_outputs(outputs)
        except OSError as error:
            if not self._noting_fails:
                log.warning("no note of the outputs in %s: %s", self._directory, error.strerror)
            self._noting_fails = True
        else:
            self._noted, self._noting_fails = outputs, False

"""Looks at node.toml while the node runs, and makes it the last good one once the node is ready with it.

It also notes which pins are outputs, so that they can be switched off without a configuration.

Everything here may wait for the disk, so it happens on a thread of its own, ``files``.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from node import config
from node.config import last_good
from node.core.events import ConfigurationSeen, Event

LOOK_S = 30.0

log = logging.getLogger(__name__)


class ConfigurationWatch:
    """Watches the file of ``running``, the configuration in use; its last good copy lies in ``directory``.

    ``put`` gets a ConfigurationSeen when it has changed whether the file can be used. ``clock`` is monotonic seconds.
    ``note_outputs`` notes these pins on the disk, or raises OSError.
    """

    def __init__(
        self,
        running: config.Config,
        directory: Path,
        *,
        put: Callable[[Event], None],
        clock: Callable[[], float],
        note_outputs: Callable[[Sequence[int]], None] = lambda pins: None,
        period_s: float = LOOK_S,
    ) -> None:
        self._running = running
        self._directory = directory
        self._put = put
        self._clock = clock
        self._period_s = period_s
        self._problem_of_file = config.watch(running.path)
        self._problem = ""
        self._note_outputs = note_outputs
        self._outputs: Sequence[int] = ()
        self._noted: Sequence[int] = ()
        self._noting_fails = False
        self._to_keep: config.Config | None = None
        self._keeping_fails = False
        self._ending = False
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="files", daemon=True)

    def start(self) -> None:
        """Look now, and then every ``period_s``."""
        self._thread.start()

    def keep(self) -> None:
        """The node is ready: its configuration is the last good one from now on. Doesn't wait for the disk."""
        self._to_keep = self._running
        self._wake.set()

    def drives(self, outputs: Sequence[int]) -> None:
        """The node drives these pins: note that. Doesn't wait for the disk."""
        self._outputs = outputs
        self._wake.set()

    def stop(self, timeout_s: float) -> None:
        """End; a thread that hangs is left behind."""
        self._ending = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._ending:
            try:
                self._note()
                self._look()
                self._keep()
            except Exception:
                # If this thread ended, nobody would watch the file any more.
                log.exception("node.toml can't be looked at")
            self._wake.wait(self._period_s)
            self._wake.clear()

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

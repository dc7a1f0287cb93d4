"""Who sees how far a call for help got, and what the lamp shows: the log, or the simulation."""

import logging
from typing import Protocol

from node.core.model import Step

log = logging.getLogger(__name__)


class Watcher(Protocol):
    """An observer: ``run`` uses the log, ``simulate`` writes JSON lines. Called on the loop's thread; must not wait."""

    def ladder(self, at: float, name: str, step: Step) -> None:
        """The call for help of this input reached a step."""

    def lamp(self, at: float, pattern: object) -> None:
        """The lamp was set to a pattern."""


class LogWatcher:
    """Writes the steps to the log."""

    def ladder(self, at: float, name: str, step: Step) -> None:
        """The call for help of this input reached a step."""
        log.info("%s: %s", name, step.value, extra={"ALARM_INPUT": name, "ALARM_STEP": step.value})

    def lamp(self, at: float, pattern: object) -> None:
        """The lamp was set to a pattern."""
        log.debug("lamp: %s", pattern)

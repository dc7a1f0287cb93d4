"""Whether a target can be told, and what it has taken: reported to the deciding thread."""

import logging
from collections.abc import Callable, Iterable
from threading import Lock
from time import monotonic
from typing import NamedTuple

from node.monitor.core.model.records import IncidentKey, Notice

log = logging.getLogger(__name__)

FAILURES = 2
"""So many failures in a row are a problem."""


class TargetFailed(NamedTuple):
    """A target couldn't be told twice in a row. ``at`` is monotonic. ``reason`` holds no part of its URL."""

    name: str
    reason: str
    at: float


class TargetWorks(NamedTuple):
    """A target was told for the first time since the start or since it failed. ``at`` is monotonic."""

    name: str
    at: float


class Accepted(NamedTuple):
    """A target has taken a message about this call for help that named so many ``presses``."""

    incident: IncidentKey
    presses: int


class TargetHealth:
    """The state of one target. ``told``: messages since the start. ``waiting``: the notices that it hasn't got yet.

    ``isolated``: it is told nothing now.
    """

    def __init__(self, name: str, put: Callable[[TargetFailed | TargetWorks | Accepted], None]) -> None:
        self._name = name
        self._put = put
        self._lock = Lock()
        self._failures = 0
        self._said: bool | None = None
        self.isolated = False
        self.told = 0
        self.waiting = 0
        self._problem = ""

    def worked(self, told: Iterable[Notice] = ()) -> bool:
        """A message with these notices was sent. True if it is the first since the start or since the last failure."""
        for notice in told:
            if notice.is_call:
                self._put(Accepted(IncidentKey(notice.site, notice.node, notice.incident), notice.presses))
        with self._lock:
            self.told += 1
            self._failures, self._problem = 0, ""
            is_first, self._said = self._said is not True, True
            if is_first:
                self._put(TargetWorks(self._name, monotonic()))
        return is_first

    def can_be_tried(self) -> None:
        """The problem that made every try fail is over. Whether a try works now isn't known yet."""
        with self._lock:
            self._failures, self._problem = 0, ""
            if self._said is False:
                self._said = None
                self._put(TargetWorks(self._name, monotonic()))

    def failed(self, reason: str, failures: int = 1) -> None:
        """A try failed. If every further try is known to fail, pass a higher number of ``failures``."""
        with self._lock:
            self._failures += failures
            if self._problem != reason:
                log.warning("target %s can't be told: %s", self._name, reason)
            self._problem = reason
            if self._failures >= FAILURES and self._said is not False:
                self._said = False
                self._put(TargetFailed(self._name, reason, monotonic()))

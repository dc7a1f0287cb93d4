"""The newest view of the building: the deciding thread makes it, the API's threads and systemd read it."""

import math
import threading
import time
from collections.abc import Mapping

from node import __version__
from node.monitor.core.decisions.ledger import Moment
from node.monitor.core.hub import Hub
from node.monitor.core.model.catalogue import API_AWAY
from node.monitor.core.view.build import view
from node.monitor.core.view.view_types import View

VIEW_S = 0.5


class CurrentView:
    """``newest`` and ``age_s`` are for any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: tuple[float, View] | None = None

    @property
    def newest(self) -> View:
        """The newest view; there is one from the monitor's start on."""
        with self._lock:
            assert self._made is not None  # noqa: S101 - made before any other thread is
            return self._made[1]

    def age_s(self) -> float:
        """How many seconds ago the newest view was made."""
        with self._lock:
            return math.inf if self._made is None else time.monotonic() - self._made[0]

    def is_due(self, hub: Hub, at: float) -> bool:
        """Whether to make another one. The time grows with the fleet: 10,000 nodes take a tenth of a second."""
        return self._made is None or at - self._made[0] >= VIEW_S + len(hub.fleet.nodes) / 2000

    def make(self, hub: Hub, now: Moment, waiting: Mapping[str, tuple[int, int]]) -> View:
        """Make the view of this moment. ``waiting``: by target, how many notices wait and how many it was told."""
        made = view(hub, now, __version__, waiting)
        with self._lock:
            self._made = (now.at, made)
        return made


def status_line(made: View) -> str:
    """One line for ``systemctl status``: alarms first, then what needs somebody, then the number of nodes."""
    counts: Mapping[str, int] = {
        status: sum(node.status == status for node in made.nodes) for status in ("up", "late", "down", "paused", "new")
    }
    told = [f"{number} {status}" for status, number in counts.items() if number]
    alarms = [f"ALARM {each.site}/{each.node} {each.input}" for each in made.incidents[:3]]
    findings = [f"{len(made.findings)} findings"] if made.findings else []
    blind = ["no broker is reached"] if made.blind else []
    unasked = ["the API can't be reached"] if any(each.code == API_AWAY.code for each in made.findings) else []
    return ", ".join([*alarms, *blind, *unasked, *told, *findings]) or "no node heard yet"

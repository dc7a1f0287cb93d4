"""The newest view of the building: the deciding thread makes it, the API's threads and systemd read it."""

import math
import threading
import time
from collections import Counter
from collections.abc import Mapping

from node import __version__
from node.monitor.core.decisions.ledger import Moment
from node.monitor.core.hub import Hub
from node.monitor.core.model.catalogue import API_AWAY, BROKER_AWAY
from node.monitor.core.nodes.node import HEARD
from node.monitor.core.view.build import view
from node.monitor.core.view.view_types import NodeView, View

VIEW_S = 0.5

STOPPED = "stopped: nobody is notified"
"""The last line for ``systemctl status``: it stays there after the end."""


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
    """One line for ``systemctl status``: alarms first, then what needs somebody, then the number of nodes.

    A node that no connected broker brings isn't called up: how it is isn't known now.
    """
    counts = Counter("not known" if _is_unknown(node, made) else node.status.value for node in made.nodes)
    told = [f"{counts[word]} {word}" for word in ("up", "late", "down", "paused", "new", "not known") if counts[word]]
    alarms = [f"ALARM {each.site}/{each.node} {each.input}" for each in made.incidents[:3]]
    count = len(made.findings)
    findings = [f"{count} finding{'' if count == 1 else 's'}"] if count else []
    failed = any(each.problem for each in made.brokers) or any(each.code == BROKER_AWAY.code for each in made.findings)
    blind = ["no broker is reached" if failed else "connecting to the brokers"] if made.blind else []
    unasked = ["the API can't be reached"] if any(each.code == API_AWAY.code for each in made.findings) else []
    return ", ".join([*alarms, *blind, *unasked, *told, *findings]) or "no node heard yet"


def _is_unknown(node: NodeView, made: View) -> bool:
    return node.reason == "broker-away" or (made.blind and node.status in HEARD)

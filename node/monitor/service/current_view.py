"""The newest view of the building: the deciding thread makes it, the API's threads and systemd read it."""

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping

from node import __version__
from node.monitor.core.decisions.ledger import Moment
from node.monitor.core.hub import Hub
from node.monitor.core.model.catalogue import API_AWAY, BROKER_AWAY
from node.monitor.core.nodes.node import HEARD
from node.monitor.core.view.build import Building
from node.monitor.core.view.view_types import NodeView, View

VIEW_S = 0.5
SLICE = 250
"""How many nodes, buttons or findings are shown before messages are decided again: about 2 ms."""

STOPPED = "stopped: nobody is notified"
"""The last line for ``systemctl status``: it stays there after the end."""


class CurrentView:
    """``newest`` and ``age_s`` are for any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: tuple[float, View] | None = None
        self._building: Building | None = None

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

    @property
    def is_begun(self) -> bool:
        """Whether a view is being made."""
        return self._building is not None

    def turn(self, hub: Hub, now: Moment, waiting: Callable[[], Mapping[str, tuple[int, int]]]) -> View | None:
        """Begin a view if one is due, or go on with it by a slice; returns it once it is made.

        The time in between grows with the fleet: a view of 10,000 nodes takes a tenth of a second altogether.
        """
        if self._building is None:
            if self._made is not None and now.at - self._made[0] < VIEW_S + len(hub.fleet.nodes) / 2000:
                return None
            self._building = Building(hub, __version__)
        return self._done(now, waiting) if self._building.go_on(now, SLICE) else None

    def make(self, hub: Hub, now: Moment, waiting: Callable[[], Mapping[str, tuple[int, int]]]) -> View:
        """Make the view of this moment at once."""
        self._building = Building(hub, __version__)
        while not self._building.go_on(now, SLICE):
            pass
        return self._done(now, waiting)

    def drop(self) -> None:
        """Don't go on with the view that is being made: the hub is another one from now on."""
        self._building = None

    def _done(self, now: Moment, waiting: Callable[[], Mapping[str, tuple[int, int]]]) -> View:
        assert self._building is not None  # noqa: S101
        made = self._building.done(now, waiting())
        self._building = None
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

"""A heap of the nodes' deadlines, with one entry for each node. Pure.

If a deadline moves to later, the old entry stays, and the node is looked at once too often. So a heartbeat costs the
same however many nodes there are.
"""

from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import count
from math import inf

from node.monitor.core.nodes.node import Tracked


class Deadlines:
    """Instants are monotonic. ``Tracked.queued`` says when a node's entry comes up."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Tracked]] = []
        self._numbers = count()

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def next_due(self) -> float:
        """When the first entry comes up; inf if there is none."""
        return self._heap[0][0] if self._heap else inf

    def schedule(self, tracked: Tracked, due: float) -> None:
        """Have an entry no later than ``due``."""
        if due < tracked.queued:
            tracked.queued = due
            heappush(self._heap, (due, next(self._numbers), tracked))

    def passed(self, at: float) -> Iterator[Tracked]:
        """The nodes whose entry comes up by ``at``. Each of them has no entry then."""
        while self._heap and self._heap[0][0] <= at:
            due, _, tracked = heappop(self._heap)
            if due == tracked.queued:  # else an earlier entry took its place
                tracked.queued = inf
                yield tracked

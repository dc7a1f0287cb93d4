"""The loop's inbox: events of all threads, in the order in which they came, but for those of the panel.

An edge must not wait behind messages: a broker may have said hundreds of things at once. Nor may a cable that hums keep
messages away: without the receipts among them the lamp shows *nobody has it*. So while both wait they take turns.
"""

import queue
from collections import deque

from node.core.events import Event


class Inbox:
    """Any thread, and any signal handler, may put; only the loop takes."""

    def __init__(self) -> None:
        self._of_panel: deque[Event] = deque()
        self._others: deque[Event] = deque()
        self._count: queue.SimpleQueue[None] = queue.SimpleQueue()  # an entry for each event of both
        self._took_of_panel = False

    def put(self, event: Event) -> None:
        """Put an event behind all but those of the panel."""
        self._others.append(event)
        self._count.put(None)

    def put_of_panel(self, event: Event) -> None:
        """Put an event of the panel: at most one other event is taken before each of them."""
        self._of_panel.append(event)
        self._count.put(None)

    def get(self, timeout_s: float) -> Event | None:
        """The next event; None if none comes within this time."""
        try:
            self._count.get(timeout=timeout_s)
        except queue.Empty:
            return None
        self._took_of_panel = bool(self._of_panel) and not (self._took_of_panel and self._others)
        return self._of_panel.popleft() if self._took_of_panel else self._others.popleft()

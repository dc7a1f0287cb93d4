"""Between those who hear and the one who decides: a queue that nothing can fill, where an alarm stands behind little.

Rules:

1. Own matters (links, the history's answers, people's requests) come first and are never dropped: they are few.
2. Of a node's heartbeats by one broker only the newest counts: a later one takes the place of one that nobody has
   looked at. By another it counts besides: it shows that this way leads to the node, too.
3. Everything else of a node stands in its own line of at most ``NODE_ROOM``; nodes take turns. So whoever floods one
   node's topics delays that node alone, and who invents nodes delays each other one by a turn.
4. The roster's nodes have their turns before strangers, who have one of ``STRANGERS_TURN`` all the same: a frightened
   person may stand there.
5. What finds no room is dropped and counted. It gets no receipt, so the node sends it again.
6. Heartbeats alone wait for others to join them: waking the deciding thread for each would be most of its work, and
   take from the links the time in which they hear alarms. Whatever else comes ends that wait.
"""

import threading
from collections import deque
from collections.abc import Callable, Container
from typing import NamedTuple

from node.messages import HeartbeatMessage
from node.monitor.model import NodeKey
from node.monitor.wire import Heard

NODE_ROOM = 64
"""A node has at most 20 unanswered events under way (protocol.md), twice on two brokers, and little else."""

ROOM = 50_000
"""Messages of all nodes together; heartbeats stand beside that, one for each node and broker."""

BEATS_ROOM = 60_000
STRANGERS_TURN = 8
GATHER_S = 0.02
"""How long a heartbeat waits for others."""


class Said(NamedTuple):
    """A node's message as it came: ``at`` is when, by the monotonic clock."""

    at: float
    broker: str
    node: NodeKey
    message: Heard
    retained: bool


class Inbox:
    """Filled by any thread, emptied by one. ``ours``: the roster; where that is None nobody is a stranger."""

    def __init__(self, ours: Container[NodeKey] | None = None) -> None:
        self._ours = ours
        self._strangers: deque[NodeKey] = deque()
        self._ready = threading.Condition(threading.Lock())
        self._own: deque[Callable[[], None]] = deque()
        self._lines: dict[NodeKey, deque[Said]] = {}
        self._turns: deque[NodeKey] = deque()
        self._beats: dict[tuple[NodeKey, str], Said] = {}
        self._waiting = 0
        self._dropped = 0
        self._malformed = 0

    def put_own(self, what: Callable[[], None]) -> None:
        """Something of ours: the deciding thread calls it."""
        with self._ready:
            self._own.append(what)
            self._ready.notify()

    def put(self, said: Said) -> None:
        """A node's message."""
        with self._ready:
            if isinstance(said.message, HeartbeatMessage) and not said.retained:
                if not self._beats:
                    self._ready.notify()
                way = said.node, said.broker
                if way in self._beats or len(self._beats) < BEATS_ROOM:
                    self._beats[way] = said
                else:
                    self._dropped += 1
            else:
                self._put_in_line(said)
                self._ready.notify()

    def malformed(self) -> None:
        """A message that means nothing was thrown away."""
        self._malformed += 1

    def take(self, timeout_s: float, most: int) -> tuple[list[Callable[[], None]], list[Said]]:
        """What there is, our own matters and up to ``most`` messages; both empty after ``timeout_s`` without any."""
        with self._ready:
            if not (self._own or self._waiting or self._beats):
                self._ready.wait(timeout_s)
            if 0 < len(self._beats) < most and not (self._own or self._waiting):
                self._ready.wait(min(timeout_s, GATHER_S))
            own = list(self._own)
            self._own.clear()
            taken: list[Said] = []
            while (turns := self._whose_turn(len(taken))) and len(taken) < most:
                node = turns.popleft()
                line = self._lines[node]
                taken.append(line.popleft())
                self._waiting -= 1
                if line:
                    turns.append(node)
                else:
                    del self._lines[node]
            while self._beats and len(taken) < most:
                taken.append(self._beats.pop(next(iter(self._beats))))
            return own, taken

    def lost(self) -> tuple[int, int]:
        """How many messages were dropped, and how many meant nothing, since the last time."""
        with self._ready:
            told = self._dropped, self._malformed
            self._dropped = self._malformed = 0
            return told

    def _whose_turn(self, number: int) -> deque[NodeKey]:
        if self._strangers and (number % STRANGERS_TURN == STRANGERS_TURN - 1 or not self._turns):
            return self._strangers
        return self._turns

    def _put_in_line(self, said: Said) -> None:
        line = self._lines.get(said.node)
        if self._waiting >= ROOM or (line is not None and len(line) >= NODE_ROOM):
            self._dropped += 1
            return
        if line is None:
            line = self._lines[said.node] = deque()
            is_stranger = self._ours is not None and said.node not in self._ours
            (self._strangers if is_stranger else self._turns).append(said.node)
        line.append(said)
        self._waiting += 1

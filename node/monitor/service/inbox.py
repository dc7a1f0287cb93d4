"""Between those who hear and the one who decides: a queue that nothing can fill, where an alarm stands behind little.

Rules:

1. Own matters (links, the history's answers, people's requests) come first and are never dropped: they are few.
2. Of a node's heartbeats by one broker only the newest counts: a later one takes the place of one that nobody has
   looked at. By another it counts besides: it shows that this way leads to the node, too.
3. Everything else of a node stands in its own line of at most ``NODE_ROOM``; nodes take turns. So whoever floods one
   node's topics delays that node alone, and who invents nodes delays each other one by a turn.
4. Our own nodes have their turns before strangers, who have one of ``STRANGERS_TURN`` all the same: a frightened
   person may stand there. What strangers say waits while the history is behind (``strangers``): what was decided can't
   be overtaken any more. They have ``STRANGERS_ROOM`` to wait in, and leave the rest to ours.
5. What finds no room is dropped and counted. It gets no receipt, so the node sends it again.
6. Heartbeats alone wait for others to join them: waking the deciding thread for each would be most of its work, and
   take from the links the time in which they hear alarms. Whatever else comes ends that wait.
"""

import threading
from collections import deque
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import NamedTuple

from node.monitor.core.model import NodeKey
from node.monitor.core.monitor_codec import Heard
from node.protocol.messages import HeartbeatMessage

NODE_ROOM = 256
"""A node has at most 20 unanswered events under way (PROTOCOL.md 7.1), twice on two brokers, and little else. The rest
is for whoever speaks in its name: what finds no room comes again 10 s later only."""

ROOM = 50_000
"""Messages of all nodes together; heartbeats stand beside that, one for each node and broker."""

STRANGERS_ROOM = 2_000
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


@dataclass(slots=True)
class _Line:
    said: deque[Said]
    is_stranger: bool


class Inbox:
    """Filled by any thread, emptied by one. ``ours``: who is no stranger (Members.ours); None: nobody is one."""

    def __init__(self, ours: Container[NodeKey] | None = None) -> None:
        self.ours = ours
        self._strangers: deque[NodeKey] = deque()
        self._strangers_waiting = 0
        self._strangers_held = False
        self._ready = threading.Condition(threading.Lock())
        self._own: deque[Callable[[], None]] = deque()
        self._lines: dict[NodeKey, _Line] = {}
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
                line = self._put_in_line(said)
                if line is not None and not (line.is_stranger and self._strangers_held):
                    self._ready.notify()

    def malformed(self) -> None:
        """A message that means nothing was thrown away."""
        self._malformed += 1

    def take(
        self, timeout_s: float, most: int, *, strangers: bool = True
    ) -> tuple[list[Callable[[], None]], list[Said]]:
        """What there is, our own matters and up to ``most`` messages; both empty after ``timeout_s`` without any.

        ``strangers``: whether what they say may be taken; their heartbeats are in any case.
        """
        with self._ready:
            self._strangers_held = not strangers
            if not (self._own or self._has_turns or self._beats):
                self._ready.wait(timeout_s)
            if 0 < len(self._beats) < most and not (self._own or self._has_turns):
                self._ready.wait(min(timeout_s, GATHER_S))
            own = list(self._own)
            self._own.clear()
            taken: list[Said] = []
            while (turns := self._whose_turn(len(taken))) and len(taken) < most:
                node = turns.popleft()
                line = self._lines[node]
                taken.append(line.said.popleft())
                self._waiting -= 1
                self._strangers_waiting -= line.is_stranger
                if line.said:
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

    @property
    def _has_turns(self) -> bool:
        return bool(self._turns or (self._strangers and not self._strangers_held))

    def _whose_turn(self, number: int) -> deque[NodeKey]:
        is_theirs = number % STRANGERS_TURN == STRANGERS_TURN - 1 or not self._turns
        return self._strangers if is_theirs and self._strangers and not self._strangers_held else self._turns

    def _put_in_line(self, said: Said) -> _Line | None:
        """The line in which it stands now, None where there was no room."""
        line = self._lines.get(said.node)
        is_stranger = line.is_stranger if line else self.ours is not None and said.node not in self.ours
        if (
            self._waiting >= ROOM
            or (is_stranger and self._strangers_waiting >= STRANGERS_ROOM)
            or (line is not None and len(line.said) >= NODE_ROOM)
        ):
            self._dropped += 1
            return None
        if line is None:
            line = self._lines[said.node] = _Line(deque(), is_stranger)
            (self._strangers if is_stranger else self._turns).append(said.node)
        line.said.append(said)
        self._waiting += 1
        self._strangers_waiting += is_stranger
        return line

"""The queue between the threads that hear and the thread that decides. It is bounded and fair: alarms wait least.

Rules:

1. Our own matters (links, the history's answers, people's requests) come first and are never dropped: they are few.
2. Only the newest heartbeat of a node by one broker counts: it replaces one that wasn't decided yet. A heartbeat by
   another broker is kept, too, because it shows that the node can also be reached by that broker.
3. Everything else of a node waits in the node's own line of at most ``NODE_ROOM``, and nodes take turns. So a flood on
   one node's topics delays only that node, and each invented node delays the others by one turn.
4. Our own nodes have their turns before strangers. But every ``STRANGERS_TURN``-th turn is a stranger's: somebody may
   need help there. Messages of strangers wait while the history is behind (``strangers``), because our own nodes can't
   overtake a message that was already decided. At most ``STRANGERS_ROOM`` of them wait; the rest of the room is for our
   own nodes.
5. A message that finds no room is dropped and counted. It gets no receipt, so the node sends it again.
6. Heartbeats alone wait for others to join them. If each woke the deciding thread, that would be most of its work, and
   the links would lack the time to hear alarms. Anything else that comes ends that wait.
"""

import threading
from collections import deque
from collections.abc import Callable, Container
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from node.monitor.core.decisions.monitor_codec import Heard
from node.monitor.core.model.records import NodeKey
from node.protocol.messages import HeartbeatMessage

NODE_ROOM = 256
"""A node has at most 20 unanswered events under way (PROTOCOL.md 7.1), twice that on two brokers, and little else. The
rest is a reserve in case another client uses its login: a message without room comes again only 10 s later."""

ROOM = 50_000
"""Messages of all nodes together. Heartbeats don't count here: there is at most one for each node and broker."""

STRANGERS_ROOM = 2_000
BEATS_ROOM = 60_000
STRANGERS_TURN = 8
GATHER_S = 0.02
"""How long a heartbeat waits for others."""


class Said(NamedTuple):
    """A node's message. ``at`` is when it came, by the monotonic clock. ``unknown`` as in FromNode."""

    at: float
    broker: str
    node: NodeKey
    message: Heard
    retained: bool
    unknown: tuple[str, ...] = ()


@dataclass(slots=True)
class _Line:
    said: deque[Said]
    is_stranger: bool


class Inbox:
    """Any thread fills it, one empties it. ``ours``: the nodes that aren't strangers (Roster.ours); None: all."""

    def __init__(self, ours: Container[NodeKey] | None = None) -> None:
        self.ours = ours
        self._strangers: deque[NodeKey] = deque()
        self._strangers_waiting = 0
        self._strangers_held = False
        self._ready = threading.Condition(threading.Lock())
        self._calls: deque[Callable[[], None]] = deque()
        self._lines: dict[NodeKey, _Line] = {}
        self._turns: deque[NodeKey] = deque()
        self._beats: dict[tuple[NodeKey, str], Said] = {}
        self._waiting = 0
        self._dropped = 0
        self._malformed = 0

    def call_soon(self, call: Callable[[], None]) -> None:
        """Let the deciding thread call this, before it takes any message."""
        with self._ready:
            self._calls.append(call)
            self._ready.notify()

    def put(self, said: Said) -> None:
        """Put a node's message."""
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
        """Count a message that was thrown away because it can't be read."""
        self._malformed += 1

    def take(
        self, timeout_s: float, most: int, *, strangers: bool = True
    ) -> tuple[list[Callable[[], None]], list[Said]]:
        """Take the calls and up to ``most`` messages. Both are empty if there were none within ``timeout_s``.

        ``strangers``: whether messages of strangers may be taken. Their heartbeats always are.
        """
        with self._ready:
            self._strangers_held = not strangers
            if not (self._calls or self._has_turns or self._beats):
                self._ready.wait(timeout_s)
            if 0 < len(self._beats) < most and not (self._calls or self._has_turns):
                self._ready.wait(min(timeout_s, GATHER_S))
            calls = list(self._calls)
            self._calls.clear()
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
            room = most - len(taken)
            if len(self._beats) <= room:
                beats, self._beats = self._beats, {}
                taken += beats.values()
            else:
                taken += [self._beats.pop(way) for way in list(islice(self._beats, room))]
            return calls, taken

    def lost(self) -> tuple[int, int]:
        """How many messages were dropped, and how many couldn't be read, since the last call."""
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
        """Put a message into its node's line. Returns the line, or None if there was no room."""
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

"""What can be seen of the demo from outside, in the order in which it was seen: one inbox for one reader.

Threads: the nodes' readers (programs.py), paho's (subscriber.py), those that ask the monitor (desk.py), the
telephone's and signal handlers put; the main thread takes.
"""

import queue
import select
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import msgspec

from node.protocol.messages import Alarm, Canary, Event, HeartbeatMessage, ReplyMessage, State
from node.protocol.monitor_messages import Command, MonitorMessage, Receipt

Said = Alarm | Canary | Command | Event | HeartbeatMessage | MonitorMessage | Receipt | ReplyMessage | State
"""Any message of protocol v1."""

_NODE_TYPES: dict[str, type[Said]] = {
    "state": State,
    "alarm": Alarm,
    "event": Event,
    "heartbeat": HeartbeatMessage,
    "canary": Canary,
    "receipt": Receipt,
    "command": Command,
    "reply": ReplyMessage,
}


@dataclass(frozen=True, slots=True)
class Seen:
    """The base. ``at``: monotonic seconds, the same clock in every process of this machine."""

    at: float


@dataclass(frozen=True, slots=True)
class Shown(Seen):
    """The node's wall changed: a JSON line of ``simulate`` without its ``at``, which is the node's own."""

    node: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Heard(Seen):
    """A message, as a subscriber got it from the broker; ``message`` is None where it means nothing in protocol v1."""

    topic: str
    payload: bytes
    message: Said | None

    @property
    def node(self) -> str:
        """To whose branch it belongs; empty where it is a monitor's."""
        *_, branch, name, _kind = ["", "", *self.topic.split("/")]
        return name if branch == "node" else ""


@dataclass(frozen=True, slots=True)
class NodeEnded(Seen):
    """The node's process has closed its output."""

    node: str


@dataclass(frozen=True, slots=True)
class Watching(Seen):
    """The onlooker has subscribed to everything."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What the monitor finds needs somebody; ``node`` is empty where it is about none."""

    code: str
    node: str
    text: str
    next_step: str


@dataclass(frozen=True, slots=True)
class Fleet(Seen):
    """What the monitor shows from ``at`` on. ``statuses`` by node, empty while it doesn't answer; the worst first.

    ``blind``: it reaches no broker.
    """

    statuses: Mapping[str, str]
    findings: tuple[Finding, ...] = ()
    blind: bool = True


@dataclass(frozen=True, slots=True)
class Rang(Seen):
    """The telephone of the guard's desk took a message; ``title`` is its first line."""

    title: str


@dataclass(frozen=True, slots=True)
class NotDone(Seen):
    """What a person wanted never got as far as the node, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class StopWanted(Seen):
    """Somebody pressed Ctrl-C, or a signal asks for the end."""


def understand(topic: str, payload: bytes) -> Said | None:
    """The message that these bytes are by protocol v1, if any."""
    *_, branch, _name, kind = ["", "", *topic.split("/")]
    wanted: type[Said] | None = MonitorMessage if branch == "monitor" else _NODE_TYPES.get(kind)
    if wanted is None:
        return None
    try:
        return msgspec.json.decode(payload, type=wanted)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


class Inbox:
    """A queue that ``select`` can wait for. A context: its sockets are closed at the end."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Seen] = queue.SimpleQueue()
        self._bell, self._rope = socket.socketpair()
        self._bell.setblocking(False)
        self._rope.setblocking(False)

    def put(self, seen: Seen) -> None:
        """Add something; from any thread or signal handler, never waits."""
        self._queue.put(seen)
        with suppress(OSError):  # full: the bell rings already; closed: nobody listens any more
            self._rope.send(b"!")

    def fileno(self) -> int:
        """For ``select``: readable as long as there is something to take."""
        return self._bell.fileno()

    def take(self, timeout_s: float = 0.0) -> list[Seen]:
        """All that is there, the oldest first; waits until there is something, ``timeout_s`` at most."""
        if not select.select([self], [], [], max(0.0, timeout_s))[0]:
            return []
        with suppress(BlockingIOError):
            self._bell.recv(4096)
        taken = []
        with suppress(queue.Empty):
            while True:
                taken.append(self._queue.get_nowait())
        return taken

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bell.close()
        self._rope.close()

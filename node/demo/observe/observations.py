"""The types of what can be observed of the demo, and how a message at the broker becomes one of the protocol's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from node.protocol.messages import Alarm, Canary, Event, HeartbeatMessage, ReplyMessage, State
from node.protocol.monitor_messages import Command, MonitorMessage, Receipt

ProtocolMessage = Alarm | Canary | Command | Event | HeartbeatMessage | MonitorMessage | Receipt | ReplyMessage | State

_NODE_MESSAGES: dict[str, type[ProtocolMessage]] = {
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
class Observation:
    """The base. ``at``: monotonic seconds, the same clock in every process of this machine."""

    at: float


@dataclass(frozen=True, slots=True)
class NodeOutput(Observation):
    """A JSON line of a simulated node: lamp, buzzer, contact or step. ``at`` is the node's own."""

    node: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NodeEnded(Observation):
    """The node's process has closed its output."""

    node: str


@dataclass(frozen=True, slots=True)
class BrokerMessage(Observation):
    """A message, as a subscriber got it from the broker. ``message`` is None if protocol v1 doesn't know it."""

    topic: str
    payload: bytes
    message: ProtocolMessage | None

    @property
    def node(self) -> str:
        """The node whose topic it has; "" for a topic of a monitor."""
        *_, branch, name, _kind = ["", "", *self.topic.split("/")]
        return name if branch == "node" else ""


@dataclass(frozen=True, slots=True)
class Subscribed(Observation):
    """The demo's subscriber hears all topics from now on."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding of the monitor; ``node`` is "" if it is about none."""

    code: str
    node: str
    text: str
    next_step: str


@dataclass(frozen=True, slots=True)
class MonitorView(Observation):
    """What the monitor shows. ``statuses`` by node, empty while it doesn't answer; the worst finding first.

    ``blind``: it has no connection to the broker.
    """

    statuses: Mapping[str, str]
    findings: tuple[Finding, ...] = ()
    blind: bool = True


@dataclass(frozen=True, slots=True)
class PhoneRang(Observation):
    """The guard's phone took a message; ``title`` is its first line."""

    title: str


@dataclass(frozen=True, slots=True)
class ActionFailed(Observation):
    """What the guard wanted never got as far as the node, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class StopRequested(Observation):
    """Ctrl-C or a signal asks the demo to end."""


def decode(topic: str, payload: bytes) -> ProtocolMessage | None:
    """The message of protocol v1 that these bytes are; None if they are none."""
    *_, branch, _name, kind = ["", "", *topic.split("/")]
    wanted: type[ProtocolMessage] | None = MonitorMessage if branch == "monitor" else _NODE_MESSAGES.get(kind)
    if wanted is None:
        return None
    try:
        return msgspec.json.decode(payload, type=wanted)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None

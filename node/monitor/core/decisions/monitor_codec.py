"""The monitor's side of the protocol: topics, and messages <-> types (node.protocol.messages, PROTOCOL.md).

A message that can't be read is a ValueError with a reason. Nothing is guessed, but for two words that a newer node may
say. Its calls must not be lost because of them:

1. A kind of event that this version doesn't know is read as it is. It is stored, and is never a call.
2. An alarm class that this version doesn't know counts as ``UNKNOWN_CLASS``.
"""

import re
from typing import Any, Literal, NamedTuple

import msgspec

from node.core.settings import AlarmClass
from node.monitor.core.decisions.ledger import SendCommand
from node.monitor.core.model.records import EventKey, NodeKey
from node.protocol.codec import rfc3339
from node.protocol.messages import KINDS, PAYLOAD_LIMIT, Alarm, Event, EventId, HeartbeatMessage, ReplyMessage, State
from node.protocol.monitor_messages import Command, MonitorMessage, MonitorSays, MonitorState, Receipt, ReceiptKind

HEARTBEAT_S = 5.0
"""How often a monitor sends its heartbeat (PROTOCOL.md 4.4)."""

TTL_S = 10
"""The expiry of a command."""

UNKNOWN_CLASS = AlarmClass.THREAT
"""As what an unknown class counts. Guards go there and look. *Amok* would make everybody hide from what may be a person
who only needs help; *assist* would call nobody who is ready for a threat."""

Heard = State | Alarm | Event | HeartbeatMessage | ReplyMessage

_TYPES: dict[str, type[Heard]] = {
    "state": State,
    "alarm": Alarm,
    "event": Event,
    "heartbeat": HeartbeatMessage,
    "reply": ReplyMessage,
}
_DECODERS = {kind: msgspec.json.Decoder(each) for kind, each in _TYPES.items()}
_ANYTHING = msgspec.json.Decoder()
_CLASSES = frozenset(AlarmClass)
_OWN = msgspec.json.Decoder(MonitorMessage)
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")


class FromNode(NamedTuple):
    """A message of a node. ``unknown``: its words that this version doesn't know, such as "kind shouted"."""

    node: NodeKey
    message: Heard
    unknown: tuple[str, ...] = ()


class FromMonitor(NamedTuple):
    """What is on our own ``state`` topic: the boot that sent it, and the state."""

    boot: str
    state: str


class MonitorWire:
    """The topics of the monitor ``monitor`` at ``sites``. ``boot`` is 8 hex digits."""

    def __init__(self, root: str, sites: tuple[str, ...], monitor: str, boot: str) -> None:
        self.client_id = f"{sites[0]}/monitor/{monitor}"
        self.monitor = monitor
        self.boot = boot
        self.sites = sites
        self._root = root
        self._prefix = f"{root}/"
        self._own_states = frozenset(self.state_topic(site) for site in sites)
        self.own_heartbeats = frozenset(self.heartbeat_topic(site) for site in sites)

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """All topic filters of a monitor.

        It hears its own state, to notice another client that uses its name, and its own heartbeats, to notice that the
        broker delivers nothing any more.
        """
        kinds = [f"{self._root}/{site}/node/+/{kind}" for site in self.sites for kind in _TYPES]
        return (*kinds, *sorted(self._own_states), *sorted(self.own_heartbeats))

    def kept_topics(self, node: NodeKey) -> tuple[str, str]:
        """The topics of a node on which a broker retains something."""
        branch = f"{self._root}/{node.site}/node/{node.node}"
        return f"{branch}/state", f"{branch}/alarm"

    def state_topic(self, site: str) -> str:
        """The topic of this monitor's retained state."""
        return f"{self._root}/{site}/monitor/{self.monitor}/state"

    def heartbeat_topic(self, site: str) -> str:
        """The topic of its heartbeat."""
        return f"{self._root}/{site}/monitor/{self.monitor}/heartbeat"

    def receipt_topic(self, node: NodeKey) -> str:
        """The topic on which a node hears its receipts."""
        return f"{self._root}/{node.site}/node/{node.node}/receipt"

    def command_topic(self, node: NodeKey) -> str:
        """The topic on which a node hears commands."""
        return f"{self._root}/{node.site}/node/{node.node}/command"

    def said(
        self,
        state: Literal["online", "offline", "lost"],
        session: int,
        at_utc: float,
        *,
        period_s: float | None = None,
        reason: str | None = None,
    ) -> bytes:
        """The payload of a birth, a goodbye, a will, or (with ``period_s``) a heartbeat."""
        message = MonitorState(
            v=1,
            monitor=self.monitor,
            boot=self.boot,
            state=state,
            session=session,
            at_utc=rfc3339(at_utc),
            period_s=period_s,
            reason=reason,
        )
        return _encoded(message)

    def receipt(self, event: EventKey, kind: ReceiptKind) -> bytes:
        """The payload of a receipt."""
        receipt = Receipt(v=1, monitor=self.monitor, event=EventId(event.boot, event.seq), kind=kind)
        return _encoded(receipt)

    def command(self, command: SendCommand) -> bytes:
        """The payload of a command. Publish it with an expiry of ``TTL_S``."""
        arguments: dict[str, Any] = command.arguments
        message = Command(
            v=1,
            id=command.id,
            boot=command.boot,
            ttl_s=float(TTL_S),
            by=command.by,
            action=command.action,
            **arguments,
        )
        return _encoded(message)

    def read(self, topic: str, payload: bytes) -> FromNode | FromMonitor:
        """Decode a message. Raises ValueError with a reason if it means nothing to a monitor."""
        if len(payload) > PAYLOAD_LIMIT:
            raise ValueError(f"more than {PAYLOAD_LIMIT} bytes")
        if topic in self._own_states:
            said: MonitorMessage = _decoded(_OWN, payload)
            return FromMonitor(said.boot, said.state)
        parts = topic.removeprefix(self._prefix).split("/")
        if len(parts) != 4 or parts[1] != "node" or parts[0] not in self.sites:
            raise ValueError("unknown topic")
        decoder = _DECODERS.get(parts[3])
        if decoder is None or not _ID.match(parts[2]):
            raise ValueError("unknown topic")
        message, unknown = _from_node(_TYPES[parts[3]], decoder, payload)
        if message.node != parts[2]:
            raise ValueError("a node speaks on its own branch only")
        return FromNode(NodeKey(parts[0], parts[2]), message, unknown)


def _encoded(message: MonitorSays) -> bytes:
    """The payload of a message of ours: no other place makes one."""
    return msgspec.json.encode(message)


def event_body(event: Event) -> str:
    """An event as the history keeps it. Its age is left out: that belongs to one copy of the message."""
    return msgspec.json.encode(msgspec.structs.replace(event, age_ms=msgspec.UNSET)).decode()


def _from_node(
    kind: type[Heard], decoder: msgspec.json.Decoder[Heard], payload: bytes
) -> tuple[Heard, tuple[str, ...]]:
    """A node's message, and its words that this version doesn't know."""
    unknown: list[str] = []
    try:
        message: Heard = _decoded(decoder, payload)
    except ValueError:
        raw = _decoded(_ANYTHING, payload)
        for part in _parts_with_class(raw):
            word = part["class"]
            if isinstance(word, str) and _ID.match(word) and word not in _CLASSES:
                unknown.append(f"class {word}")
                part["class"] = UNKNOWN_CLASS
        if not unknown:
            raise
        try:
            message = msgspec.convert(raw, kind)
        except msgspec.ValidationError as error:
            raise ValueError(f"unreadable: {error}") from error
    if isinstance(message, Event) and message.kind not in KINDS:
        unknown.append(f"kind {message.kind}")
    return message, tuple(dict.fromkeys(unknown)) if unknown else ()


def _parts_with_class(raw: Any) -> list[dict[str, Any]]:
    """The parts of a message that have a class: an event itself, the incidents of a list, the inputs of a heartbeat."""
    if not isinstance(raw, dict):
        return []
    incidents, inputs = raw.get("incidents"), raw.get("inputs")
    parts = [raw, *(incidents if isinstance(incidents, list) else ())]
    parts += inputs.values() if isinstance(inputs, dict) else ()
    return [part for part in parts if isinstance(part, dict) and "class" in part]


def _decoded(decoder: msgspec.json.Decoder[Any], payload: bytes) -> Any:
    try:
        return decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ValueError(f"unreadable: {error}") from error

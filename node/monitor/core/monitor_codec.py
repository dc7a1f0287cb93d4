"""The monitor's side of the protocol: topics, and messages <-> types (node.protocol.messages, PROTOCOL.md).

A message that can't be read is a ValueError with a reason. Nothing is guessed.
"""

import re
from typing import Any, Literal, NamedTuple

import msgspec

from node.monitor.core.decisions import SendCommand
from node.monitor.core.model import EventKey, NodeKey
from node.protocol.codec import rfc3339
from node.protocol.messages import PAYLOAD_LIMIT, Alarm, Event, EventId, HeartbeatMessage, ReplyMessage, State
from node.protocol.monitor_messages import Command, MonitorMessage, MonitorSays, MonitorState, Receipt, ReceiptKind

HEARTBEAT_S = 5.0
"""How often a monitor sends its heartbeat (PROTOCOL.md 4.4)."""

TTL_S = 10
"""The expiry of a command."""

Heard = State | Alarm | Event | HeartbeatMessage | ReplyMessage

_TYPES: dict[str, type[Heard]] = {
    "state": State,
    "alarm": Alarm,
    "event": Event,
    "heartbeat": HeartbeatMessage,
    "reply": ReplyMessage,
}
_DECODERS = {kind: msgspec.json.Decoder(each) for kind, each in _TYPES.items()}
_OWN = msgspec.json.Decoder(MonitorMessage)
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")


class FromNode(NamedTuple):
    """A message of a node."""

    node: NodeKey
    message: Heard


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

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """All topic filters of a monitor. It hears its own state, to notice another client that uses its name."""
        kinds = [f"{self._root}/{site}/node/+/{kind}" for site in self.sites for kind in _TYPES]
        return (*kinds, *sorted(self._own_states))

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
        message = _decoded(decoder, payload)
        if message.node != parts[2]:
            raise ValueError("a node speaks on its own branch only")
        return FromNode(NodeKey(parts[0], parts[2]), message)


def _encoded(message: MonitorSays) -> bytes:
    """The payload of a message of ours: no other place makes one."""
    return msgspec.json.encode(message)


def event_body(event: Event) -> str:
    """An event as the history keeps it. Its age is left out: that belongs to one copy of the message."""
    return msgspec.json.encode(msgspec.structs.replace(event, age_ms=msgspec.UNSET)).decode()


def _decoded(decoder: msgspec.json.Decoder[Any], payload: bytes) -> Any:
    try:
        return decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ValueError(f"unreadable: {error}") from error

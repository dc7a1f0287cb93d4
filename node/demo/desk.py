"""The guard's desk: a monitor as protocol.md wants it, and a subscriber that sees everything that passes.

While somebody is there, it has a state and a heartbeat, answers each event with a receipt and each birth with a probe
and a receipt for the newest event that it holds. Away, it only looks on.

Threads: ``guard-desk`` connects (a client of its own for each connection), and beats; paho's answers. Commands come
from any thread.
"""

import secrets
import threading
import time
from collections.abc import Callable
from itertools import count
from typing import Any, Literal

import msgspec
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from node.demo.seen import DeskUp, Heard, Seen, understand
from node.messages import Command, Event, EventId, MonitorMessage, Receipt, State
from node.wire import Wire, rfc3339

NAME = "guard-desk"
HEARTBEAT_S = 5.0
TTL_S = 10
_RETRY_S = 0.1

_MonitorState = Literal["online", "offline", "lost"]


class _Told(MonitorMessage, frozen=True, kw_only=True):
    """A monitor's own message, with the rest of what protocol.md asks of it. Each connection is a boot of its own."""

    seq: int = 0
    session: int = 1
    at_utc: str
    clock: str = "free"
    period_s: float | None = None


class Desk:
    """The monitor "guard-desk" beside the node of ``wire``; it hears all below the topic ``branch``."""

    def __init__(self, wire: Wire, branch: str, port: int, put: Callable[[Seen], None]) -> None:
        self.present = True
        self._wire = wire
        self._branch = branch
        self._monitor = f"{branch}/monitor/{NAME}"
        self._port = port
        self._put = put
        self._boot = ""
        self._numbers = count(1)
        self._node_boot = ""
        self._held: EventId | None = None
        self._client: Client | None = None
        self._ended = self._closing = False
        self._nudge = threading.Event()
        self._thread = threading.Thread(target=self._run, name=NAME, daemon=True)

    def start(self) -> None:
        """Connect as soon as there is a broker, again and again."""
        self._thread.start()

    def close(self) -> None:
        """Leave; returns when the connection is closed."""
        self._closing = True
        self._nudge.set()
        if self._thread.ident is not None:
            self._thread.join()

    def switch(self, present: bool) -> None:
        """Somebody comes to the desk, as a monitor that starts anew, or goes."""
        self.present = present
        if present:
            self._boot = secrets.token_hex(4)
        self._tell_state("online" if present else "offline")

    def command(self, action: str, **arguments: Any) -> str | None:
        """Send a command to the node that was born last; its id, or None where it can't be sent."""
        if not self._node_boot:
            return None
        command = Command(
            v=1,
            id=f"{action}-{next(self._numbers)}",
            boot=self._node_boot,
            ttl_s=float(TTL_S),
            by=NAME,
            action=action,
            **arguments,
        )
        sent = self._publish(self._wire.command_topic, command, expiry_s=TTL_S)
        return command.id if sent else None

    def _run(self) -> None:
        while not self._closing:
            client = self._new_client()
            try:
                client.connect("127.0.0.1", self._port)
            except OSError:
                self._nudge.clear()
                self._nudge.wait(_RETRY_S)
                continue
            client.loop_start()
            self._attend()
            client.disconnect()
            client.loop_stop()
            self._client = None

    def _new_client(self) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2, NAME, protocol=MQTTProtocolVersion.MQTTv5, reconnect_on_failure=False
        )
        self._boot = secrets.token_hex(4)
        client.will_set(f"{self._monitor}/state", msgspec.json.encode(self._told("lost")), qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        self._ended = False
        return client

    def _attend(self) -> None:
        """Beat until the connection ends."""
        due = time.monotonic() + HEARTBEAT_S
        while not (self._ended or self._closing):
            self._nudge.wait(max(0.0, due - time.monotonic()))
            self._nudge.clear()
            if time.monotonic() >= due:
                due += HEARTBEAT_S
                if self.present:
                    self._publish(f"{self._monitor}/heartbeat", self._told("online", HEARTBEAT_S))

    def _on_connect(
        self, client: Client, _data: object, _flags: object, _code: ReasonCode, _properties: object
    ) -> None:
        # What the node publishes as retained is to be seen as retained, so that nobody has to believe it.
        client.subscribe(f"{self._branch}/#", options=SubscribeOptions(qos=1, retainAsPublished=True))

    def _on_subscribe(self, client: Client, *_: object) -> None:
        self._client = client
        self._put(DeskUp(time.monotonic()))
        if self.present:
            self._tell_state("online")

    def _on_disconnect(self, *_: object) -> None:
        self._ended = True
        self._nudge.set()

    def _on_message(self, _client: object, _data: object, received: MQTTMessage) -> None:
        payload = bytes(received.payload)
        message = understand(received.topic, payload)
        self._put(Heard(time.monotonic(), received.topic, payload, message))
        match message:
            case State(state="online"):
                self._node_boot = message.boot
                if self.present:
                    self.command("probe")
                    self._receipt(self._held)
            case Event() if self.present:
                self._held = EventId(message.boot, message.seq)
                self._receipt(self._held)

    def _receipt(self, event: EventId | None) -> None:
        if event is not None:
            self._publish(self._wire.receipt_topic, Receipt(v=1, monitor=NAME, event=event))

    def _tell_state(self, state: _MonitorState) -> None:
        self._publish(f"{self._monitor}/state", self._told(state), retain=True)

    def _told(self, state: _MonitorState, period_s: float | None = None) -> _Told:
        return _Told(
            v=1,
            monitor=NAME,
            boot=self._boot,
            at_utc=rfc3339(time.time()),
            state=state,
            period_s=period_s,
        )

    def _publish(
        self, topic: str, message: msgspec.Struct, *, retain: bool = False, expiry_s: int | None = None
    ) -> bool:
        client = self._client
        if client is None or not client.is_connected():
            return False
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if expiry_s is not None:
            properties.MessageExpiryInterval = expiry_s
        client.publish(topic, msgspec.json.encode(message), qos=1, retain=retain, properties=properties)
        return True

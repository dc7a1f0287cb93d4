"""One connection to a broker: MQTT 5, QoS 1, a new client for each connection, clean start.

What this monitor misses while it is away the nodes send again, so nothing is kept here: what is said while there is no
connection is dropped. Its heartbeats go out from this link's own thread, and only while the deciding thread is alive:
``pulse`` says when that was last so. A monitor that hangs must not sound as if it listened.

Thread: ``link-<broker>`` alone reads and writes the socket; what others publish waits in paho's queue until a bell
wakes it. Callbacks only put things into the inbox.
"""

import logging
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from node.access import problems
from node.access.credentials import Credentials
from node.access.tls import TlsSocket
from node.config.brokers import Broker
from node.errors import CREDENTIALS_UNUSABLE, FaultKind
from node.messages import PAYLOAD_LIMIT, ReceiptKind
from node.monitor.decisions import SendCommand
from node.monitor.model import EventKey, NodeKey
from node.monitor.wire import HEARTBEAT_S, TTL_S, FromNode, MonitorWire

KEEPALIVE_S = 10
RETRY_S = (0.2, 5.0)
PULSE_S = 10.0
"""How long the deciding thread may be silent until this monitor's heartbeats stop."""

BIRTH_PAUSE_S = 1.0

ANSWER_S = 10.0
"""How long the broker may take for CONNACK and SUBACK."""

GOODBYE_S = 1.0
LOOK_S = 60.0
"""How often a connection's own files are looked at while it lasts."""

TURN_S = 0.5
AT_ONCE = 100
"""How many messages are read until what answers them, and what we say ourselves, is written."""

IN_FLIGHT = 1_000
QUEUED = 20_000
PACKET_LIMIT = PAYLOAD_LIMIT + 4 * 1024
"""What the broker may send us at most: a payload, its topic and what MQTT adds; it drops what is larger."""

log = logging.getLogger(__name__)


class Listener(Protocol):
    """What a link tells; called on the link's thread, so each only enqueues."""

    def up(self, broker: str) -> None:
        """All is subscribed: from here on everything is heard."""

    def down(self, broker: str, problem: str) -> None:
        """There is no connection (any more); a ``problem`` that is a fault of its own begins with its code (F017 …)."""

    def files(self, broker: str, problem: str) -> None:
        """Which of our own files for it can't be used as they are now, and why; empty where all are in order."""

    def said(self, broker: str, heard: FromNode, *, retained: bool) -> None:
        """A node's message."""

    def stolen(self, broker: str) -> None:
        """Another client speaks as this monitor."""

    def refused(self, broker: str, topic: str) -> None:
        """The broker refused what we said, or a subscription."""

    def malformed(self, broker: str, topic: str, reason: str) -> None:
        """A message that means nothing."""


class Link:
    """The connection to ``broker``; ``pulse`` is when the deciding thread last made progress (monotonic)."""

    def __init__(
        self, broker: Broker, wire: MonitorWire, listener: Listener, pulse: Callable[[], float], client_id: str
    ) -> None:
        self.broker = broker
        self._wire = wire
        self._listener = listener
        self._pulse = pulse
        self._client_id = client_id
        self._credentials = Credentials(broker.name, broker.tls, broker.login)
        self._files_problem: str | None = None
        self._look_at = 0.0
        self._tls: TlsSocket | None = None
        self._client: Client | None = None
        self._session = 0
        self._born = 0.0
        self._birth_held = 0
        self._ready = False
        self._topics: dict[int, str] = {}
        self._problem = ""
        self._reason = ""
        self._closing = threading.Event()
        self._ringer: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, name=f"link-{broker.name}", daemon=True)

    def start(self) -> None:
        """Connect, again and again."""
        self._thread.start()

    def close(self, reason: str) -> None:
        """Say goodbye, as far as that goes in a second, and end."""
        self._reason = reason
        self._closing.set()
        self._ring()
        if self._thread.ident is not None:
            self._thread.join(3.0)

    def receipt(self, event: EventKey, kind: ReceiptKind) -> None:
        """Tell a node that this event is held, or that people were told; nothing where there is no connection."""
        self._publish(self._wire.receipt_topic(event.of), self._wire.receipt(event, kind))

    def command(self, command: SendCommand) -> None:
        """Ask a node for something; it is void after ``TTL_S``."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.MessageExpiryInterval = TTL_S
        self._publish(self._wire.command_topic(command.node), self._wire.command(command), properties)

    def clear(self, node: NodeKey) -> None:
        """Take away what the broker keeps of a node."""
        for topic in self._wire.kept_topics(node):
            self._publish(topic, b"", retain=True)

    def _publish(
        self, topic: str, payload: bytes, properties: Properties | None = None, *, retain: bool = False
    ) -> None:
        client = self._client
        if client is None or not self._ready:
            return
        message = client.publish(topic, payload, qos=1, retain=retain, properties=properties)
        self._topics[message.mid] = topic

    def _ring(self, *_: object) -> None:
        """Wake the link's thread: something is to be written, or to end."""
        if self._ringer is not None:
            with suppress(OSError):  # full, and so rung already; or closed
                self._ringer.send(b"!")

    def _run(self) -> None:
        bell, self._ringer = socket.socketpair()
        with bell, self._ringer:
            bell.setblocking(False)
            self._ringer.setblocking(False)
            self._connect_again_and_again(bell)

    def _connect_again_and_again(self, bell: socket.socket) -> None:
        wait_s = RETRY_S[0]
        while not self._closing.is_set():
            began = time.monotonic()
            try:
                client = self._connect()
                if client is not None:
                    self._attend(client, bell)
            except (OSError, ValueError) as failure:
                self._problem = _named(*problems.told(failure))
            was_ready, self._ready, self._client = self._ready, False, None
            self._topics.clear()
            if not self._closing.is_set():
                self._listener.down(self.broker.name, self._problem)
                log.warning("broker %s: %s", self.broker.name, self._problem)
            wait_s = RETRY_S[0] if was_ready and time.monotonic() - began > 1.0 else min(wait_s * 2, RETRY_S[1])
            self._closing.wait(wait_s)

    def _look(self) -> None:
        """Look at our own files, and tell what is wrong with them when that has changed."""
        self._look_at = time.monotonic() + LOOK_S
        self._credentials.look()
        if self._credentials.problem != self._files_problem:
            self._files_problem = self._credentials.problem
            self._listener.files(self.broker.name, self._files_problem)

    def _connect(self) -> Client | None:
        """Ask for a connection; None where there is nothing to ask with."""
        self._look()
        if not self._credentials.ready:
            self._problem = _named(f"its files here can't be used: {self._files_problem}", CREDENTIALS_UNUSABLE)
            return None
        self._session += 1
        self._tls = None
        self._problem = "the broker doesn't answer"
        client = Client(
            CallbackAPIVersion.VERSION2,
            self._client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        client.max_inflight_messages_set(IN_FLIGHT)
        client.max_queued_messages_set(QUEUED)
        client.connect_timeout = ANSWER_S
        will = self._wire.said("lost", self._session, time.time())
        client.will_set(self._wire.state_topic(self._wire.sites[0]), will, qos=1, retain=True)
        self._credentials.equip(client, ANSWER_S)
        client.on_socket_open = self._on_socket_open
        # With this set, paho leaves all writing to us: two threads that write at once would mix their packets.
        client.on_socket_register_write = self._ring
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        limits = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        limits.MaximumPacketSize = PACKET_LIMIT
        self._client = client
        client.connect(self.broker.host, self.broker.port, KEEPALIVE_S, properties=limits)
        return client

    def _attend(self, client: Client, bell: socket.socket) -> None:
        """Do the connection's work until it ends."""
        deadline = time.monotonic() + ANSWER_S
        beat = 0.0
        while not self._closing.is_set():
            if not _turn(client, bell):
                return
            now = time.monotonic()
            if now >= self._look_at:
                self._look()
            if not self._ready:
                if now > deadline:
                    raise TimeoutError("the broker doesn't answer")
                continue
            if now >= beat and now - self._pulse() < PULSE_S:
                beat = now + HEARTBEAT_S
                for site in self._wire.sites:
                    payload = self._wire.said("online", self._session, time.time(), period_s=HEARTBEAT_S)
                    self._publish(self._wire.heartbeat_topic(site), payload)
        self._say_goodbye(client, bell)

    def _on_socket_open(self, _client: Client, _data: object, opened: Any) -> None:
        # Nagle's algorithm costs 40 ms now and then, even on loopback (hazards.md).
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._tls = opened if isinstance(opened, TlsSocket) else None

    def _on_connect(
        self, client: Client, _data: object, _flags: ConnectFlags, code: ReasonCode, _properties: object
    ) -> None:
        if code.is_failure:
            self._problem = _named(*problems.refused(code))
            client.disconnect()
            return
        topics = self._wire.subscriptions
        client.subscribe([(topic, SubscribeOptions(qos=1)) for topic in topics])

    def _on_subscribe(self, client: Client, _data: object, _mid: int, codes: list[ReasonCode], _: object) -> None:
        if any(code.is_failure for code in codes):
            self._problem = "the broker refuses a subscription"
            self._listener.refused(self.broker.name, "subscribe")
            client.disconnect()
            return
        self._ready = True
        self._listener.up(self.broker.name)
        self._say_birth()

    def _say_birth(self) -> None:
        self._born = time.monotonic()
        for site in self._wire.sites:
            payload = self._wire.said("online", self._session, time.time())
            self._publish(self._wire.state_topic(site), payload, retain=True)

    def _say_goodbye(self, client: Client, bell: socket.socket) -> None:
        opened = client.socket()
        if opened is None:
            return
        # Who closes a connection on which something is unread resets it, and a broker that sees that before DISCONNECT
        # tells the will. paho closes as soon as DISCONNECT is sent: so we hold on to it until the broker has closed.
        with socket.socket(fileno=os.dup(opened.fileno())) as held:
            if self._ready:
                for site in self._wire.sites:
                    payload = self._wire.said("offline", self._session, time.time(), reason=self._reason)
                    self._publish(self._wire.state_topic(site), payload, retain=True)
            client.disconnect()
            deadline = time.monotonic() + GOODBYE_S
            while time.monotonic() < deadline and _turn(client, bell):
                pass
            held.settimeout(GOODBYE_S)
            with suppress(OSError):
                while time.monotonic() < deadline and held.recv(65_536):
                    pass

    def _on_publish(self, _client: Client, _data: object, mid: int, code: ReasonCode, _properties: object) -> None:
        topic = self._topics.pop(mid, "")
        if code.is_failure:
            self._listener.refused(self.broker.name, topic)
        elif not self._birth_held and topic in map(self._wire.state_topic, self._wire.sites):
            self._birth_held = self._session

    def _on_message(self, _client: Client, _data: object, received: MQTTMessage) -> None:
        if not received.payload:
            return  # something that was kept was taken away: it says nothing of who kept it
        try:
            topic = received.topic
            heard = self._wire.read(topic, bytes(received.payload))
        except (ValueError, UnicodeError) as problem:
            self._listener.malformed(self.broker.name, "", str(problem)[:200])
            return
        if isinstance(heard, FromNode):
            self._listener.said(self.broker.name, heard, retained=received.retain)
        elif heard != (self._wire.boot, "online") and not self._closing.is_set():
            # Another one speaks as we, or the broker told the will of a connection that we have replaced. Who has our
            # client id, too, is never connected together with us: we only find what it left. What stood there before
            # our first birth is of the process before us.
            if heard.boot != self._wire.boot and (not received.retain or 0 < self._birth_held < self._session):
                self._listener.stolen(self.broker.name)
            if not received.retain and time.monotonic() - self._born >= BIRTH_PAUSE_S:
                self._say_birth()

    def _on_disconnect(
        self, _client: Client, _data: object, _flags: DisconnectFlags, code: ReasonCode, _properties: object
    ) -> None:
        if "refuse" in self._problem:
            return  # that is why it ended
        if not self._ready and self._tls is not None and self._tls.broken is not None:
            self._problem = _named(*problems.broken(self._tls.broken))
        else:
            self._problem = f"the connection ended: {code}"


def _turn(client: Client, bell: socket.socket) -> bool:
    """Wait until there is something to do, and do it; False once the connection has ended."""
    opened = client.socket()
    if opened is None:
        return False
    poll = select.poll()
    poll.register(bell, select.POLLIN)
    poll.register(opened, select.POLLIN | (select.POLLOUT if client.want_write() else 0))
    ready = dict(poll.poll(0 if _holds(opened) else TURN_S * 1000))
    if bell.fileno() in ready:
        bell.recv(1_000)
    if (_holds(opened) or ready.get(opened.fileno(), 0) & ~select.POLLOUT) and not _read(client, opened):
        return False
    if client.want_write() and client.loop_write().value != 0:
        return False
    return client.loop_misc().value == 0


def _read(client: Client, opened: Any) -> bool:
    """Read what is there, up to ``AT_ONCE`` messages; False once the connection has ended."""
    readable = select.poll()
    readable.register(opened, select.POLLIN)
    for _ in range(AT_ONCE):
        if client.loop_read().value != 0 or client.socket() is None:
            return False
        if not (_holds(opened) or readable.poll(0)):
            break
    return True


def _holds(opened: Any) -> bool:
    """Whether TLS has read more than was asked for, which no poll can see."""
    return isinstance(opened, ssl.SSLSocket) and opened.pending() > 0


def _named(reason: str, fault: FaultKind | None) -> str:
    """Why there is no connection; where that is a fault of its own, by its code too."""
    return reason if fault is None else f"{fault.code} {reason}"

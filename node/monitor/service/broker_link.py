"""A monitor's connection to a broker: what it says and hears of the protocol, over the same link as a node's.

What this monitor misses while it is away the nodes send again, so nothing is kept here: what is said while there is no
session is dropped. Its heartbeats are the deciding thread's to say (``beat``): a monitor that hangs must not sound as
if it listened.

Thread: the link's own (node.io.mqtt.link) hears, and says birth and goodbye; any other may say the rest.
"""

import logging
import time
from threading import Thread
from typing import Protocol

from node.config.brokers import Broker
from node.core.events import Event, LinkDown, LinkUp, MessagesDropped, PublishAnswered
from node.io.mqtt.link import Bounds, Incoming, Outgoing, Priority, Subscription
from node.io.mqtt.link import Link as BrokerLink
from node.monitor.core.decisions import SendCommand
from node.monitor.core.model import EventKey, NodeKey
from node.monitor.core.monitor_codec import HEARTBEAT_S, TTL_S, FromNode, MonitorWire
from node.protocol.messages import ReceiptKind

BIRTH_PAUSE_S = 1.0
GOODBYE_S = 1.0
JOIN_S = 3.0

QUEUED = 20_000
"""A building's birth and its answers: what finds no room comes again from the nodes."""

BOUNDS = Bounds(window=1_000, backlog=QUEUED, queue=QUEUED, turn=100)
"""What is heard goes to the inbox at once, which has bounds of its own."""

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

    def refused(self, broker: str, topic: str, code: int) -> None:
        """The broker refused what we said, or a subscription, with this reason code."""

    def malformed(self, broker: str, topic: str, reason: str) -> None:
        """A message that means nothing."""

    def dropped(self, broker: str, count: int) -> None:
        """So many messages were dropped: there were too many."""


class Link:
    """The connection to ``broker`` as ``client_id``, which comes back until it is closed."""

    def __init__(self, broker: Broker, wire: MonitorWire, listener: Listener, client_id: str) -> None:
        self.broker = broker
        self._wire = wire
        self._listener = listener
        self._session = 0
        self._born = 0.0
        self._birth_held = 0
        self._closing = False
        self._files_problem: str | None = None
        self._link = BrokerLink(
            broker.name,
            broker.host,
            broker.port,
            client_id,
            subscriptions=[Subscription(topic) for topic in wire.subscriptions],
            will=self._will,
            decode=self._hear,
            put=self._take,
            tls=broker.tls,
            login=broker.login,
            bounds=BOUNDS,
        )

    @property
    def thread(self) -> Thread:
        """The link's own, which ends after ``close`` alone."""
        return self._link.thread

    def start(self) -> None:
        """Connect, again and again."""
        self._link.start()

    def close(self, reason: str) -> None:
        """Say goodbye, as far as that goes in a second, and end."""
        self._closing = True
        for site in self._wire.sites:
            payload = self._wire.said("offline", self._session, time.time(), reason=reason)
            self._publish(self._wire.state_topic(site), payload, Priority.ALARM, retain=True)
        self._link.close(GOODBYE_S)
        if not self._link.join(JOIN_S):
            log.warning("%s: the link doesn't end, and is left behind", self.broker.name)

    def beat(self) -> None:
        """Say that this monitor listens."""
        for site in self._wire.sites:
            payload = self._wire.said("online", self._session, time.time(), period_s=HEARTBEAT_S)
            self._publish(self._wire.heartbeat_topic(site), payload, Priority.ALARM)

    def receipt(self, event: EventKey, kind: ReceiptKind) -> None:
        """Tell a node that this event is held, or that people were told; nothing where there is no connection."""
        self._publish(self._wire.receipt_topic(event.of), self._wire.receipt(event, kind), Priority.CONTROL)

    def command(self, command: SendCommand) -> None:
        """Ask a node for something; it is void after ``TTL_S``."""
        # A burst of births asks for as many probes: what a person wants overtakes them.
        priority = Priority.TELEMETRY if command.action == "probe" else Priority.ALARM
        topic = self._wire.command_topic(command.node)
        self._publish(topic, self._wire.command(command), priority, expiry_s=TTL_S)

    def clear(self, node: NodeKey) -> None:
        """Take away what the broker keeps of a node."""
        for topic in self._wire.kept_topics(node):
            self._publish(topic, b"", Priority.CONTROL, retain=True)

    def _publish(
        self, topic: str, payload: bytes, priority: Priority, *, retain: bool = False, expiry_s: int | None = None
    ) -> None:
        message = Outgoing(
            session=self._session, topic=topic, payload=payload, priority=priority, retain=retain, expiry_s=expiry_s
        )
        self._link.publish(message)

    # From here on: the link's thread.

    def _will(self, session: int) -> tuple[str, bytes]:
        return self._wire.state_topic(self._wire.sites[0]), self._wire.said("lost", session, time.time())

    def _take(self, event: Event) -> None:
        name = self.broker.name
        if self._link.files_problem != self._files_problem:
            self._files_problem = self._link.files_problem
            self._listener.files(name, self._files_problem)
        match event:
            case LinkUp(session=session, refused=refused):
                self._session = session
                self._say_birth()
                self._listener.up(name)
                for topic, code in refused.items():
                    self._listener.refused(name, topic, code)
            case LinkDown(reason=reason, problem=fault):
                self._listener.down(name, reason if fault is None else f"{fault} {reason}")
            case PublishAnswered(topic=topic, code=code):
                if code >= 0x80:
                    self._listener.refused(name, topic, code)
                elif not self._birth_held and topic in map(self._wire.state_topic, self._wire.sites):
                    self._birth_held = self._session
            case MessagesDropped(count=count):
                self._listener.dropped(name, count)
        self._link.decided()

    def _say_birth(self) -> None:
        self._born = time.monotonic()
        for site in self._wire.sites:
            payload = self._wire.said("online", self._session, time.time())
            self._publish(self._wire.state_topic(site), payload, Priority.ALARM, retain=True)

    def _hear(self, message: Incoming) -> None:
        if not message.payload:
            return  # something that was kept was taken away: it says nothing of who kept it
        try:
            heard = self._wire.read(message.topic, message.payload)
        except (ValueError, UnicodeError) as problem:
            self._listener.malformed(self.broker.name, message.topic, str(problem)[:200])
            return
        if isinstance(heard, FromNode):
            self._listener.said(self.broker.name, heard, retained=message.retained)
        elif heard != (self._wire.boot, "online") and not self._closing:
            # Another one speaks as we, or the broker told the will of a connection that we have replaced. Who has our
            # client id, too, is never connected together with us: we only find what it left. What stood there before
            # our first birth is of the process before us.
            if heard.boot != self._wire.boot and (not message.retained or 0 < self._birth_held < self._session):
                self._listener.stolen(self.broker.name)
            if not message.retained and time.monotonic() - self._born >= BIRTH_PAUSE_S:
                self._say_birth()

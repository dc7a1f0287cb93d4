"""A monitor's connection to a broker: sends and hears the monitor's messages, over the same link as a node's.

The nodes send again what this monitor misses while it is away, so nothing is kept here: what is sent while there is no
session is dropped. The deciding thread sends the heartbeats (``beat``): a monitor that hangs must not look as if it
listened.

Thread: the link's own (node.io.mqtt.link) hears, and sends birth and goodbye. Any other thread may send the rest.
"""

import logging
import math
import time
from threading import Thread
from typing import Protocol

from node.config.brokers import Broker
from node.core.events import Event, LinkDown, LinkUp, MessagesDropped, PublishAnswered
from node.io.mqtt.link import Bounds, Incoming, Outgoing, Priority, Subscription
from node.io.mqtt.link import Link as BrokerLink
from node.monitor.core.decisions.ledger import SendCommand
from node.monitor.core.decisions.monitor_codec import HEARTBEAT_S, TTL_S, FromNode, MonitorWire
from node.monitor.core.model.records import EventKey, NodeKey
from node.protocol.monitor_messages import ReceiptKind

BIRTH_PAUSE_S = 1.0
BEATS_UNHEARD = 3
"""If one heartbeat came back in a session, and then neither so many more nor anything else, the broker delivers nothing
in it any more. If none ever came back, it may be a matter of access rights, which a new session wouldn't change."""
GOODBYE_S = 1.0
JOIN_S = 3.0

QUEUED = 20_000
"""Enough for a building's births and their answers. A receipt without room is dropped: its node sends the event
again."""

BOUNDS = Bounds(window=1_000, backlog=QUEUED, queue=QUEUED, turn=500)
"""What is heard goes to the inbox at once. The inbox has its own limits."""

log = logging.getLogger(__name__)


class Listener(Protocol):
    """What a link reports. It is called on the link's thread, so each method only puts something on a queue."""

    def up(self, broker: str) -> None:
        """All topics are subscribed: from here on everything is heard."""

    def down(self, broker: str, problem: str) -> None:
        """There is no connection, or not any more. A ``problem`` that is a fault begins with its code (F017 …)."""

    def files(self, broker: str, problem: str) -> None:
        """Which of our own files for this broker can't be used as they are now, and why; "" if all are in order."""

    def said(self, broker: str, heard: FromNode, *, retained: bool) -> None:
        """A message of a node came."""

    def stolen(self, broker: str) -> None:
        """Another client speaks under this monitor's name."""

    def refused(self, broker: str, topic: str, code: int) -> None:
        """The broker refused a message or a subscription of ours with this reason code."""

    def malformed(self, broker: str, topic: str, reason: str) -> None:
        """A message came that can't be read."""

    def dropped(self, broker: str, count: int) -> None:
        """So many messages were dropped because there were too many."""


class Link:
    """The connection to ``broker`` as ``client_id``. It is made anew until it is closed.

    ``beat_at``: when the next heartbeat is due (monotonic seconds), at once in a new session.
    """

    def __init__(self, broker: Broker, wire: MonitorWire, listener: Listener, client_id: str) -> None:
        self.broker = broker
        self.beat_at = -math.inf
        self._wire = wire
        self._listener = listener
        self._session = 0
        self._born = 0.0
        self._birth_held = 0
        self._hears_itself = False
        self._beats_unheard = 0
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
        """The link's own thread. It ends only after ``close``."""
        return self._link.thread

    def start(self) -> None:
        """Connect, and reconnect after each failure."""
        self._link.start()

    def close(self, reason: str) -> None:
        """Send the goodbye if that is possible within a second, and end."""
        self._closing = True
        for site in self._wire.sites:
            payload = self._wire.said("offline", self._session, time.time(), reason=reason)
            self._publish(self._wire.state_topic(site), payload, Priority.ALARM, retain=True)
        self._link.close(GOODBYE_S)
        if not self._link.join(JOIN_S):
            log.warning("%s: the link doesn't end, and is left behind", self.broker.name)

    def beat(self, at: float) -> None:
        """Send the heartbeat if it is due: this monitor listens. If the session delivers nothing any more, renew it."""
        if at < self.beat_at:
            return
        self.beat_at = at + HEARTBEAT_S
        if self._hears_itself and self._beats_unheard >= BEATS_UNHEARD:
            self._link.renew(self._session)
        self._beats_unheard += 1
        for site in self._wire.sites:
            payload = self._wire.said("online", self._session, time.time(), period_s=HEARTBEAT_S)
            self._publish(self._wire.heartbeat_topic(site), payload, Priority.ALARM)

    def receipt(self, event: EventKey, kind: ReceiptKind) -> None:
        """Send a node a receipt (held or told). Nothing is sent while there is no connection."""
        self._publish(self._wire.receipt_topic(event.of), self._wire.receipt(event, kind), Priority.CONTROL)

    def command(self, command: SendCommand) -> None:
        """Send a node a command, which expires after ``TTL_S``."""
        # After a burst of births as many probes go out. A person's command overtakes them.
        priority = Priority.TELEMETRY if command.action == "probe" else Priority.ALARM
        topic = self._wire.command_topic(command.node)
        self._publish(topic, self._wire.command(command), priority, expiry_s=TTL_S)

    def clear(self, node: NodeKey) -> None:
        """Remove what the broker retains of a node."""
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
                self._hears_itself = False
                self.beat_at = -math.inf
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
                self._beats_unheard = 0
                self._listener.dropped(name, count)
        self._link.decided()

    def _say_birth(self) -> None:
        self._born = time.monotonic()
        for site in self._wire.sites:
            payload = self._wire.said("online", self._session, time.time())
            self._publish(self._wire.state_topic(site), payload, Priority.ALARM, retain=True)

    def _hear(self, message: Incoming) -> None:
        self._beats_unheard = 0
        if message.topic in self._wire.own_heartbeats:
            self._hears_itself = True
            return
        if not message.payload:
            return  # something retained was removed; that says nothing about who had sent it
        try:
            heard = self._wire.read(message.topic, message.payload)
        except (ValueError, UnicodeError) as problem:
            self._listener.malformed(self.broker.name, message.topic, str(problem)[:200])
            return
        if isinstance(heard, FromNode):
            self._listener.said(self.broker.name, heard, retained=message.retained)
        elif heard != (self._wire.boot, "online") and not self._closing:
            # Another client uses our name, or the broker sent the will of a connection that we have replaced. A client
            # that also has our client id is never connected at the same time as we are: we only find what it left
            # behind. What was there before our first birth is of the process before this one.
            if heard.boot != self._wire.boot and (not message.retained or 0 < self._birth_held < self._session):
                self._listener.stolen(self.broker.name)
            if not message.retained and time.monotonic() - self._born >= BIRTH_PAUSE_S:
                self._say_birth()

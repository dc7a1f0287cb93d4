"""One connection to the broker, from the name lookup to its end. Only the link's thread uses it.

    TCP --> TLS --> CONNECT --CONNACK--> SUBSCRIBE --SUBACK--> up --lost, silent, closed--> ended

paho never writes from within a call to it. While it has something to write, it asks for the socket to be watched, and
``loop_write`` is called from one place only. So a connection can end only inside ``_turn``.
"""

import logging
import math
import os
import select
import selectors
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from node.core.events import TOO_MANY, CredentialsSeen, Event, LinkUp
from node.errors import BROKER_TOO_OLD, CREDENTIALS_UNUSABLE, FaultKind
from node.io.mqtt.addresses import Addresses
from node.io.mqtt.answer_timeout import CONNECT, HANDSHAKE, PUBLISH, SUBSCRIBE, Patience
from node.io.mqtt.link_queue import Kind, LinkQueue
from node.io.mqtt.link_types import Incoming, Terms
from node.io.mqtt.login import connect_errors
from node.io.mqtt.login.tls import HandshakeSilentError, TlsSocket
from node.io.mqtt.send_window import LARGEST_PACKET, Publishing

_PROTOCOL_BROKEN = 0x82
_SHUTTING_DOWN = 0x8B
_KEEPALIVE_TIMEOUT = 0x8D
_SESSION_TAKEN_OVER = 0x8E

_LOOK_S = 60.0
_TCP_SILENT_MS = 10_000
_GOODBYE_S = 1.0
_COMPLAINT_S = 1.0

log = logging.getLogger(__name__)
_P = ParamSpec("_P")
_Callback = Callable[Concatenate["Session", _P], None]


def _guarded(callback: _Callback[_P]) -> _Callback[_P]:
    """The callback, but it can't raise: paho would pass the exception on in the middle of its own work."""

    @wraps(callback)
    def guarded(session: "Session", /, *args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            callback(session, *args, **kwargs)
        except Exception:  # raised from here it would end paho's loop, and the session with it
            if session.may_complain():
                log.exception("link %s: session %d: a callback failed", session.name, session.number)

    return guarded


class _Client(Client):
    """paho's client, which connects to the broker's address that is to be tried next."""

    addresses: Addresses

    def _create_socket_connection(self) -> socket.socket:
        return self.addresses.connect(self.host, self.port, self.connect_timeout)


class Session:
    """``reason`` says why it ended, empty until then; ``up_at``: when it came up, None before.

    ``problem``: the fault that says why the session couldn't begin, None if that isn't known. ``by_broker``: the
    session was up, and the broker's side ended it. ``code``: the broker's reason code, if it gave one. ``told_at``: the
    log level at which "the session is up" is logged.
    """

    def __init__(self, terms: Terms, link_queue: LinkQueue, patience: Patience, number: int) -> None:
        self.name = terms.name
        self.number = number
        self.reason = ""
        self.problem: FaultKind | None = None
        self.code: int | None = None
        self.told_at = logging.INFO
        self.taken_over = False
        self.by_broker = False
        self.said_goodbye = False
        self.reached_broker = False
        self.up_at: float | None = None
        self._terms = terms
        self._queue = link_queue
        self._patience = patience
        self._clock = terms.clock
        self._awaited: str | None = CONNECT
        self._asked_at = terms.clock()
        self._look_at = terms.clock() + _LOOK_S
        self._early: list[Event] = []
        self._complaint_due = -math.inf
        self._socket: socket.socket | None = None
        self._tls: TlsSocket | None = None
        self._client = self._new_client()
        self._publishing = Publishing(terms, link_queue, patience, number, self._client)

    def run(self) -> None:
        """Connect, and return when the session has ended."""
        terms = self._terms
        self._look()
        if not terms.credentials.ready:
            self.end(f"its files here can't be used: {terms.credentials.problem}", CREDENTIALS_UNUSABLE)
            return
        terms.credentials.equip(self._client, self._patience.limit_s(HANDSHAKE))
        topic, payload = terms.will(self.number)
        self._client.will_set(topic, payload, qos=1, retain=True)
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 0
        properties.ReceiveMaximum = terms.bounds.window
        properties.MaximumPacketSize = LARGEST_PACKET
        try:
            self._client.connect(terms.host, terms.port, terms.keepalive_s, clean_start=True, properties=properties)
        except (OSError, UnicodeError) as failure:
            if isinstance(failure, HandshakeSilentError):
                self._patience.overrun()
            self.end(*connect_errors.told(failure))
        self._asked_at = self._clock()
        while not self.reason:
            self._turn(self._wait())

    def end(self, reason: str, problem: FaultKind | None = None) -> None:
        """End the session; if this is called more than once, the first reason counts."""
        if not self.reason:
            self.reason, self.problem = reason, problem

    def drop(self) -> None:
        """Shut the socket down, so that the broker publishes the will. paho's ``disconnect()`` would suppress it."""
        dropped = self._forget_socket()
        if dropped is not None:
            with suppress(OSError):
                dropped.shutdown(socket.SHUT_RDWR)
            dropped.close()

    def may_complain(self) -> bool:
        """Whether a log line about other clients' messages is due: one a second."""
        now = self._clock()
        if now < self._complaint_due:
            return False
        self._complaint_due = now + _COMPLAINT_S
        return True

    def _new_client(self) -> Client:
        client = _Client(
            CallbackAPIVersion.VERSION2,
            self._terms.client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        client.addresses = self._terms.addresses
        client.connect_timeout = connect_errors.TCP_CONNECT_S
        client.max_inflight_messages_set(0)
        client.on_socket_open = self._socket_opened
        client.on_socket_close = self._socket_closing
        client.on_socket_register_write = self._writing_wanted
        client.on_socket_unregister_write = self._writing_done
        client.on_connect = self._connected
        client.on_subscribe = self._subscribed
        client.on_publish = self._published
        client.on_message = self._heard
        client.on_disconnect = self._disconnected
        return client

    def _look(self) -> None:
        """Check our files, and report what is known of certificates if that has changed."""
        self._look_at = self._clock() + _LOOK_S
        self._terms.credentials.look()
        self._tell_credentials()

    def _tell_credentials(self) -> None:
        if self._queue.room(Kind.HEARD) > 0:
            news = self._terms.credentials.news()
            if news is not None:
                self._queue.put(Kind.HEARD, CredentialsSeen(self._clock(), self.name, *news))

    def _wait(self) -> int:
        """How the socket is ready; at once if TLS has already read more than was asked for: no selector sees that."""
        held = self._holds
        readiness = self._queue.wait(-math.inf if held else self._wake_at())
        return readiness | selectors.EVENT_READ if held else readiness

    def _turn(self, readiness: int) -> None:
        readable = readiness & selectors.EVENT_READ
        if readable:
            self._read()
        if readiness & selectors.EVENT_WRITE:
            self._client.loop_write()
        if self._awaited != CONNECT:  # before CONNACK paho gives up after one keepalive, which may be too soon
            self._client.loop_misc()
        if self._awaited is None and not self.reason and not self._publishing.send_waiting():
            self.end("connection lost")
        if self._clock() >= self._look_at:
            self._look()
        if not readable:  # otherwise the answer may still be unread
            self._mind_silence()
        if self._socket is None:
            self.end("connection lost")
        if not self.reason and self._may_leave():
            self._say_goodbye()

    def _read(self) -> None:
        """Read what has arrived, up to ``Bounds.turn`` packets."""
        for number in range(self._terms.bounds.turn):
            if self._socket is None or (number and not (self._holds or _is_readable(self._socket))):
                return
            self._client.loop_read()

    @property
    def _holds(self) -> bool:
        """Whether TLS has already read more than was asked for, which no selector can see."""
        return self._tls is not None and self._socket is not None and self._tls.pending() > 0

    def _oldest_question(self) -> tuple[str, float] | None:
        """What has been unanswered for the longest time, and since when."""
        if self._awaited is not None:
            return self._awaited, self._asked_at
        sent_at = self._publishing.oldest_at()
        return None if sent_at is None else (PUBLISH, sent_at)

    def _wake_at(self) -> float:
        question = self._oldest_question()
        silent_at = math.inf if question is None else question[1] + self._patience.limit_s(question[0])
        return silent_at if self._queue.closing_at is None else min(silent_at, self._queue.closing_at)

    def _mind_silence(self) -> None:
        question = self._oldest_question()
        if question is not None:
            kind, since = question
            limit_s = self._patience.limit_s(kind)
            if self._clock() - since >= limit_s:
                self._patience.overrun()
                self.end(f"no answer to {kind} within {limit_s:g} s")

    def _may_leave(self) -> bool:
        if self._queue.closing_at is None:
            return False
        return self._publishing.is_settled() or self._awaited is not None or self._clock() >= self._queue.closing_at

    def _say_goodbye(self) -> None:
        """Send DISCONNECT, and wait until the broker closes the connection.

        paho closes the socket right after DISCONNECT. If something is unread then, the kernel sends a reset, which can
        overtake DISCONNECT at the broker: then the will says that we are lost. A second descriptor keeps the connection
        open.
        """
        self.said_goodbye = True
        self.end("closed")
        until = self._clock() + _GOODBYE_S
        with socket.socket(fileno=os.dup(cast(socket.socket, self._socket).fileno())) as kept:
            self._client.disconnect()
            self._watch(selectors.EVENT_WRITE)
            while self._client.socket() is not None and self._clock() < until:
                if self._queue.wait(until) & selectors.EVENT_WRITE:
                    self._client.loop_write()
            with suppress(OSError):
                kept.shutdown(socket.SHUT_WR)
                unread = True
                while unread and self._clock() < until:
                    kept.settimeout(max(0.001, until - self._clock()))
                    unread = bool(kept.recv(4096))

    # From here on: paho's callbacks.

    @_guarded
    def _socket_opened(self, _client: Client, _data: object, opened: object) -> None:
        self.reached_broker = True
        self._socket = cast(socket.socket, opened)
        self._queue.selector.register(self._socket, selectors.EVENT_READ)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _TCP_SILENT_MS)
        if isinstance(opened, TlsSocket):
            self._tls = opened
            self._patience.answered(HANDSHAKE, opened.handshake_took_s)
            self._terms.credentials.meet(cast(dict[str, object], opened.getpeercert()))
            self._tell_credentials()

    @_guarded
    def _socket_closing(self, _client: Client, _data: object, _closing: object) -> None:
        self._forget_socket()

    def _forget_socket(self) -> socket.socket | None:
        forgotten, self._socket = self._socket, None
        if forgotten is not None:
            self._queue.selector.unregister(forgotten)
        return forgotten

    @_guarded
    def _writing_wanted(self, _client: Client, _data: object, _socket: object) -> None:
        self._watch(selectors.EVENT_READ | selectors.EVENT_WRITE)

    @_guarded
    def _writing_done(self, _client: Client, _data: object, _socket: object) -> None:
        self._watch(selectors.EVENT_READ)

    def _watch(self, readiness: int) -> None:
        if self._socket is not None:
            self._queue.selector.modify(self._socket, readiness)

    @_guarded
    def _connected(
        self, client: Client, _data: object, _flags: ConnectFlags, code: ReasonCode, properties: Properties | None
    ) -> None:
        if code.is_failure:
            self.code = code.value
            self.end(*connect_errors.refused(code))
            return
        now = self._clock()
        self._patience.answered(CONNECT, now - self._asked_at)
        self._publishing.limit(properties)
        self._awaited, self._asked_at = SUBSCRIBE, now
        client.subscribe(
            [
                (each.topic, SubscribeOptions(1, retainAsPublished=each.retain_as_published))
                for each in self._terms.subscriptions
            ]
        )

    @_guarded
    def _subscribed(
        self, _client: Client, _data: object, _mid: int, codes: list[ReasonCode], _properties: Properties | None
    ) -> None:
        now = self._clock()
        self._patience.answered(SUBSCRIBE, now - self._asked_at)
        answers = zip(self._terms.subscriptions, codes, strict=False)
        refused = {subscription.topic: code for subscription, code in answers if code.is_failure}
        for topic, code in refused.items():
            log.warning("link %s: can't hear %s: %s", self.name, topic, connect_errors.named(code))
        self._terms.addresses.works()
        log.log(self.told_at, "link %s: session %d is up", self.name, self.number)
        self._awaited = None
        self.up_at = now
        self._queue.open_session(self.number)
        up = LinkUp(
            now,
            self.name,
            self.number,
            self._publishing.packet_limit,
            {topic: code.value for topic, code in refused.items()},
        )
        self._queue.put(Kind.SESSION, up)
        for event in self._early:
            self._queue.put(Kind.HEARD, event)
        self._early.clear()

    @_guarded
    def _published(
        self, _client: Client, _data: object, mid: int, code: ReasonCode, _properties: Properties | None
    ) -> None:
        self._publishing.answered(mid, code.value)

    @_guarded
    def _heard(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        if self._queue.room(Kind.HEARD) <= len(self._early):
            self._queue.drop(TOO_MANY)
            return
        expiry_s = getattr(message.properties, "MessageExpiryInterval", None)
        try:
            incoming = Incoming(message.topic, bytes(message.payload), message.retain, expiry_s, self._clock())
            event = self._terms.decode(incoming)
        except Exception as unreadable:  # noqa: BLE001 - whatever is wrong with a message, the connection isn't
            self._queue.drop("unreadable")
            if self.may_complain():
                log.warning("link %s: a message can't be read: %s", self.name, type(unreadable).__name__)
            return
        if event is None:
            return
        if self._awaited is None:
            self._queue.put(Kind.HEARD, event)
        else:
            self._early.append(event)

    @_guarded
    def _disconnected(
        self, _client: Client, _data: object, flags: DisconnectFlags, code: ReasonCode, _properties: Properties | None
    ) -> None:
        ours = (_KEEPALIVE_TIMEOUT, _PROTOCOL_BROKEN)  # paho's own reasons
        self.by_broker = self.up_at is not None and not self.reason and code.value not in (*ours, _SHUTTING_DOWN)
        if flags.is_disconnect_packet_from_server:
            self.taken_over = code.value == _SESSION_TAKEN_OVER
            if not self.reason:
                self.code = code.value
            self.end(*("session taken over", None) if self.taken_over else connect_errors.ended(code))
        elif code.value == _KEEPALIVE_TIMEOUT:
            self.end(f"no answer to a ping within {self._terms.keepalive_s} s")
        elif code.value == _PROTOCOL_BROKEN:
            # A broker from before MQTT 5 may answer CONNECT with a packet that isn't valid in MQTT 5.
            self.end("the broker doesn't keep to the protocol", BROKER_TOO_OLD if self._awaited == CONNECT else None)
        elif self.up_at is None and self._tls is not None and self._tls.broken is not None:
            self.end(*connect_errors.broken(self._tls.broken))
        else:
            self.end("connection lost")


def _is_readable(opened: socket.socket) -> bool:
    poll = select.poll()
    poll.register(opened, select.POLLIN)
    return bool(poll.poll(0))

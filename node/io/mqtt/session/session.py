"""One connection to the broker, from the name lookup to its end. Only who has the queue's ``turn`` uses it.

    TCP --> TLS --> CONNECT --CONNACK--> SUBSCRIBE --SUBACK--> up --lost, silent, closed--> ended

paho never writes from within a call to it: it says that it has something to write. ``flush`` and ``loop_write`` are
called from one place only. So a connection can end only inside ``_turn`` and ``send``.
"""

import logging
import math
import selectors
import socket
from typing import cast

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from node.core.events import CredentialsSeen, LinkUp
from node.errors.faults import BROKER_TOO_OLD, CREDENTIALS_UNUSABLE, FaultKind
from node.io.mqtt.answer_timeout import CONNECT, HANDSHAKE, PUBLISH, SUBSCRIBE, AnswerTimeouts
from node.io.mqtt.link_queue import Kind, LinkQueue
from node.io.mqtt.link_types import Terms
from node.io.mqtt.login import connect_errors
from node.io.mqtt.session.broker_socket import BrokerSocket
from node.io.mqtt.session.goodbye import say_goodbye
from node.io.mqtt.session.packets import Publish
from node.io.mqtt.session.paho_client import PahoClient, guarded
from node.io.mqtt.session.receiving import Receiving
from node.io.mqtt.session.send_window import Publishing

_PROTOCOL_BROKEN = 0x82
_SHUTTING_DOWN = 0x8B
_KEEPALIVE_TIMEOUT = 0x8D
_SESSION_TAKEN_OVER = 0x8E

_LOOK_S = 60.0

log = logging.getLogger(__name__)


class Session:
    """``reason`` says why it ended, empty until then; ``up_at``: when it came up, None before.

    ``problem``: the fault that says why the session couldn't begin, None if that isn't known. ``by_broker``: the
    session was up, and the broker's side ended it. ``code``: the broker's reason code, if it gave one. ``told_at``: the
    log level at which "the session is up" is logged.
    """

    def __init__(self, terms: Terms, link_queue: LinkQueue, timeouts: AnswerTimeouts, number: int) -> None:
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
        self._timeouts = timeouts
        self._clock = terms.clock
        self._awaited: str | None = CONNECT
        self._has_to_write = False
        self._asked_at = terms.clock()
        self._look_at = terms.clock() + _LOOK_S
        self._socket = BrokerSocket(link_queue.selector)
        self._receiving = Receiving(terms, link_queue)
        self._client = self._new_client()
        self._publishing = Publishing(terms, link_queue, timeouts, number, self._client)

    def run(self) -> None:
        """Connect, and return when the session has ended."""
        self._look()
        if not self._terms.credentials.ready:
            self.end(f"a file for it can't be used: {self._terms.credentials.problem}", CREDENTIALS_UNUSABLE)
            return
        try:
            self._client.dial(self.number, self._timeouts.limit_s(HANDSHAKE))
        except (OSError, UnicodeError) as failure:
            if isinstance(failure, connect_errors.HandshakeSilentError):
                self._timeouts.lengthen()
            self.end(*connect_errors.told(failure))
        self._asked_at = self._clock()
        self._write()
        while not self.reason:
            self._turn(self._wait())

    def send(self) -> None:
        """Send what waits, if the session is up. Doesn't block; whatever goes wrong ends the session."""
        if self._awaited is not None or self.reason:
            return
        try:
            self._publishing.send_waiting()
            self._write()
        except Exception as unexpected:
            # It may run on the thread that reads the button: raised from here, it would end the node.
            log.exception("link %s: session %d met something unexpected", self.name, self.number)
            self.end(f"unexpected {type(unexpected).__name__}")
        if self._has_ended:
            self._queue.wake()

    @property
    def _has_ended(self) -> bool:
        return bool(self.reason) or self._socket.opened is None

    def _write(self) -> None:
        """Write our messages, and what paho has to write. If the socket takes no more, it is watched until it does."""
        self._client.flush()
        if self._has_to_write:
            self._client.loop_write()
        more = selectors.EVENT_WRITE if self._has_to_write else 0
        self._socket.watch(selectors.EVENT_READ | more)

    def end(self, reason: str, problem: FaultKind | None = None) -> None:
        """End the session; if this is called more than once, the first reason counts."""
        if not self.reason:
            self.reason, self.problem = reason, problem

    def drop(self) -> None:
        """Shut the socket down, so that the broker publishes the will."""
        self._socket.drop()

    def may_complain(self) -> bool:
        """Whether a log line about what others sent is due."""
        return self._receiving.may_complain()

    def _new_client(self) -> PahoClient:
        client = PahoClient(self._terms, self._heard, self._answered)
        client.on_socket_open = self._socket_opened
        client.on_socket_close = self._socket_closing
        client.on_socket_register_write = self._writing_wanted
        client.on_socket_unregister_write = self._writing_done
        client.on_connect = self._connected
        client.on_subscribe = self._subscribed
        client.on_disconnect = self._disconnected
        return client

    def _look(self) -> None:
        """Check our files, and report what is known of certificates if that has changed."""
        self._look_at = self._clock() + _LOOK_S
        self._terms.credentials.look()
        self._tell_credentials()

    def _tell_credentials(self) -> None:
        if self._queue.room(Kind.HEARD) > 0:
            changes = self._terms.credentials.changes()
            if changes is not None:
                self._queue.put(Kind.HEARD, CredentialsSeen(self._clock(), self.name, *changes))

    def _wait(self) -> int:
        """How the socket is ready; at once if something is already read from it: no selector sees that."""
        held = self._client.holds_unread or self._socket.holds_unread
        readiness = self._queue.wait(-math.inf if held else self._wake_at())
        return readiness | selectors.EVENT_READ if held else readiness

    def _turn(self, readiness: int) -> None:
        readable = readiness & selectors.EVENT_READ
        if readable:
            self._client.read(self._terms.bounds.turn)
        if self._awaited != CONNECT:  # before CONNACK paho gives up after one keepalive, which may be too soon
            self._client.loop_misc()
        if self._awaited is None and not self.reason:
            self._publishing.send_waiting()
        self._write()
        if self._queue.deaf_session == self.number:
            self.end("our own messages don't come back any more")
        if self._clock() >= self._look_at:
            self._look()
        if not readable:  # otherwise the answer may still be unread
            self._mind_silence()
        if self._socket.opened is None:
            self.end("connection lost")
        if not self.reason and self._may_leave():
            self.said_goodbye = True
            self.end("closed")
            say_goodbye(self._client, self._socket, self._queue, self._clock)

    def _oldest_question(self) -> tuple[str, float] | None:
        """What has been unanswered for the longest time, and since when."""
        if self._awaited is not None:
            return self._awaited, self._asked_at
        sent_at = self._publishing.oldest_at()
        return None if sent_at is None else (PUBLISH, sent_at)

    def _wake_at(self) -> float:
        question = self._oldest_question()
        silent_at = math.inf if question is None else question[1] + self._timeouts.limit_s(question[0])
        return silent_at if self._queue.closing_at is None else min(silent_at, self._queue.closing_at)

    def _mind_silence(self) -> None:
        question = self._oldest_question()
        if question is not None:
            kind, since = question
            limit_s = self._timeouts.limit_s(kind)
            if self._clock() - since >= limit_s:
                self._timeouts.lengthen()
                self.end(f"no answer to {kind} within {limit_s:g} s")

    def _may_leave(self) -> bool:
        if self._queue.closing_at is None:
            return False
        return self._publishing.is_settled() or self._awaited is not None or self._clock() >= self._queue.closing_at

    # From here on: paho's callbacks.

    @guarded
    def _socket_opened(self, _client: Client, _data: object, opened: object) -> None:
        self.reached_broker = True
        self._socket.open(cast(socket.socket, opened))
        tls = self._socket.tls
        if tls is not None:
            self._timeouts.answered(HANDSHAKE, tls.handshake_took_s)
            self._terms.credentials.broker_showed(cast(dict[str, object], tls.getpeercert()))
            self._tell_credentials()

    @guarded
    def _socket_closing(self, _client: Client, _data: object, _closing: object) -> None:
        self._socket.forget()

    @guarded
    def _writing_wanted(self, _client: Client, _data: object, _socket: object) -> None:
        self._has_to_write = True

    @guarded
    def _writing_done(self, _client: Client, _data: object, _socket: object) -> None:
        self._has_to_write = False

    @guarded
    def _connected(
        self, _client: Client, _data: object, _flags: ConnectFlags, code: ReasonCode, properties: Properties | None
    ) -> None:
        if code.is_failure:
            self.code = code.value
            self.end(*connect_errors.refused(code))
            return
        now = self._clock()
        self._timeouts.answered(CONNECT, now - self._asked_at)
        self._publishing.limit(properties)
        self._awaited, self._asked_at = SUBSCRIBE, now
        self._client.subscribe_all()

    @guarded
    def _subscribed(
        self, _client: Client, _data: object, _mid: int, codes: list[ReasonCode], _properties: Properties | None
    ) -> None:
        now = self._clock()
        self._timeouts.answered(SUBSCRIBE, now - self._asked_at)
        answers = zip(self._terms.subscriptions, codes, strict=False)
        refused = {subscription.topic: code for subscription, code in answers if code.is_failure}
        for topic, code in refused.items():
            log.warning("link %s: can't hear %s: %s", self.name, topic, connect_errors.named(code))
        self._terms.addresses.works()
        log.log(self.told_at, "link %s: session %d is up", self.name, self.number)
        self._awaited = None
        self.up_at = now
        self._queue.open_session(self.number)
        codes_by_topic = {topic: code.value for topic, code in refused.items()}
        up = LinkUp(now, self.name, self.number, self._publishing.packet_limit, codes_by_topic)
        self._queue.put(Kind.SESSION, up)
        self._receiving.begin()

    @guarded
    def _answered(self, mid: int, code: int) -> None:
        self._publishing.answered(mid, code)

    @guarded
    def _heard(self, message: Publish) -> None:
        self._receiving.take(message)

    @guarded
    def _disconnected(
        self, _client: Client, _data: object, flags: DisconnectFlags, code: ReasonCode, _properties: Properties | None
    ) -> None:
        ours = (_KEEPALIVE_TIMEOUT, _PROTOCOL_BROKEN)  # paho's own reasons
        self.by_broker = self.up_at is not None and not self.reason and code.value not in (*ours, _SHUTTING_DOWN)
        tls = self._socket.tls
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
        elif self.up_at is None and tls is not None and tls.broken is not None:
            self.end(*connect_errors.broken(tls.broken))
        else:
            self.end("connection lost")

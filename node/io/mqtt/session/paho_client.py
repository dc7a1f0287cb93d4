"""Makes the MQTT client of a session. No other module of this program makes one of paho's clients.

1. MQTT 5 with a clean start and a session expiry of 0: the broker keeps nothing for us (PROTOCOL.md 1.1).
2. The client never connects again by itself and holds no message back: each connection has a client of its own, and
   send_window.py counts what is unanswered.
3. TLS, login, limits and keepalive are those of the link's ``Terms``.
4. The link's thread alone calls the client, so all callbacks run on that thread. No callback raises (``guarded``), and
   none waits: it changes the session, or puts an event on the loop's queue.
5. The socket is read in large pieces (``read``). Messages and their answers don't pass through paho (packets.py), and
   all answers to the messages of one piece are written together. paho reads and makes all other packets.
"""

import logging
import socket
import time
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar, cast

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from node.io.mqtt.link_types import Terms
from node.io.mqtt.login import connect_errors
from node.io.mqtt.session.packets import (
    PUBACK,
    PUBLISH,
    READ_BYTES,
    MalformedError,
    Packets,
    Publish,
    puback,
    publish,
    to_publish,
)

LARGEST_PACKET = 20 * 1024
"""What we accept, and so what a broker should: a payload at PROTOCOL.md's limit, its topic, and what MQTT adds."""

log = logging.getLogger(__name__)


class PahoClient(Client):
    """A client for one connection by these ``terms``. The caller sets the callbacks before it calls ``dial``.

    ``hear`` takes each message, ``answered`` the packet id and the reason code of each answer to one of ours. They must
    not raise (``guarded``).
    """

    def __init__(self, terms: Terms, hear: Callable[[Publish], None], answered: Callable[[int, int], None]) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            terms.client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        self._terms = terms
        self._hear = hear
        self._answered = answered
        self._packets = Packets(LARGEST_PACKET)
        self._for_paho = b""
        self._messages = bytearray()
        self.connect_timeout = connect_errors.TCP_CONNECT_S
        self.max_inflight_messages_set(0)

    def dial(self, session: int, handshake_s: float) -> None:
        """Connect over TCP and TLS, and put CONNECT in the queue of packets to write. Raises OSError, UnicodeError.

        ``session``: its number, for the will. ``handshake_s``: how long the TLS handshake may take.
        """
        terms = self._terms
        terms.credentials.apply_to(self, handshake_s)
        if terms.will is not None:
            topic, payload = terms.will(session)
            self.will_set(topic, payload, qos=1, retain=True)
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 0
        properties.ReceiveMaximum = terms.bounds.window
        properties.MaximumPacketSize = LARGEST_PACKET
        self.connect(terms.host, terms.port, terms.keepalive_s, clean_start=True, properties=properties)

    def subscribe_all(self) -> None:
        """Subscribe all topics of the terms, in one packet, at QoS 1."""
        options = [
            (each.topic, SubscribeOptions(1, retainAsPublished=each.retain_as_published))
            for each in self._terms.subscriptions
        ]
        self.subscribe(options)

    def send(self, topic: str, payload: bytes, *, retain: bool, expiry_s: int | None) -> int:
        """Have ``flush`` send a message at QoS 1; its packet id. Raises whatever is wrong with it."""
        mid: int = self._mid_generate()
        self._messages += to_publish(topic, payload, mid, retain=retain, expiry_s=expiry_s)
        return mid

    @property
    def holds_unread(self) -> bool:
        """Whether ``read`` left a whole packet, which no selector can see."""
        return self._sock is not None and self._packets.is_whole

    def read(self, most: int) -> None:
        """Take up to ``most`` packets. The socket is read only if none is left, once; it must be readable then."""
        answers = bytearray()
        try:
            if not self._packets.is_whole:
                came = self._opened().recv(READ_BYTES)
                if not came:
                    self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)
                    return
                with self._msgtime_mutex:
                    self._last_bytes_received = time.monotonic()
                self._packets.add(came)
            while most > 0 and self._packets.is_whole and self._sock is not None:
                most -= 1
                packet, body = self._packets.take()
                kind = packet[0] & 0xF0
                if kind == PUBLISH:
                    message = publish(packet, body)
                    self._hear(message)
                    if message.mid:
                        answers += b"\x40\x02" + message.mid
                elif kind == PUBACK:
                    self._answered(*puback(packet, body))
                else:
                    self._leave_to_paho(packet)
        except BlockingIOError:
            return  # TLS waits for the rest of a record
        except OSError:
            self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)
        except MalformedError as problem:
            log.debug("link %s: %s", self._terms.name, problem)
            self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_PROTOCOL)
        if answers and self._sock is not None:
            self._write(PUBACK, answers)

    def flush(self) -> None:
        """Write the messages of ``send`` by one call of the system, so that they arrive together.

        What the socket doesn't take waits with paho's packets.
        """
        if self._messages:
            messages, self._messages = self._messages, bytearray()
            self._write(PUBLISH, messages)

    def _write(self, kind: int, packets: bytearray) -> None:
        """Send these packets at once if nothing waits before them: that saves a turn, and what paho does for each."""
        try:
            if not self._out_packet:
                del packets[: self._sock_send(packets)]
                with self._msgtime_mutex:
                    self._last_msg_out = time.monotonic()
        except BlockingIOError:
            pass
        except OSError:
            self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)
            return
        if packets:
            self._packet_queue(kind, packets, 0, 1)

    def _leave_to_paho(self, packet: bytes) -> None:
        self._for_paho = packet
        code = self._packet_read()
        if code > 0:
            self._loop_rc_handle(code)

    def _sock_recv(self, bufsize: int) -> bytes:
        """What paho reads: the packet that is left to it."""
        read, self._for_paho = self._for_paho[:bufsize], self._for_paho[bufsize:]
        if not read:
            raise BlockingIOError
        return read

    def _sock_send(self, buf: bytes | bytearray) -> int:
        """As paho's, which looks for errors of ssl here, and so would need that."""
        try:
            return self._opened().send(buf)
        except BlockingIOError:
            self._call_socket_register_write()
            raise

    def _opened(self) -> socket.socket:
        if self._sock is None:
            raise ConnectionError("there is no socket any more")
        return cast(socket.socket, self._sock)

    def _create_socket_connection(self) -> socket.socket:
        """Connect to the address that is to be tried next, where paho would begin with the first of them each time."""
        return self._terms.addresses.connect(self.host, self.port, self.connect_timeout)


class Complains(Protocol):
    """A session, as ``guarded`` uses it."""

    name: str
    number: int

    def may_complain(self) -> bool:
        """Whether a log line is due."""


_P = ParamSpec("_P")
_S = TypeVar("_S", bound=Complains)
_Callback = Callable[Concatenate[_S, _P], None]


def guarded(callback: _Callback[_S, _P]) -> _Callback[_S, _P]:
    """The callback, but it can't raise: paho would pass the exception on in the middle of its own work."""

    @wraps(callback)
    def call(session: _S, /, *args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            callback(session, *args, **kwargs)
        except Exception:  # raised from here it would end paho's loop, and the session with it
            if session.may_complain():
                log.exception("link %s: session %d: a callback failed", session.name, session.number)

    return call

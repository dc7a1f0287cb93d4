"""Makes the MQTT client of a session. No other module of this program makes one of paho's clients.

1. MQTT 5 with a clean start and a session expiry of 0: the broker keeps nothing for us (PROTOCOL.md 1.1).
2. The client never connects again by itself and holds no message back: each connection has a client of its own, and
   send_window.py counts what is unanswered.
3. TLS, login, limits and keepalive are those of the link's ``Terms``.
4. The link's thread alone calls the client, so all callbacks run on that thread. No callback raises (``guarded``), and
   none waits: it changes the session, or puts an event on the loop's queue.
"""

import logging
import socket
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from node.io.mqtt.link_types import Terms
from node.io.mqtt.login import connect_errors

LARGEST_PACKET = 20 * 1024
"""What we accept, and so what a broker should: a payload at PROTOCOL.md's limit, its topic, and what MQTT adds."""

log = logging.getLogger(__name__)


class PahoClient(Client):
    """A client for one connection by these ``terms``. The caller sets the callbacks before it calls ``dial``."""

    def __init__(self, terms: Terms) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            terms.client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        self._terms = terms
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

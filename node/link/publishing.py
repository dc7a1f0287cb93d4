"""What a session publishes: a node has 20 messages under way to the broker, or fewer where its CONNACK says so.

Heartbeats and telemetry leave some of these places free, so that an alarm finds one.
"""

import logging
import math

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from node.core.events import PublishAnswered
from node.link.hatch import Hatch, Kind
from node.link.messages import Outgoing, Terms
from node.link.patience import PUBLISH, Patience

UNSENDABLE = 0x83
"""PublishAnswered's code for a message that couldn't be sent at all: MQTT's "implementation specific error"."""

_RESERVED_PLACES = 4
_HEADER_SIZE = 32

log = logging.getLogger(__name__)


class Publishing:
    """From the hatch to ``client``, and the answers back; for the session ``number``, and on its thread."""

    def __init__(self, terms: Terms, hatch: Hatch, patience: Patience, number: int, client: Client) -> None:
        self._name = terms.name
        self._clock = terms.clock
        self._hatch = hatch
        self._patience = patience
        self._number = number
        self._client = client
        self._window = terms.bounds.window
        self._largest_packet = math.inf
        self._in_flight: dict[int, tuple[Outgoing, float]] = {}

    def limit(self, properties: Properties | None) -> None:
        """Keep to what the broker's CONNACK says that it can take."""
        self._window = min(self._window, getattr(properties, "ReceiveMaximum", self._window))
        self._largest_packet = getattr(properties, "MaximumPacketSize", math.inf)

    def oldest_at(self) -> float | None:
        """Since when the oldest message that is under way waits for its answer; None where none does."""
        return next((sent_at for _, sent_at in self._in_flight.values()), None)

    def is_settled(self) -> bool:
        """Whether nothing is under way, and nothing waits to be."""
        return not self._in_flight and self._hatch.is_empty()

    def send_waiting(self) -> bool:
        """Send what there is a place for; False where the connection turns out to be lost."""
        reserved = min(_RESERVED_PLACES, self._window // 2)
        connected = True
        while connected and (message := self._hatch.take(self._free_places(), reserved)) is not None:
            try:
                mid, connected = self._send(message)
            except Exception:
                # One message that can't be sent mustn't block the alarm behind it.
                log.exception("link %s: session %d: can't send to %s", self._name, self._number, message.topic)
                self._answer(message, UNSENDABLE)
            else:
                self._in_flight[mid] = (message, self._clock())
        return connected

    def answered(self, mid: int, code: int) -> None:
        """The broker has answered the packet ``mid``."""
        message, sent_at = self._in_flight.pop(mid)
        self._patience.answered(PUBLISH, self._clock() - sent_at)
        self._answer(message, code)

    def _free_places(self) -> int:
        """Places in the window; with the loop, too, until a close: it may have stopped deciding by then."""
        places = self._window
        if self._hatch.closing_at is None:
            places = min(places, self._hatch.room(Kind.ANSWER))
        return places - len(self._in_flight)

    def _send(self, message: Outgoing) -> tuple[int, bool]:
        """The packet's id, and whether there still is a connection. Raises whatever is wrong with the message."""
        properties = None
        if message.expiry_s is not None:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.MessageExpiryInterval = message.expiry_s
        payload = message.payload() if callable(message.payload) else message.payload
        if len(message.topic) + len(payload) + _HEADER_SIZE > self._largest_packet:
            raise ValueError("larger than the broker takes")
        sent = self._client.publish(message.topic, payload, qos=1, retain=message.retain, properties=properties)
        return sent.mid, sent.rc == MQTTErrorCode.MQTT_ERR_SUCCESS

    def _answer(self, message: Outgoing, code: int) -> None:
        answer = PublishAnswered(self._clock(), self._name, self._number, message.topic, code, message.key)
        self._hatch.put(Kind.ANSWER, answer)

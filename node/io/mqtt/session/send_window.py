"""What a session publishes: at most 20 of a node's messages are unanswered at once, or fewer if CONNACK says so.

Heartbeats and telemetry leave some of these places free, so that an alarm finds one. A message that is larger than the
broker takes is shortened if possible. Otherwise it isn't sent, because the broker would end the session; it is answered
as the broker would have answered it.
"""

import logging
import math
from typing import NamedTuple

from paho.mqtt.properties import Properties

from node.core.events import PublishAnswered
from node.errors.reason_codes import TOO_LARGE
from node.io.mqtt.answer_timeout import PUBLISH, AnswerTimeouts
from node.io.mqtt.link_queue import Kind, LinkQueue
from node.io.mqtt.link_types import Outgoing, Terms
from node.io.mqtt.session.paho_client import LARGEST_PACKET, PahoClient

UNSENDABLE = 0x83
"""PublishAnswered's code for a message that couldn't be sent at all: MQTT's "implementation specific error"."""

_RESERVED_PLACES = 4
_HEADER_SIZE = 32

log = logging.getLogger(__name__)


class _Sent(NamedTuple):
    message: Outgoing
    size: int
    at: float


class Publishing:
    """Sends from the queue to ``client`` and brings answers back, for session ``number``, under the queue's turn."""

    def __init__(
        self, terms: Terms, link_queue: LinkQueue, timeouts: AnswerTimeouts, number: int, client: PahoClient
    ) -> None:
        self._name = terms.name
        self._clock = terms.clock
        self._queue = link_queue
        self._timeouts = timeouts
        self._number = number
        self._client = client
        self._window = terms.bounds.window
        self._largest_packet = math.inf
        self._shorten_to = math.inf
        self._in_flight: dict[int, _Sent] = {}
        self._told: set[str] = set()

    def limit(self, properties: Properties | None) -> None:
        """Obey the limits in the broker's CONNACK."""
        self._window = min(self._window, getattr(properties, "ReceiveMaximum", self._window))
        self._largest_packet = getattr(properties, "MaximumPacketSize", math.inf)

    @property
    def packet_limit(self) -> int | None:
        """How many bytes a packet may have, if that is less than we would send ourselves; else None."""
        return int(self._largest_packet) if self._largest_packet < LARGEST_PACKET else None

    def oldest_at(self) -> float | None:
        """Since when the oldest unanswered message waits for its answer; None if none does."""
        return next((sent.at for sent in self._in_flight.values()), None)

    def is_settled(self) -> bool:
        """Whether no message is unanswered or waits to be sent."""
        return not self._in_flight and self._queue.is_empty()

    def send_waiting(self) -> None:
        """Send as many messages as have a place."""
        reserved = min(_RESERVED_PLACES, self._window // 2)
        while (message := self._queue.take(self._free_places(), reserved)) is not None:
            try:
                self._send(message)
            except Exception:
                # A message that can't be sent must not block the alarm behind it.
                log.exception("link %s: session %d: can't send to %s", self._name, self._number, message.topic)
                self._answer(message, UNSENDABLE)

    def answered(self, mid: int, code: int) -> None:
        """The broker answered the packet ``mid``. An answer to nothing is ignored."""
        sent = self._in_flight.pop(mid, None)
        if sent is None:
            return
        self._timeouts.answered(PUBLISH, self._clock() - sent.at)
        if code == TOO_LARGE:
            self._shorten_to = min(self._shorten_to, sent.size / 2)
            self._say_too_large(sent.message, sent.size)
        self._answer(sent.message, code)

    def _free_places(self) -> int:
        """Free places in the window, and room on the loop's queue for answers.

        After a close the loop's queue doesn't count: the loop may no longer decide.
        """
        places = self._window
        if self._queue.closing_at is None:
            places = min(places, self._queue.room(Kind.ANSWER))
        return places - len(self._in_flight)

    def _send(self, message: Outgoing) -> None:
        """Send a message. Raises whatever is wrong with it."""
        payload = message.payload() if callable(message.payload) else message.payload
        room = self._largest_packet - len(message.topic.encode()) - _HEADER_SIZE
        if message.shortened is not None and len(payload) > min(room, self._shorten_to):
            payload = message.shortened(max(0, int(min(room, self._shorten_to))))
        if len(payload) > room:
            self._say_too_large(message, len(payload))
            self._answer(message, TOO_LARGE)
            return
        mid = self._client.send(message.topic, payload, retain=message.retain, expiry_s=message.expiry_s)
        self._in_flight[mid] = _Sent(message, len(payload), self._clock())

    def _say_too_large(self, message: Outgoing, size: int) -> None:
        if message.topic not in self._told:
            self._told.add(message.topic)
            log.warning("link %s: the broker doesn't take %d bytes on %s", self._name, size, message.topic)

    def _answer(self, message: Outgoing, code: int) -> None:
        answer = PublishAnswered(self._clock(), self._name, self._number, message.topic, code, message.key)
        self._queue.put(Kind.ANSWER, answer)

"""What a session hears: messages become events by the link's decoder, as long as there is room for them.

What comes before the session is up waits: the loop gets it after LinkUp.
"""

import logging
import math

from node.core.events import TOO_MANY, Event
from node.io.mqtt.link_queue import Kind, LinkQueue
from node.io.mqtt.link_types import Incoming, Terms
from node.io.mqtt.session.packets import Publish

_COMPLAINT_S = 1.0

log = logging.getLogger(__name__)


class Receiving:
    """Decodes the messages of one session, on the link's thread."""

    def __init__(self, terms: Terms, link_queue: LinkQueue) -> None:
        self._name = terms.name
        self._decode = terms.decode
        self._clock = terms.clock
        self._queue = link_queue
        self._early: list[tuple[Kind | str, Event]] | None = []
        self._complaint_due = -math.inf

    def begin(self) -> None:
        """The session is up, and its LinkUp is put: hand over what came before."""
        early, self._early = self._early or (), None
        for kind, event in early:
            self._queue.put(kind, event)

    def take(self, message: Publish) -> None:
        """Take a message. It is dropped and counted if there is no room, or if it can't be read."""
        try:
            topic = message.topic.decode()
            kind = self._queue.room_of(topic)
            waiting = sum(each == kind for each, _ in self._early) if self._early else 0
            if self._queue.room(kind) <= waiting:
                self._queue.drop(TOO_MANY)
                return
            incoming = Incoming(topic, message.payload, message.retained, message.expiry_s, self._clock())
            event = self._decode(incoming)
        except Exception as unreadable:  # noqa: BLE001 - whatever is wrong with a message, the connection isn't
            self._queue.drop("unreadable")
            if self.may_complain():
                log.warning("link %s: a message can't be read: %s", self._name, type(unreadable).__name__)
            return
        if event is None:
            return
        if self._early is None:
            self._queue.put(kind, event)
        else:
            self._early.append((kind, event))

    def may_complain(self) -> bool:
        """Whether a log line about other clients' messages is due: one a second."""
        now = self._clock()
        if now < self._complaint_due:
            return False
        self._complaint_due = now + _COMPLAINT_S
        return True

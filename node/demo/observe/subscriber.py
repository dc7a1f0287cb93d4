"""A subscriber that hears every message of the demo at the broker, and sends none."""

from collections.abc import Callable

from node.core.events import Event, LinkUp
from node.demo.observe.observations import BrokerMessage, Observation, Subscribed, decode
from node.io.mqtt.link import Incoming, Link, Subscription

JOIN_S = 5.0


class Subscriber:
    """Hears all topics below ``branch``; ``put`` gets each message, and Subscribed at each connection."""

    def __init__(self, branch: str, port: int, put: Callable[[Observation], None]) -> None:
        self._put = put
        self._link = Link(
            "demo",
            "127.0.0.1",
            port,
            "demo-subscriber",
            subscriptions=[Subscription(f"{branch}/#")],
            will=None,
            decode=self._heard,
            put=self._link_changed,
        )

    def start(self) -> None:
        """Connect, and reconnect after each failure."""
        self._link.start()

    def hurry(self) -> None:
        """The broker is back: connect now."""
        self._link.hurry()

    def close(self) -> None:
        """Disconnect, and return when that is done."""
        self._link.close(0.0)
        self._link.join(JOIN_S)

    # From here on: the link's thread.

    def _heard(self, message: Incoming) -> None:
        self._put(BrokerMessage(message.at, message.topic, message.payload, decode(message.topic, message.payload)))

    def _link_changed(self, event: Event) -> None:
        if isinstance(event, LinkUp):
            self._put(Subscribed(event.at))
        self._link.decided()

"""The connections to all brokers of a node, by the brokers' names."""

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from node import config
from node.core import events as ev
from node.core.effects import Connect, HurryLinks, RenewLink
from node.protocol import codec

if TYPE_CHECKING:
    from node.io.mqtt.link import Incoming, Link

COMMANDS = 20
"""How many commands of one broker may be undecided: twice as many as are answered in a second (PROTOCOL.md 9.5)."""

CLOSE_S = 2.0
GOODBYE_S = 1.5

log = logging.getLogger(__name__)


class Links(dict[str, "Link"]):
    """The links to these brokers. ``will`` makes topic and payload of a session's will; ``put`` takes what is heard.

    ``will`` and ``put`` are called on the links' threads, everything else by the loop. ``clock`` is monotonic seconds.
    There is no link before ``start``: what a link needs is imported only then, when the inputs are read already.
    """

    def __init__(
        self,
        brokers: Iterable[config.Broker],
        messages: codec.Wire,
        *,
        will: Callable[[int], tuple[str, bytes]],
        put: Callable[[ev.Event], None],
        clock: Callable[[], float],
    ) -> None:
        self._wire = messages
        self._will = will
        self._put = put
        self._clock = clock
        self._started = False
        self._leaving: dict[str, Link] = {}
        self._brokers = {broker.name: broker for broker in brokers}
        super().__init__()

    def start(self) -> None:
        """Begin to connect."""
        self._started = True
        for name, broker in self._brokers.items():
            self[name] = self._link(broker)
            self[name].start()

    def use(self, brokers: Iterable[config.Broker]) -> None:
        """Have a link to each of these brokers, and to no other. Links to unchanged brokers stay as they are.

        A link that isn't wanted any more ends its session without the will. Nobody is told that the node leaves: it
        goes on at other brokers, and monitors that hear it there would take it for gone.
        """
        wanted = {broker.name: broker for broker in brokers}
        if not self._started:
            self._brokers = wanted
            return
        for name, broker in self._brokers.items():
            if wanted.get(name) != broker:
                self._leaving[name] = self.pop(name)
                self._leaving[name].close(CLOSE_S)
        for name, broker in wanted.items():
            if name not in self:
                self[name] = self._link(broker, self._leaving.pop(name, None))
                self[name].start()
        self._brokers = wanted

    def perform(self, effect: Connect | HurryLinks | RenewLink) -> None:
        """Begin to connect, let each link that waits before its next attempt try now, or one begin a new session."""
        match effect:
            case Connect():
                self.start()
            case HurryLinks():
                for link in self.values():
                    link.hurry()
            case RenewLink(name, session):
                self[name].renew(session)

    def flush(self) -> None:
        """Send what was handed over to the links."""
        for link in self.values():
            link.flush()

    def close(self) -> None:
        """Say goodbye everywhere, and wait a few seconds at most until that is done."""
        links = (*self.values(), *self._leaving.values())
        for link in links:
            link.close(CLOSE_S)
        until = self._clock() + CLOSE_S + GOODBYE_S
        for link in links:
            if not link.join(max(0.0, until - self._clock())):
                log.warning("%s: the link doesn't end, and is left behind", link.name)

    def _link(self, broker: config.Broker, predecessor: "Link | None" = None) -> "Link":
        # paho-mqtt and TLS are half of what the node imports, and the button shouldn't wait for them.
        from node.io.mqtt.link import Link, Subscription  # noqa: PLC0415

        # retain_as_published: a retained command is refused at once, not only when it comes back at the next start.
        # Commands have room of their own: a flood of them must not cost a receipt, a canary or a monitor's heartbeat.
        # MQTT's no-local isn't used: with it, a broker may withhold the retained alarm of our own client id.
        command = self._wire.command_topic
        subscriptions = [
            Subscription(topic, retain_as_published=True, room=COMMANDS) if topic == command else Subscription(topic)
            for topic in self._wire.subscriptions
        ]
        return Link(
            broker.name,
            broker.host,
            broker.port,
            self._wire.client_id,
            subscriptions=subscriptions,
            will=self._will,
            decode=partial(self._read, broker.name),
            put=self._put,
            tls=broker.tls,
            login=broker.login,
            clock=self._clock,
            predecessor=predecessor,
        )

    def _read(self, link: str, message: "Incoming") -> ev.Event | None:
        return self._wire.read(
            link, message.topic, message.payload, retained=message.retained, expiry_s=message.expiry_s, at=message.at
        )

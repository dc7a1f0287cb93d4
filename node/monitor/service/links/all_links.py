"""All of a monitor's links: what it says goes out on each of them, since a node may hear any of its brokers."""

from collections.abc import Sequence
from threading import Thread

from node.monitor.core.decisions.ledger import ClearTopics, SendCommand, SendReceipt
from node.monitor.core.decisions.monitor_codec import MonitorWire
from node.monitor.core.model.monitor_settings import Settings
from node.monitor.service.links.broker_link import Link, Listener


class AllLinks:
    """One link for each broker of these settings, for one ``boot`` of the monitor."""

    def __init__(self, settings: Settings, boot: str, listener: Listener) -> None:
        wire = MonitorWire(settings.root, settings.sites, settings.monitor, boot)
        self._links = [Link(broker, wire, listener, wire.client_id) for broker in settings.brokers]

    @property
    def threads(self) -> Sequence[Thread]:
        """The links' threads. They end only after ``close``."""
        return [link.thread for link in self._links]

    def start(self) -> None:
        """Connect all of them."""
        for link in self._links:
            link.start()

    def close(self, reason: str) -> None:
        """Say goodbye on each link, and end them, one after the other."""
        for link in self._links:
            link.close(reason)

    @property
    def beat_at(self) -> float:
        """When the next heartbeat is due (monotonic seconds)."""
        return min(link.beat_at for link in self._links)

    def beat(self, at: float) -> None:
        """Send the heartbeats that are due."""
        for link in self._links:
            link.beat(at)

    def send(self, say: SendReceipt | SendCommand | ClearTopics) -> None:
        """Send what was decided to be said to a node."""
        for link in self._links:
            match say:
                case SendReceipt():
                    link.receipt(say.event, say.kind)
                case SendCommand():
                    link.command(say)
                case ClearTopics():
                    link.clear(say.node)

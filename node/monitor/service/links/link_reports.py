"""Takes what the links to the brokers report, on their threads, to the thread that decides."""

import logging
import time
from collections.abc import Callable

from node.monitor.core.decisions.ledger import Moment
from node.monitor.core.decisions.monitor_codec import FromNode
from node.monitor.core.hub import Hub
from node.monitor.service.inbox import Inbox, Said

TellHub = Callable[[Callable[[Hub, Moment], None]], None]
"""Lets the deciding thread call this with its hub and the time of that call."""

log = logging.getLogger(__name__)


class LinkReports:
    """A broker_link.Listener. What nodes say goes into the inbox; ``tell`` takes the rest to the hub."""

    def __init__(self, inbox: Inbox, tell: TellHub) -> None:
        self._inbox = inbox
        self._tell = tell

    def up(self, broker: str) -> None:
        """See broker_link.Listener."""
        self._tell(lambda hub, now: hub.link_up(now, broker))

    def down(self, broker: str, problem: str) -> None:
        """See broker_link.Listener."""
        self._tell(lambda hub, now: hub.link_down(now, broker, problem))

    def files(self, broker: str, problem: str) -> None:
        """See broker_link.Listener."""
        self._tell(lambda hub, now: hub.self_check.file_seen(now, broker, problem))

    def said(self, broker: str, heard: FromNode, *, retained: bool) -> None:
        """See broker_link.Listener."""
        self._inbox.put(Said(time.monotonic(), broker, heard.node, heard.message, retained, heard.unknown))

    def stolen(self, broker: str) -> None:
        """See broker_link.Listener."""
        self._tell(lambda hub, now: hub.self_check.stolen(now, broker))

    def refused(self, broker: str, topic: str, code: int) -> None:
        """See broker_link.Listener."""
        self._tell(lambda hub, now: hub.self_check.refused(now, broker, topic, code))

    def malformed(self, broker: str, topic: str, reason: str) -> None:
        """See broker_link.Listener."""
        log.debug("broker %s, topic %s: %s", broker, topic, reason)
        self._inbox.malformed()

    def dropped(self, broker: str, count: int) -> None:
        """See broker_link.Listener."""
        self._tell(lambda hub, now: hub.dropped(now, count))

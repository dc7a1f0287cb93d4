"""Links that come, go and change while the node runs, at a real broker."""

import queue
import time
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from node.config import Broker, Login
from node.core.events import Event, LinkDown, LinkUp
from node.protocol import codec
from node.service.links import Links
from tests.support import broker as brokers
from tests.support.desk import BRANCH
from tests.support.mqtt import Client
from tests.support.node import NODE, SITE

WAIT_LIMIT_S = 20.0
BOOT = "0000000a"


class Connected:
    """The links of a node to these brokers, and what its loop hears of them."""

    def __init__(self, *given: Broker) -> None:
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.wire = codec.Wire("alarm/v1", SITE, NODE, BOOT)
        self.links = Links(given, self.wire, will=self._will, put=self.events.put, clock=time.monotonic)

    def expect(self, kind: type[LinkUp | LinkDown], name: str) -> int:
        """The number of the session that this link says to have begun or lost."""
        while True:
            event = self.events.get(timeout=WAIT_LIMIT_S)
            link = getattr(event, "link", "")
            if link in self.links:
                self.links[link].decided()
            if isinstance(event, kind) and event.link == name:
                return event.session

    def _will(self, session: int) -> tuple[str, bytes]:
        return self.wire.state_topic, self.wire.state("lost", session, 0, 0.0, synchronised=False)


@pytest.fixture
def at(broker: brokers.Broker) -> Broker:
    """Where the broker is."""
    return Broker(f"127.0.0.1:{broker.port}", "127.0.0.1", broker.port)


@pytest.fixture
def connected(at: Broker) -> Iterator[Connected]:
    """A node whose only broker is there; its links are started and up."""
    made = Connected(at)
    made.links.start()
    assert made.expect(LinkUp, at.name) == 1
    yield made
    made.links.close()


def test_the_start_connects_to_the_brokers_that_are_wanted_by_then(at: Broker) -> None:
    """A reload may come first; before the start there is no link."""
    made = Connected(Broker(f"127.0.0.1:{brokers.free_port()}", "127.0.0.1", brokers.free_port()))

    made.links.use([at])
    before = dict(made.links)
    made.links.start()

    assert before == {}
    assert made.expect(LinkUp, at.name) == 1
    assert made.links.keys() == {at.name}
    made.links.close()


def test_a_broker_that_has_not_changed_keeps_its_session(connected: Connected, at: Broker) -> None:
    """Whatever happens to others."""
    before = connected.links[at.name]
    away = Broker(f"127.0.0.1:{brokers.free_port()}", "127.0.0.1", brokers.free_port())

    connected.links.use([at, away])
    connected.expect(LinkDown, away.name)
    connected.links.use([at])

    assert connected.links == {at.name: before}
    assert before.sessions == 0  # the first one goes on


def test_a_removed_link_leaves_without_its_will(connected: Connected, at: Broker, broker: brokers.Broker) -> None:
    """Nobody is told that the node was lost: it isn't."""
    with Client(broker.port) as reader:
        reader.subscribe(f"{BRANCH}/state")
        leaving = connected.links[at.name]

        connected.links.use([])

        assert leaving.join(WAIT_LIMIT_S)
        reader.publish(f"{BRANCH}/state", "the next message")
        reader.expect(lambda received: received.payload == b"the next message")
        assert [each.payload for each in reader.received] == [b"the next message"]


def test_a_changed_login_is_used_in_the_next_session(connected: Connected, at: Broker) -> None:
    """Which begins when the one before has ended, and counts on: two of one client id would end each other."""
    connected.links.use([replace(at, login=Login("another"))])

    assert connected.expect(LinkUp, at.name) == 2


def test_a_link_that_comes_back_counts_its_sessions_on(connected: Connected, at: Broker) -> None:
    """Readers tell sessions of one boot by their numbers."""
    connected.links.use([])
    connected.links.use([at])

    assert connected.expect(LinkUp, at.name) == 2


def test_a_link_that_was_never_started_is_replaced_by_one_that_will_be(at: Broker) -> None:
    """A reload may come before the start is over."""
    made = Connected(at)

    made.links.use([replace(at, login=Login("me"))])
    made.links.start()

    assert made.expect(LinkUp, at.name) == 1
    made.links.close()

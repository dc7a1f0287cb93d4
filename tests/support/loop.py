"""A link under test and the loop that decides its events; and brokers that are stranger than mosquitto."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from typing import TypeVar

from node.config import Login, Tls
from node.core.events import Event, PublishAnswered
from node.core.model import Key
from node.io.mqtt.link import Incoming, Link, Outgoing, Priority, Subscription

TIMEOUT_S = 30.0
WINDOW = 20
"""How many publishes a link has unanswered at most."""

E = TypeVar("E", bound=Event)


class Heard(Event, frozen=True):
    """What this test's decoder makes of a message."""

    message: Incoming


def decode(message: Incoming) -> Event | None:
    """Read everything but what calls itself rubbish, and ignore what says so."""
    if message.payload == b"rubbish":
        raise ValueError(message.payload)
    return None if message.payload == b"ignore" else Heard(message.at, message)


class Loop:
    """A link, and a loop that decides each event at the moment at which the test looks at it."""

    def __init__(
        self,
        port: int,
        *subscriptions: Subscription,
        client_id: str = "node",
        host: str = "127.0.0.1",
        tls: Tls | None = None,
        login: Login | None = None,
        keepalive_s: int = 10,
        will: Callable[[int], tuple[str, bytes]] = lambda session: ("node/state", b"lost %d" % session),
        decode: Callable[[Incoming], Event | None] = decode,
    ) -> None:
        self.queue: SimpleQueue[Event] = SimpleQueue()
        self.most_undecided = 0
        self.on_put: Callable[[Event], None] = lambda _event: None
        self._undecided = 0
        self._changed = threading.Condition()
        self.link = Link(
            "the-broker",
            host,
            port,
            client_id,
            subscriptions=subscriptions or (Subscription("node/command"),),
            will=will,
            decode=decode,
            put=self.put,
            tls=tls,
            login=login,
            keepalive_s=keepalive_s,
        )

    def put(self, event: Event) -> None:
        """Take an event from the link."""
        self.on_put(event)
        with self._changed:
            self._undecided += 1
            self.most_undecided = max(self.most_undecided, self._undecided)
            self.queue.put(event)
            self._changed.notify_all()

    def decide(self) -> None:
        """Decide the oldest event."""
        with self._changed:
            self._undecided -= 1
        self.link.decided()

    def wait_for(self, count: int) -> bool:
        """Wait until this many events are undecided."""
        with self._changed:
            return self._changed.wait_for(lambda: self._undecided >= count, TIMEOUT_S)

    def next(self) -> Event:
        """The next event, decided."""
        event = self.queue.get(timeout=TIMEOUT_S)
        self.decide()
        return event

    def expect(self, kind: type[E], predicate: Callable[[E], bool] = lambda _event: True) -> E:
        """The next event of this kind that fits; what comes before it is decided and forgotten."""
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            event = self.next()
            if isinstance(event, kind) and predicate(event):
                return event
        raise AssertionError(f"no {kind.__name__} that fits")

    def publish(
        self,
        session: int,
        topic: str,
        payload: bytes | Callable[[], bytes] = b"",
        priority: Priority = Priority.CONTROL,
        *,
        key: Key | None = None,
        expiry_s: int | None = None,
    ) -> None:
        """Hand a message to the link."""
        self.link.publish(
            Outgoing(session=session, topic=topic, payload=payload, priority=priority, key=key, expiry_s=expiry_s)
        )

    def answer(self, topic: str) -> int:
        """The code with which this topic's next publish is answered."""
        return self.expect(PublishAnswered, lambda answer: answer.topic == topic).code


@contextmanager
def running(loop: Loop) -> Iterator[Loop]:
    """The loop with its link started, and closed afterwards."""
    loop.link.start()
    try:
        yield loop
    finally:
        loop.link.close(0.0)
        assert loop.link.join(TIMEOUT_S)


@contextmanager
def listener() -> Iterator[socket.socket]:
    """A listening socket that does nothing by itself."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(TIMEOUT_S)
        yield listening


@contextmanager
def strange_broker(*answers: bytes, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """The port of a broker that answers its first client's packets, one by one, with these bytes, then only reads.

    With a server's ``context`` it does so in TLS, each answer in one record. A client that breaks off is left.
    """

    def serve(listening: socket.socket) -> None:
        plain, _ = listening.accept()
        plain.settimeout(TIMEOUT_S)
        with plain, suppress(ssl.SSLError, ConnectionError):
            client = plain if context is None else context.wrap_socket(plain, server_side=True)
            with client:
                for answer in answers:
                    client.recv(4096)
                    client.sendall(answer)
                while client.recv(4096):
                    pass

    with listener() as listening:
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            thread.join(TIMEOUT_S)


CONNACK = b"\x20\x03\x00\x00\x00"
SUBACK = b"\x90\x04\x00\x01\x00\x01"


def publish_packet(topic: bytes, payload: bytes) -> bytes:
    """A QoS 0 PUBLISH without properties, as a broker sends it."""
    body = len(topic).to_bytes(2, "big") + topic + b"\x00" + payload
    return bytes([0x30, len(body)]) + body

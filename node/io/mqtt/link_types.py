"""The types of a link: messages in both directions, and what a link is told about its broker."""

from collections.abc import Callable
from enum import IntEnum
from math import inf
from typing import TYPE_CHECKING

from msgspec import Struct, field

from node.core.events import Event
from node.core.model import Key
from node.io.mqtt.addresses import Addresses

if TYPE_CHECKING:
    from node.io.mqtt.login.credentials import Credentials


class Priority(IntEnum):
    """Which message overtakes which. State, canary, replies are control; heartbeats and telemetry leave places free."""

    ALARM = 0
    CONTROL = 1
    HEARTBEAT = 2
    TELEMETRY = 3


class Subscription(Struct, frozen=True):
    """A topic filter. With ``retain_as_published`` a fresh message also shows whether its sender wanted it retained.

    ``room``: how many messages of this topic may be undecided; they take no room from the others. None: they share
    ``Bounds.heard``. Only for a topic without wildcards.
    """

    topic: str
    retain_as_published: bool = False
    room: int | None = None


class Incoming(Struct, frozen=True):
    """A message as it arrived. ``expiry_s`` is MQTT's message expiry, None if it had none; ``at`` monotonic seconds."""

    topic: str
    payload: bytes
    retained: bool
    expiry_s: float | None
    at: float


class Outgoing(Struct, frozen=True, kw_only=True):
    """A message for one session only. A callable payload is called on the link's thread, right before sending.

    ``shortened`` makes a payload of at most so many bytes, for a broker that doesn't take the whole one.
    """

    session: int
    topic: str
    payload: bytes | Callable[[], bytes]
    priority: Priority
    retain: bool = False
    key: Key | None = None
    expiry_s: int | None = None
    shortened: Callable[[int], bytes] | None = None


class Bounds(Struct, frozen=True):
    """How much a link holds at once; the defaults suit a node.

    ``heard``: how many messages may be undecided, besides those of topics with room of their own. ``window``: how many
    messages may be unanswered on the way to the broker, and how many from it. ``backlog``: while so many wait to be
    sent, no more messages are heard. ``queue``: how many may wait to be sent; further ones are dropped, except alarms.
    ``turn``: how many packets are read before answers to them and our own messages are written.
    """

    heard: int = 128
    window: int = 20
    backlog: int = 64
    queue: float = inf
    turn: int = 1


NODE_BOUNDS = Bounds()


class Terms(Struct, frozen=True):
    """What a link knows of its connection: where to connect, as whom, with which proof; topics, will and decoder."""

    name: str
    host: str
    port: int
    client_id: str
    subscriptions: tuple[Subscription, ...]
    will: Callable[[int], tuple[str, bytes]] | None
    decode: Callable[[Incoming], Event | None]
    keepalive_s: int
    clock: Callable[[], float]
    credentials: "Credentials"
    bounds: Bounds
    addresses: Addresses = field(default_factory=Addresses)

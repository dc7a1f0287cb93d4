"""A whole service in virtual time: the real loop's decisions and effects, and stand-ins for pins, machine and broker.

Real are the service with its controller, all that travels (encoded, and what is heard decoded), the record with its
thread on a real file, the status file. Rules:

1. ``VirtualService._turn`` takes the place of the waiting: it moves the clock to whatever is due next.
2. The disk isn't virtual: while an event isn't stored, the clock stands still.
3. The levels are read when the controller or the script asks for it: fewer times than 20 a second.
"""

import heapq
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from node.core import controller
from node.core import events as ev
from node.io import health
from node.io.mqtt import link as mqtt_link
from node.io.mqtt.link import Incoming, Outgoing, Subscription
from node.protocol.messages import UNREAD, Health
from node.service import loop
from node.service.loop import Service

WAIT_LIMIT_S = 60.0

Action = Callable[["VirtualService"], None]


class VirtualClock:
    """Seconds that pass when somebody says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        """The seconds now."""
        return self.now


class Panel:
    """Lines by their names, read when asked to; buzzer and lamp that show nothing. As node.io.panel.Panel."""

    def __init__(
        self, _factory: object, lines: Any, *_: object, put: Callable[[ev.Event], None], clock: VirtualClock, **__: Any
    ) -> None:
        self.driven = ()
        self.levels: dict[str, bool | None] = dict.fromkeys(lines, True)
        self.requests: list[float] = []
        self._put, self._clock = put, clock

    def start(self) -> None:
        """Read the lines for the first time."""
        self.sample()

    def sample(self) -> None:
        """Read the lines."""
        while self.requests and self.requests[0] <= self._clock.now:
            heapq.heappop(self.requests)
        self._put(ev.LevelsRead(self._clock.now, dict(self.levels)))

    def edge(self, line: str, high: bool) -> None:
        """A line changes."""
        self.levels[line] = high
        self._put(ev.EdgeSeen(self._clock.now, line, high))

    def sample_at(self, at: float) -> None:
        """Read the lines then, too."""
        heapq.heappush(self.requests, at)

    def set_buzzer(self, _pattern: object) -> None:
        """Nothing sounds."""

    def set_lamp(self, _pattern: object) -> None:
        """Nothing shines."""

    def flush(self) -> None:
        """Nobody is told."""

    def decided(self, _event: ev.Event) -> None:
        """Nobody counts."""

    def close(self) -> None:
        """Nothing to close."""


class HealthReader:
    """A machine that is well. As node.io.health.HealthReader."""

    def __init__(
        self,
        _directory: object,
        *,
        put: Callable[[ev.Event], None],
        clock: VirtualClock,
        networked: bool,
        lasting: bool,
    ) -> None:
        self._put, self._clock = put, clock

    def start(self) -> None:
        """Read it."""
        self._put(ev.HealthRead(self._clock.now, ()))

    def use(self, *, networked: bool) -> None:
        """It is well wherever its brokers are."""

    def stop(self, _timeout_s: float) -> None:
        """Nothing to stop."""

    def newest(self) -> Health:
        """Nothing is known of it."""
        return UNREAD


class Link:
    """A broker that answers at once, and a desk behind it that confirms each event. As node.io.mqtt.link.Link."""

    def __init__(
        self,
        name: str,
        *_: object,
        subscriptions: list[Subscription],
        decode: Callable[[Incoming], ev.Event | None],
        put: Callable[[ev.Event], None],
        clock: VirtualClock,
        **__: Any,
    ) -> None:
        self.name = name
        self.session = 0
        self.undecided = 0
        self._topics = {each.topic.rpartition("/")[2]: each.topic for each in subscriptions}
        self._own = [each.topic for each in subscriptions if "+" not in each.topic]
        self._monitors = next(each.topic for each in subscriptions if each.topic.endswith("+/heartbeat"))
        self._retained: dict[str, bytes] = {}
        self._decode, self._put, self._clock = decode, put, clock

    def start(self) -> None:
        """A session begins, with all that is retained."""
        self.session += 1
        self._put_event(ev.LinkUp(self._clock.now, self.name, self.session))
        for topic, payload in self._retained.items():
            self.hear(topic, payload, retained=True)

    def lose(self) -> None:
        """The session ends."""
        self._put_event(ev.LinkDown(self._clock.now, self.name, self.session, "gone"))

    def hand_over(self, message: Outgoing) -> None:
        """Take it, answer, let the node hear what is its own, and confirm an event."""
        payload = message.payload() if callable(message.payload) else message.payload
        if message.session != self.session:
            return
        if message.retain:
            self._retained[message.topic] = payload
        answer = ev.PublishAnswered(self._clock.now, self.name, self.session, message.topic, 0, message.key)
        self._put_event(answer)
        if message.topic in self._own:
            self.hear(message.topic, payload)
        if message.key is not None:
            boot, seq = message.key
            for kind in ("held", "told"):
                self.say("receipt", v=1, monitor="desk", event={"boot": boot, "seq": seq}, kind=kind)

    def monitor(self, boot: str) -> None:
        """The desk says that it is there."""
        message = {"v": 1, "monitor": "desk", "boot": boot, "period_s": 5}
        self.hear(self._monitors.replace("+", "desk"), json.dumps(message).encode())

    def say(self, topic: str, *, expiry_s: float | None = None, **message: object) -> None:
        """Somebody publishes this on a topic of the node's branch."""
        self.hear(self._topics[topic], json.dumps(message).encode(), expiry_s=expiry_s)

    def hear(self, topic: str, payload: bytes, *, retained: bool = False, expiry_s: float | None = None) -> None:
        """This message comes."""
        event = self._decode(Incoming(topic, payload, retained, expiry_s, self._clock.now))
        if event is not None:
            self._put_event(event)

    def _put_event(self, event: ev.Event) -> None:
        self.undecided += 1
        self._put(event)

    def decided(self) -> None:
        """One less."""
        self.undecided -= 1

    def flush(self) -> None:
        """It sends at once."""

    def hurry(self) -> None:
        """It never waits."""

    def close(self, _timeout_s: float) -> None:
        """Nothing to close."""

    def join(self, _timeout_s: float) -> bool:
        """It has no thread."""
        return True


class VirtualService(Service):
    """The service, driven by ``script``: actions by the instants at which they are due; it stops with the last."""

    clock: VirtualClock

    def play(self, clock: VirtualClock, script: Any) -> None:
        """Be a node until the script ends."""
        self.clock = clock
        self._script = iter(script)
        self._next: tuple[float, Action] | None = next(self._script)
        self.run()

    @property
    def panel(self) -> Panel:
        """The pins."""
        panel: Any = self._panel
        return panel  # type: ignore[no-any-return]

    @property
    def link(self) -> Link:
        """The broker."""
        link: Any = next(iter(self.links.values()))
        return link  # type: ignore[no-any-return]

    @property
    def seq(self) -> int:
        """How many events there were."""
        return self._state.seq

    @property
    def open_incident(self) -> str:
        """The id of the newest open incident."""
        return self._state.incidents[-1].id

    def put(self, event: ev.Event) -> None:
        """Something happens."""
        self._inbox.put(event)

    def _turn(self) -> None:
        is_awaited = self._state.supervision.unstored or not self._state.begun
        event = self._inbox.get(WAIT_LIMIT_S if is_awaited else 0.0)
        if event is not None:
            self._decide(event)
            return
        deadline = controller.next_deadline(self._state)
        sample = self.panel.requests[0] if self.panel.requests else deadline
        action = self._next
        due = min(deadline, sample, deadline if action is None else action[0])
        self.clock.now = max(self.clock.now, due)
        if action is None:
            self.stop("the script has ended")
        elif due == action[0]:
            self._next = next(self._script, None)
            action[1](self)
        elif due == deadline:
            self._decide(ev.TimePassed(self.clock.now))
        else:
            self.panel.sample()
        self._feed.turn(self.clock.now)


@contextmanager
def in_place() -> Iterator[None]:
    """A service that is made meanwhile gets these stand-ins."""
    panel: Any = Panel
    link: Any = Link
    with (
        patch.object(loop, "Panel", panel),
        patch.object(mqtt_link, "Link", link),
        patch.object(health, "HealthReader", HealthReader),
    ):
        yield

"""A panel on a mock wall, and the events that it puts."""

import queue
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from node.core.events import EdgeSeen, Event, LevelsRead
from node.core.settings import Wiring
from node.io.panel import Panel
from tests.support.walls import wall_of

WAIT_LIMIT_S = 20.0
DESK, DOOR, BUZZER, LAMP = 17, 27, 22, 23
INPUTS = {"desk": DESK, "door": DOOR}
BY_REQUEST_ONLY = 0.001
"""Samples a second: one at the start, and the next in a quarter of an hour."""
E = TypeVar("E", bound=Event)


class Inbox:
    """What the panel hands over, in order; a test waits in it for what it needs."""

    def __init__(self) -> None:
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.seen_edges: list[str] = []
        """The lines of all edges so far."""
        self.refused: list[type[Event]] = []
        """Each type listed here is refused once, with an exception."""

    def put(self, event: Event) -> None:
        """Take an event, or refuse it."""
        if type(event) in self.refused:
            self.refused.remove(type(event))
            raise RuntimeError("the queue is broken")
        if isinstance(event, EdgeSeen):
            self.seen_edges.append(event.line)
        self.events.put(event)

    def wait(self, kind: type[E], which: Callable[[E], bool] = lambda event: True) -> E:
        """The next event of this kind that fits; those before it are gone."""
        deadline = time.monotonic() + WAIT_LIMIT_S
        while True:
            event = self.events.get(timeout=max(0.0, deadline - time.monotonic()))
            if isinstance(event, kind) and which(event):
                return event

    def rest(self, kind: type[E]) -> list[E]:
        """The events of this kind among all that wait; then none waits."""
        events = [self.events.get() for _ in range(self.events.qsize())]
        return [event for event in events if isinstance(event, kind)]


def sample(panel: Panel, inbox: Inbox, at: float | None = None) -> LevelsRead:
    """What the panel reads now, or at this instant; where edges wait for the loop, it comes behind them."""
    reading = panel.read(time.monotonic() if at is None else at)
    if reading is None:
        reading = inbox.wait(LevelsRead)
        panel.decided(reading)
    return reading


class Room:
    """A wall with two buttons, a buzzer and a lamp, and what happened there."""

    def __init__(self) -> None:
        self.inbox = Inbox()
        self.levels: queue.SimpleQueue[tuple[float, int, bool]] = queue.SimpleQueue()
        wirings = {name: (pin, Wiring.NORMALLY_OPEN) for name, pin in INPUTS.items()}
        self.wall = wall_of(wirings, on_level=lambda at, pin, level: self.levels.put((at, pin, level)))
        self.panels: list[Panel] = []

    def panel(self, **changed: Any) -> Panel:
        """A panel on this wall's pins, closed when the test ends."""
        arguments: dict[str, Any] = {
            "open_factory": lambda: self.wall.factory,
            "line_pins": INPUTS,
            "buzzer_pin": BUZZER,
            "lamp_pin": LAMP,
            "put": self.inbox.put,
            "sample_hz": BY_REQUEST_ONLY,
        }
        panel = Panel(**(arguments | changed))
        self.panels.append(panel)
        return panel

    def started(self, **changed: Any) -> Panel:
        """The same, started."""
        panel = self.panel(**changed)
        panel.start()
        return panel

    def pin(self, number: int) -> Any:
        """The mock pin of this BCM number."""
        return self.wall.factory.pin(number)

    def next_level(self, number: int) -> tuple[float, bool]:
        """When and to what this output changes next."""
        deadline = time.monotonic() + WAIT_LIMIT_S
        while True:
            at, pin, level = self.levels.get(timeout=max(0.0, deadline - time.monotonic()))
            if pin == number:
                return at, level


class Clock:
    """CLOCK_MONOTONIC, as a machine sees it that can be stopped for a while."""

    def __init__(self) -> None:
        self.missed_s = 0.0

    def __call__(self) -> float:
        """Monotonic seconds."""
        return time.monotonic() + self.missed_s


def since(at: float) -> Callable[[Event], bool]:
    """Whether an event is of this instant or a later one."""
    return lambda event: event.at >= at


def chip_gone(*_: object) -> Any:
    """A pin whose chip has disappeared."""
    raise OSError("the chip has gone")


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until this is true."""
    deadline = time.monotonic() + WAIT_LIMIT_S
    tick = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        tick.wait(0.002)

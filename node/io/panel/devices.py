"""One pin each: ``Line`` is an input, ``Output`` an output; ``LoopQueue`` brings their events to the loop."""

import logging
import math
import threading
from collections.abc import Callable
from typing import Any

from node.core.events import EdgesDropped, EdgeSeen, EdgesLost, Event, OutputFailed, OutputRecovered
from node.core.signals import Wave
from node.io.panel.gpio import DigitalOutputDevice, Factory, InputDevice

EDGES_MAX = 64
"""How many edges of a line may wait for the loop, as for links' messages (deploy/design/ARCHITECTURE.md 2, rule 1)."""

TICKS_PAST_S = 60.0
TICKS_FUTURE_S = 0.05
"""An edge's time stamp outside of these limits around its arrival is from another clock (old kernels use wall time).

A node that stood still for as long as its watchdog allows (10 s) still tells a press from the stamps of its edges.
"""

log = logging.getLogger(__name__)


def after(due: float, seconds: float, now: float) -> float:
    """When the step after the one at ``due`` is due; steps that a stall has swallowed are never caught up with."""
    return due + seconds if due + seconds > now else now + seconds


def said(problem: Exception) -> str:
    """An exception on one line."""
    return f"{type(problem).__name__}: {problem}"


class LoopQueue:
    """Brings events to the loop. No method raises or waits, because callbacks use it (HAZARDS.md H1).

    The log has a thread of its own (node/io/systemd.py), so a line for it waits for nobody.
    """

    def __init__(self, put: Callable[[Event], None]) -> None:
        self._put = put
        self._warned: set[str] = set()

    def put(self, event: Event) -> bool:
        """Put an event; whether that worked."""
        try:
            self._put(event)
        except Exception as problem:  # noqa: BLE001 - whatever the queue does, edges, samples and waves must go on
            kind = type(event).__name__
            self.warn_once(kind, f"{kind} couldn't be handed over ({said(problem)})")
            return False
        return True

    def warn_once(self, subject: str, text: str) -> None:
        """Log the first warning about each subject."""
        if subject not in self._warned:
            self._warned.add(subject)
            log.warning("%s", text)


class Line:
    """One input pin. The panel must hold a reference: gpiozero has only a weak one to ``edge_seen``.

    It uses gpiozero's plain InputDevice, because the subclasses handle edges themselves, before our callback could.
    It has its pin from ``claim`` to ``close``, and works once it listens.
    """

    def __init__(self, name: str, pin: int, queue: LoopQueue, clock: Callable[[], float]) -> None:
        self.name = name
        self.number = pin
        self.is_claimed = False
        self._queue = queue
        self._clock = clock
        self._unreadable = False
        self._put = self._dropped = 0  # counted where callbacks are called
        self._decided = 0  # by the loop's thread
        self._reporting = threading.Lock()  # guards the next three
        self._reported = self._lost = 0
        self._told = 0  # events about edges that were dropped
        self._device: InputDevice | None = None
        self._pin: Any = None

    def claim(self, factory: Factory) -> None:
        """Take the pin. Raises whatever the factory does if it can't be had, then or when it listens."""
        self._device = InputDevice(self.number, pull_up=True, pin_factory=factory)
        self._pin = self._device.pin

    def listen(self) -> None:
        """From now on ``edge_seen`` is called for each edge."""
        self._pin.edges = "both"
        self._pin.when_changed = self.edge_seen
        self.is_claimed = True

    def edge_seen(self, ticks: object, state: object) -> None:
        """On a thread of the pin factory's, or the loop's: the pin has changed to ``state`` at ``ticks``."""
        now = self._clock()
        if isinstance(ticks, float) and -TICKS_PAST_S <= ticks - now <= TICKS_FUTURE_S:
            at = ticks
        else:
            at = now
            self._queue.warn_once("ticks", f"edges carry another clock's time ({ticks} at {now}): their arrival counts")
        if self._put + self._told - self._decided >= EDGES_MAX:
            self._dropped += 1
            return
        self.report_dropped(at)
        if self._queue.put(EdgeSeen(at, self.name, bool(state))):
            self._put += 1

    def decided(self) -> None:
        """The loop has decided one event of this line."""
        self._decided += 1

    def report_dropped(self, at: float) -> bool:
        """Report how many edges were dropped, here for lack of room or by the kernel, before what comes after them.

        Returns whether anything that was told of this line waits to be decided.
        """
        with self._reporting:
            count = self._dropped - self._reported
            if count and self._queue.put(EdgesDropped(at, self.name, count)):
                self._reported += count
                self._told += 1
            lost = getattr(self._pin, "edges_dropped", 0) - self._lost  # not every factory can tell
            if lost and self._queue.put(EdgesLost(at, self.name, lost)):
                self._lost += lost
                self._told += 1
            return self._put + self._told != self._decided

    def level(self) -> bool | None:
        """The electrical level now; None if it can't be read."""
        if not self.is_claimed:
            return None
        try:
            level = bool(self._pin.state)
        except Exception as problem:  # noqa: BLE001 - lgpio.error derives from Exception alone; the other inputs go on
            if not self._unreadable:
                log.warning("line %s can't be read (%s)", self.name, said(problem))
            self._unreadable = True
            return None
        self._unreadable = False
        return level

    def close(self) -> None:
        """Stop listening, and release the pin, if there is one."""
        self.is_claimed = False
        device, self._device, self._pin = self._device, None, None
        if device is None:
            return
        try:
            device.pin.when_changed = None  # lgpio's pins keep their callback when they are closed
        finally:
            device.close()


class Output:
    """One output pin, and the wave on it. Use it only under the player's lock.

    It has its pin from ``claim`` to ``close``. Without one it remembers the wave, and plays it once it has one.
    """

    def __init__(self, name: str, pin: int, queue: LoopQueue, clock: Callable[[], float]) -> None:
        self.name = name
        self.number = pin
        self.due = math.inf
        self._queue = queue
        self._clock = clock
        self._wave: Wave = ((False, 1.0),)
        self._index = 0
        self._failing = False
        self._device: DigitalOutputDevice | None = None

    @property
    def is_claimed(self) -> bool:
        """Whether it has its pin."""
        return self._device is not None

    def claim(self, factory: Factory) -> None:
        """Take the pin, off, and go on with the wave. Raises whatever the factory does if it can't be had."""
        self._device = DigitalOutputDevice(self.number, active_high=True, initial_value=False, pin_factory=factory)
        now = self._clock()
        self._apply(since=now, now=now)

    def failed(self, reason: str) -> None:
        """Report that the pin can't be driven, once until it can be."""
        if not self._failing:
            self._queue.put(OutputFailed(self._clock(), self.name, reason))
        self._failing = True

    def play(self, wave: Wave, now: float) -> None:
        """Start this wave."""
        self._wave, self._index = wave, 0
        self._apply(since=now, now=now)

    def advance(self, now: float) -> None:
        """Take the step that is due, if any. After a stall the wave continues from now."""
        if now >= self.due:
            self._index = (self._index + 1) % len(self._wave)
            self._apply(since=self.due, now=now)

    def close(self) -> None:
        """Switch it off, and release the pin, if there is one."""
        device, self._device, self.due = self._device, None, math.inf
        if device is None:
            return
        try:
            device.off()
        finally:
            device.close()

    def _apply(self, since: float, now: float) -> None:
        level, seconds = self._wave[self._index]
        if self._device is None:
            return
        try:
            self._device.value = level
            if self._failing:
                self._queue.put(OutputRecovered(now, self.name))
            self._failing = False
        except Exception as problem:  # noqa: BLE001 - lgpio.error derives from Exception alone; the wave goes on trying
            self.failed(said(problem))
        held = len(self._wave) == 1 and not self._failing  # a constant level that fails is tried again, as a wave is
        self.due = math.inf if held else after(since, seconds, now)

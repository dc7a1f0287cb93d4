"""One pin each: a line that is listened to, an output that is driven; and the way of their events to the loop."""

import logging
import math
from collections import deque
from collections.abc import Callable

from gpiozero import DigitalOutputDevice, Factory, InputDevice

from node.core.events import EdgesDropped, EdgeSeen, Event, OutputFailed, OutputRecovered
from node.core.signals import Wave

EDGES_MAX = 64
"""How many edges of a line may wait for the loop, as of a link's messages (deploy/design/ARCHITECTURE.md 2, rule 1)."""

TICKS_PAST_S = 5.0
TICKS_FUTURE_S = 0.05
"""An edge's time stamp outside of these, seen from its arrival, is from another clock (old kernels use wall time)."""

log = logging.getLogger(__name__)


def after(due: float, seconds: float, now: float) -> float:
    """When the step after the one at ``due`` is due; what a stall has swallowed is never caught up with."""
    return due + seconds if due + seconds > now else now + seconds


def said(problem: Exception) -> str:
    """An exception on one line."""
    return f"{type(problem).__name__}: {problem}"


class Outbox:
    """Events on their way to the loop. Nothing here raises, or waits for the log: callbacks use it (HAZARDS.md H1)."""

    def __init__(self, put: Callable[[Event], None]) -> None:
        self._put = put
        self._subjects: set[str] = set()
        self._unsaid: deque[str] = deque()

    def hand_over(self, event: Event) -> bool:
        """Put an event; whether it could be."""
        try:
            self._put(event)
        except Exception as problem:  # noqa: BLE001 - whatever the queue does, edges, samples and waves must go on
            kind = type(event).__name__
            self.remark(kind, f"{kind} couldn't be handed over ({said(problem)})")
            return False
        return True

    def remark(self, subject: str, text: str) -> None:
        """Keep the first remark on each subject for ``say``."""
        if subject not in self._subjects:
            self._subjects.add(subject)
            self._unsaid.append(text)

    def say(self) -> None:
        """Log what was remarked; for a thread that may wait."""
        while self._unsaid:
            log.warning("%s", self._unsaid.popleft())


class Line:
    """One pin to listen to. The panel must hold it: gpiozero has only a weak reference to ``edge_seen``.

    gpiozero's plain InputDevice, because its subclasses handle edges themselves, and did so before ours could.
    """

    def __init__(self, name: str, pin: int, factory: Factory, outbox: Outbox, clock: Callable[[], float]) -> None:
        self.name = name
        self._outbox = outbox
        self._clock = clock
        self._unreadable = False
        self._put = self._dropped = 0  # counted by the callbacks' thread alone
        self._decided = 0  # by the loop's
        self._reported = 0  # by the sampler's
        self._device = InputDevice(pin, pull_up=True, pin_factory=factory)
        self._pin = self._device.pin

    def listen(self) -> None:
        """Be called for each edge from now on."""
        self._pin.edges = "both"
        self._pin.when_changed = self.edge_seen

    def edge_seen(self, ticks: object, state: object) -> None:
        """The callbacks' thread: the pin has changed to ``state`` at ``ticks``."""
        now = self._clock()
        if isinstance(ticks, float) and -TICKS_PAST_S <= ticks - now <= TICKS_FUTURE_S:
            at = ticks
        else:
            at = now
            self._outbox.remark("ticks", f"edges carry another clock's time ({ticks} at {now}): their arrival counts")
        if self._put - self._decided >= EDGES_MAX:
            self._dropped += 1
        elif self._outbox.hand_over(EdgeSeen(at, self.name, bool(state))):
            self._put += 1

    def decided(self) -> None:
        """The loop has taken one ``EdgeSeen``."""
        self._decided += 1

    def report_dropped(self, at: float) -> None:
        """The sampler's thread: tell how many edges there was no room for, if any."""
        count = self._dropped - self._reported
        if count and self._outbox.hand_over(EdgesDropped(at, self.name, count)):
            self._reported += count

    def level(self) -> bool | None:
        """The electrical level now; None where it can't be read."""
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
        """Hear nothing more, and give the pin back."""
        try:
            self._pin.when_changed = None  # lgpio's pins keep their callback when they are closed
        finally:
            self._device.close()


class Output:
    """One pin to drive, and the wave on it. Used under the player's lock only."""

    def __init__(self, name: str, pin: int, factory: Factory, outbox: Outbox) -> None:
        self.name = name
        self.due = math.inf
        self._outbox = outbox
        self._wave: Wave = ((False, 1.0),)
        self._index = 0
        self._failing = False
        self._device = DigitalOutputDevice(pin, active_high=True, initial_value=False, pin_factory=factory)

    def play(self, wave: Wave, now: float) -> None:
        """Begin this wave."""
        self._wave, self._index = wave, 0
        self._apply(since=now, now=now)

    def advance(self, now: float) -> None:
        """Take the step that is due, if any. After a stall the wave goes on from now."""
        if now >= self.due:
            self._index = (self._index + 1) % len(self._wave)
            self._apply(since=self.due, now=now)

    def close(self) -> None:
        """Switch it off, and give the pin back."""
        try:
            self._device.off()
        finally:
            self._device.close()

    def _apply(self, since: float, now: float) -> None:
        level, seconds = self._wave[self._index]
        try:
            self._device.value = level
            if self._failing:
                self._outbox.hand_over(OutputRecovered(now, self.name))
            self._failing = False
        except Exception as problem:  # noqa: BLE001 - lgpio.error derives from Exception alone; the wave goes on trying
            if not self._failing:
                self._outbox.hand_over(OutputFailed(now, self.name, said(problem)))
            self._failing = True
        held = len(self._wave) == 1 and not self._failing  # a held level that fails is tried again, like a wave
        self.due = math.inf if held else after(since, seconds, now)

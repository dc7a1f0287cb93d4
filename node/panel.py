"""The wall: pins become ``EdgeSeen`` and ``LevelsRead``, patterns become levels. No decision here, and no debounce.

Threads:

- gpiozero's own (lgpio has one for all inputs of a process) call ``_Input.edge_seen``, which puts an event and can't
  raise: a single exception there would silence every input without a word (hazards.md, H1).
- ``sampler`` reads every input at each beat and at each instant that ``sample_at`` asks for. After a stall it reads
  once, not once for each beat it missed; while ``UNDECIDED_MAX`` of its readings wait for the loop, it adds none, and
  the lamp is dark: a node whose loop is dead mustn't flash *ready*.
- ``player`` continues the waves of both outputs. The first level of a wave is set on the thread that asks for it: an
  alarm waits for no thread to wake up. A held level costs no wake-up.

    set_buzzer(ALARM)  |            |set_buzzer(OFF)
    buzzer        _____|‾‾‾‾‾‾|__|‾‾|_________________
                       caller |player
"""

import heapq
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from gpiozero import DigitalOutputDevice, Factory, InputDevice

from node.core.events import EdgeSeen, Event, LevelsRead, OutputFailed, OutputRecovered
from node.core.signals import BUZZER_WAVES, LAMP_WAVES, BuzzerPattern, LampPattern, Wave
from node.errors import PanelError

UNDECIDED_MAX = 100
"""How many ``LevelsRead`` may wait for the loop: 5 s of beats."""

TICKS_PAST_S = 5.0
TICKS_FUTURE_S = 0.05
"""An edge's time stamp outside of these, seen from its arrival, is from another clock (old kernels use wall time)."""

_JOIN_S = 2.0
_DARK: Wave = ((False, 1.0),)

log = logging.getLogger(__name__)


def _after(due: float, seconds: float, now: float) -> float:
    """When the step after the one at ``due`` is due; what a stall has swallowed is never caught up with."""
    return due + seconds if due + seconds > now else now + seconds


def _said(problem: Exception) -> str:
    return f"{type(problem).__name__}: {problem}"


class _Outbox:
    """Events on their way to the loop. Nothing here raises, or waits for the log: callbacks use it (H1)."""

    def __init__(self, put: Callable[[Event], None]) -> None:
        self._put = put
        self._subjects: set[str] = set()
        self._unsaid: deque[str] = deque()

    def hand_over(self, event: Event) -> bool:
        try:
            self._put(event)
        except Exception as problem:  # noqa: BLE001 - whatever the queue does, edges, samples and waves must go on
            kind = type(event).__name__
            self.remark(kind, f"{kind} couldn't be handed over ({_said(problem)})")
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


class _Input:
    """One pin to listen to. The panel must hold it: gpiozero has only a weak reference to ``edge_seen``.

    gpiozero's plain InputDevice, because its subclasses handle edges themselves, and did so before ours could.
    """

    def __init__(self, name: str, pin: int, factory: Factory, outbox: _Outbox, clock: Callable[[], float]) -> None:
        self.name = name
        self._outbox = outbox
        self._clock = clock
        self._unreadable = False
        self._device = InputDevice(pin, pull_up=True, pin_factory=factory)
        self._pin = self._device.pin

    def listen(self) -> None:
        self._pin.edges = "both"
        self._pin.when_changed = self.edge_seen

    def edge_seen(self, ticks: object, state: object) -> None:
        now = self._clock()
        if isinstance(ticks, float) and -TICKS_PAST_S <= ticks - now <= TICKS_FUTURE_S:
            at = ticks
        else:
            at = now
            self._outbox.remark("ticks", f"edges carry another clock's time ({ticks} at {now}): their arrival counts")
        self._outbox.hand_over(EdgeSeen(at, self.name, bool(state)))

    def level(self) -> bool | None:
        try:
            level = bool(self._pin.state)
        except Exception as problem:  # noqa: BLE001 - lgpio.error derives from Exception alone; the other inputs go on
            if not self._unreadable:
                log.warning("input %s can't be read (%s)", self.name, _said(problem))
            self._unreadable = True
            return None
        self._unreadable = False
        return level

    def close(self) -> None:
        try:
            self._pin.when_changed = None  # lgpio's pins keep their callback when they are closed
        finally:
            self._device.close()


class _Output:
    """One pin to drive, and the wave on it. Used under the player's lock only."""

    def __init__(self, name: str, pin: int, factory: Factory, outbox: _Outbox) -> None:
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
                self._outbox.hand_over(OutputFailed(now, self.name, _said(problem)))
            self._failing = True
        held = len(self._wave) == 1 and not self._failing  # a held level that fails is tried again, like a wave
        self.due = math.inf if held else _after(since, seconds, now)


class Panel:
    """Inputs, buzzer and lamp on these BCM pins; ``put`` is called from any thread, and mustn't wait.

    ``input_pins`` by name; ``buzzer_pin`` None where there is no buzzer; ``sample_hz`` beats a second. ``clock`` is
    CLOCK_MONOTONIC. ``on_output(at, "lamp", pattern)`` is told each pattern that the lamp is set to. The factory stays
    the caller's.
    """

    def __init__(
        self,
        factory: Factory,
        input_pins: Mapping[str, int],
        buzzer_pin: int | None,
        lamp_pin: int,
        *,
        put: Callable[[Event], None],
        sample_hz: float,
        clock: Callable[[], float] = time.monotonic,
        on_output: Callable[[float, str, object], None] | None = None,
    ) -> None:
        self.samples = 0
        """Readings handed over since the start: the sampler's progress."""
        self.samples_skipped = 0
        """Readings left out because too many waited for the loop."""
        self._factory = factory
        self._input_pins = dict(input_pins)
        self._output_pins = {"buzzer": buzzer_pin, "lamp": lamp_pin}
        self._outbox = _Outbox(put)
        self._period = 1.0 / sample_hz
        self._clock = clock
        self._on_output = on_output
        self._inputs: list[_Input] = []
        self._outputs: dict[str, _Output] = {}
        self._threads: list[threading.Thread] = []
        self._closing = False
        self._sampling = threading.Condition()  # guards _requests, _undecided
        self._requests: list[float] = []
        self._undecided = 0
        self._lamp: LampPattern | None = None
        self._dark = False
        self._playing = threading.Condition()  # guards _outputs

    def start(self) -> None:
        """Claim the pins, outputs first and off; then listen, sample (the first time at once) and play.

        Raises PanelError, with everything released again, when a pin can't be used.
        """
        try:
            self._claim()
            for name, work in (("sampler", self._run_sampler), ("player", self._run_player)):
                thread = threading.Thread(target=work, name=name, daemon=True)
                thread.start()
                self._threads.append(thread)
        except BaseException:
            self.close()
            raise

    def set_buzzer(self, pattern: BuzzerPattern) -> None:
        """Play this pattern from its beginning. Without a buzzer, before the start and after the end: nothing."""
        self._play("buzzer", BUZZER_WAVES[pattern])

    def set_lamp(self, pattern: LampPattern) -> None:
        """Show this pattern from its beginning. Before the start and after the end: nothing."""
        at = self._clock()
        self._lamp, self._dark = pattern, False
        if self._play("lamp", LAMP_WAVES[pattern]) and self._on_output is not None:
            self._on_output(at, "lamp", pattern)

    def sample_at(self, at: float) -> None:
        """Read every input at this instant too, not earlier; at once when it has passed. Many may be asked for."""
        with self._sampling:
            heapq.heappush(self._requests, at)
            if self._requests[0] == at:
                self._sampling.notify()

    def decided(self) -> None:
        """The loop has taken one ``LevelsRead``; to be called for each of them."""
        with self._sampling:
            self._undecided = max(0, self._undecided - 1)
        if self._dark and self._lamp is not None:
            self._dark = False
            self._play("lamp", LAMP_WAVES[self._lamp])

    def close(self) -> None:
        """Outputs off, threads ended, pins released; the second time, nothing."""
        with self._playing:
            self._closing = True
            outputs = list(self._outputs.values())
            self._outputs.clear()
            for output in outputs:
                self._release(output)
            self._playing.notify_all()
        with self._sampling:
            self._sampling.notify_all()
        while self._threads:
            self._threads.pop().join(_JOIN_S)
        while self._inputs:
            self._release(self._inputs.pop())

    def _claim(self) -> None:
        for name, pin in self._output_pins.items():
            if pin is not None:
                with _claiming(name, pin):
                    self._outputs[name] = _Output(name, pin, self._factory, self._outbox)
        for name, pin in self._input_pins.items():
            with _claiming(name, pin):
                self._inputs.append(_Input(name, pin, self._factory, self._outbox, self._clock))
                self._inputs[-1].listen()

    def _release(self, claimed: _Input | _Output) -> None:
        try:
            claimed.close()
        except Exception as problem:  # noqa: BLE001 - one pin that can't be released must not leave the others on
            log.warning("%s can't be released (%s)", claimed.name, _said(problem))

    def _run_sampler(self) -> None:
        beat = self._clock()
        while (at := self._wait_to_sample(beat)) is not None:
            if at >= beat:
                beat = _after(beat, self._period, at)
            self._sample(at)
            self._outbox.say()

    def _wait_to_sample(self, beat: float) -> float | None:
        """Wait for the beat or the first request; the instant that it is now, None when the panel is closed."""
        with self._sampling:
            while not self._closing:
                now = self._clock()
                due = min(beat, self._requests[0]) if self._requests else beat
                if due <= now:
                    while self._requests and self._requests[0] <= now:
                        heapq.heappop(self._requests)
                    return now
                self._sampling.wait(due - now)
        return None

    def _sample(self, at: float) -> None:
        # ``at`` was taken before the pins are read: a level that is newer than it says never contradicts an edge.
        with self._sampling:
            full = self._undecided >= UNDECIDED_MAX
            self._undecided += not full
        if full:
            self.samples_skipped += 1
            if not self._dark:
                self._dark = True
                self._play("lamp", _DARK)
            self._outbox.remark("full", f"{UNDECIDED_MAX} samples wait to be decided: the sampler adds none meanwhile")
        elif self._outbox.hand_over(LevelsRead(at, {each.name: each.level() for each in self._inputs})):
            self.samples += 1
        else:
            self.decided()

    def _play(self, name: str, wave: Wave) -> bool:
        with self._playing:
            output = self._outputs.get(name)
            if output is None:
                return False
            output.play(wave, self._clock())
            self._playing.notify()
        return True

    def _run_player(self) -> None:
        with self._playing:
            while not self._closing:
                now = self._clock()
                for output in self._outputs.values():
                    output.advance(now)
                due = min(output.due for output in self._outputs.values())
                self._playing.wait(None if due == math.inf else max(0.0, due - self._clock()))


@contextmanager
def _claiming(name: str, pin: int) -> Iterator[None]:
    try:
        yield
    except Exception as problem:
        raise PanelError(
            f"pin {pin} can't be used for {name} ({_said(problem)})",
            "look with gpioinfo for the program that holds it, or give another pin in node.toml",
        ) from problem

"""The GPIO pins: inputs become ``EdgeSeen`` and ``LevelsRead``, patterns become levels. No decision here, no debounce.

Threads:

- the pin factory's own thread (one for all lines) calls ``Line.edge_seen``, which puts an event and can't raise:
  in lgpio a single exception there would silence every line without a message (HAZARDS.md H1). With gpiod the sampler
  calls it, too, for edges that still wait when it reads. At most ``EDGES_MAX`` edges of each line wait for the loop, so
  that a line with interference can't delay a press of another.
- ``sampler`` reads every line at its regular beat and at each instant that ``sample_at`` asks for. After a stall it
  reads once, not once for each missed beat. While ``UNDECIDED_MAX`` of its readings wait for the loop, it adds none,
  and the lamp goes dark: a node whose loop is dead must not flash *ready*.
- ``player`` continues the waves of both outputs. The thread that asks for a wave sets its first level itself, so an
  alarm waits for no other thread to wake up. A constant level costs no wake-up.

    set_buzzer(ALARM)  |            |set_buzzer(OFF)
    buzzer        _____|‾‾‾‾‾‾|__|‾‾|_________________
                       caller |player
"""

import heapq
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from node.core.events import Event, LevelsRead, StopRequested
from node.core.line import UNREADABLE_S
from node.core.signals import BUZZER_WAVES, LAMP_WAVES, BuzzerPattern, LampPattern, Wave
from node.errors import PanelError
from node.io.panel.claims import CLAIM_EVERY_S, Claims
from node.io.panel.devices import Line, LoopQueue, Output, after, said
from node.io.panel.gpio import Factory
from node.io.panel.lost_chip import silence
from node.threads import new_thread

UNDECIDED_MAX = 100
"""How many ``LevelsRead`` may wait for the loop: 5 s of regular readings."""

DEAF_S = UNREADABLE_S + 2.0
"""How long no input may be readable until the process ends: by then each input's fault (F001) was told."""

BACK_IN_S = 30.0
"""How long the node says it will be away then: systemd starts it after 2 s, and a slow board may take a while."""

_JOIN_S = 2.0
_DARK: Wave = ((False, 1.0),)

log = logging.getLogger(__name__)


class Panel:
    """Lines, buzzer and lamp on these BCM pins. ``put`` is called from any thread, and must not wait.

    ``open_factory`` opens the pin factory, or raises PanelError; the panel closes it. ``line_pins``: by line name.
    ``buzzer_pin``: None if there is no buzzer. ``sample_hz``: regular readings a second. ``clock`` is CLOCK_MONOTONIC.
    ``on_output(at, "lamp", pattern)`` is called for each pattern that the lamp is set to. ``directory`` outlives a
    restart by systemd; None where nobody restarts this process.
    """

    def __init__(
        self,
        open_factory: Callable[[], Factory],
        line_pins: Mapping[str, int],
        buzzer_pin: int | None,
        lamp_pin: int,
        *,
        put: Callable[[Event], None],
        sample_hz: float,
        clock: Callable[[], float] = time.monotonic,
        on_output: Callable[[float, str, object], None] | None = None,
        directory: Path | None = None,
    ) -> None:
        self.samples = 0
        """Readings put on the loop's queue since the start: the sampler's progress."""
        self.samples_skipped = 0
        """Readings that were skipped because too many waited for the loop."""
        self._queue = LoopQueue(put)
        self._period = 1.0 / sample_hz
        self._clock = clock
        self._on_output = on_output
        self._lines = {name: Line(name, pin, self._queue, clock) for name, pin in line_pins.items()}
        output_pins = {"lamp": lamp_pin} if buzzer_pin is None else {"buzzer": buzzer_pin, "lamp": lamp_pin}
        self._outputs = {name: Output(name, pin, self._queue, clock) for name, pin in output_pins.items()}
        self._threads: list[threading.Thread] = []
        self._plays = False
        self._closing = False
        self._is_deaf = False
        self._deaf_since: float | None = None
        self._restarts = False
        self._sampling = threading.Condition()  # guards _requests, _undecided
        self._requests: list[float] = []
        self._undecided = 0
        self._lamp: LampPattern | None = None
        self._dark = False
        self._playing = threading.Condition()  # guards _outputs, _plays
        self._claims = Claims(
            open_factory,
            list(self._outputs.values()),
            list(self._lines.values()),
            playing=self._playing,
            restart=self._restart,
            directory=directory,
        )

    @property
    def problems(self) -> Mapping[int, str]:
        """Why a pin can't be used, by its number."""
        return self._claims.problems

    @property
    def unusable(self) -> PanelError | None:
        """Why no pin at all can be used; None if that isn't so."""
        return self._claims.unusable

    @property
    def driven(self) -> tuple[int, ...]:
        """The pins of the outputs that are claimed."""
        return tuple(each.number for each in self._outputs.values() if each.is_claimed)

    def start(self) -> None:
        """Claim the pins, outputs first and off; then listen, sample (the first time at once) and play.

        What can't be claimed is tried again; until then it is a fault (claims.py).
        """
        try:
            with self._playing:
                self._plays = True
            self._claims.claim()
            for name, work in (("sampler", self._run_sampler), ("player", self._run_player)):
                thread = new_thread(name, work)
                thread.start()
                self._threads.append(thread)
        except BaseException:
            self.close()
            raise

    def set_buzzer(self, pattern: BuzzerPattern) -> None:
        """Play this pattern from its beginning. Does nothing without a buzzer, before the start and after the end."""
        self._play("buzzer", BUZZER_WAVES[pattern])

    def set_lamp(self, pattern: LampPattern) -> None:
        """Show this pattern from its beginning. Does nothing before the start and after the end."""
        at = self._clock()
        self._lamp, self._dark = pattern, False
        if self._play("lamp", LAMP_WAVES[pattern]) and self._on_output is not None:
            self._on_output(at, "lamp", pattern)

    def sample_at(self, at: float) -> None:
        """Also read every line at this instant, at once if it is past. Many instants may be requested."""
        with self._sampling:
            heapq.heappush(self._requests, at)
            if self._requests[0] == at:
                self._sampling.notify()

    def decided(self) -> None:
        """The loop has decided one ``LevelsRead``; must be called for each of them."""
        with self._sampling:
            self._undecided = max(0, self._undecided - 1)
        if self._dark and self._lamp is not None:
            self._dark = False
            self._play("lamp", LAMP_WAVES[self._lamp])

    def edge_decided(self, name: str) -> None:
        """The loop has decided one ``EdgeSeen`` of this line; must be called for each of them."""
        self._lines[name].decided()

    def close(self) -> None:
        """Switch the outputs off, end the threads, release the pins. A second call does nothing."""
        with self._playing:
            self._closing = True
            self._plays = False
            self._claims.release_outputs()
            self._playing.notify_all()
        with self._sampling:
            self._sampling.notify_all()
        while self._threads:
            self._threads.pop().join(_JOIN_S)
        self._claims.close()

    def _restart(self, reason: str) -> None:
        """Ask once for an end: systemd starts a new process, which finds the chip that this one can't."""
        if not self._restarts:
            self._restarts = self._queue.put(StopRequested(self._clock(), reason, BACK_IN_S))

    def _run_sampler(self) -> None:
        beat = self._clock()
        claim_at = beat + CLAIM_EVERY_S
        while (at := self._wait_to_sample(beat)) is not None:
            if at >= beat:
                beat = after(beat, self._period, at)
            if at >= claim_at:
                claim_at = at + CLAIM_EVERY_S
                if not self._claims.are_complete:
                    self._claims.claim()
            self._sample(at)

    def _wait_to_sample(self, beat: float) -> float | None:
        """Wait for the beat or the first request; returns the present instant, None when the panel is closed."""
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
        with self._sampling:
            full = self._undecided >= UNDECIDED_MAX
            self._undecided += not full
        if full:
            self.samples_skipped += 1
            if not self._dark:
                self._dark = True
                self._play("lamp", _DARK)
            self._queue.warn_once(
                "full", f"{UNDECIDED_MAX} samples wait to be decided: the sampler adds none meanwhile"
            )
            self._report_dropped(at)
            return
        reading = self._read(at)
        self._report_dropped(at)  # first, so that the reading confirms nothing that came before the gap
        if self._queue.put(reading):
            self.samples += 1
        else:
            self.decided()

    def _report_dropped(self, at: float) -> None:
        for each in self._lines.values():
            each.report_dropped(at)

    def _read(self, at: float) -> LevelsRead:
        """Read all lines. The clock is read before and after, because this thread may be held up at any line."""
        read_together = getattr(self._claims.factory, "levels", None)
        if read_together is None:
            levels = {name: each.level() for name, each in self._lines.items()}
        else:
            levels = self._read_together(read_together)
        self._look_if_deaf(at, levels)
        return LevelsRead(at, levels, self._clock())

    def _read_together(self, read: Callable[[], Mapping[int, bool]]) -> dict[str, bool | None]:
        """Read all lines by one call, where the factory has one."""
        try:
            found = read()
            self._is_deaf = False
        except Exception as problem:  # noqa: BLE001 - whatever the factory does, the sampler goes on
            if not self._is_deaf:
                log.warning("the inputs can't be read (%s)", said(problem))
            self._is_deaf = True
            found = {}
        return {name: found.get(each.number) if each.is_claimed else None for name, each in self._lines.items()}

    def _look_if_deaf(self, at: float, levels: Mapping[str, bool | None]) -> None:
        """If no line that was claimed can be read for a while, the chip has gone: a new process looks for it."""
        if any(level is not None for level in levels.values()) or not any(
            each.is_claimed for each in self._lines.values()
        ):
            self._deaf_since = None
        elif self._deaf_since is None:
            self._deaf_since = at
            if not hasattr(self._claims.factory, "levels"):  # the factory on gpiod ends its own thread
                with suppress(OSError):  # the end comes anyway
                    silence()
        elif at >= self._deaf_since + DEAF_S:
            self._restart("no input can be read")

    def _play(self, name: str, wave: Wave) -> bool:
        with self._playing:
            output = self._outputs.get(name)
            if output is None or not self._plays:
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

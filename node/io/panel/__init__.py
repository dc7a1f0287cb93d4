"""The GPIO pins: inputs become ``EdgeSeen`` and ``LevelsRead``, patterns become levels. No decision here, no debounce.

Threads:

- the pin factory's own thread (one for all lines) calls ``Line.edge_seen``, which puts an event and can't raise:
  in lgpio a single exception there would silence every line without a message (HAZARDS.md H1). With gpiod the sampler
  calls it, too, for edges that still wait when it reads. At most ``EDGES_MAX`` edges of each line wait for the loop, so
  that a line with interference can't delay a press of another.
- The loop's own thread reads every line: at its regular beat (``due``) and at each instant that ``sample_at`` asks for.
  After a stall it reads once, not once for each missed beat.
- ``player`` continues the waves of both outputs. The thread that asks for a wave sets its first level itself, so an
  alarm waits for no other thread to wake up. A constant level costs no wake-up. If the loop hasn't read for ``DEAD_S``,
  the player makes the lamp dark: a node whose loop is dead must not flash *ready*.

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

from node.core.events import EdgesDropped, EdgeSeen, EdgesLost, Event, LevelsRead, StopRequested
from node.core.line import UNREADABLE_S
from node.core.signals import BUZZER_WAVES, LAMP_WAVES, BuzzerPattern, LampPattern, Wave
from node.errors import PanelError
from node.io.panel.claims import CLAIM_EVERY_S, Claims
from node.io.panel.devices import Line, LoopQueue, Output, after, said
from node.io.panel.gpio import Factory
from node.io.panel.lost_chip import silence
from node.threads import new_thread

DEAD_S = 5.0
"""So long after the loop's last reading the lamp goes dark."""

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
        self._queue = LoopQueue(put)
        self._period = 1.0 / sample_hz
        self._clock = clock
        self._on_output = on_output
        self._lines = {name: Line(name, pin, self._queue, clock) for name, pin in line_pins.items()}
        output_pins = {"lamp": lamp_pin} if buzzer_pin is None else {"buzzer": buzzer_pin, "lamp": lamp_pin}
        self._outputs = {name: Output(name, pin, self._queue, clock) for name, pin in output_pins.items()}
        self._player = new_thread("player", self._run_player)
        self._plays = False
        self._closing = False
        self._is_deaf = False
        self._deaf_since: float | None = None
        self._restarts = False
        self._beat = self._claim_at = math.inf
        self._requests: list[float] = []
        self._read_at = 0.0
        self._reading_waits = self._has_played = False
        self._lamp: LampPattern | None = None
        self._dark = False
        self._playing = threading.Condition()  # guards _outputs, _plays, _lamp, _dark
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

    @property
    def due(self) -> float:
        """When to call ``read`` next (monotonic): the first time at once. inf before the start and after the end.

        Also inf while a reading waits for the loop.
        """
        if self._reading_waits:
            return math.inf
        return min(self._beat, self._requests[0]) if self._requests else self._beat

    def start(self) -> None:
        """Claim the pins, outputs first and off; then listen and play.

        What can't be claimed is tried again; until then it is a fault (claims.py).
        """
        try:
            with self._playing:
                self._plays = True
            self._claims.claim()
            self._beat = self._read_at = self._clock()
            self._claim_at = self._beat + CLAIM_EVERY_S
            self._player.start()
        except BaseException:
            self.close()
            raise

    def set_buzzer(self, pattern: BuzzerPattern) -> None:
        """Play this pattern from its beginning. Does nothing without a buzzer, before the start and after the end."""
        self._play("buzzer", BUZZER_WAVES[pattern])

    def set_lamp(self, pattern: LampPattern) -> None:
        """Show this pattern from its beginning. Does nothing before the start and after the end."""
        at = self._clock()
        with self._playing:
            self._lamp, self._dark = pattern, False
            plays = self._play("lamp", LAMP_WAVES[pattern])
        if plays and self._on_output is not None:
            self._on_output(at, "lamp", pattern)

    def flush(self) -> None:
        """Tell the player what was set. A thread that is woken takes the interpreter from one that sends an alarm."""
        if self._has_played:
            self._has_played = False
            with self._playing:
                self._playing.notify()

    def sample_at(self, at: float) -> None:
        """Also read every line at this instant, at once if it is past. Many instants may be requested."""
        heapq.heappush(self._requests, at)

    def read(self, at: float) -> LevelsRead | None:
        """Read every line, now that it is due; ``at`` is the present instant. Only the loop's thread may do so.

        All edges until then are told before, and so is what was dropped: the reading confirms nothing that came before
        a gap. While any of that waits for the loop, the reading is put behind it; then the answer is None.
        """
        if at >= self._beat:
            self._beat = after(self._beat, self._period, at)
        while self._requests and self._requests[0] <= at:
            heapq.heappop(self._requests)
        if at >= self._claim_at:
            self._claim_at = at + CLAIM_EVERY_S
            if not self._claims.are_complete:
                self._claims.claim()
        self._read_at = at
        if self._dark:
            self._light_up()
        levels = self.levels()
        if None in levels.values():
            self._look_if_deaf(at, levels)
        else:
            self._deaf_since = None
        reading = LevelsRead(at, levels, self._clock())
        if True not in [each.report_dropped(at) for each in self._lines.values()]:
            return reading
        self._reading_waits = self._queue.put(reading)
        return None

    def decided(self, event: EdgeSeen | EdgesDropped | EdgesLost | LevelsRead) -> None:
        """The loop has decided this event; must be called for each of them."""
        if isinstance(event, LevelsRead):
            self._reading_waits = False
        else:
            self._lines[event.line].decided()

    def close(self) -> None:
        """Switch the outputs off, end the threads, release the pins. A second call does nothing."""
        with self._playing:
            self._closing = True
            self._plays = False
            self._claims.release_outputs()
            self._playing.notify_all()
        self._beat = math.inf
        self._requests.clear()
        if self._player.ident is not None:
            self._player.join(_JOIN_S)
        self._claims.close()

    def _restart(self, reason: str) -> None:
        """Ask once for an end: systemd starts a new process, which finds the chip that this one can't."""
        if not self._restarts:
            self._restarts = self._queue.put(StopRequested(self._clock(), reason, BACK_IN_S))

    def levels(self) -> dict[str, bool | None]:
        """The electrical level of each line now, None if it can't be read. Edges until then are told before."""
        read_together = getattr(self._claims.factory, "levels", None)
        if read_together is None:
            return {name: each.level() for name, each in self._lines.items()}
        return self._read_together(read_together)

    def _read_together(self, read: Callable[[], Mapping[int, bool]]) -> dict[str, bool | None]:
        """Read all lines by one call, where the factory has one."""
        try:
            found = read()
            self._is_deaf = False
        except Exception as problem:  # noqa: BLE001 - whatever the factory does, the loop goes on
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
        self._has_played = True
        return True

    def _light_up(self) -> None:
        with self._playing:
            if self._dark and self._lamp is not None:
                self._play("lamp", LAMP_WAVES[self._lamp])
            self._dark = False

    def _run_player(self) -> None:
        with self._playing:
            while not self._closing:
                now = self._clock()
                dead_at = self._read_at + DEAD_S
                if now >= dead_at and not self._dark:
                    self._dark = True
                    self._outputs["lamp"].play(_DARK, now)
                for output in self._outputs.values():
                    output.advance(now)
                due = min(output.due for output in self._outputs.values())
                if not self._dark:
                    due = min(due, dead_at)
                self._playing.wait(None if due == math.inf else max(0.0, due - self._clock()))

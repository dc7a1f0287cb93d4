"""Decides what may become a press just before it is due.

A node rests for days, and then a press has to be decided at once. Its code isn't in the processor's caches then, and
takes four times as long as the second time (deploy/design/PERFORMANCE.md). While the contact is debounced there is
time: the loop decides and encodes, as if it were that late, again and again until the instant itself, so that no sleep
lies in between. The core is pure, so nothing comes of it. If then the state is still the same, and the reading says
what was expected, the newest of these decisions is the decision.
"""

import logging
import time
from collections.abc import Callable
from math import inf

from node.core import controller, effects
from node.core.events import Event, LevelsRead
from node.core.state import State
from node.protocol import codec, record_codec

AHEAD_S = 0.003
"""So long before the instant it begins."""

log = logging.getLogger(__name__)


class Rehearsal:
    """For the loop's thread only. ``due``: when to call ``perform`` (monotonic), inf while nothing is planned.

    ``work`` is how long this thread has worked, in seconds: other programs that hold it up make no board slow.
    """

    def __init__(
        self,
        messages: codec.Wire,
        clock: Callable[[], float] = time.monotonic,
        work: Callable[[], float] = time.thread_time,
    ) -> None:
        self.due = inf
        self._foreseen: tuple[State, LevelsRead, State, list[effects.Effect]] | None = None
        self._wire = messages
        self._clock, self._work = clock, work

    def plan(self, at: float) -> None:
        """The levels are read at this instant, and that may make a press."""
        self.due = at - AHEAD_S

    def perform(self, state: State) -> None:
        """Decide until the instant, unless nothing happens then, or it is past: then the press is decided at once.

        The first of these decisions takes no time from the press even on a slow board, which has none to spare for a
        second one: it is the press's own.
        """
        at, self.due = self.due + AHEAD_S, inf
        self._foreseen = None
        took_s = 0.0
        while self._clock() + 2 * took_s < at:
            began = self._work()
            happens = self._happens(state, at)
            took_s = self._work() - began
            if not happens:
                return
        while at - AHEAD_S < self._clock() < at:
            pass

    def handle(self, state: State, event: Event) -> tuple[State, list[effects.Effect]]:
        """As ``controller.handle``; but what was decided already isn't decided again.

        Such a reading is dated to the instant for which it was planned. Its levels were read soon after that, and no
        edge came in between. One that was read before had to wait behind an edge: the next edge may say that the
        contact was let go before the debounce was over.
        """
        if self._foreseen is not None and isinstance(event, LevelsRead):
            (before, expected, after, asked), self._foreseen = self._foreseen, None
            if before is state and event.at >= expected.at and event.levels == expected.levels:
                return after, asked
        return controller.handle(state, event)

    def _happens(self, state: State, at: float) -> bool:
        """Decide and encode; whether anything is to be stored."""
        try:
            reading, after, asked = controller.foresee(state, at)
            for effect in asked:
                self._encode(effect)
        except Exception:
            log.exception("a rehearsal failed")  # what comes may be something else
            return False
        happens = any(isinstance(effect, effects.Append) for effect in asked)
        if happens and None not in reading.levels.values():
            self._foreseen = state, reading, after, asked
        return happens

    def _encode(self, effect: effects.Effect) -> None:
        match effect:
            case effects.Append(event, snapshot):
                self._wire.event(event)
                record_codec.encode_snapshot(snapshot)
            case effects.SendAlarm(_, _, incidents, at, seq, at_utc, synchronised):
                self._wire.alarm(incidents, at, seq, at_utc, synchronised)
            case _:
                pass

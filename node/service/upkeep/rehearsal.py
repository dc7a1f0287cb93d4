"""Decides what may become a press for trial, just before it is decided.

A node rests for days, and then a press has to be decided at once. Its code isn't in the processor's caches then, and
takes four times as long as the second time (deploy/design/PERFORMANCE.md). While the contact is debounced there is
time: the loop decides and encodes, as if it were that late, and throws everything away. It goes on with that until the
instant itself, so that no sleep lies in between. The core is pure, so nothing comes of it.
"""

import logging
import time
from collections.abc import Callable
from math import inf

from node.core import controller, effects
from node.core.state import State
from node.protocol import codec, record_codec

AHEAD_S = 0.002
"""So long before the instant it begins. A board that takes more than half of it for one rehearsal has no second one."""

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
        self._wire = messages
        self._clock, self._work = clock, work
        self._took_s = AHEAD_S / 4

    def plan(self, at: float) -> None:
        """The levels are read at this instant, and that may make a press."""
        self.due = at - AHEAD_S

    def perform(self, state: State) -> None:
        """Rehearse until the instant, unless nothing happens then, or it is too near: a press never waits for this."""
        at, self.due = self.due + AHEAD_S, inf
        while self._clock() + 2 * self._took_s < at:
            began = self._work()
            happens = self._happens(state, at)
            self._took_s = self._work() - began
            if not happens:
                return
        while at - AHEAD_S < self._clock() < at:
            pass

    def _happens(self, state: State, at: float) -> bool:
        """Decide and encode; whether anything is to be stored."""
        try:
            foreseen = controller.foresee(state, at)
            for effect in foreseen:
                self._encode(effect, at)
        except Exception:
            log.exception("a rehearsal failed")  # what comes may be something else
            return False
        return any(isinstance(effect, effects.Append) for effect in foreseen)

    def _encode(self, effect: effects.Effect, at: float) -> None:
        match effect:
            case effects.Append(event, snapshot):
                self._wire.event(event)
                record_codec.encode_snapshot(snapshot)
            case effects.SendAlarm(_, _, incidents, seq, at_utc, synchronised):
                self._wire.alarm(incidents, at, seq, at_utc, synchronised)
            case _:
                pass

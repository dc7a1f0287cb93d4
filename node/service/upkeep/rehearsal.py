"""Decides what may become a press once for trial, 2 ms before it is decided.

A node rests for days, and then a press has to be decided at once. Its code isn't in the processor's caches then, and
takes four times as long as the second time (deploy/design/PERFORMANCE.md). While the contact is debounced there is
time: the loop decides and encodes, as if it were that late, and throws everything away. The core is pure, so that
changes nothing.
"""

import logging
from math import inf

from node.core import controller, effects
from node.core.state import State
from node.protocol import codec, record_codec

AHEAD_S = 0.002
"""So long before; it takes less than half of that even when nothing is in the caches."""

log = logging.getLogger(__name__)


class Rehearsal:
    """For the loop's thread only. ``due``: when to call ``perform`` (monotonic), inf while nothing is planned."""

    def __init__(self, messages: codec.Wire) -> None:
        self.due = inf
        self._wire = messages

    def plan(self, at: float) -> None:
        """The levels are read at this instant, and that may make a press."""
        self.due = at - AHEAD_S

    def perform(self, state: State, now: float) -> None:
        """Rehearse what comes, unless it is too late for that: the press itself must not wait."""
        at, self.due = self.due + AHEAD_S, inf
        if now >= at - AHEAD_S / 2:
            return
        try:
            for effect in controller.foresee(state, at):
                self._encode(effect, at)
        except Exception:
            log.exception("a rehearsal failed")  # the press itself may come to something else

    def _encode(self, effect: effects.Effect, at: float) -> None:
        match effect:
            case effects.Append(event, snapshot):
                self._wire.event(event)
                record_codec.encode_snapshot(snapshot)
            case effects.SendAlarm(_, _, incidents, seq, at_utc, synchronised):
                self._wire.alarm(incidents, at, seq, at_utc, synchronised)
            case _:
                pass

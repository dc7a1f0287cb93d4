"""Which pattern the buzzer and the lamp show. No other module decides that.

The lamp has five patterns. An idle fault looks like *nobody has it*, because both mean: don't rely on this node. During
a walk test the ready flash comes every second. A press of a discreet button doesn't change the lamp. Once somebody has
acknowledged it, every third flash is left out.

    ready         |____|____|____        a short flash every 5 s; a dark lamp is a dead node
    walk test     |_|_|_|_|_|_|_|        the same every second: each button's first press is its test
    calling       |‾|_|‾|_|‾|_|‾|        pressed, stored, accepted, held: nobody was told yet
    received      ||__||__||__||_        people were told; or for 3 s, a monitor holds a button's test
    acknowledged  |‾‾‾‾‾‾‾‾‾‾‾‾‾‾        somebody is coming
    nobody        |‾‾__|‾‾__|‾‾__        nobody has it; or idle, and there is a fault

ISO 8201 reserves three pulses and a pause for *evacuate*: no pattern here may have that shape (a test checks this).
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import assert_never

from node.core.model import Incident, Step
from node.core.settings import Lamp

Wave = tuple[tuple[bool, float], ...]
"""(level, seconds) pairs, repeated for ever; a single pair is a constant level."""


class LampPattern(StrEnum):
    """The five patterns, a walk test's quicker ready flash, and both ready flashes with every third one missing."""

    READY = "ready"
    READY_MISSING = "ready-missing"
    WALK_TEST = "walk-test"
    WALK_TEST_MISSING = "walk-test-missing"
    CALLING = "calling"
    RECEIVED = "received"
    ACKNOWLEDGED = "acknowledged"
    NOBODY = "nobody"


class BuzzerPattern(StrEnum):
    """The buzzer's patterns."""

    OFF = "off"
    ALARM = "alarm"
    NOBODY = "nobody"
    IDENTIFY = "identify"
    CHIRP = "chirp"


CHIRP_S = 0.2
"""How long the chirp's pattern stays set: one pulse and an equal rest, so that two chirps are heard as two."""

_FLASH = ((True, 0.05), (False, 4.95))
_QUICK_FLASH = ((True, 0.05), (False, 0.95))

LAMP_WAVES: dict[LampPattern, Wave] = {
    LampPattern.READY: _FLASH,
    LampPattern.READY_MISSING: (*_FLASH, *_FLASH, (False, 5.0)),
    LampPattern.WALK_TEST: _QUICK_FLASH,
    LampPattern.WALK_TEST_MISSING: (*_QUICK_FLASH, *_QUICK_FLASH, (False, 1.0)),
    LampPattern.CALLING: ((True, 0.1), (False, 0.1)),
    LampPattern.RECEIVED: ((True, 0.1), (False, 0.15), (True, 0.1), (False, 0.65)),
    LampPattern.ACKNOWLEDGED: ((True, 1.0),),
    LampPattern.NOBODY: ((True, 1.0), (False, 1.0)),
}

BUZZER_WAVES: dict[BuzzerPattern, Wave] = {
    BuzzerPattern.OFF: ((False, 1.0),),
    BuzzerPattern.ALARM: ((True, 0.8), (False, 0.2)),
    BuzzerPattern.NOBODY: ((True, 0.15), (False, 0.1)),
    BuzzerPattern.IDENTIFY: ((True, 0.1), (False, 0.9)),
    BuzzerPattern.CHIRP: ((True, 0.1), (False, 4.9)),
}


def lamp(
    incidents: Iterable[Incident], faulty: bool, *, walk_test: bool = False, confirmed: bool = False
) -> LampPattern:
    """The lamp's pattern: that of the newest press of a shown input. Without one it looks idle.

    ``incidents``: in the order of their newest presses, oldest first. ``walk_test``: a walk test runs. ``confirmed``:
    the test of a shown button has just been confirmed.
    """
    shown = None
    discreet = None
    for incident in incidents:
        if incident.lamp is Lamp.SHOWN:
            shown = incident
        else:
            discreet = incident
    if shown is not None:
        return _pattern_of(shown.step)
    if confirmed:
        return LampPattern.RECEIVED
    if discreet is not None and discreet.step is Step.ACKNOWLEDGED:
        return LampPattern.WALK_TEST_MISSING if walk_test else LampPattern.READY_MISSING
    if walk_test:
        return LampPattern.WALK_TEST  # also during a fault: the lamp must show that a press would be a test
    return LampPattern.NOBODY if (faulty if discreet is None else discreet.fault_shown) else LampPattern.READY


def buzzer(incidents: Iterable[Incident], identifying: bool, *, chirping: bool = False) -> BuzzerPattern:
    """The buzzer's pattern, in this order: nobody has a sounding incident, alarm, identify, chirp, off."""
    sounding = [incident for incident in incidents if incident.sounding_until is not None]
    if any(incident.step is Step.NOBODY for incident in sounding):
        return BuzzerPattern.NOBODY
    if sounding:
        return BuzzerPattern.ALARM
    if identifying:
        return BuzzerPattern.IDENTIFY
    return BuzzerPattern.CHIRP if chirping else BuzzerPattern.OFF


def _pattern_of(step: Step) -> LampPattern:
    match step:
        case Step.NORMAL | Step.PRESSED | Step.STORED | Step.ACCEPTED | Step.HELD:
            return LampPattern.CALLING  # no open incident is normal
        case Step.TOLD:
            return LampPattern.RECEIVED
        case Step.ACKNOWLEDGED:
            return LampPattern.ACKNOWLEDGED
        case Step.NOBODY:
            return LampPattern.NOBODY
        case _:
            assert_never(step)

"""Which pattern the buzzer and the lamp show. Nothing else decides that.

The lamp has five patterns and no more; an idle fault looks like *nobody has it*, because both mean: don't rely on me.
A walk test is told by the ready flash, every second. A discreet button shows nothing but the flash that would be there
without it, and its acknowledgement as a missing flash: every third one.

    ready         |____|____|____        a short flash every 5 s; a dark lamp is a dead node
    walk test     |_|_|_|_|_|_|_|        the same every second: each button's first press is its test
    calling       |‾|_|‾|_|‾|_|‾|        pressed, stored, accepted, held: nobody was told yet
    received      ||__||__||__||_        people were told; or for 3 s, a monitor holds a button's test
    acknowledged  |‾‾‾‾‾‾‾‾‾‾‾‾‾‾        somebody is coming
    nobody        |‾‾__|‾‾__|‾‾__        nobody has it; or idle, and there is a fault

ISO 8201 keeps three pulses and a pause for *evacuate*: no pattern here may have that shape (a test looks).
"""

from collections.abc import Iterable
from enum import StrEnum

from node.core.model import Incident, Step
from node.core.settings import Lamp

Wave = tuple[tuple[bool, float], ...]
"""(level, seconds) pairs, played around and around; one pair alone is held."""


class LampPattern(StrEnum):
    """The five, the ready pattern's quicker flash in a walk test, and the missing flash of both."""

    READY = "ready"
    READY_MISSING = "ready-missing"
    WALK_TEST = "walk-test"
    WALK_TEST_MISSING = "walk-test-missing"
    CALLING = "calling"
    RECEIVED = "received"
    ACKNOWLEDGED = "acknowledged"
    NOBODY = "nobody"


class BuzzerPattern(StrEnum):
    """What can be heard."""

    OFF = "off"
    ALARM = "alarm"
    NOBODY = "nobody"
    IDENTIFY = "identify"
    CHIRP = "chirp"


CHIRP_S = 0.2
"""How long the chirp's pattern is kept: its one pulse, and as long a rest, so that two chirps are heard as two."""

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

_STEP_PATTERNS: dict[Step, LampPattern] = {
    Step.PRESSED: LampPattern.CALLING,
    Step.STORED: LampPattern.CALLING,
    Step.ACCEPTED: LampPattern.CALLING,
    Step.HELD: LampPattern.CALLING,
    Step.TOLD: LampPattern.RECEIVED,
    Step.ACKNOWLEDGED: LampPattern.ACKNOWLEDGED,
    Step.NOBODY: LampPattern.NOBODY,
}


def lamp(
    incidents: Iterable[Incident], faulty: bool, *, walk_test: bool = False, confirmed: bool = False
) -> LampPattern:
    """The lamp's pattern: the newest press of a shown input; else idle, as a discreet one must look.

    ``incidents`` in the order of their newest presses, oldest first. ``walk_test``: one holds; ``confirmed``: the test
    of a shown button has just been confirmed.
    """
    shown = None
    discreet = None
    for incident in incidents:
        if incident.lamp is Lamp.SHOWN:
            shown = incident
        else:
            discreet = incident
    if shown is not None:
        return _STEP_PATTERNS[shown.step]
    if confirmed:
        return LampPattern.RECEIVED
    if discreet is not None and discreet.step is Step.ACKNOWLEDGED:
        return LampPattern.WALK_TEST_MISSING if walk_test else LampPattern.READY_MISSING
    if walk_test:
        return LampPattern.WALK_TEST  # also where there is a fault: a call that is taken for a test must show as that
    return LampPattern.NOBODY if (faulty if discreet is None else discreet.fault_shown) else LampPattern.READY


def buzzer(incidents: Iterable[Incident], identifying: bool, *, chirping: bool = False) -> BuzzerPattern:
    """The buzzer's pattern: an incident that sounds (and says when nobody has it), else identify, a chirp, nothing."""
    sounding = [incident for incident in incidents if incident.sounding_until is not None]
    if any(incident.step is Step.NOBODY for incident in sounding):
        return BuzzerPattern.NOBODY
    if sounding:
        return BuzzerPattern.ALARM
    if identifying:
        return BuzzerPattern.IDENTIFY
    return BuzzerPattern.CHIRP if chirping else BuzzerPattern.OFF

"""Which pattern the buzzer and the lamp show. Nothing else decides that.

The lamp has five patterns and no more; an idle fault looks like *nobody has it*, because both mean: don't rely on me.
A discreet button shows nothing but the ready flash, and its acknowledgement as a missing flash: every third one.

    ready         |____|____|____        a short flash every 5 s; a dark lamp is a dead node
    calling       |_|_|_|_|_|_|_|        pressed, stored, accepted
    received      ||__||__||__||_        a monitor holds it
    acknowledged  |‾‾‾‾‾‾‾‾‾‾‾‾‾‾        somebody is coming
    nobody        |‾‾__|‾‾__|‾‾__        nobody has it; or idle, and there is a fault

ISO 8201 keeps three pulses and a pause for *evacuate*: no pattern here may have that shape (a test looks).
"""

from collections.abc import Iterable
from enum import StrEnum

from node.core.memory import Incident, Step
from node.core.settings import Lamp

Wave = tuple[tuple[bool, float], ...]
"""(level, seconds) pairs, played around and around; one pair alone is held."""


class LampPattern(StrEnum):
    """The five, and the ready pattern's missing flash."""

    READY = "ready"
    READY_MISSING = "ready-missing"
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


_FLASH = ((True, 0.05), (False, 4.95))

LAMP_WAVES: dict[LampPattern, Wave] = {
    LampPattern.READY: _FLASH,
    LampPattern.READY_MISSING: (*_FLASH, *_FLASH, (False, 5.0)),
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
}

_STEP_PATTERNS: dict[Step, LampPattern] = {
    Step.PRESSED: LampPattern.CALLING,
    Step.STORED: LampPattern.CALLING,
    Step.ACCEPTED: LampPattern.CALLING,
    Step.RECEIVED: LampPattern.RECEIVED,
    Step.ACKNOWLEDGED: LampPattern.ACKNOWLEDGED,
    Step.NOBODY: LampPattern.NOBODY,
}


def lamp(incidents: Iterable[Incident], faulty: bool) -> LampPattern:
    """The lamp's pattern: the newest press of a shown input; else idle, as a discreet one must look.

    ``incidents`` in the order of their newest presses, oldest first.
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
    if discreet is None:
        return LampPattern.NOBODY if faulty else LampPattern.READY
    if discreet.step is Step.ACKNOWLEDGED:
        return LampPattern.READY_MISSING
    return LampPattern.NOBODY if discreet.fault_shown else LampPattern.READY


def buzzer(incidents: Iterable[Incident], identifying: bool) -> BuzzerPattern:
    """The buzzer's pattern: an incident that sounds (and says when nobody has it), else identify, else nothing."""
    sounding = [incident for incident in incidents if incident.sounding_until is not None]
    if any(incident.step is Step.NOBODY for incident in sounding):
        return BuzzerPattern.NOBODY
    if sounding:
        return BuzzerPattern.ALARM
    return BuzzerPattern.IDENTIFY if identifying else BuzzerPattern.OFF

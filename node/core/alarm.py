"""The life of an incident: rules, then ONE transition table, then code.

Rules:

1. An incident begins with a press. Only a reset by an authorised person ends it; until then it stays latched.
2. A further press starts the ladder again at *pressed*: the step reached so far belonged to an older press.
3. The step tells only what is known of the newest press. *Stored*, *accepted* and *held* never move it back to an
   earlier step. *Told* may come before *held*: while the monitor's database is away, the monitor tells people from
   memory.
4. *Held* doesn't prove that a person knows: the lamp goes on calling. A call that isn't *told* within ``receipt_s``
   becomes *nobody*.
5. *Told*, an acknowledgement, a further press or a reset ends *nobody*. In a building without a monitor
   (``receipts = "none"``) a broker that takes the call ends it, too, and the lamp calls again. Nothing else ends it.
6. A transition that isn't in the table is refused: it changes nothing.
7. No other code changes an incident's step (a test looks). An incident that a broker remembers begins as *adopted*; one
   that the record remembers is *restored*. The record's snapshot and the published list are copies that tell fewer
   steps apart (``for_snapshot``, ``as_readers_see``).

README.md's diagram is drawn from ``TRANSITIONS``; a test keeps them equal.
"""

from enum import StrEnum
from typing import Any, assert_never

from msgspec.structs import replace

from node.core.model import Incident, Key, ListedIncident, Phase, Step
from node.core.settings import AlarmClass, InputSettings, Lamp, Sound

OPEN_LIMIT = 48
"""With this many open incidents, no further one is adopted: it is as many as one list can have (messages.py)."""

PRESSES_LIMIT = 100_000
"""An upper limit for the presses of one incident that people can make: one each minute for two months."""


class Happening(StrEnum):
    """What can happen to an incident."""

    PRESSED = "pressed"
    STORED = "stored"
    ACCEPTED = "accepted by a broker"
    UNSUBSCRIBED = "accepted, nobody subscribes"
    TAKEN = "accepted, and no monitor is awaited"
    HELD = "held by a monitor"
    TOLD = "people were told"
    TIMED_OUT = "nobody was told in time"
    UNHEARD = "no monitor heard"
    ACKNOWLEDGED = "acknowledged"
    RESET = "reset"
    ADOPTED = "adopted from a broker"
    ADOPTED_ACKNOWLEDGED = "adopted, already acknowledged"
    RESTORED = "restored from the record"


TRANSITIONS: dict[tuple[Step, Happening], Step] = {
    (Step.NORMAL, Happening.PRESSED): Step.PRESSED,
    (Step.NORMAL, Happening.ADOPTED): Step.PRESSED,
    (Step.NORMAL, Happening.ADOPTED_ACKNOWLEDGED): Step.ACKNOWLEDGED,
    #
    (Step.PRESSED, Happening.PRESSED): Step.PRESSED,
    (Step.PRESSED, Happening.ADOPTED): Step.PRESSED,
    (Step.PRESSED, Happening.ADOPTED_ACKNOWLEDGED): Step.ACKNOWLEDGED,
    (Step.PRESSED, Happening.RESTORED): Step.STORED,
    (Step.PRESSED, Happening.STORED): Step.STORED,
    (Step.PRESSED, Happening.ACCEPTED): Step.ACCEPTED,
    (Step.PRESSED, Happening.UNSUBSCRIBED): Step.NOBODY,
    (Step.PRESSED, Happening.TAKEN): Step.ACCEPTED,
    (Step.PRESSED, Happening.HELD): Step.HELD,
    (Step.PRESSED, Happening.TOLD): Step.TOLD,
    (Step.PRESSED, Happening.TIMED_OUT): Step.NOBODY,
    (Step.PRESSED, Happening.ACKNOWLEDGED): Step.ACKNOWLEDGED,
    (Step.PRESSED, Happening.RESET): Step.NORMAL,
    #
    (Step.STORED, Happening.PRESSED): Step.PRESSED,
    (Step.STORED, Happening.ADOPTED): Step.PRESSED,
    (Step.STORED, Happening.ADOPTED_ACKNOWLEDGED): Step.ACKNOWLEDGED,
    (Step.STORED, Happening.ACCEPTED): Step.ACCEPTED,
    (Step.STORED, Happening.UNSUBSCRIBED): Step.NOBODY,
    (Step.STORED, Happening.TAKEN): Step.ACCEPTED,
    (Step.STORED, Happening.HELD): Step.HELD,
    (Step.STORED, Happening.TOLD): Step.TOLD,
    (Step.STORED, Happening.TIMED_OUT): Step.NOBODY,
    (Step.STORED, Happening.ACKNOWLEDGED): Step.ACKNOWLEDGED,
    (Step.STORED, Happening.RESET): Step.NORMAL,
    #
    (Step.ACCEPTED, Happening.PRESSED): Step.PRESSED,
    (Step.ACCEPTED, Happening.ADOPTED): Step.PRESSED,
    (Step.ACCEPTED, Happening.ADOPTED_ACKNOWLEDGED): Step.ACKNOWLEDGED,
    (Step.ACCEPTED, Happening.HELD): Step.HELD,
    (Step.ACCEPTED, Happening.TOLD): Step.TOLD,
    (Step.ACCEPTED, Happening.TIMED_OUT): Step.NOBODY,
    (Step.ACCEPTED, Happening.ACKNOWLEDGED): Step.ACKNOWLEDGED,
    (Step.ACCEPTED, Happening.RESET): Step.NORMAL,
    #
    (Step.HELD, Happening.PRESSED): Step.PRESSED,
    (Step.HELD, Happening.ADOPTED): Step.PRESSED,
    (Step.HELD, Happening.ADOPTED_ACKNOWLEDGED): Step.ACKNOWLEDGED,
    (Step.HELD, Happening.TOLD): Step.TOLD,
    (Step.HELD, Happening.TIMED_OUT): Step.NOBODY,
    (Step.HELD, Happening.UNHEARD): Step.NOBODY,
    (Step.HELD, Happening.ACKNOWLEDGED): Step.ACKNOWLEDGED,
    (Step.HELD, Happening.RESET): Step.NORMAL,
    #
    (Step.TOLD, Happening.PRESSED): Step.PRESSED,
    (Step.TOLD, Happening.ADOPTED): Step.PRESSED,
    (Step.TOLD, Happening.ADOPTED_ACKNOWLEDGED): Step.ACKNOWLEDGED,
    (Step.TOLD, Happening.UNHEARD): Step.NOBODY,
    (Step.TOLD, Happening.ACKNOWLEDGED): Step.ACKNOWLEDGED,
    (Step.TOLD, Happening.RESET): Step.NORMAL,
    #
    (Step.ACKNOWLEDGED, Happening.PRESSED): Step.PRESSED,
    (Step.ACKNOWLEDGED, Happening.ADOPTED): Step.PRESSED,
    (Step.ACKNOWLEDGED, Happening.ADOPTED_ACKNOWLEDGED): Step.ACKNOWLEDGED,
    (Step.ACKNOWLEDGED, Happening.RESET): Step.NORMAL,
    #
    (Step.NOBODY, Happening.PRESSED): Step.PRESSED,
    (Step.NOBODY, Happening.ADOPTED): Step.PRESSED,
    (Step.NOBODY, Happening.ADOPTED_ACKNOWLEDGED): Step.ACKNOWLEDGED,
    (Step.NOBODY, Happening.TAKEN): Step.ACCEPTED,
    (Step.NOBODY, Happening.TOLD): Step.TOLD,
    (Step.NOBODY, Happening.ACKNOWLEDGED): Step.ACKNOWLEDGED,
    (Step.NOBODY, Happening.RESET): Step.NORMAL,
}


_CALLING = (Step.PRESSED, Step.STORED, Step.ACCEPTED, Step.HELD)


def follow(step: Step, happening: Happening) -> Step | None:
    """The step after ``happening``; None if the table refuses it."""
    return TRANSITIONS.get((step, happening))


def phase(step: Step) -> Phase:
    """The step as the ``alarm`` topic shows it."""
    match step:
        case Step.NORMAL:
            return "normal"
        case Step.PRESSED | Step.STORED | Step.ACCEPTED | Step.HELD | Step.NOBODY:
            return "active"
        case Step.TOLD:
            return "received"
        case Step.ACKNOWLEDGED:
            return "acknowledged"
        case _:
            assert_never(step)


def press(
    incident: Incident | None,
    settings: InputSettings,
    key: Key,
    *,
    at: float,
    at_utc: float,
    muted: bool,
    fault_shown: bool,
    receipt_s: float,
    sound_limit_s: float,
) -> Incident:
    """The incident after one more press of its input, which ``key`` numbers.

    ``muted``: a silent incident of this class or a worse one is open, so no sound may start.
    """
    if incident is None:
        incident = Incident(
            id=str(key),
            input=settings.name,
            alarm_class=settings.alarm_class,
            loud=settings.sound is Sound.LOUD,
            lamp=settings.lamp,
            step=Step.NORMAL,
            press=key,
            presses=0,
            since_utc=at_utc,
            fault_shown=fault_shown,
        )
    sounding_until = incident.sounding_until
    if incident.loud and not muted:
        sounding_until = at + sound_limit_s
    return _moved(
        incident,
        Happening.PRESSED,
        press=key,
        presses=incident.presses + 1,
        marks=frozenset(),
        sounding_until=sounding_until,
        receipt_due=at + receipt_s,
        adopted=False,
    )


def is_plausible(listed: ListedIncident) -> bool:
    """Whether a node can have listed this incident: no node lists a test, or more presses than people can make."""
    return not listed.test and 1 <= listed.presses <= PRESSES_LIMIT


def adopt(
    known: Incident | None,
    listed: ListedIncident,
    settings: InputSettings | None,
    key: Key,
    *,
    at: float,
    muted: bool,
    receipt_s: float,
    sound_limit_s: float,
) -> Incident:
    """An incident that only the broker remembers; ``settings`` is None for an input that isn't configured any more.

    ``known``: the incident as it was adopted before, with fewer presses. ``key`` numbers the event that reports the
    adoption. That event is the call for help from now on, because this node doesn't have the older event to send. If
    the broker was away, its list may be older than the newest press. So *told* isn't taken from the list: a monitor
    sends it again.
    """
    loud = settings is not None and settings.sound is Sound.LOUD
    sounds = listed.sounding_until is not None and loud and not muted
    is_acknowledged = listed.step is Step.ACKNOWLEDGED
    incident = Incident(
        id=listed.id,
        input=listed.input,
        alarm_class=listed.alarm_class,
        loud=loud,
        lamp=Lamp.SHOWN if settings is None else settings.lamp,
        step=Step.NORMAL if known is None else known.step,
        press=key,
        presses=listed.presses,
        since_utc=listed.since_utc,
        sounding_until=min(listed.sounding_until or at, at + sound_limit_s) if sounds else None,
        receipt_due=None if is_acknowledged else at + receipt_s,
        adopted=True,
    )
    return _moved(incident, Happening.ADOPTED_ACKNOWLEDGED if is_acknowledged else Happening.ADOPTED)


def restore(incident: Incident, shift: float, *, muted: bool, told_due: float | None) -> Incident:
    """An incident from the record, with instants on the present monotonic clock; its press is already stored.

    ``muted``: a silent incident that was opened since then forbids that its sound starts again. ``told_due``: by when
    people must be told of a call for which no *told* was awaited before; None if none is awaited now either.
    """
    restored = advance(incident, Happening.RESTORED) or incident
    receipt_due = told_due if restored.step is Step.STORED else None
    if incident.receipt_due is not None:
        receipt_due = incident.receipt_due + shift
    sounding_until = None
    if incident.sounding_until is not None and not muted:
        sounding_until = incident.sounding_until + shift
    return replace(restored, marks=frozenset(), sounding_until=sounding_until, receipt_due=receipt_due)


def advance(incident: Incident, happening: Happening) -> Incident | None:
    """The incident after ``happening``; None if the table refuses it. Not for presses and adoptions."""
    step = follow(incident.step, happening)
    if step is None:
        return None
    awaited = incident.receipt_due
    if happening is Happening.TAKEN or step in (Step.TOLD, Step.ACKNOWLEDGED, Step.NOBODY):
        awaited = None
    return _moved(incident, happening, receipt_due=awaited)


def reset(incident: Incident) -> Incident:
    """The incident after its end; every open one can be reset."""
    return _moved(incident, Happening.RESET)


def muted(incidents: tuple[Incident, ...], alarm_class: AlarmClass) -> bool:
    """Whether an open silent incident forbids that a sound of this class starts."""
    return any(not incident.loud and incident.alarm_class.rank >= alarm_class.rank for incident in incidents)


def listed(incidents: tuple[Incident, ...]) -> tuple[ListedIncident, ...]:
    """The open incidents as the ``alarm`` topic lists them: adopted ones last, worst class first, oldest press first.

    A list has at most ``OPEN_LIMIT`` incidents. An incident that somebody else wrote on the topic never takes the place
    of one of this node's own.
    """
    return tuple(
        ListedIncident(
            id=incident.id,
            input=incident.input,
            alarm_class=incident.alarm_class,
            step=incident.step,
            presses=incident.presses,
            since_utc=incident.since_utc,
            press=incident.press,
            sounding_until=incident.sounding_until,
            test=incident.test,
        )
        for incident in sorted(incidents, key=lambda each: (each.adopted, -each.alarm_class.rank))
    )


def as_readers_see(incidents: tuple[ListedIncident, ...]) -> tuple[ListedIncident, ...]:
    """The list as readers see it: they can't tell the calling steps apart, so each of these becomes *pressed*."""
    return tuple(replace(each, step=Step.PRESSED) if each.step in _CALLING else each for each in incidents)


def for_snapshot(incident: Incident) -> Incident:
    """The incident as the record keeps it: without *stored* and *accepted*, so that these steps cause no write."""
    step = Step.PRESSED if incident.step in (Step.STORED, Step.ACCEPTED) else incident.step
    return replace(incident, step=step, marks=frozenset())


def _moved(incident: Incident, happening: Happening, **changes: Any) -> Incident:
    return replace(incident, step=TRANSITIONS[incident.step, happening], **changes)

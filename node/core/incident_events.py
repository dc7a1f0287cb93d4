"""An incident from the press to the reset, and how time and the record change it."""

from collections.abc import Iterable
from math import inf

from msgspec.structs import replace

from node.core import alarm, inhibit
from node.core.alarm import Happening
from node.core.effects import HurryLinks
from node.core.line import ContactState
from node.core.model import EventKind, Incident, Key, Step
from node.core.state import State
from node.core.turn import Turn


def time_passed(turn: Turn) -> None:
    """Do what is due: a call that nobody was told of, the end of a sound or of identify."""
    for incident in turn.state.incidents:
        _incident_due(turn, incident)
    if turn.state.identify_until is not None and turn.now >= turn.state.identify_until:
        turn.change(identify_until=None)


def next_instant(state: State) -> float:
    """When a receipt, the end of a sound or of identify is due; inf if nothing is."""
    instants = [state.identify_until]
    for incident in state.incidents:
        instants += [incident.receipt_due, incident.sounding_until]
    return min((each for each in instants if each is not None), default=inf)


def press(turn: Turn, name: str, at: float, kind: EventKind) -> None:
    """A press of this input was decided at ``at``: begin an incident, or start the ladder of an open one again.

    ``kind`` is the kind of the event; for a door it isn't "pressed".
    """
    state = turn.state
    if inhibit.is_inhibited(state.inhibits, name):
        turn.log(EventKind.INHIBITED_PRESS, at, input=name)
        return
    settings = state.settings.input(name)
    before = state.incident_of(name)
    others = tuple(each for each in state.incidents if each is not before)
    after = alarm.press(
        before,
        settings,
        turn.next_key(),
        at=at,
        at_utc=at + state.utc_offset,
        muted=alarm.muted(others, settings.alarm_class),
        fault_shown=bool(state.faults),
        receipt_s=state.settings.receipt_s,
        sound_limit_s=state.settings.sound_limit_s,
    )
    turn.log_about(kind, after, at)
    turn.change(incidents=(*others, turn.show_step(after, Step.PRESSED, at)))
    turn.last.append(HurryLinks())


def stored(turn: Turn, keys: Iterable[Key]) -> None:
    """These events are now on the disk: calls among them reach *stored*."""
    for incident in turn.state.incidents:
        if incident.press in keys:
            advance(turn, incident, Happening.STORED, Step.STORED)


def advance(turn: Turn, incident: Incident, happening: Happening, step: Step) -> Incident:
    """Show (once) that the call reached ``step``, and move the incident to where the table leads."""
    marked = turn.show_step(incident, step)
    after = alarm.advance(marked, happening) or marked
    turn.put_incident(after)
    return after


def report_nobody(turn: Turn, incident: Incident, happening: Happening) -> None:
    """Nobody has this alarm: the lamp shows it, and an event reports it on every path that still works."""
    after = alarm.advance(incident, happening)
    if after is None:
        return
    if happening is Happening.UNHEARD:
        after = replace(after, press=turn.next_key(), marks=after.marks - {Step.NOBODY, Step.HELD, Step.TOLD})
    turn.put_incident(turn.show_step(after, Step.NOBODY))
    turn.log_about(EventKind.NOBODY, after, reason=happening.value)


def reset(turn: Turn, incident: Incident, by: str, reason: str | None = None) -> str | None:
    """End an incident for an authorised person; the reason why not, if its input is still active or unknown."""
    if not inhibit.is_inhibited(turn.state.inhibits, incident.input):
        state = turn.state.contact_state(incident.input)
        if state is not ContactState.NORMAL:
            return f"input-{state.value}"
    turn.put_incident(alarm.reset(incident))
    turn.log_about(EventKind.RESET, incident, by=by, reason=reason)
    return None


def _incident_due(turn: Turn, incident: Incident) -> None:
    if incident.sounding_until is not None and turn.now >= incident.sounding_until:
        incident = replace(incident, sounding_until=None)
        turn.put_incident(incident)
        turn.log_about(EventKind.SOUND_ENDED, incident)
    if incident.receipt_due is not None and turn.now >= incident.receipt_due:
        report_nobody(turn, incident, Happening.TIMED_OUT)

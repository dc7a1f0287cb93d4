"""From an input's edges and levels to incidents, and what time and the record do to them."""

from collections.abc import Iterable
from dataclasses import replace
from math import inf

from node.core import alarm, contact, modes
from node.core.alarm import Happening
from node.core.contact import Contact, ContactState
from node.core.effects import HurryLinks, SampleAt
from node.core.events import EdgeSeen, LevelsRead
from node.core.memory import Incident, Key, Step
from node.core.turn import Turn


def edge_seen(turn: Turn, event: EdgeSeen) -> None:
    """An edge moves its input's timeline by its own time stamp."""
    before = turn.state.contacts.get(event.input)
    if before is None:
        turn.refuse("edge of an unknown input")
        return
    settings = turn.state.settings
    actuated = settings.input(event.input).wiring.actuated(event.high)
    _follow(turn, event.input, contact.edge(before, actuated, event.at, settings.debounce_s))
    _ask_for_sample(turn)


def levels_read(turn: Turn, event: LevelsRead) -> None:
    """A sample of every input confirms or dissents."""
    settings = turn.state.settings
    if event.at >= turn.state.sample_at:
        turn.change(sample_at=inf)
    for name, high in event.levels.items():
        before = turn.state.contacts.get(name)
        if before is None:
            turn.refuse("level of an unknown input")
            continue
        actuated = None if high is None else settings.input(name).wiring.actuated(high)
        after = contact.sample(before, actuated, event.at, settings.debounce_s)
        if after is not before:
            _follow(turn, name, after)
    _ask_for_sample(turn)


def time_passed(turn: Turn) -> None:
    """Whatever was due by now: an unreadable input, a missing receipt, the end of a sound or of a mode."""
    for name, each in turn.state.contacts.items():
        unread = each.unread_since
        if each.level is None or unread is None:
            continue
        if turn.now >= max(unread, each.since) + contact.UNREADABLE_S:
            _put_contact(turn, name, contact.forget(each))
    for incident in turn.state.incidents:
        _incident_due(turn, incident)
    for inhibit in modes.ended(turn.state.inhibits, turn.now):
        turn.change(inhibits=tuple(each for each in turn.state.inhibits if each is not inhibit))
        turn.log("inhibit-ended", input=inhibit.input)
        if turn.state.contact_state(inhibit.input) is ContactState.ACTIVE:
            press(turn, inhibit.input, turn.now)
    if turn.state.identify_until is not None and turn.now >= turn.state.identify_until:
        turn.change(identify_until=None)


def press(turn: Turn, name: str, at: float) -> None:
    """A press of this input was decided at ``at``: an incident is raised, or its ladder starts anew."""
    state = turn.state
    if modes.inhibited(state.inhibits, name):
        turn.log("inhibited-press", at, input=name)
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
        hushed=alarm.hushed(others, settings.alarm_class),
        fault_shown=bool(state.faults),
        receipt_s=state.settings.receipt_s,
        sound_limit_s=state.settings.sound_limit_s,
    )
    turn.log_about("pressed", after, at)
    turn.change(incidents=(*others, turn.mark(after, Step.PRESSED, at)))
    turn.others.append(HurryLinks())


def stored(turn: Turn, keys: Iterable[Key]) -> None:
    """These events are on the disk."""
    for incident in turn.state.incidents:
        if incident.press in keys:
            climb(turn, incident, Happening.STORED, Step.STORED)


def climb(turn: Turn, incident: Incident, happening: Happening, step: Step) -> Incident:
    """Show that the call reached ``step`` (once), and move the incident where the table leads."""
    marked = turn.mark(incident, step)
    after = alarm.advance(marked, happening) or marked
    turn.put_incident(after)
    return after


def nobody(turn: Turn, incident: Incident, happening: Happening) -> None:
    """Nobody has this alarm: the lamp says so, and so does an event that every other path may carry."""
    after = alarm.advance(incident, happening)
    if after is None:
        return
    if happening is Happening.UNHEARD:
        after = replace(after, press=turn.next_key(), marks=after.marks - {Step.NOBODY, Step.RECEIVED})
    turn.put_incident(turn.mark(after, Step.NOBODY))
    turn.log_about("nobody", after, reason=happening.value)


def restore(incident: Incident, shift: float, *, hushed: bool) -> Incident:
    """An incident as the record remembers it, on this machine's present monotonic clock; its press is stored.

    ``hushed``: a silent incident that was opened since forbids its sound to start again.
    """
    sounding_until = None
    if incident.sounding_until is not None and not hushed:
        sounding_until = incident.sounding_until + shift
    return replace(
        incident,
        step=Step.STORED if incident.step is Step.PRESSED else incident.step,
        marks=frozenset(),
        sounding_until=sounding_until,
        receipt_due=None if incident.receipt_due is None else incident.receipt_due + shift,
    )


def _follow(turn: Turn, name: str, after: Contact) -> None:
    before = turn.state.contacts[name]
    _put_contact(turn, name, after)
    if after.state is before.state:
        return
    if after.state is ContactState.ACTIVE:
        press(turn, name, after.changed_at)
    elif before.state is ContactState.ACTIVE:
        incident = turn.state.incident_of(name)
        if incident is None:
            turn.log("restored", after.changed_at, input=name)
        else:
            turn.log_about("restored", incident, after.changed_at)


def _put_contact(turn: Turn, name: str, after: Contact) -> None:
    turn.change(contacts={**turn.state.contacts, name: after})


def _incident_due(turn: Turn, incident: Incident) -> None:
    if incident.sounding_until is not None and turn.now >= incident.sounding_until:
        incident = replace(incident, sounding_until=None)
        turn.put_incident(incident)
        turn.log_about("sound-ended", incident)
    if incident.receipt_due is not None and turn.now >= incident.receipt_due:
        nobody(turn, incident, Happening.TIMED_OUT)


def _ask_for_sample(turn: Turn) -> None:
    """Ask for the next sample, unless one that comes no later was asked for: endless chatter mustn't flood the loop."""
    state = turn.state
    wanted = [contact.next_sample(each, turn.now, state.settings.debounce_s) for each in state.contacts.values()]
    at = min((each for each in wanted if each is not None), default=inf)
    if at < state.sample_at:
        turn.change(sample_at=at)
        turn.others.append(SampleAt(at))

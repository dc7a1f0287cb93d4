"""What follows when an input becomes active or normal, by its role; the input's state comes from edges and samples.

Rules:

1. A button and an alarm door raise an alarm at once; a door that is held open does so after ``held_open_s``. During a
   walk test the first press of a button is its test. If it is held for 2 s, it becomes an alarm (walk_test.py).
2. A report door's state is always reported. An incident-only door's state is reported only while an incident is open:
   on other days it would show who goes through the door.
3. A tamper switch is a fault for as long as it is active. So is the wire of a supervised input while it is cut or
   shorted.
4. Turning the reset key ends each incident that a command could end now. A key that is found turned (at the start, or
   when it can be read again) doesn't reset anything, because nobody was seen to turn it.
5. An inhibited input does nothing. If it is active when the inhibit ends, it counts as becoming active then.
6. A chattering input reports only a press that begins an incident (chatter.py).
"""

from math import inf
from typing import assert_never

from msgspec.structs import replace

from node.core import chatter, contact, incident_events, inhibit, walk_test
from node.core.chatter import Chatter
from node.core.contact import Contact
from node.core.effects import SampleAt
from node.core.events import EdgesDropped, EdgeSeen, LevelsRead
from node.core.line import ContactState
from node.core.model import EventKind
from node.core.settings import InputSettings, Role
from node.core.state import State
from node.core.turn import Turn

KEY_SWITCH = "key-switch"
"""The name under which the key switch at the wall resets an incident."""


def edge_seen(turn: Turn, event: EdgeSeen) -> None:
    """An edge changes its line at the edge's own time stamp."""
    found = _input_of(turn, event.line)
    if found is None:
        turn.refuse("edge of an unknown line")
        return
    settings, number = found
    _count_edges(turn, settings, 1)
    before = turn.state.contacts[settings.name]
    actuated = settings.wiring.actuated(event.high, number)
    _change_contact(turn, settings, contact.edge(before, number, actuated, event.at, turn.state.settings.debounce_s))
    _ask_for_sample(turn)


def edges_dropped(turn: Turn, event: EdgesDropped) -> None:
    """Edges that were dropped unread: they count towards chatter, and leave a gap in what is known of the line."""
    found = _input_of(turn, event.line)
    if found is None:
        turn.refuse("edges of an unknown line")
        return
    settings, number = found
    _count_edges(turn, settings, event.count)
    before = turn.state.contacts[settings.name]
    _put_contact(turn, settings.name, contact.gap(before, number, turn.state.settings.debounce_s))


def levels_read(turn: Turn, event: LevelsRead) -> None:
    """A sample of every line confirms or contradicts what the edges said."""
    if event.at >= turn.state.sample_at:
        turn.change(sample_at=inf)
    unknown = set(event.levels)
    for settings in turn.state.settings.inputs:
        unknown.difference_update(settings.lines)
        if not event.levels.keys() >= set(settings.lines):
            continue
        before = turn.state.contacts[settings.name]
        actuated = _actuated(settings, event)
        after = contact.sample(before, actuated, event.at, turn.state.settings.debounce_s, event.until)
        if after is not before:
            _change_contact(turn, settings, after)
    if unknown:
        turn.refuse("level of an unknown line")
    _ask_for_sample(turn)


def says_nothing_new(state: State, event: LevelsRead) -> bool:
    """Whether this reading would change nothing, and no later one of the same levels as long as the state is the same.

    One that was asked for always says something.
    """
    if state.sample_at < inf:
        return False
    for settings in state.settings.inputs:
        if not event.levels.keys() >= set(settings.lines):
            return False
        if not contact.is_confirmed(state.contacts[settings.name], _actuated(settings, event)):
            return False
    return True


def known_levels(state: State) -> dict[str, bool | None]:
    """The electrical level of each line by its newest edges and readings, None if it isn't known."""
    return {  # ``actuated`` is its own inverse
        name: None if known.level is None else settings.wiring.actuated(known.level, number)
        for settings in state.settings.inputs
        for number, (name, known) in enumerate(zip(settings.lines, state.contacts[settings.name].lines, strict=True))
    }


def time_passed(turn: Turn) -> None:
    """Do what is due: an unreadable input, a door held open, the end of chatter or of an inhibit."""
    for settings in turn.state.settings.inputs:
        name = settings.name
        expired = contact.expire(turn.state.contacts[name], turn.now)
        if expired is not turn.state.contacts[name]:
            _put_contact(turn, name, expired)
            _end_hold_time(turn, settings, expired)
        calmed = chatter.calmed(turn.state.chatters[name], turn.now)
        if calmed is not turn.state.chatters[name]:
            _end_chatter(turn, settings, calmed)
        if turn.now >= (due := turn.state.held_due.get(name, inf)):
            _act_on_held(turn, settings, due)
    for ended in inhibit.ended(turn.state.inhibits, turn.now):
        turn.change(inhibits=tuple(each for each in turn.state.inhibits if each is not ended))
        turn.log(EventKind.INHIBIT_ENDED, input=ended.input)
        if turn.state.contact_state(ended.input) is ContactState.ACTIVE:
            _found_active(turn, turn.state.settings.input(ended.input))


def next_instant(state: State) -> float:
    """When an input needs a TimePassed; inf if none does. For unreadable inputs input_conditions.py says when."""
    instants = [*state.held_due.values()]
    instants += [each.until for each in state.chatters.values() if each.until is not None]
    return min(instants, default=inf)


def _actuated(settings: InputSettings, event: LevelsRead) -> list[bool | None]:
    """What the reading says of each line of this input."""
    return [
        None if (high := event.levels[name]) is None else settings.wiring.actuated(high, number)
        for number, name in enumerate(settings.lines)
    ]


def _input_of(turn: Turn, name: str) -> tuple[InputSettings, int] | None:
    try:
        return turn.state.settings.line(name)
    except KeyError:
        return None


def _change_contact(turn: Turn, settings: InputSettings, after: Contact) -> None:
    name = settings.name
    before = turn.state.contacts[name]
    _put_contact(turn, name, after)
    if after.state is before.state:
        return
    if after.state is not ContactState.NORMAL:
        allowed = chatter.allowance(settings.role, turn.state.settings.chatter_presses)
        _put_chatter(turn, name, chatter.state_changed(turn.state.chatters[name], after.changed_at, allowed))
    if after.state is not ContactState.ACTIVE:
        _end_hold_time(turn, settings, after)
    elif walk_test.press(turn, settings, after.changed_at, seen=before.state is not ContactState.UNKNOWN):
        return
    if _is_withheld(turn, name):
        _put_chatter(turn, name, replace(turn.state.chatters[name], withheld=True))
        return
    if after.state is ContactState.ACTIVE:
        if settings.role is not Role.RESET or before.state is not ContactState.UNKNOWN:
            _became_active(turn, settings, after.changed_at)
    elif after.state is ContactState.NORMAL and _was_active(turn, name, before):
        _act_on_normal(turn, settings, after.changed_at)


def _was_active(turn: Turn, name: str, before: Contact) -> bool:
    """Whether becoming normal must be reported; after a wire fault, only while an alarm of the input is open."""
    if before.state is ContactState.FAULT:
        return turn.state.incident_of(name) is not None
    return before.state is ContactState.ACTIVE


def _end_chatter(turn: Turn, settings: InputSettings, calmed: Chatter) -> None:
    """The input doesn't chatter any more; if something was withheld, report its present state."""
    _put_chatter(turn, settings.name, replace(calmed, withheld=False))
    if not calmed.withheld:
        return
    match turn.state.contact_state(settings.name):
        case ContactState.ACTIVE:
            _found_active(turn, settings)
        case ContactState.NORMAL:
            _act_on_normal(turn, settings, turn.now)


def _is_withheld(turn: Turn, name: str) -> bool:
    """Whether the input's changes are withheld: it chatters, and its alarm (if it raises any) is already open."""
    if turn.state.chatters[name].until is None:
        return False
    alarms_at_once = turn.state.settings.input(name).role.traits.alarms_at_once
    return not alarms_at_once or turn.state.incident_of(name) is not None


def _became_active(turn: Turn, settings: InputSettings, at: float) -> None:
    if settings.role is not Role.TAMPER and inhibit.is_inhibited(turn.state.inhibits, settings.name):
        if settings.role.raises_alarm or settings.role is Role.RESET:
            turn.log(EventKind.INHIBITED_PRESS, at, input=settings.name)
        return
    _act_on_active(turn, settings, at)


def _found_active(turn: Turn, settings: InputSettings) -> None:
    """The input is active, but nobody saw it change. That counts as a press, but never as a turn of the reset key."""
    if settings.role is not Role.RESET:
        _became_active(turn, settings, turn.now)


def _act_on_active(turn: Turn, settings: InputSettings, at: float) -> None:
    match settings.role:
        case Role.BUTTON:
            _press_button(turn, settings, at)
        case Role.DOOR_ALARM:
            incident_events.press(turn, settings.name, at, EventKind.OPENED)
        case Role.DOOR_HELD_OPEN:
            _start_hold_time(turn, settings, at)
        case Role.DOOR_REPORT:
            _report(turn, settings, at, EventKind.OPENED)
        case Role.DOOR_INCIDENT_ONLY:
            _report_in_incident(turn, settings, at, EventKind.OPENED)
        case Role.TAMPER:
            pass  # while it is active, input_conditions.py makes a fault of it
        case Role.RESET:
            _turn_key(turn, settings, at)
        case _:
            assert_never(settings.role)


def _act_on_normal(turn: Turn, settings: InputSettings, at: float) -> None:
    match settings.role:
        case Role.BUTTON:
            _release_button(turn, settings, at)
        case Role.DOOR_ALARM | Role.DOOR_HELD_OPEN:
            _close_alarming_door(turn, settings, at)
        case Role.DOOR_REPORT:
            _report(turn, settings, at, EventKind.CLOSED)
        case Role.DOOR_INCIDENT_ONLY:
            _report_in_incident(turn, settings, at, EventKind.CLOSED)
        case Role.TAMPER | Role.RESET:
            pass
        case _:
            assert_never(settings.role)


def _act_on_held(turn: Turn, settings: InputSettings, at: float) -> None:
    """The hold time is over. Only a button's test and a ``DOOR_HELD_OPEN`` have one."""
    if settings.role is Role.BUTTON:
        _press_button(turn, settings, at)
    else:
        _cancel_hold_time(turn, settings.name)
        incident_events.press(turn, settings.name, at, EventKind.HELD_OPEN)


def _press_button(turn: Turn, settings: InputSettings, at: float) -> None:
    _cancel_hold_time(turn, settings.name)
    walk_test.note(turn, settings.name, at)
    incident_events.press(turn, settings.name, at, EventKind.PRESSED)


def _start_hold_time(turn: Turn, settings: InputSettings, at: float) -> None:
    turn.change(held_due={**turn.state.held_due, settings.name: at + settings.held_open_s})


def _end_hold_time(turn: Turn, settings: InputSettings, after: Contact) -> None:
    """The input isn't active any more. If its hold time was over by then, it counts as held, even if noticed late.

    Only a release ends the wait for a held test: unknown and faulty are never taken for normal.
    """
    due = turn.state.held_due.get(settings.name, inf)
    if due <= after.changed_at:
        _act_on_held(turn, settings, due)
    elif settings.role is not Role.BUTTON or after.state is ContactState.NORMAL:
        _cancel_hold_time(turn, settings.name)


def _cancel_hold_time(turn: Turn, name: str) -> None:
    if name in turn.state.held_due:
        turn.change(held_due={other: due for other, due in turn.state.held_due.items() if other != name})


def _report(turn: Turn, settings: InputSettings, at: float, kind: EventKind) -> None:
    if not inhibit.is_inhibited(turn.state.inhibits, settings.name):
        turn.log(kind, at, input=settings.name)


def _report_in_incident(turn: Turn, settings: InputSettings, at: float, kind: EventKind) -> None:
    if turn.state.incidents and not inhibit.is_inhibited(turn.state.inhibits, settings.name):
        newest = turn.state.incidents[-1]
        turn.log(kind, at, input=settings.name, incident=newest.id, test=newest.test)


def _turn_key(turn: Turn, settings: InputSettings, at: float) -> None:
    turn.log(EventKind.KEY_TURNED, at, input=settings.name)
    for incident in turn.state.incidents:
        reason = incident_events.reset(turn, incident, by=KEY_SWITCH)
        if reason is not None:
            turn.log_about(EventKind.RESET_REFUSED, incident, by=KEY_SWITCH, reason=reason)


def _release_button(turn: Turn, settings: InputSettings, at: float) -> None:
    incident = turn.state.incident_of(settings.name)
    if incident is None:
        turn.log(EventKind.RESTORED, at, input=settings.name)
    else:
        turn.log_about(EventKind.RESTORED, incident, at)


def _close_alarming_door(turn: Turn, settings: InputSettings, at: float) -> None:
    incident = turn.state.incident_of(settings.name)
    if incident is not None:
        turn.log_about(EventKind.CLOSED, incident, at)


def _count_edges(turn: Turn, settings: InputSettings, count: int) -> None:
    allowed = chatter.allowance(settings.role, turn.state.settings.chatter_presses)
    _put_chatter(turn, settings.name, chatter.edges_seen(turn.state.chatters[settings.name], count, turn.now, allowed))


def _put_contact(turn: Turn, name: str, after: Contact) -> None:
    turn.change(contacts={**turn.state.contacts, name: after})


def _put_chatter(turn: Turn, name: str, after: Chatter) -> None:
    turn.change(chatters={**turn.state.chatters, name: after})


def _ask_for_sample(turn: Turn) -> None:
    """Ask for the next sample, unless one is already due by then: endless chatter must not flood the loop."""
    state = turn.state
    wanted = [contact.next_sample(each, turn.now, state.settings.debounce_s) for each in state.contacts.values()]
    at = min((each for each in wanted if each is not None), default=inf)
    if at < state.sample_at:
        turn.change(sample_at=at)
        turn.last.append(SampleAt(at))

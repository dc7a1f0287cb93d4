"""After each event: compare the whole state with what was last shown and sent, and emit effects for the differences.

Effects are put together in the order in which they are performed: buzzer and lamp, the record, fresh alarm events, the
retained alarm, the birth and similar messages, waiting events, then the rest. A broker serves one message after the
other, and also the node itself hears its list: so the call comes first.
"""

from collections.abc import Iterator
from math import inf

from msgspec.structs import replace

from node.core import (
    alarm,
    certificates,
    delivery,
    heartbeat,
    incident_events,
    input_conditions,
    lost_edges,
    signals,
    supervision,
)
from node.core.alarm import Happening
from node.core.effects import (
    Append,
    Effect,
    ReadBacklog,
    SendAlarm,
    SendEvent,
    SetBuzzer,
    SetLamp,
    StoreSnapshot,
)
from node.core.model import EventKind, Key, ListedIncident, Snapshot
from node.core.settings import Receipts
from node.core.state import State
from node.core.supervision import FaultId, LinkState
from node.core.turn import Turn
from node.errors.faults import FaultKind

REMEMBER_S = 60.0
"""How much longer an inhibit or a sound may last because of one power cut."""


def reconcile(turn: Turn) -> tuple[State, list[Effect]]:
    """The state and the effects, in order, once every difference has been turned into an effect."""
    _report_unheard_calls(turn)
    if _report_faults(turn):
        heartbeat.send(turn)
    lost_edges.forget(turn)
    alarms = _send_retained_alarm(turn)
    urgent = _send_fresh_alarms(turn)
    waiting = _send_waiting(turn)
    if delivery.wants_refill(turn.state.waiting):
        turn.change(waiting=replace(turn.state.waiting, refill_asked=True))
        turn.last.append(ReadBacklog(tuple(turn.state.waiting.events)))
    shows = _set_outputs(turn)
    stored = _record(turn)
    return turn.state, [
        *turn.first,
        *shows,
        *turn.steps,
        *stored,
        *urgent,
        *alarms,
        *turn.sends,
        *waiting,
        *turn.last,
    ]


def next_fault(state: State) -> float:
    """When the next fault begins, if no event comes before; inf if none is expected."""
    return min((since for _, _, since in _conditions(state) if since > state.now), default=inf)


def _conditions(state: State) -> Iterator[tuple[FaultKind, str, float]]:
    yield from input_conditions.conditions(state)
    yield from lost_edges.conditions(state)
    yield from supervision.conditions(state.settings, state.supervision, state.inhibits)
    yield from certificates.conditions(state.supervision.links, state.now, state.utc_offset)


def _report_unheard_calls(turn: Turn) -> None:
    state = turn.state
    since = state.supervision.no_monitor_since
    if since is None or since > turn.now or state.settings.receipts is Receipts.NONE:
        return
    for incident in state.incidents:
        incident_events.report_nobody(turn, incident, Happening.UNHEARD)


def _report_faults(turn: Turn) -> bool:
    state = turn.state
    if not state.begun:
        return False
    standing = {FaultId(kind.code, subject) for kind, subject, since in _conditions(state) if since <= turn.now}
    if standing == state.faults.keys():
        return False
    now_utc = turn.now + state.utc_offset
    told = {fault: since for fault, since in state.faults.items() if fault in standing}
    raised = sorted(standing - state.faults.keys())
    turn.change(faults={**told, **dict.fromkeys(raised, now_utc)})
    for fault in raised:
        turn.log(
            EventKind.FAULT_RAISED, fault=fault.code, subject=fault.subject, reason=lost_edges.how_many(state, fault)
        )
    for fault in sorted(state.faults.keys() - standing):
        turn.log(
            EventKind.FAULT_CLEARED, fault=fault.code, subject=fault.subject, reason=lost_edges.how_many(state, fault)
        )
    return True


def _set_outputs(turn: Turn) -> list[Effect]:
    state = turn.state
    shows: list[Effect] = []
    buzzer = signals.buzzer(state.incidents, state.identify_until is not None, chirping=state.chirp_until is not None)
    if buzzer is not state.buzzer:
        shows.append(SetBuzzer(buzzer))
    lamp = signals.lamp(
        state.incidents,
        bool(state.faults),
        walk_test=state.in_walk_test,
        confirmed=state.confirmed_until is not None,
    )
    if state.begun and lamp is not state.lamp:
        shows.append(SetLamp(lamp))
        turn.change(lamp=lamp)
    turn.change(buzzer=buzzer)
    return shows


def _send_retained_alarm(turn: Turn) -> list[Effect]:
    """The retained alarm on each link where it differs. *Normal* never replaces a list that hasn't been read yet."""
    wanted = alarm.listed(turn.state.incidents)
    sends: list[Effect] = []
    for link in turn.state.supervision.links:
        readable = bool(wanted) or link.retained_read or link.alarm_sent is not None
        told = link.alarm_sent is not None and alarm.as_readers_see(link.alarm_sent) == alarm.as_readers_see(wanted)
        if link.up and readable and not told:
            sends.append(SendAlarm(link.name, link.session, wanted, turn.now, *turn.stamp()))
            turn.change_link(replace(link, alarm_sent=wanted, alarm_due=None))
    return sends


def is_last_sent(link: LinkState, heard: tuple[ListedIncident, ...]) -> bool:
    """Whether this list, which came back from the broker, is the one that was published last."""
    return link.alarm_sent is not None and _comparable(link.alarm_sent) == _comparable(heard)


def _comparable(incidents: tuple[ListedIncident, ...]) -> list[tuple[str, str, int, Key]]:
    """The parts of a list that survive the way to the broker and back: instants are rounded, and sounds run out."""
    return [(each.id, alarm.phase(each.step), each.presses, each.press) for each in incidents]


def _send_fresh_alarms(turn: Turn) -> list[Effect]:
    """Send the alarm events of this turn on every link at once, whatever waits there."""
    fresh = [event.key for event in turn.events if event.is_alarm and event.key in turn.state.waiting.events]
    return [_send_event(turn, link, key) for link in turn.state.supervision.links if link.up for key in fresh]


def _send_waiting(turn: Turn) -> list[Effect]:
    """Send waiting events as far as the window allows."""
    sends: list[Effect] = []
    for link in turn.state.supervision.links:
        if link.up:
            sends += [_send_event(turn, link, key) for key in delivery.sendable(turn.state.waiting, link.name)]
    return sends


def _send_event(turn: Turn, link: LinkState, key: Key) -> Effect:
    waiting = turn.state.waiting
    turn.change(waiting=delivery.send(waiting, link.name, key, turn.now, turn.state.settings.receipt_s))
    return SendEvent(link.name, link.session, key, waiting.events[key].alarm)


def _record(turn: Turn) -> list[Effect]:
    snapshot = Snapshot(
        at=turn.now,
        incidents=tuple(alarm.for_snapshot(incident) for incident in turn.state.incidents),
        inhibits=turn.state.inhibits,
        pressed_at=tuple(turn.state.pressed_at.items()),
    )
    known = turn.state.stored_snapshot
    is_due = turn.now >= next_snapshot(turn.state)
    changed = known is None or is_due or _with_present_instants(known, snapshot) != snapshot
    if turn.events:
        turn.change(stored_snapshot=snapshot)
        return [Append(event, snapshot) for event in turn.events]
    if changed and turn.state.begun:
        turn.change(stored_snapshot=snapshot)
        return [StoreSnapshot(snapshot)]
    return []


def _with_present_instants(known: Snapshot, snapshot: Snapshot) -> Snapshot:
    """The snapshot as last written, with the present instants: presses are written with their events.

    Otherwise a chattering button would cause a write for each change.
    """
    return replace(known, at=snapshot.at, pressed_at=snapshot.pressed_at)


def next_snapshot(state: State) -> float:
    """When a remaining time must be written again; inf if none runs.

    Otherwise daily power cuts would extend an inhibit for ever.
    """
    known = state.stored_snapshot
    if known is None:
        return inf
    runs = known.inhibits or any(incident.sounding_until is not None for incident in known.incidents)
    return known.at + REMEMBER_S if runs else inf

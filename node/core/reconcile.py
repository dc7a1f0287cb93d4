"""After each event: compare the whole state with what was told, and emit effects for the differences.

Effects are put together in the order in which they are performed: buzzer and lamp, the record, the retained alarm,
fresh alarm events, the birth and similar messages, waiting events, then the rest.
"""

from collections.abc import Iterator
from dataclasses import replace
from math import inf

from node.core import alarm, certificates, delivery, incident_events, inputs, signals, supervision
from node.core.alarm import Happening
from node.core.effects import (
    Append,
    Effect,
    FaultReport,
    Heartbeat,
    InputReport,
    LinkReport,
    ReadBacklog,
    Remember,
    SendAlarm,
    SendEvent,
    SendHeartbeat,
    SetBuzzer,
    SetLamp,
    WriteStatus,
)
from node.core.model import Incident, Key, ListedIncident, Snapshot, Step
from node.core.settings import InputSettings, Receipts
from node.core.state import State
from node.core.supervision import FaultId, LinkState
from node.core.turn import Turn
from node.errors.faults import FaultKind

REMEMBER_S = 60.0
"""How much longer an inhibit or a sound may last because of one power cut."""

_CALLING = (Step.PRESSED, Step.STORED, Step.ACCEPTED, Step.HELD)


def settle(turn: Turn) -> tuple[State, list[Effect]]:
    """The state and the effects, in order, once every difference has been turned into an effect."""
    _tell_unheard(turn)
    if _tell_faults(turn):
        beat(turn)
    alarms = _alarms(turn)
    urgent = _fresh_alarms(turn)
    waiting = _waiting(turn)
    if delivery.wants_refill(turn.state.outbox):
        turn.change(outbox=replace(turn.state.outbox, asked=True))
        turn.others.append(ReadBacklog(tuple(turn.state.outbox.waiting)))
    shows = _signals(turn)
    stored = _stored(turn)
    return turn.state, [
        *turn.firsts,
        *shows,
        *turn.shows,
        *stored,
        *alarms,
        *urgent,
        *turn.sends,
        *waiting,
        *turn.others,
    ]


def stamp(turn: Turn) -> tuple[int, float, bool]:
    """What every message carries: the newest event's number, the wall clock (a label), whether it is synchronised."""
    state = turn.state
    return state.seq, state.now + state.utc_offset, state.supervision.synchronised is True


def next_condition(state: State) -> float:
    """When the next fault begins to stand, if no event comes before; inf when none is in sight."""
    return min((since for _, _, since in _conditions(state) if since > state.now), default=inf)


def _conditions(state: State) -> Iterator[tuple[FaultKind, str, float]]:
    yield from inputs.conditions(state)
    yield from supervision.conditions(state.settings, state.supervision, state.inhibits)
    yield from certificates.conditions(state.supervision.links, state.now, state.utc_offset)


def beat(turn: Turn) -> None:
    """Send a heartbeat on every link and to the status file; the next one is due a period later."""
    turn.change(heartbeat_due=turn.now + turn.state.settings.heartbeat_s)
    for link in turn.state.supervision.links:
        if link.up:
            beat_on(turn, link.name)
    turn.others.append(WriteStatus(_heartbeat(turn)))


def greet(turn: Turn, name: str) -> None:
    """Send a heartbeat on a link that has just connected; update the status file, which tells who is connected."""
    beat_on(turn, name)
    turn.others.append(WriteStatus(_heartbeat(turn)))


def beat_on(turn: Turn, name: str) -> None:
    """Send a heartbeat on this link, and await its answer."""
    link = turn.state.supervision.link(name)
    if link.answer_due is None:
        turn.change_link(replace(link, answer_due=turn.now + supervision.HEARTBEAT_ANSWER_S))
    turn.sends.append(SendHeartbeat(link.name, link.session, _heartbeat(turn)))


def _heartbeat(turn: Turn) -> Heartbeat:
    state = turn.state
    seq, at_utc, synchronised = stamp(turn)
    ends = {inhibit.input: inhibit.until - turn.now for inhibit in state.inhibits}
    return Heartbeat(
        period_s=state.settings.heartbeat_s,
        seq=seq,
        at=turn.now,
        at_utc=at_utc,
        synchronised=synchronised,
        uptime_s=turn.now - state.started_at,
        inputs=tuple(_input_report(state, each, ends.get(each.name)) for each in inputs.told(state)),
        faults=tuple(FaultReport(fault.code, fault.subject, since) for fault, since in state.faults.items()),
        links=tuple(LinkReport(link.name, link.up, link.rtt_s) for link in state.supervision.links),
        monitors=tuple(sorted(state.supervision.monitors)),
        incidents=len(state.incidents),
        waiting=len(state.outbox.waiting),
        refused=state.supervision.refused,
        dropped=state.supervision.dropped,
        spilled=state.outbox.spilled,
        walk_test_s=_walk_test_s(state),
    )


def _walk_test_s(state: State) -> float | None:
    if state.walk_test is None or state.walk_test.over:
        return None
    return max(0.0, state.walk_test.until - state.now)


def _input_report(state: State, settings: InputSettings, inhibited_s: float | None) -> InputReport:
    known = state.contacts[settings.name].state.value
    role = settings.role
    alarm_class = settings.alarm_class if role.raises_alarm else None
    return InputReport(settings.name, role.kind, known, settings.wiring.is_supervised, inhibited_s, alarm_class)


def _tell_unheard(turn: Turn) -> None:
    state = turn.state
    quiet = state.supervision.quiet_since
    if quiet is None or quiet > turn.now or state.settings.receipts is Receipts.NONE:
        return
    for incident in state.incidents:
        incident_events.nobody(turn, incident, Happening.UNHEARD)


def _tell_faults(turn: Turn) -> bool:
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
        turn.log("fault-raised", fault=fault.code, subject=fault.subject)
    for fault in sorted(state.faults.keys() - standing):
        turn.log("fault-cleared", fault=fault.code, subject=fault.subject)
    return True


def _signals(turn: Turn) -> list[Effect]:
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


def _alarms(turn: Turn) -> list[Effect]:
    """The retained alarm on each link where it differs. *Normal* never replaces a list that hasn't been read yet."""
    wanted = alarm.listed(turn.state.incidents)
    sends: list[Effect] = []
    for link in turn.state.supervision.links:
        readable = bool(wanted) or link.retained_read or link.alarm_sent is not None
        told = link.alarm_sent is not None and _phases(link.alarm_sent) == _phases(wanted)
        if link.up and readable and not told:
            sends.append(SendAlarm(link.name, link.session, wanted, *stamp(turn)))
            turn.change_link(replace(link, alarm_sent=wanted, alarm_again=None))
    return sends


def is_told(link: LinkState, heard: tuple[ListedIncident, ...]) -> bool:
    """Whether this list, which came back from the broker, is the one that was published last."""
    return link.alarm_sent is not None and _as_heard(link.alarm_sent) == _as_heard(heard)


def _as_heard(incidents: tuple[ListedIncident, ...]) -> list[tuple[str, str, int, Key]]:
    """The parts of a list that survive the way to the broker and back: instants are rounded, and sounds run out."""
    return [(each.id, alarm.phase(each.step), each.presses, each.press) for each in incidents]


def _phases(incidents: tuple[ListedIncident, ...]) -> tuple[ListedIncident, ...]:
    """The list as readers see it: steps that look the same to them aren't distinguished."""
    return tuple(replace(each, step=Step.PRESSED) if each.step in _CALLING else each for each in incidents)


def _fresh_alarms(turn: Turn) -> list[Effect]:
    """Send the alarm events of this turn on every link at once, whatever waits there."""
    fresh = [event.key for event in turn.events if event.is_alarm and event.key in turn.state.outbox.waiting]
    return [_send(turn, link, key) for link in turn.state.supervision.links if link.up for key in fresh]


def _waiting(turn: Turn) -> list[Effect]:
    """Send waiting events as far as the window allows."""
    sends: list[Effect] = []
    for link in turn.state.supervision.links:
        if link.up:
            sends += [_send(turn, link, key) for key in delivery.sendable(turn.state.outbox, link.name)]
    return sends


def _send(turn: Turn, link: LinkState, key: Key) -> Effect:
    outbox = turn.state.outbox
    turn.change(outbox=delivery.send(outbox, link.name, key, turn.now, turn.state.settings.receipt_s))
    return SendEvent(link.name, link.session, key, outbox.waiting[key].alarm)


def _stored(turn: Turn) -> list[Effect]:
    snapshot = Snapshot(
        at=turn.now,
        incidents=tuple(_lasting(incident) for incident in turn.state.incidents),
        inhibits=turn.state.inhibits,
        pressed_at=tuple(turn.state.pressed_at.items()),
    )
    known = turn.state.remembered
    changed = known is None or _as_written(known, snapshot) != snapshot or _aged(known, turn.now)
    if turn.events:
        turn.change(remembered=snapshot)
        return [Append(event, snapshot) for event in turn.events]
    if changed and turn.state.begun:
        turn.change(remembered=snapshot)
        return [Remember(snapshot)]
    return []


def _as_written(known: Snapshot, snapshot: Snapshot) -> Snapshot:
    """The snapshot as last written, with the present instants: presses are written with their events.

    Otherwise a chattering button would cause a write for each change.
    """
    return replace(known, at=snapshot.at, pressed_at=snapshot.pressed_at)


def _aged(snapshot: Snapshot, now: float) -> bool:
    """Whether a remaining time must be written again: else a daily power cut would make an inhibit last for ever."""
    running = snapshot.inhibits or any(incident.sounding_until is not None for incident in snapshot.incidents)
    return bool(running) and now >= snapshot.at + REMEMBER_S


def _lasting(incident: Incident) -> Incident:
    step = Step.PRESSED if incident.step in (Step.STORED, Step.ACCEPTED) else incident.step
    return replace(incident, step=step, marks=frozenset())

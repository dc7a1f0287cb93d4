"""Composes the core: ``handle(state, event) -> (state, [effects])``. No other code decides.

Rules:

1. Time arrives as data: ``next_deadline(state)`` says when the next ``TimePassed`` is wanted. A stale one does nothing.
   So there are no timers to keep or to cancel.
2. Effects come in a fixed order: buzzer and lamp first, then the record, then the links (effects.py).
3. After each event reconcile.py compares the whole state with what was last shown and sent: faults, the lamp, the
   buzzer, the retained alarm, the events that may go out. So no handler can forget to show or send something.
4. An unexpected event changes nothing and is recorded; it never raises.
"""

from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import replace

from node.core import (
    alarm,
    canary,
    commands,
    contact,
    delivery,
    disk_stall,
    heartbeat,
    incident_events,
    inhibit,
    inputs,
    link_events,
    lost_edges,
    reconcile,
    reconfigure,
    supervision,
    walk_test,
)
from node.core import events as ev
from node.core.chatter import Chatter
from node.core.effects import Begin, CloseLinks, Connect, Effect, ReadClock, SendState, Spill
from node.core.model import EventKind, Snapshot
from node.core.settings import Receipts, Settings
from node.core.state import State
from node.core.supervision import LinkState, Supervision
from node.core.turn import Turn

BEGIN_WITHIN_S = 0.5
"""How long the start waits for the record: a button held at start must be an alarm within 1 s (HAZARDS.md H2)."""


def start(settings: Settings, boot: str, at: float, utc_offset: float) -> State:
    """The state of a node that has read nothing yet. ``boot`` is 8 hex digits, ``at`` monotonic seconds."""
    return State(
        settings=settings,
        boot=boot,
        started_at=at,
        now=at,
        utc_offset=utc_offset,
        contacts={each.name: contact.unread(each.wiring, at) for each in settings.inputs},
        chatters={each.name: Chatter() for each in settings.inputs},
        supervision=Supervision(
            started_at=at,
            links=tuple(LinkState(name, since=at) for name in settings.links),
            no_monitor_since=at + supervision.MONITOR_HEARD_S,
        ),
        heartbeat_due=at + settings.heartbeat_s,
    )


def handle(state: State, event: ev.Event) -> tuple[State, list[Effect]]:
    """The state after this event, and the effects to perform, in order."""
    turn = Turn(replace(state, now=max(state.now, event.at)))
    handler = HANDLERS.get(type(event))
    if handler is None:
        turn.refuse(f"unexpected {type(event).__name__}")
    else:
        handler(turn, event)
    return reconcile.reconcile(turn)


def foresee(state: State, at: float) -> tuple[ev.LevelsRead, State, list[Effect]]:
    """A reading at this instant, if no level changes until then, and what ``handle`` makes of it."""
    reading = ev.LevelsRead(at, inputs.known_levels(state))
    return reading, *handle(state, reading)


def next_deadline(state: State) -> float:
    """The instant (monotonic) at which the controller wants a TimePassed, if no event comes before."""
    if not state.begun:
        return state.started_at + BEGIN_WITHIN_S
    return min(
        state.heartbeat_due,
        delivery.next_due(state.waiting),
        inputs.next_instant(state),
        inhibit.next_end(state.inhibits),
        walk_test.next_instant(state),
        incident_events.next_instant(state),
        link_events.next_instant(state),
        reconfigure.next_instant(state),
        lost_edges.next_instant(state),
        supervision.next_silence(state.supervision),
        disk_stall.next_instant(state.supervision.stall),
        reconcile.next_fault(state),
        reconcile.next_snapshot(state),
    )


def _time_passed(turn: Turn, _event: ev.TimePassed) -> None:
    if not turn.state.begun:
        if turn.now >= turn.state.started_at + BEGIN_WITHIN_S:
            _begin(turn)
        return
    inputs.time_passed(turn)
    incident_events.time_passed(turn)
    walk_test.time_passed(turn)
    link_events.time_passed(turn)
    reconfigure.time_passed(turn)
    _look_at_disk(turn)
    turn.change(waiting=delivery.make_due_sendable(turn.state.waiting, turn.now))
    if turn.now >= turn.state.heartbeat_due:
        turn.last.append(ReadClock())
        heartbeat.send(turn)


def _clock_read(turn: Turn, event: ev.ClockRead) -> None:
    turn.change(utc_offset=event.utc_offset)
    turn.supervise(synchronised=event.synchronised)


def _health_read(turn: Turn, event: ev.HealthRead) -> None:
    turn.supervise(health_at=event.at, health_faults=event.faults)


def _watchdog_read(turn: Turn, event: ev.WatchdogRead) -> None:
    turn.supervise(watchdog_unarmed=not event.armed)


def _stop_requested(turn: Turn, event: ev.StopRequested) -> None:
    if turn.state.stopping:
        return
    turn.log(EventKind.STOPPED, reason=event.reason, for_s=event.back_in_s)
    turn.change(stopping=True)
    for link in turn.state.supervision.links:
        if link.up:
            turn.change_link(replace(link, birth_due=None))
            stamp = turn.stamp()
            turn.sends.append(
                SendState(link.name, link.session, "offline", *stamp, reason=event.reason, back_in_s=event.back_in_s)
            )
    turn.last.append(CloseLinks())


def _begin(turn: Turn, **fields: Any) -> None:
    turn.log(EventKind.STARTED, **fields)
    turn.change(begun=True)
    if not turn.state.stopping:
        turn.first.append(Begin())
        turn.last.append(Connect())


def _record_loaded(turn: Turn, event: ev.RecordLoaded) -> None:
    """Take in what the record remembers. After a stall at start this comes late and is merged with newer events."""
    restored = event.restored
    known = {incident.id for incident in turn.state.incidents} | set(turn.state.closed)
    snapshot = restored.snapshot or Snapshot(at=turn.now)
    shift = 0.0 if restored.same_kernel else turn.now - snapshot.at
    since = turn.state.incidents
    settings = turn.state.settings
    told_due = turn.now + settings.receipt_s if settings.receipts is Receipts.REQUIRED else None
    incidents = tuple(
        alarm.restore(incident, shift, muted=alarm.muted(since, incident.alarm_class), told_due=told_due)
        for incident in snapshot.incidents
        if incident.id not in known
    )
    inhibits = tuple(
        replace(each, until=each.until + shift)
        for each in snapshot.inhibits
        if each.input in turn.state.contacts and not inhibit.is_inhibited(turn.state.inhibits, each.input)
    )
    for name, at in walk_test.recent({name: at + shift for name, at in snapshot.pressed_at}, turn.now).items():
        walk_test.note(turn, name, at)
    turn.change(
        incidents=(*incidents, *turn.state.incidents),
        inhibits=(*inhibits, *turn.state.inhibits),
        closed=(*restored.closed, *turn.state.closed),
    )
    if turn.state.begun:
        turn.log(EventKind.RECORD_LOADED, previous=restored.previous)
    else:
        _begin(turn, previous=restored.previous)
    inputs.time_passed(turn)
    incident_events.time_passed(turn)


def _look_at_disk(turn: Turn) -> None:
    standing = disk_stall.calmed(turn.state.supervision.stall, turn.now)
    probing = disk_stall.probing(standing, turn.now)
    turn.supervise(stall=probing or standing)
    if probing is not None:
        turn.change(stored_snapshot=None)  # so that the snapshot is written once more


def _record_failed(turn: Turn, event: ev.RecordFailed) -> None:
    known = turn.state.supervision
    stalled = known.stall is not None or _slow(known.unstored.values(), event.at)
    turn.supervise(
        record_failed=True,
        record_newer=event.newer,
        unstored={},
        stall=disk_stall.begun(turn.now) if stalled else None,
    )
    if not turn.state.begun:
        _begin(turn)


def _record_recovered(turn: Turn, _event: ev.RecordRecovered) -> None:
    turn.supervise(record_failed=False, record_newer=False, unstored={})


def _events_stored(turn: Turn, event: ev.EventsStored) -> None:
    known = turn.state.supervision
    waited = [at for key, at in known.unstored.items() if key in event.keys]
    slow = _slow(waited, event.at) and not known.record_failed  # a disk that takes nothing doesn't count as slow
    turn.supervise(
        unstored={key: at for key, at in known.unstored.items() if key not in event.keys},
        stall=disk_stall.written(known.stall, turn.now, slow=slow),
    )
    incident_events.stored(turn, event.keys)


def _slow(waited: Iterable[float], at: float) -> bool:
    return any(at >= since + disk_stall.STORE_GRACE_S for since in waited)


def _backlog_read(turn: Turn, event: ev.BacklogRead) -> None:
    turn.change(waiting=delivery.refill(turn.state.waiting, event.entries, event.more))


def _eviction_due(turn: Turn, event: ev.EvictionDue) -> None:
    for key, entry in turn.state.waiting.events.items():
        if not entry.alarm and any(each.holds(key) for each in event.ranges):
            turn.change(waiting=delivery.remove(turn.state.waiting, key))
            turn.last.append(Spill(key))
    turn.log(EventKind.EVICTED, ranges=event.ranges)


def _output_failed(turn: Turn, event: ev.OutputFailed) -> None:
    failed = turn.state.supervision.outputs_failed
    if event.output not in failed:
        turn.supervise(outputs_failed=(*failed, event.output))


def _output_recovered(turn: Turn, event: ev.OutputRecovered) -> None:
    failed = turn.state.supervision.outputs_failed
    turn.supervise(outputs_failed=tuple(each for each in failed if each != event.output))


def _command_heard(turn: Turn, event: ev.CommandHeard) -> None:
    if turn.known_link(event.link):
        commands.decide(turn, event)


HANDLERS: dict[type[ev.Event], Callable[[Turn, Any], None]] = {
    ev.EdgeSeen: inputs.edge_seen,
    ev.EdgesDropped: inputs.edges_dropped,
    ev.EdgesLost: lost_edges.edges_lost,
    ev.LevelsRead: inputs.levels_read,
    ev.TimePassed: _time_passed,
    ev.ClockRead: _clock_read,
    ev.HealthRead: _health_read,
    ev.WatchdogRead: _watchdog_read,
    ev.ReloadRequested: reconfigure.reload_requested,
    ev.ConfigurationSeen: reconfigure.configuration_seen,
    ev.ConfigurationRead: reconfigure.configuration_read,
    ev.StopRequested: _stop_requested,
    ev.OutputFailed: _output_failed,
    ev.OutputRecovered: _output_recovered,
    ev.RecordLoaded: _record_loaded,
    ev.RecordFailed: _record_failed,
    ev.RecordRecovered: _record_recovered,
    ev.EventsStored: _events_stored,
    ev.BacklogRead: _backlog_read,
    ev.EvictionDue: _eviction_due,
    ev.LinkUp: link_events.link_up,
    ev.LinkDown: link_events.link_down,
    ev.CredentialsSeen: link_events.credentials_seen,
    ev.PublishAnswered: link_events.publish_answered,
    ev.StateHeard: link_events.state_heard,
    ev.AlarmHeard: link_events.alarm_heard,
    ev.CanaryHeard: canary.heard,
    ev.ReceiptHeard: link_events.receipt_heard,
    ev.MonitorHeard: link_events.monitor_heard,
    ev.CommandHeard: _command_heard,
    ev.MessagesDropped: link_events.messages_dropped,
}

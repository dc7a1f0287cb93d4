"""The node's heartbeat: on every link once a period, and at once when the faults change; also to the status file."""

from collections.abc import Iterator

from msgspec.structs import replace

from node.core import supervision
from node.core.effects import FaultReport, Heartbeat, InputReport, LinkReport, SendHeartbeat, WriteStatus
from node.core.settings import InputSettings, Role
from node.core.state import State
from node.core.turn import Turn


def send(turn: Turn) -> None:
    """Send a heartbeat on every link and to the status file; the next one is due a period later."""
    turn.change(heartbeat_due=turn.now + turn.state.settings.heartbeat_s)
    for link in turn.state.supervision.links:
        if link.up:
            _send_on(turn, link.name)
    turn.last.append(WriteStatus(_heartbeat(turn)))


def send_first(turn: Turn, name: str) -> None:
    """Send a heartbeat on a link that has just connected; update the status file, which tells who is connected."""
    _send_on(turn, name)
    turn.last.append(WriteStatus(_heartbeat(turn)))


def _send_on(turn: Turn, name: str) -> None:
    """Send a heartbeat on this link, and await its answer."""
    link = turn.state.supervision.link(name)
    if link.answer_due is None:
        turn.change_link(replace(link, answer_due=turn.now + supervision.HEARTBEAT_ANSWER_S))
    turn.sends.append(SendHeartbeat(link.name, link.session, _heartbeat(turn)))


def _heartbeat(turn: Turn) -> Heartbeat:
    state = turn.state
    seq, at_utc, synchronised = turn.stamp()
    ends = {inhibit.input: inhibit.until - turn.now for inhibit in state.inhibits}
    return Heartbeat(
        period_s=state.settings.heartbeat_s,
        seq=seq,
        at=turn.now,
        at_utc=at_utc,
        synchronised=synchronised,
        uptime_s=turn.now - state.started_at,
        inputs=tuple(_input_report(state, each, ends.get(each.name)) for each in _reported_inputs(state)),
        faults=tuple(FaultReport(fault.code, fault.subject, since) for fault, since in state.faults.items()),
        links=tuple(LinkReport(link.name, link.up, link.rtt_s) for link in state.supervision.links),
        monitors=tuple(sorted(state.supervision.monitors)),
        incidents=len(state.incidents),
        waiting=len(state.waiting.events),
        refused=state.supervision.refused,
        dropped=state.supervision.dropped,
        spilled=state.waiting.spilled,
        walk_test_s=_walk_test_s(state),
    )


def _walk_test_s(state: State) -> float | None:
    if state.walk_test is None or state.walk_test.over:
        return None
    return max(0.0, state.walk_test.until - state.now)


def _input_report(state: State, settings: InputSettings, inhibited_s: float | None) -> InputReport:
    known = state.contacts[settings.name].state
    role = settings.role
    alarm_class = settings.alarm_class if role.raises_alarm else None
    return InputReport(settings.name, role.kind, known, settings.wiring.is_supervised, inhibited_s, alarm_class)


def _reported_inputs(state: State) -> Iterator[InputSettings]:
    """The inputs whose state may be reported now."""
    for settings in state.settings.inputs:
        if settings.role is not Role.DOOR_INCIDENT_ONLY or state.incidents:
            yield settings

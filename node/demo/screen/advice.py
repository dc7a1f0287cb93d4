"""What the lamp means, what doesn't work, and what to do next."""

from node.core.model import Step
from node.core.signals import LampPattern
from node.demo.rooms import RECEIPT_S
from node.demo.screen.state import RoomState, ScreenState
from node.demo.screen.text import Line, Style, labelled

_NOTE_S = 4.0
_NEXT_ROWS = 2
_FAULT_ROWS = 4
_FINDING_ROWS = 3

_MEANINGS = {
    LampPattern.READY: "a short flash every 5 s: ready",
    LampPattern.READY_MISSING: "every third flash is missing: somebody is coming",
    LampPattern.WALK_TEST: "a short flash every second: a walk test is running",
    LampPattern.WALK_TEST_MISSING: "every third flash is missing: somebody is coming",
    LampPattern.CALLING: "fast: calling, nobody was told yet",
    LampPattern.RECEIVED: "double flash: received, people were told",
    LampPattern.ACKNOWLEDGED: "steady: acknowledged, somebody is coming",
}


def advice(state: ScreenState, now: float, width: int) -> list[Line]:
    """The chosen room's lamp and first fault, the monitor's worst finding, and the next key to try."""
    room = state.room
    lines = labelled("The lamp says", _meaning(room), width, _NEXT_ROWS, Style.BOLD)
    if room.node_on:
        for fault in room.faults[:1]:
            lines += labelled("Fault", f"{fault.code} {fault.text}. Next: {fault.next}.", width, _FAULT_ROWS)
    else:
        lines += labelled("Its last log", room.last_line, width, _FAULT_ROWS)
    lines += _finding(state, width)
    note = state.note if now - state.note_at < _NOTE_S else ""
    return [*lines, *labelled("Next", note or _next(state), width, _NEXT_ROWS)]


def _meaning(room: RoomState) -> str:
    if room.lamp is None:
        return "dark: the node is starting" if room.node_on else "dark: the node is dead, this button calls nobody"
    if room.lamp is LampPattern.NOBODY:
        return "slow: NOBODY HAS IT, get help another way" if room.in_alarm else "slow: there is a fault"
    return _MEANINGS[room.lamp]


def _finding(state: ScreenState, width: int) -> list[Line]:
    """The monitor's worst finding, but for the faults that the chosen node reports itself."""
    reported = {fault.code for fault in state.room.faults}
    findings = state.view.findings if state.view else ()
    others = [each for each in findings if each.node != state.chosen or each.code not in reported]
    if not others:
        return []
    worst = others[0]
    more = f" (1 of {len(others)})" if len(others) > 1 else ""
    text = f"{worst.code}{more} {worst.node or 'building'}: {worst.text}. Next: {worst.next_step}."
    return labelled("Monitor finds", text, width, _FINDING_ROWS)


def _next(state: ScreenState) -> str:
    match state.room:
        case RoomState(node_on=False):
            return "k starts the node again"
        case RoomState(ladder={Step.PRESSED: _}) if not state.broker_on:
            return "the call is stored: b starts the broker, and the call is sent"
        case RoomState() if not state.broker_on:
            return "p: press all the same; b: start the broker again"
        case RoomState(ladder={Step.ACKNOWLEDGED: _}, pressed=True):
            return "r: release the button"
        case RoomState(ladder={Step.ACKNOWLEDGED: _}):
            return "x: the guard resets the alarm, it is over"
        case RoomState(ladder={Step.NOBODY: _}) if not state.monitor_on:
            return "m: start the monitor again"
        case RoomState(ladder={Step.PRESSED: _}) if not state.monitor_on:
            return f"wait: if nobody is told within {RECEIPT_S:g} s, nobody has it"
        case RoomState(ladder={Step.TOLD: _}):
            return "a: the guard acknowledges, somebody is coming"
        case RoomState() if state.monitor_on and not state.monitor_answers:
            return "wait: the monitor is starting"
        case RoomState(ladder={Step.PRESSED: _}):
            return "wait: the monitor tells people"
        case RoomState(lamp=LampPattern.WALK_TEST):
            return "p, then r at once: a test. If held for 2 s, or pressed in the last 5 min: an alarm"
        case RoomState(ever_pressed=False):
            return "p: somebody presses the panic button"
    return "k, b or m switches something off, w begins a walk test; then p"

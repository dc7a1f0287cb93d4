"""The node's status and its events in plain words, for people who ask the service manager or read the log.

The status is one line:

    ready, 1 of 2 brokers connected, fault F010 (broker-b:8883)
    ALARM button: told, 2 of 2 brokers connected
    ready, walk test, 2 of 2 brokers connected
    NOT READY: button can't be read (F001), 1 of 1 brokers connected
    NOT READY: no broker is connected (0 of 1), fault F010 (broker-a:8883)
    stopped: a press does nothing

Rules:

1. It depends on the state only, so it changes only when the state does.
2. It always stays short (a notification has a limit): the worst incidents and the first faults, and how many more there
   are.
3. People read the first word. It is "ready" only if every input that can raise an alarm does so, and at least one
   broker is connected. An open alarm comes before that.
"""

from collections.abc import Sequence

from node.core import alarm, effects
from node.core.line import ContactState
from node.core.model import EventKind, ListedIncident, Step
from node.core.state import State
from node.core.supervision import FaultId
from node.errors.faults import FAULTS, INPUT_INHIBITED, INPUT_UNREADABLE, RECORD_FAILED, RECORD_NEWER, WIRE_FAULTY

INCIDENTS_SHOWN = 3
FAULTS_SHOWN = 5

_READY = "ready"
_STEP_WORDS = {Step.NOBODY: "nobody has it"}

_DEAD = {
    INPUT_UNREADABLE.code: "can't be read",
    INPUT_INHIBITED.code: "is inhibited",
    WIRE_FAULTY.code: "has a faulty wire",
}
"""The faults with which an input may raise no alarm."""

_MEANINGS = {
    EventKind.RESTORED: "it was let go",
    EventKind.ADOPTED: "the broker knew this alarm, the record didn't",
    EventKind.EVICTED: "the record had no room for these",
    EventKind.RECORD_LOADED: "the record answered late",
}
"""Words for events whose kind alone doesn't explain them."""

FIELDS = {
    "ALARM_EVENT": "kind",
    "ALARM_INPUT": "input",
    "ALARM_CLASS": "alarm_class",
    "ALARM_INCIDENT": "incident",
    "ALARM_PRESSES": "presses",
    "ALARM_FAULT": "fault",
    "ALARM_SUBJECT": "subject",
    "ALARM_COMMAND": "command",
    "ALARM_REASON": "reason",
    "ALARM_BY": "by",
}
"""The journal's fields of an event, and the attribute behind each."""


def fields(event: effects.LoggedEvent) -> dict[str, str]:
    """An event as fields by which the journal can be searched."""
    found = {name: getattr(event, attribute) for name, attribute in FIELDS.items()}
    known = {name: str(value) for name, value in found.items() if value not in (None, "")}
    return {"ALARM_KEY": str(event.key), **known, **({"ALARM_TEST": "1"} if event.test else {})}


def sentence(event: effects.LoggedEvent) -> str:
    """An event on one line: a fault with its text and next step, any other event in a few words."""
    if event.kind is EventKind.FAULT_RAISED:
        kind = FAULTS[str(event.fault)]
        about = ": ".join(filter(None, (event.subject, event.reason)))
        about = f" ({about})" if about else ""
        return f"{kind.code}{about} {kind.text}. Next: {kind.next_step}."
    details = (event.input, event.incident, event.fault, event.subject, event.reason, event.by, *map(str, event.ranges))
    told = " ".join(each for each in (event.kind, *details) if each)
    return f"{told}: {_MEANINGS[event.kind]}" if event.kind in _MEANINGS else told


def is_ready(state: State) -> bool:
    """Whether the node is ready: each input was read and each event is stored, or a fault says which isn't."""
    codes = {fault.code for fault in state.faults}
    read = all(
        contact.state is not ContactState.UNKNOWN or FaultId(INPUT_UNREADABLE.code, name) in state.faults
        for name, contact in state.contacts.items()
    )
    return (
        state.begun
        and read
        and (not state.supervision.unstored or bool({RECORD_FAILED.code, RECORD_NEWER.code} & codes))
    )


def status(state: State, *, ready: bool) -> str:
    """The status line; ``ready``: the service manager was told that the node is ready."""
    links = state.supervision.links
    up = sum(link.up for link in links)
    condition, faults = _condition(state, ready=ready), set(state.faults)
    brokers = [f"{up} of {len(links)} brokers connected"]
    if condition == _READY:
        dead = [fault for fault in sorted(faults) if fault.code in _DEAD and _raises_alarm(state, fault.subject)]
        alone = [f"no broker is connected (0 of {len(links)})"] if links and not up else []
        if dead or alone:
            inputs = [f"{name} {_DEAD[code]} ({code})" for code, name in dead]
            condition = f"NOT READY: {', '.join([*_shortened(inputs, FAULTS_SHOWN, 'inputs'), *alone])}"
        brokers, faults = ([] if alone else brokers), faults - set(dead)
    modes = ["walk test"] if state.in_walk_test else []
    told = _shortened([_fault(each) for each in sorted(faults)], FAULTS_SHOWN, "faults")
    return ", ".join([condition, *modes, *brokers, *told])


def last_words(state: State) -> str:
    """The status line after a clean end; the service manager shows it until the next start."""
    alarms = any(not incident.test for incident in state.incidents)
    return f"stopped{' with an open alarm' if alarms else ''}: a press does nothing"


def _condition(state: State, *, ready: bool) -> str:
    if state.incidents:
        return ", ".join(_shortened([_call(each) for each in alarm.listed(state.incidents)], INCIDENTS_SHOWN, "alarms"))
    if state.stopping:
        return "stopping"
    return _READY if ready else "starting"


def _raises_alarm(state: State, name: str) -> bool:
    return any(each.name == name and each.role.raises_alarm for each in state.settings.inputs)


def _call(incident: ListedIncident) -> str:
    kind = "TEST" if incident.test else "ALARM"
    return f"{kind} {incident.input}: {_STEP_WORDS.get(incident.step, incident.step.value)}"


def _fault(fault: FaultId) -> str:
    return f"fault {fault.code}" + (f" ({fault.subject})" if fault.subject else "")


def _shortened(words: Sequence[str], most: int, what: str) -> list[str]:
    more = [f"{len(words) - most} more {what}"] if len(words) > most else []
    return [*words[:most], *more]

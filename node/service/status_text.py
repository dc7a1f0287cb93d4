"""The node's status and its events in plain words, for people who ask the service manager or read the log.

The status is one line:

    ready, 1 of 2 brokers connected, fault F010 (broker-b:8883)
    ALARM button: told, 2 of 2 brokers connected
    ready, walk test, 2 of 2 brokers connected

Rules:

1. It depends on the state only, so it changes only when the state does.
2. It always stays short (a notification has a limit): the worst incidents and the first faults, and how many more there
   are.
"""

from collections.abc import Sequence

from node.core import alarm, effects
from node.core.line import ContactState
from node.core.model import EventKind, ListedIncident, Step
from node.core.state import State
from node.core.supervision import FaultId
from node.errors.faults import FAULTS, INPUT_UNREADABLE, RECORD_FAILED

INCIDENTS_SHOWN = 3
FAULTS_SHOWN = 5

_STEP_WORDS = {Step.NOBODY: "nobody has it"}

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
    return state.begun and read and (not state.supervision.unstored or RECORD_FAILED.code in codes)


def status(state: State, *, ready: bool) -> str:
    """The status line; ``ready``: the service manager was told that the node is ready."""
    links = state.supervision.links
    connected = f"{sum(link.up for link in links)} of {len(links)} brokers connected"
    modes = ["walk test"] if state.in_walk_test else []
    return ", ".join((_condition(state, ready=ready), *modes, connected, *_faults(sorted(state.faults))))


def _condition(state: State, *, ready: bool) -> str:
    if state.incidents:
        return _shortened([_call(each) for each in alarm.listed(state.incidents)], INCIDENTS_SHOWN, "alarms")
    if state.stopping:
        return "stopping"
    return "ready" if ready else "starting"


def _call(incident: ListedIncident) -> str:
    kind = "TEST" if incident.test else "ALARM"
    return f"{kind} {incident.input}: {_STEP_WORDS.get(incident.step, incident.step.value)}"


def _faults(faults: Sequence[FaultId]) -> list[str]:
    shown = [f"fault {code}" + (f" ({subject})" if subject else "") for code, subject in faults]
    return [_shortened(shown, FAULTS_SHOWN, "faults")] if shown else []


def _shortened(words: Sequence[str], most: int, what: str) -> str:
    more = [f"{len(words) - most} more {what}"] if len(words) > most else []
    return ", ".join([*words[:most], *more])

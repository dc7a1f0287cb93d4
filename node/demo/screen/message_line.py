"""A message at the broker as one line for people: who sent it, and the few fields that matter."""

from node.demo.observe.observations import BrokerMessage
from node.protocol.messages import Alarm, Canary, Event, HeartbeatMessage, ReplyMessage, State
from node.protocol.monitor_messages import Command, MonitorMessage, Receipt
from node.sanitize import plain

TEXT_LIMIT = 300


def sender(heard: BrokerMessage) -> str:
    """``monitor`` for its own messages; otherwise the end of the topic, e.g. ``event``."""
    return "monitor" if isinstance(heard.message, MonitorMessage) else heard.topic.rpartition("/")[2]


def summary(heard: BrokerMessage) -> str:
    """What the message says, on one line without control characters."""
    return plain(_summary(heard)[:TEXT_LIMIT])


def is_heartbeat(heard: BrokerMessage) -> bool:
    """Whether it is a heartbeat, of a node or of a monitor."""
    return heard.topic.endswith("/heartbeat")


def _summary(heard: BrokerMessage) -> str:
    match heard.message:
        case None:
            return repr(heard.payload)
        case State() as state:
            return _words(state.state, f"session {state.session}", state.reason, state.state == "lost" and "(its will)")
        case Alarm() as alarm:
            return _alarm(alarm)
        case Event() as event:
            return _event(event)
        case HeartbeatMessage() as heartbeat:
            return _heartbeat(heartbeat)
        case Canary() as canary:
            return f"session {canary.session}: the node hears its own topics"
        case Command() as command:
            return _words(command.action, command.incident, f"({command.id})")
        case ReplyMessage() as reply:
            return _words(reply.outcome, reply.reason, f"({reply.id})")
        case Receipt() as receipt:
            return f"{receipt.kind} {receipt.event.boot}-{receipt.event.seq} by {receipt.monitor}"
        case MonitorMessage() as monitor:
            return _words(monitor.state, is_heartbeat(heard) and "(heartbeat)")


def _alarm(alarm: Alarm) -> str:
    listed = [
        _words(each.incident, each.alarm_class, each.input, _counted(each.presses, "press", "presses"))
        for each in alarm.incidents
    ]
    return "  ".join([alarm.phase.upper() if alarm.incidents else alarm.phase, *listed])


def _event(event: Event) -> str:
    previous = event.previous and f"after {event.previous.boot}-{event.previous.seq}"
    age = f"({event.age_ms / 1000:.1f} s ago)" if isinstance(event.age_ms, int) and event.age_ms >= 100 else None
    about = (event.input, event.alarm_class, event.fault, event.command, event.reason, previous, event.subject)
    by = event.by and f"by {event.by}"
    return _words(f"{event.boot}-{event.seq}", event.kind, age, *about, by)


def _heartbeat(heartbeat: HeartbeatMessage) -> str:
    inputs = [f"{name} {health.state}" for name, health in heartbeat.inputs.items()]
    faults = [fault.code for fault in heartbeat.faults]
    monitors = ", ".join(heartbeat.monitors)
    parts = [*inputs, f"faults {', '.join(faults)}" if faults else "no faults"]
    return ", ".join([*parts, f"hears {monitors}" if monitors else "hears no monitor"])


def _words(*words: object) -> str:
    return " ".join(str(word) for word in words if word)


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"

"""What a node hears, as events of the core: each function reads one kind of message.

They raise ValueError, with a reason, or one of ``UNREADABLE``; ``codec.Wire.read`` makes one error of both.
"""

from datetime import datetime
from typing import Any, assert_never

import msgspec

from node.core import events as ev
from node.core.commands import ACTIONS
from node.core.model import Key, ListedIncident, Phase, Step
from node.protocol.messages import Alarm, Canary, Id, OpenIncident, State
from node.protocol.monitor_messages import IDENTIFY_S, LIMITS_S, Command, MonitorMessage, Receipt

MALFORMED_LIMIT = 160

UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""What msgspec raises for a payload: not JSON or not as declared, not UTF-8, nested too deeply."""


class _CommandId(msgspec.Struct, frozen=True):
    id: Id


def read_state(link: str, payload: bytes, retained: bool, at: float) -> ev.Event:
    """Somebody's birth, will or goodbye under our name."""
    state = msgspec.json.decode(payload, type=State)
    return ev.StateHeard(at, link, state.boot, state.session, state.state, retained)


def read_alarm(link: str, payload: bytes, retained: bool, at: float) -> ev.Event:
    """A list of incidents on our own topic."""
    message = msgspec.json.decode(payload, type=Alarm)
    incidents = tuple(_listed(each, at) for each in message.incidents)
    return ev.AlarmHeard(at, link, message.boot, incidents, retained)


def read_canary(link: str, payload: bytes, retained: bool, at: float, expiry_s: float | None = None) -> ev.Event:
    """Our own canary, or a copy of it."""
    canary = msgspec.json.decode(payload, type=Canary)
    return ev.CanaryHeard(at, link, canary.boot, canary.session, expiring=expiry_s is not None)


def read_receipt(link: str, payload: bytes, retained: bool, at: float) -> ev.Event:
    """A monitor's receipt for one event."""
    receipt = msgspec.json.decode(payload, type=Receipt)
    if retained:
        raise ValueError("a receipt is never retained")
    return ev.ReceiptHeard(at, link, receipt.monitor, Key(receipt.event.boot, receipt.event.seq), receipt.kind)


def read_monitor(link: str, branch: str, topic: str, payload: bytes, at: float) -> ev.Event:
    """A monitor's state or heartbeat; ``branch`` is what all monitors' topics begin with."""
    monitor = msgspec.json.decode(payload, type=MonitorMessage)
    name, _, kind = topic.removeprefix(branch).partition("/")
    if name != monitor.monitor or kind not in ("state", "heartbeat"):
        raise ValueError("a monitor speaks on its own branch only")
    alive = monitor.state == "online"
    return ev.MonitorHeard(at, link, monitor.monitor, monitor.boot, alive, birth=alive and kind == "state")


def read_command(link: str, payload: bytes, retained: bool, at: float, expiry_s: float | None = None) -> ev.Event:
    """A command; one that is malformed is an event, too, so that it is answered."""
    malformed = None
    try:
        command = msgspec.json.decode(payload, type=Command)
        arguments, malformed = _arguments(command)
    except UNREADABLE as error:
        command_id = _command_id(payload)
        malformed = f"malformed: {error}"[:MALFORMED_LIMIT]
        return ev.CommandHeard(at, link, command_id, "", "", "", 0.0, expiry_s, retained, {}, malformed)
    return ev.CommandHeard(
        at,
        link,
        command.id,
        command.boot,
        command.action,
        command.by,
        command.ttl_s,
        expiry_s,
        retained,
        arguments,
        malformed,
    )


def _listed(each: OpenIncident, at: float) -> ListedIncident:
    try:
        since = datetime.fromisoformat(each.since).timestamp()
    except ValueError as error:
        raise ValueError(f"no such instant: {each.since}") from error
    return ListedIncident(
        id=each.incident,
        input=each.input,
        alarm_class=each.alarm_class,
        step=_step_of(each.phase),
        presses=each.presses,
        since_utc=since,
        press=Key(each.press.boot, each.press.seq),
        sounding_until=at + each.sound_s if each.sound_s > 0 else None,
        test=each.test,
    )


def _step_of(phase: Phase) -> Step:
    match phase:
        case "normal" | "active":
            return Step.PRESSED
        case "received":
            return Step.TOLD
        case "acknowledged":
            return Step.ACKNOWLEDGED
        case _:
            assert_never(phase)


def _command_id(payload: bytes) -> str:
    try:
        return msgspec.json.decode(payload, type=_CommandId).id
    except UNREADABLE:
        return ""


def _arguments(command: Command) -> tuple[dict[str, Any], str | None]:
    """The fields that the action needs, or what is wrong with them. The core refuses an unknown action."""
    action = ACTIONS.get(command.action)
    if action is None:
        return {}, None
    arguments: dict[str, Any] = {}
    for name in (*action.needs, *action.may_have):
        value = getattr(command, name)
        if value is not None:
            arguments[name] = value
        elif name in action.needs:
            return {}, f"malformed: {name} is missing"
    if command.action == "identify":
        arguments.setdefault("for_s", IDENTIFY_S)
    limit_s = LIMITS_S.get(command.action)
    if limit_s is not None and arguments["for_s"] > limit_s:
        return {}, f"malformed: for_s is at most {limit_s:g}"
    return arguments, None

"""What nodes say, for the tests of the monitor's pure parts: messages with all that a test doesn't care about."""

from datetime import UTC, datetime, timedelta
from typing import Any

from node.core.model import Phase
from node.core.settings import AlarmClass
from node.monitor.core.decisions.ledger import Moment
from node.monitor.core.model.records import NodeKey
from node.protocol.messages import (
    UNREAD,
    Alarm,
    Event,
    EventId,
    HeartbeatMessage,
    InputHealth,
    LinkHealth,
    OpenIncident,
    ReplyMessage,
    StandingFault,
    State,
)

SITE = "mitte"
ROOM = NodeKey(SITE, "room-214")
BOOT = "0000b007"
LATER_BOOT = "0000b008"
BROKER = "broker-a:1883"
OTHER_BROKER = "broker-b:1883"
LISTED_SEQ = 1_000
"""The number of the newest event where a list is said: more than those that it names."""

START = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
AT_UTC = "2026-11-25T08:00:00.000Z"


def moment(at: float) -> Moment:
    """``at`` seconds after the start, by both clocks."""
    return Moment(at, START + timedelta(seconds=at))


def _header(node: NodeKey, boot: str, seq: int) -> dict[str, Any]:
    return {"v": 1, "node": node.node, "boot": boot, "seq": seq, "at_utc": AT_UTC, "clock": "synchronised"}


def heartbeat(
    node: NodeKey = ROOM,
    boot: str = BOOT,
    seq: int = 0,
    *,
    period_s: float = 10.0,
    faults: tuple[tuple[str, str], ...] = (),
    buttons: tuple[str, ...] = ("button",),
    alarm_class: AlarmClass | None = None,
    walk_test_s: float | None = None,
    version: str | None = None,
) -> HeartbeatMessage:
    """A node that is well, but for these faults (code, subject)."""
    return HeartbeatMessage(
        period_s=period_s,
        uptime_s=1.0,
        inputs={
            name: InputHealth(kind="button", state="normal", wire="unsupervised", alarm_class=alarm_class)
            for name in buttons
        },
        faults=[StandingFault(code=code, subject=subject, since=AT_UTC, text="", next="") for code, subject in faults],
        faults_standing=len(faults),
        links={"broker": LinkHealth(connected=True, rtt_ms=1.0)},
        monitors=["guard-desk"],
        incidents=0,
        waiting=0,
        spilled=False,
        record_depth=0,
        refused=0,
        dropped=0,
        health=UNREAD,
        walk_test_s=walk_test_s,
        version=version,
        **_header(node, boot, seq),
    )


def birth(node: NodeKey = ROOM, boot: str = BOOT, seq: int = 0, session: int = 1) -> State:
    """A node is there."""
    return State(state="online", session=session, **_header(node, boot, seq))


def will(node: NodeKey = ROOM, boot: str = BOOT, session: int = 1) -> State:
    """The broker says that a node is lost."""
    return State(state="lost", session=session, **_header(node, boot, 0))


def goodbye(node: NodeKey = ROOM, boot: str = BOOT, back_in_s: float | None = None) -> State:
    """A node was stopped."""
    return State(state="offline", session=1, reason="sigterm", back_in_s=back_in_s, **_header(node, boot, 0))


def event(seq: int, kind: str, node: NodeKey = ROOM, boot: str = BOOT, **fields: Any) -> Event:
    """Something happened at a node."""
    return Event(kind=kind, **_header(node, boot, seq), **fields)


def press(seq: int, node: NodeKey = ROOM, boot: str = BOOT, incident: int | None = None, presses: int = 1) -> Event:
    """A press: of the incident that the event ``incident`` began, or of one that this event begins."""
    return event(
        seq,
        "pressed",
        node,
        boot,
        input="button",
        alarm_class=AlarmClass.THREAT,
        incident=f"{boot}-{incident or seq}",
        presses=presses,
        age_ms=0,
    )


def about(seq: int, kind: str, incident: int, node: NodeKey = ROOM, boot: str = BOOT, **fields: Any) -> Event:
    """Something about an incident."""
    return event(
        seq,
        kind,
        node,
        boot,
        input="button",
        alarm_class=AlarmClass.THREAT,
        incident=f"{boot}-{incident}",
        presses=1,
        **fields,
    )


def alarm(*listed: tuple[int, Phase], node: NodeKey = ROOM, boot: str = BOOT, presses: int = 1) -> Alarm:
    """A node's list: (the event that began an incident, its phase)."""
    incidents = [
        OpenIncident(
            incident=f"{boot}-{number}",
            alarm_class=AlarmClass.THREAT,
            input="button",
            phase=phase,
            presses=presses,
            since=AT_UTC,
            press=EventId(boot, number),
        )
        for number, phase in listed
    ]
    return Alarm(phase=listed[0][1] if listed else "normal", incidents=incidents, **_header(node, boot, LISTED_SEQ))


def reply(command: str, reason: str | None = None, node: NodeKey = ROOM, boot: str = BOOT) -> ReplyMessage:
    """A node has done what a command asked for, or refuses it with a reason."""
    outcome = "done" if reason is None else "refused"
    return ReplyMessage(id=command, outcome=outcome, reason=reason, **_header(node, boot, 0))  # type: ignore[arg-type]

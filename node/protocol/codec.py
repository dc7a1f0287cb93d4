"""Translates between the core's types and messages on the broker: topics and payloads (messages.py, PROTOCOL.md).

Payloads are JSON in UTF-8, at most 16 KiB. Anything else that is received is a ValueError with a reason: nothing is
guessed.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from node import __version__
from node.core import alarm
from node.core import events as ev
from node.core.effects import Heartbeat, InputReport, LoggedEvent, Reply
from node.core.model import ListedIncident, Phase
from node.core.settings import AlarmClass
from node.errors.faults import FAULTS
from node.protocol import decode
from node.protocol.messages import (
    FAULTS_LIMIT,
    INCIDENTS_LIMIT,
    MONITORS_LIMIT,
    PAYLOAD_LIMIT,
    UNREAD,
    Alarm,
    Canary,
    Event,
    EventId,
    EventRange,
    Health,
    HeartbeatMessage,
    InputHealth,
    InputState,
    LinkHealth,
    OpenIncident,
    ReplyMessage,
    StandingFault,
    State,
    Version,
)

_LEFT_OUT: tuple[Callable[[HeartbeatMessage], dict[str, Any]], ...] = (
    lambda _: {"health": UNREAD},
    lambda message: {"faults": message.faults[: len(message.faults) // 2]},
    lambda message: {"faults": message.faults[:2]},
    lambda _: {"faults": [], "monitors": []},
    lambda _: {"links": {}, "inputs": {}},
)
"""What is left out of a heartbeat, in this order, for a broker that takes only short messages."""


_ALIKE = frozenset(HeartbeatMessage.__struct_fields__) & frozenset(Heartbeat.__struct_fields__)
"""What a heartbeat has by the same name in the core and in the message."""


def _told_version(version: str) -> str | None:
    """What a heartbeat says of the program. An odd one is left out: no monitor would read the heartbeat."""
    try:
        return msgspec.convert(version, Version)
    except msgspec.ValidationError:
        return None


class Wire:
    """The messages that a node sends and receives. ``boot`` is 8 hex digits; ``root`` has no leading or trailing slash.

    ``client_id`` contains site and kind. Otherwise a node of the same id at another site, or a monitor of that id,
    would take over this node's session at the broker. ``version`` is that of the program.
    """

    def __init__(self, root: str, site: str, node: str, boot: str, version: str = __version__) -> None:
        branch = f"{root}/{site}/node/{node}"
        self.client_id = f"{site}/node/{node}"
        self.node = node
        self.boot = boot
        self._version = _told_version(version)
        self.state_topic = f"{branch}/state"
        self.alarm_topic = f"{branch}/alarm"
        self.event_topic = f"{branch}/event"
        self.heartbeat_topic = f"{branch}/heartbeat"
        self.canary_topic = f"{branch}/canary"
        self.reply_topic = f"{branch}/reply"
        self.command_topic = f"{branch}/command"
        self.receipt_topic = f"{branch}/receipt"
        self.monitor_topics = (f"{root}/{site}/monitor/+/state", f"{root}/{site}/monitor/+/heartbeat")
        self._monitors = f"{root}/{site}/monitor/"
        # A press is encoded before it is decided, and its list once for all brokers. Only the loop's thread uses these.
        self._newest_event: tuple[LoggedEvent | None, bytes] = None, b""
        self._newest_alarm: tuple[object, bytes] = None, b""
        self._readers = {
            self.state_topic: decode.read_state,
            self.alarm_topic: decode.read_alarm,
            self.canary_topic: decode.read_canary,
            self.receipt_topic: decode.read_receipt,
            self.command_topic: decode.read_command,
        }

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """Every topic (filter) that a node subscribes. Not its own ``event``: as a subscriber it would hide 0x10."""
        return (*self._readers, *self.monitor_topics)

    def state(
        self,
        state: Literal["online", "offline", "lost"],
        session: int,
        seq: int,
        at_utc: float,
        synchronised: bool,
        reason: str | None = None,
        back_in_s: float | None = None,
    ) -> bytes:
        """The payload of a birth, a goodbye or a will."""
        header = self._header(seq, at_utc, synchronised)
        return _encode(State(state=state, session=session, reason=reason, back_in_s=back_in_s, **header))

    def alarm(
        self, incidents: Iterable[ListedIncident], now: float, seq: int, at_utc: float, synchronised: bool
    ) -> bytes:
        """The payload of the retained list; ``now`` (monotonic) serves to compute what is left of each sound."""
        asked = (tuple(incidents), now, seq, at_utc, synchronised)
        if asked != self._newest_alarm[0]:
            self._newest_alarm = asked, self._alarm(*asked)
        return self._newest_alarm[1]

    def _alarm(
        self, incidents: Iterable[ListedIncident], now: float, seq: int, at_utc: float, synchronised: bool
    ) -> bytes:
        listed = [_open_incident(each, now) for each in incidents][:INCIDENTS_LIMIT]
        worst = max(listed, key=lambda each: each.alarm_class.rank, default=None)
        phase: Phase = "normal" if worst is None else worst.phase
        return _encode(Alarm(phase=phase, incidents=listed, **self._header(seq, at_utc, synchronised)))

    def event(self, logged: LoggedEvent) -> bytes:
        """An event as it is stored: everything except its age."""
        if logged is not self._newest_event[0]:
            self._newest_event = logged, self._event(logged)
        return self._newest_event[1]

    def _event(self, logged: LoggedEvent) -> bytes:
        fields: dict[str, Any] = {
            name: getattr(logged, name)
            for name in ("input", "incident", "presses", "by", "reason", "command", "fault", "subject", "for_s", "test")
        }
        header = self._header(logged.key.seq, logged.at_utc, logged.synchronised)
        message = Event(
            kind=logged.kind,
            alarm_class=None if logged.alarm_class is None else AlarmClass(logged.alarm_class),
            previous=None if logged.previous is None else EventId(*logged.previous),
            ranges=[EventRange(each.boot, each.first, each.last) for each in logged.ranges],
            **fields,
            **header,
        )
        return _encode(message)

    def heartbeat(
        self, heartbeat: Heartbeat, record_depth: int, health: Health = UNREAD, most: int = PAYLOAD_LIMIT
    ) -> bytes:
        """The payload of a heartbeat; ``record_depth`` counts what waits to be written to the disk.

        If the payload is longer than ``most`` bytes, details are left out until it fits: the machine's health, then
        faults (``faults_standing`` says how many there are), then monitors, links and inputs.
        """
        whole = self._heartbeat(heartbeat, record_depth, health)
        payload = _encode(whole)
        for left_out in _LEFT_OUT:
            if len(payload) <= most:
                break
            whole = msgspec.structs.replace(whole, **left_out(whole))
            payload = _encode(whole)
        return payload

    def _heartbeat(self, heartbeat: Heartbeat, record_depth: int, health: Health) -> HeartbeatMessage:
        alike = {name: _rounded(getattr(heartbeat, name)) for name in _ALIKE}
        told: dict[str, Any] = {
            "inputs": {each.name: _input_health(each) for each in heartbeat.inputs},
            "faults": [_standing(each.code, each.subject, each.since_utc) for each in heartbeat.faults[:FAULTS_LIMIT]],
            "links": {
                each.name: LinkHealth(connected=each.connected, rtt_ms=in_ms(each.rtt_s)) for each in heartbeat.links
            },
            "monitors": list(heartbeat.monitors[:MONITORS_LIMIT]),
            "faults_standing": len(heartbeat.faults),
            "record_depth": record_depth,
            "health": health,
            "version": self._version,
        }
        header = self._header(heartbeat.seq, heartbeat.at_utc, heartbeat.synchronised)
        return HeartbeatMessage(**{**alike, **told, **header})

    def canary(self, session: int, seq: int, at_utc: float, synchronised: bool) -> bytes:
        """The payload of a canary: a message to ourselves."""
        return _encode(Canary(session=session, **self._header(seq, at_utc, synchronised)))

    def reply(self, reply: Reply, seq: int, at_utc: float, synchronised: bool) -> bytes:
        """The payload with a command's outcome."""
        header = self._header(seq, at_utc, synchronised)
        return _encode(ReplyMessage(id=reply.id or None, outcome=reply.outcome, reason=reply.reason, **header))

    def read(
        self, link: str, topic: str, payload: bytes, *, retained: bool, expiry_s: float | None, at: float
    ) -> ev.Event | None:
        """The event that a message means; None for a monitor's retained message, which says nothing about now.

        Raises ValueError, with a reason, for a message that is unreadable to a node. On our own ``state`` and ``alarm``
        an unreadable message is an event, too: somebody overwrote what we published, and later readers would find that.
        """
        try:
            return self._read(link, topic, payload, retained, expiry_s, at)
        except ValueError:
            if topic == self.state_topic:
                return ev.StateHeard(at, link, "", 0, "unreadable", retained)
            if topic == self.alarm_topic:
                return ev.AlarmHeard(at, link, "", (), retained)
            raise

    def _read(
        self, link: str, topic: str, payload: bytes, retained: bool, expiry_s: float | None, at: float
    ) -> ev.Event | None:
        if len(payload) > PAYLOAD_LIMIT:
            raise ValueError(f"more than {PAYLOAD_LIMIT} bytes")
        try:
            if topic == self.command_topic:
                return decode.read_command(link, payload, retained, at, expiry_s)
            if topic == self.canary_topic:
                return decode.read_canary(link, payload, retained, at, expiry_s)
            if topic.startswith(self._monitors):
                heard = decode.read_monitor(link, self._monitors, topic, payload, at)
                return None if retained else heard
            reader = self._readers.get(topic)
            if reader is None:
                raise ValueError("unknown topic")
            return reader(link, payload, retained, at)
        except decode.UNREADABLE as error:
            raise ValueError(f"unreadable: {error}") from error

    def _header(self, seq: int, at_utc: float, synchronised: bool) -> dict[str, Any]:
        clock = "synchronised" if synchronised else "free"
        return {"v": 1, "node": self.node, "boot": self.boot, "seq": seq, "at_utc": rfc3339(at_utc), "clock": clock}


def rfc3339(utc: float) -> str:
    """Seconds since 1970 as ``2026-11-22T12:00:00.000Z``; a time after the year 9999 becomes the end of that year."""
    clamped = min(max(utc, 0.0), 253402300799.0)
    text = datetime.fromtimestamp(clamped, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def in_ms(seconds: float | None) -> float | None:
    """A duration in milliseconds, as in the protocol; None if it isn't known."""
    return None if seconds is None else round(seconds * 1000, 3)


def _rounded(value: Any) -> Any:
    """A duration to the millisecond; anything else as it is."""
    return round(value, 3) if isinstance(value, float) else value


def _encode(message: Any) -> bytes:
    return msgspec.json.encode(message)


def _open_incident(listed: ListedIncident, now: float) -> OpenIncident:
    left = 0.0 if listed.sounding_until is None else min(3600.0, max(0.0, listed.sounding_until - now))
    return OpenIncident(
        incident=listed.id,
        alarm_class=listed.alarm_class,
        input=listed.input,
        phase=alarm.phase(listed.step),
        presses=listed.presses,
        since=rfc3339(listed.since_utc),
        press=EventId(*listed.press),
        sound_s=round(left, 3),
        test=listed.test,
    )


def _input_health(report: InputReport) -> InputHealth:
    return InputHealth(
        kind=report.kind,
        state=msgspec.convert(report.state.value, InputState),
        wire="supervised" if report.supervised else "unsupervised",
        alarm_class=report.alarm_class,
        inhibited_s=None if report.inhibited_s is None else round(report.inhibited_s, 3),
    )


def _standing(code: str, subject: str, since_utc: float) -> StandingFault:
    kind = FAULTS[code]
    return StandingFault(code=code, subject=subject, since=rfc3339(since_utc), text=kind.text, next=kind.next_step)

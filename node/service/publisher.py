"""Turns the core's Send effects into the messages that a link publishes: topic, payload, priority."""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, assert_never

from node.core import effects
from node.core.model import Key
from node.io.mqtt.link_types import Outgoing, Priority
from node.io.record.record import Row
from node.protocol import codec, record_codec
from node.protocol.messages import CANARY_EXPIRY_S, PAYLOAD_LIMIT, Health
from node.service.recorder import Recorder

if TYPE_CHECKING:
    from node.io.mqtt.link import Link

log = logging.getLogger(__name__)


class Publisher:
    """Passes messages to the links, on the loop's thread, which then lets the links send them; no link makes it wait.

    ``health`` returns the machine's health, ``clock`` monotonic seconds.
    """

    def __init__(
        self,
        messages: codec.Wire,
        recorder: Recorder,
        links: "Mapping[str, Link]",
        kernel_boot: str,
        health: Callable[[], Health],
        clock: Callable[[], float],
    ) -> None:
        self._wire = messages
        self._recorder = recorder
        self._links = links
        self._kernel_boot = kernel_boot
        self._health = health
        self._clock = clock

    def heartbeat(self, heartbeat: effects.Heartbeat, most: int = PAYLOAD_LIMIT) -> bytes:
        """The payload of a heartbeat, at most ``most`` bytes."""
        return self._wire.heartbeat(heartbeat, self._recorder.depth, self._health(), most)

    def send(self, effect: effects.Send) -> None:
        """Publish this on its link."""
        match effect:
            case effects.SendEvent():
                self._send_event(effect)
            case effects.SendAlarm():
                self._send_alarm(effect)
            case effects.SendState():
                self._send_state(effect)
            case effects.SendCanary():
                self._send_canary(effect)
            case effects.SendReply():
                self._send_reply(effect)
            case effects.SendHeartbeat():
                self._send_heartbeat(effect)
            case _:
                assert_never(effect)

    def _send_event(self, effect: effects.SendEvent) -> None:
        """Send an event; its age is computed at the moment of sending."""
        row = self._recorder.row(effect.key)
        if row is None:
            log.error("event %s is to be sent, but its payload is gone", effect.key)
            return
        priority = Priority.ALARM if effect.alarm else Priority.TELEMETRY
        self._hand_over(effect, self._wire.event_topic, partial(self._aged, row), priority, key=effect.key)

    def _send_alarm(self, effect: effects.SendAlarm) -> None:
        payload = self._wire.alarm(effect.incidents, effect.at, effect.seq, effect.at_utc, effect.synchronised)
        self._hand_over(effect, self._wire.alarm_topic, payload, Priority.ALARM, retain=True)

    def _send_state(self, effect: effects.SendState) -> None:
        payload = self._wire.state(
            effect.state,
            effect.session,
            effect.seq,
            effect.at_utc,
            effect.synchronised,
            effect.reason,
            effect.back_in_s,
        )
        self._hand_over(effect, self._wire.state_topic, payload, Priority.CONTROL, retain=True)

    def _send_canary(self, effect: effects.SendCanary) -> None:
        payload = self._wire.canary(effect.session, effect.seq, effect.at_utc, effect.synchronised)
        self._hand_over(effect, self._wire.canary_topic, payload, Priority.CONTROL, expiry_s=CANARY_EXPIRY_S)

    def _send_reply(self, effect: effects.SendReply) -> None:
        payload = self._wire.reply(effect.reply, effect.seq, effect.at_utc, effect.synchronised)
        self._hand_over(effect, self._wire.reply_topic, payload, Priority.CONTROL)

    def _send_heartbeat(self, effect: effects.SendHeartbeat) -> None:
        payload = self.heartbeat(effect.heartbeat)
        shortened = partial(self.heartbeat, effect.heartbeat)
        self._hand_over(effect, self._wire.heartbeat_topic, payload, Priority.HEARTBEAT, shortened=shortened)

    def _aged(self, row: Row) -> bytes:
        known = row.kernel_boot == self._kernel_boot
        return record_codec.with_age(row.body, self._clock() - row.at if known else None)

    def _hand_over(
        self,
        effect: effects.Send,
        topic: str,
        payload: bytes | Callable[[], bytes],
        priority: Priority,
        *,
        retain: bool = False,
        key: Key | None = None,
        expiry_s: int | None = None,
        shortened: Callable[[int], bytes] | None = None,
    ) -> None:
        message = Outgoing(
            session=effect.session,
            topic=topic,
            payload=payload,
            priority=priority,
            retain=retain,
            key=key,
            expiry_s=expiry_s,
            shortened=shortened,
        )
        self._links[effect.link].hand_over(message)

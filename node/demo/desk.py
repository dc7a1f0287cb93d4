"""The guard's desk where alarm-monitor isn't installed: a monitor of one node as PROTOCOL.md wants it, without memory.

While somebody is there, it has a state and a heartbeat, answers each event with a receipt and each birth with a probe
and a receipt for the newest event that it holds. Away, it only looks on. Commands come from any thread.
"""

import secrets
import time
from collections.abc import Callable
from itertools import count
from typing import Any, Literal, get_args

import msgspec
from paho.mqtt.client import Client
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from node.demo.guards import WALK_TEST_S
from node.demo.onlooker import BEAT_S, Onlooker
from node.demo.rooms import MONITOR, ROOT, SITE
from node.demo.seen import Heard, NotDone, Seen
from node.protocol.codec import Wire, rfc3339
from node.protocol.messages import Alarm, Command, Event, EventId, MonitorMessage, Receipt, ReceiptKind, State

TTL_S = 10

_MonitorState = Literal["online", "offline", "lost"]


class _Told(MonitorMessage, frozen=True, kw_only=True):
    """A monitor's own message, with all that PROTOCOL.md 4.4 asks of it. Each connection is a boot of its own."""

    seq: int = 0
    session: int = 1
    at_utc: str
    clock: str = "free"
    period_s: float | None = None


class Desk(Onlooker):
    """The monitor of the node with this name; see Guards and Onlooker."""

    name = "guard's desk"

    def __init__(self, node: str, port: int, put: Callable[[Seen], None]) -> None:
        branch = f"{ROOT}/{SITE}"
        super().__init__(branch, port, put, MONITOR)
        self._present = True
        self._wire = Wire(ROOT, SITE, node, boot="")
        self._monitor = f"{branch}/monitor/{MONITOR}"
        self._boot = ""
        self._numbers = count(1)
        self._node_boot = ""
        self._held: EventId | None = None
        self._presses: dict[str, int] = {}

    @property
    def present(self) -> bool:
        """As Guards."""
        return self._present

    def switch(self, present: bool) -> None:
        """As Guards; who comes is a monitor that starts anew."""
        self._present = present
        if present:
            self._boot = secrets.token_hex(4)
        self._tell_state("online" if present else "offline")

    def acknowledge(self, node: str, incident: str) -> None:
        """As Guards."""
        self._command("acknowledge", incident=incident, presses=self._presses.get(incident))

    def reset(self, node: str, incident: str) -> None:
        """As Guards."""
        self._command("reset", incident=incident, presses=self._presses.get(incident), reason="drill")

    def begin_walk_test(self) -> None:
        """As Guards."""
        self._command("walk-test", for_s=WALK_TEST_S)

    def end_walk_test(self) -> None:
        """As Guards."""
        self._command("walk-test-end")

    def last_words(self, count: int) -> list[str]:
        """As Guards."""
        return []

    def _prepare(self, client: Client) -> None:
        self._boot = secrets.token_hex(4)
        client.will_set(f"{self._monitor}/state", msgspec.json.encode(self._told("lost")), qos=1, retain=True)

    def _subscribed(self) -> None:
        if self.present:
            self._tell_state("online")

    def _beat(self) -> None:
        if self.present:
            self._publish(f"{self._monitor}/heartbeat", self._told("online", BEAT_S))

    def _heard(self, heard: Heard) -> None:
        match heard.message:
            case State(state="online") as state:
                self._node_boot = state.boot
                if self.present:
                    self._command("probe")
                    self._receipt(self._held)
            case Alarm() as alarm:
                self._presses = {each.incident: each.presses for each in alarm.incidents}
            case Event() as event if self.present:
                self._held = EventId(event.boot, event.seq)
                self._receipt(self._held)

    def _command(self, action: str, **arguments: Any) -> None:
        """Send a command to the node as it was born last."""
        if self._node_boot:
            number = next(self._numbers)
            command = Command(
                v=1,
                id=f"{action}-{number}",
                boot=self._node_boot,
                ttl_s=float(TTL_S),
                by=MONITOR,
                action=action,
                **arguments,
            )
            if self._publish(self._wire.command_topic, command, expiry_s=TTL_S):
                return
        self._put(NotDone(time.monotonic(), f"no {action}: the guard's desk isn't connected yet"))

    def _receipt(self, event: EventId | None) -> None:
        if event is not None:
            for kind in get_args(ReceiptKind):  # whoever looks at this screen is told by it
                self._publish(self._wire.receipt_topic, Receipt(v=1, monitor=MONITOR, event=event, kind=kind))

    def _tell_state(self, state: _MonitorState) -> None:
        self._publish(f"{self._monitor}/state", self._told(state), retain=True)

    def _told(self, state: _MonitorState, period_s: float | None = None) -> _Told:
        return _Told(
            v=1,
            monitor=MONITOR,
            boot=self._boot,
            at_utc=rfc3339(time.time()),
            state=state,
            period_s=period_s,
        )

    def _publish(
        self, topic: str, message: msgspec.Struct, *, retain: bool = False, expiry_s: int | None = None
    ) -> bool:
        client = self._client
        if client is None or not client.is_connected():
            return False
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if expiry_s is not None:
            properties.MessageExpiryInterval = expiry_s
        client.publish(topic, msgspec.json.encode(message), qos=1, retain=retain, properties=properties)
        return True

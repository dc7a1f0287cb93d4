"""The guard's desk: a monitor that hears one node, confirms its events if it is asked to, and gives commands."""

import itertools
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from tests.support.mqtt import TIMEOUT_S, Client, Received
from tests.support.node import NODE, SITE

Message = Mapping[str, Any]
BRANCH = f"alarm/v1/{SITE}/node/{NODE}"

RECEIPT_KINDS = ("held", "told")
_HEARD = ("state", "alarm", "event", "heartbeat", "reply")


class Desk:
    """Connected from entering it as a context to leaving it. A node hears it once it has said ``beat``.

    ``receipts``: of each event it says as it comes that it is held, and that people were told. ``hears``: the topics of
    the node's branch that it subscribes.
    """

    def __init__(
        self, port: int, *, name: str = "guard-desk", receipts: bool = False, hears: Sequence[str] = _HEARD
    ) -> None:
        self.boot = secrets.token_hex(4)
        self._name = name
        self._receipts = receipts
        self._ids = itertools.count(1)
        self.client = Client(
            port, subscribe=[f"{BRANCH}/{each}" for each in hears], on_received=self._confirm if receipts else None
        )

    @property
    def node_boot(self) -> str:
        """The boot of the newest birth that was heard; waits for the first. From then on the node hears this desk."""
        births = [state["boot"] for state in self.heard("state") if state.get("state") == "online"]
        return births[-1] if births else str(self.expect("state", state="online")["boot"])

    @property
    def events(self) -> list[Message]:
        """All copies of events so far."""
        return self.heard("event")

    def heard(self, topic: str) -> list[Message]:
        """All messages so far on this topic of the node's branch."""
        return [decoded(each) for each in self.client.received if each.topic == f"{BRANCH}/{topic}"]

    def expect(
        self,
        topic: str,
        fits: Callable[[Message], bool] = lambda message: True,
        timeout_s: float = TIMEOUT_S,
        **fields: object,
    ) -> Message:
        """The oldest message with these fields on this topic that no earlier call has returned; waits for it."""
        return decoded(self.receive(topic, fits, timeout_s, **fields))

    def receive(
        self,
        topic: str,
        fits: Callable[[Message], bool] = lambda message: True,
        timeout_s: float = TIMEOUT_S,
        **fields: object,
    ) -> Received:
        """As ``expect``: the message as it came."""

        def wanted(received: Received) -> bool:
            if received.topic != f"{BRANCH}/{topic}":
                return False
            message = decoded(received)
            return all(message.get(name) == value for name, value in fields.items()) and fits(message)

        return self.client.expect(wanted, timeout_s)

    def expect_fault(self, code: str, timeout_s: float = TIMEOUT_S) -> Message:
        """The first heartbeat that lists this fault."""
        return self.expect("heartbeat", lambda message: code in {each["code"] for each in message["faults"]}, timeout_s)

    def confirm(self, event: Message, *kinds: str) -> None:
        """Say of this event that it is held and that people were told of it, or only one of these."""
        for kind in kinds or RECEIPT_KINDS:
            self.client.publish(f"{BRANCH}/receipt", json.dumps(receipt(event, kind, self._name)))

    def beat(self) -> None:
        """Say that the monitor is there, as soon as the node can hear it."""
        assert self.node_boot
        message = {"v": 1, "monitor": self._name, "boot": self.boot, "period_s": 5}
        self.client.publish(f"alarm/v1/{SITE}/monitor/{self._name}/heartbeat", json.dumps(message))

    def command(self, action: str, **fields: object) -> dict[str, Any]:
        """A command to the node as it is now, not yet given."""
        boot = fields.get("boot") or self.node_boot
        command_id = f"order-{next(self._ids)}-{self.boot}"
        command = {"v": 1, "id": command_id, "boot": boot, "ttl_s": 20, "by": "guard-desk", "action": action}
        return {**command, **fields}

    def give(self, command: Message | bytes, *, expiry_s: int | None = 20, retain: bool = False) -> None:
        """Publish a command."""
        payload = command if isinstance(command, bytes) else json.dumps(command)
        self.client.publish(f"{BRANCH}/command", payload, expiry_s=expiry_s, retain=retain)

    def order(self, action: str, **fields: object) -> Message:
        """Give a command and wait for the reply."""
        command = self.command(action, **fields)
        self.give(command)
        return self.expect("reply", id=command["id"])

    def __enter__(self) -> Self:
        self.client.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.client.__exit__(kind, value, traceback)

    def _confirm(self, received: Received) -> None:
        if received.topic != f"{BRANCH}/event":
            return
        for kind in RECEIPT_KINDS:
            self.client.send(f"{BRANCH}/receipt", json.dumps(receipt(decoded(received), kind, self._name)))


def receipt(event: Message, kind: str, monitor: str = "guard-desk") -> dict[str, Any]:
    """What a monitor says of an event: "held" or "told"."""
    return {"v": 1, "monitor": monitor, "event": {"boot": event["boot"], "seq": event["seq"]}, "kind": kind}


def decoded(received: Received) -> Message:
    """What a message says; nothing where it isn't an object in JSON."""
    try:
        message = json.loads(received.payload)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}


def faults(heartbeat: Message) -> dict[str, str]:
    """The faults of a heartbeat but for those of its machine: codes and subjects."""
    told = {fault["code"]: fault["subject"] for fault in heartbeat.get("faults", ())}
    return {code: subject for code, subject in told.items() if not is_of_the_machine(code)}


def is_of_the_machine(code: str) -> bool:
    """Whether a fault or finding is of the machine that a test runs on: no time server, say, or /tmp in memory."""
    return code.startswith("F03") or code == "M041"


def incidents(alarm: Message) -> list[str]:
    """The ids of all incidents that an alarm message lists."""
    return [each["incident"] for each in alarm["incidents"]]

"""The doctor at a broker: whether it lets the monitor in, and whether commands reach the nodes that are online there.

It connects as the monitor, which doesn't run now, and publishes nothing that a node could believe: ``probe`` alone,
which does nothing. The answer of a node shows the way of every command, over whatever bridge there is.
"""

import queue
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from node.config.brokers import Broker
from node.core.events import Event, LinkDown, LinkUp
from node.errors.faults import CREDENTIALS_UNUSABLE, FAULTS
from node.io.mqtt.link import Incoming, Outgoing, Priority, Subscription
from node.io.mqtt.link import Link as BrokerLink
from node.io.terminal.check_result import CheckResult
from node.monitor.core.decisions.ledger import SendCommand
from node.monitor.core.decisions.monitor_codec import TTL_S, FromNode, MonitorWire
from node.monitor.core.model.catalogue import (
    BROKER_AWAY,
    COMMANDS_EXPIRED,
    COMMANDS_UNHEARD,
    FILE_UNUSABLE,
    REFUSED,
    FindingKind,
)
from node.monitor.core.model.monitor_settings import Settings
from node.monitor.core.model.records import NodeKey
from node.monitor.service.links.broker_link import BOUNDS
from node.protocol.messages import ReplyMessage, State

ANSWER_S = 5.0
SETTLE_S = 0.3
"""After this pause whatever the broker keeps of its nodes has come."""

MOST = 20
"""How many nodes are asked; the running monitor asks all."""

NAMED = 3


@dataclass(slots=True)
class _Heard:
    online: dict[NodeKey, str] = field(default_factory=dict)
    replies: dict[str, ReplyMessage] = field(default_factory=dict)


def try_broker(settings: Settings, broker: Broker) -> Iterator[CheckResult]:
    """What is found there."""
    wire = MonitorWire(settings.root, settings.sites, settings.monitor, secrets.token_hex(4))
    events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
    heard = _Heard()

    def hear(message: Incoming) -> None:
        said = wire.read(message.topic, message.payload) if message.payload else None
        if isinstance(said, FromNode) and isinstance(said.message, State) and said.message.state == "online":
            heard.online[said.node] = said.message.boot
        elif isinstance(said, FromNode) and isinstance(said.message, ReplyMessage):
            heard.replies[said.message.id or ""] = said.message
        events.put(None)

    def put(event: Event) -> None:
        events.put(event)
        link.decided()

    def will(session: int) -> tuple[str, bytes]:
        # Nobody is to believe that the monitor was there: it isn't, and a doctor that dies changes nothing about that.
        return wire.state_topic(wire.sites[0]), wire.said("lost", session, time.time())

    link = BrokerLink(
        broker.name,
        broker.host,
        broker.port,
        wire.client_id,
        subscriptions=[Subscription(topic) for topic in wire.subscriptions],
        will=will,
        decode=hear,
        put=put,
        tls=broker.tls,
        login=broker.login,
        bounds=BOUNDS,
    )
    link.start()
    try:
        yield from _listen(broker.name, wire, link, events, heard)
    finally:
        link.close(1.0)
        link.join(2.0)


def _listen(
    name: str, wire: MonitorWire, link: BrokerLink, events: "queue.SimpleQueue[Event | None]", heard: _Heard
) -> Iterator[CheckResult]:
    first = _first(events)
    if not isinstance(first, LinkUp):
        yield _why_not(name, first)
        return
    yield CheckResult(True, f"broker {name} accepts the monitor and grants its subscriptions")
    for topic, code in first.refused.items():
        text = f"broker {name}: {topic} (0x{code:02X}): {REFUSED.code} {REFUSED.text}"
        yield CheckResult(False, text, REFUSED.next_step)
    while _next(events, SETTLE_S) is not _SILENCE:
        pass
    asked: dict[str, NodeKey] = {}
    for node, boot in list(heard.online.items())[:MOST]:
        command = SendCommand(node, f"{wire.boot}-{len(asked) + 1}", boot, "check", "probe", {})
        asked[command.id] = node
        message = Outgoing(
            session=first.session,
            topic=wire.command_topic(node),
            payload=wire.command(command),
            priority=Priority.CONTROL,
            expiry_s=TTL_S,
        )
        link.publish(message)
    until = time.monotonic() + ANSWER_S
    while asked.keys() - heard.replies.keys() and time.monotonic() < until:
        _next(events, until - time.monotonic())
    yield from _answers(name, asked, heard)


def _first(events: "queue.SimpleQueue[Event | None]") -> LinkUp | LinkDown | None:
    until = time.monotonic() + ANSWER_S
    while (left := until - time.monotonic()) > 0:
        event = _next(events, left)
        if isinstance(event, LinkUp | LinkDown):
            return event
    return None


_SILENCE = Event(0.0)


def _next(events: "queue.SimpleQueue[Event | None]", timeout_s: float) -> Event | None:
    try:
        return events.get(timeout=max(timeout_s, 0.0))
    except queue.Empty:
        return _SILENCE


def _why_not(name: str, down: LinkDown | None) -> CheckResult:
    if down is None or down.problem is None:
        reason = "no answer" if down is None else down.reason
        return CheckResult(False, f"broker {name}: {reason}: {BROKER_AWAY.code}", BROKER_AWAY.next_step)
    fault = FAULTS[down.problem]
    if fault is CREDENTIALS_UNUSABLE:
        return CheckResult(False, f"broker {name}: {down.reason}: {FILE_UNUSABLE.code}", FILE_UNUSABLE.next_step)
    told = f"{fault.link_problem or fault.text} ({fault.code} {down.reason})"
    return CheckResult(False, f"broker {name}: {told}: {BROKER_AWAY.code}", fault.next_step)


def _answers(name: str, asked: dict[str, NodeKey], heard: _Heard) -> Iterator[CheckResult]:
    if not asked:
        return
    expired = [node for number, node in asked.items() if _refused(heard.replies.get(number)) == "no-expiry"]
    unheard = [node for number, node in asked.items() if number not in heard.replies]
    if expired:
        yield _found(name, COMMANDS_EXPIRED, expired)
    if unheard:
        yield _found(name, COMMANDS_UNHEARD, unheard)
    reached = len(asked) - len(expired) - len(unheard)
    if reached:
        yield CheckResult(True, f"broker {name}: a command reached {reached} of {len(asked)} nodes that are online")


def _refused(reply: ReplyMessage | None) -> str | None:
    return None if reply is None else reply.reason


def _found(name: str, kind: FindingKind, nodes: list[NodeKey]) -> CheckResult:
    named = ", ".join(f"{each.site}/{each.node}" for each in nodes[:NAMED])
    more = f" and {len(nodes) - NAMED} more" if len(nodes) > NAMED else ""
    text = f"broker {name}: {kind.code} {named}{more}: {kind.text}"
    return CheckResult(False, text, kind.next_step)

"""The doctor at a broker: whether it answers, whether a canary comes back, and how long certificates are valid."""

import queue
import secrets
import time
from collections.abc import Callable, Iterator, Mapping

from node import config
from node.core import events as ev
from node.errors.faults import (
    BROKER_UNREACHABLE,
    CANARY_SILENT,
    CERTIFICATE_EXPIRES,
    CREDENTIALS_UNUSABLE,
    EXPIRY_LOST,
    FAULTS,
    PLAIN_TEXT,
)
from node.io.mqtt.link import Incoming, Link, Outgoing, Priority, Subscription
from node.io.terminal.check_result import CheckResult
from node.protocol import codec
from node.protocol.messages import CANARY_EXPIRY_S

ANSWER_S = 5.0
"""How long a broker may take. HAZARDS.md H14: only a canary shows a subscription that is granted and stays silent."""

EXPIRES_DAYS = 30
DAY_S = 86_400.0


def try_broker(settings: config.Config, broker: config.Broker) -> Iterator[CheckResult]:
    """Connect as the node, whose service must not run now, and wait for a canary of our own."""
    if broker.insecure:
        yield CheckResult(False, f"broker {broker.name}: {PLAIN_TEXT.code} {PLAIN_TEXT.text}", PLAIN_TEXT.next_step)
    boot = secrets.token_hex(4)
    messages = codec.Wire(settings.root, settings.site, settings.node, boot)
    heard: queue.SimpleQueue[ev.Event] = queue.SimpleQueue()

    def read(message: Incoming) -> ev.Event | None:
        return messages.read(
            broker.name,
            message.topic,
            message.payload,
            retained=message.retained,
            expiry_s=message.expiry_s,
            at=message.at,
        )

    def will(session: int) -> tuple[str, bytes]:
        # The will must say that the node is lost: it isn't running, and a doctor that dies doesn't change that.
        return messages.state_topic, messages.state("lost", session, 0, time.time(), synchronised=False)

    link = Link(
        broker.name,
        broker.host,
        broker.port,
        messages.client_id,
        subscriptions=[Subscription(messages.canary_topic)],
        will=will,
        decode=read,
        put=heard.put,
        tls=broker.tls,
        login=broker.login,
    )
    link.start()
    try:
        yield from _listen(broker.name, link, messages, heard, time.monotonic)
    finally:
        link.close(1.0)
        link.join(2.0)


def _listen(
    name: str,
    link: Link,
    messages: codec.Wire,
    heard: "queue.SimpleQueue[ev.Event]",
    clock: Callable[[], float],
) -> Iterator[CheckResult]:
    until = clock() + ANSWER_S
    kind = BROKER_UNREACHABLE
    reason, sent_at, found = "no answer", None, None
    ends_utc: Mapping[str, float] = {}
    while (left := until - clock()) > 0:
        try:
            event = heard.get(timeout=left)
        except queue.Empty:
            break
        link.decided()
        if isinstance(event, ev.CredentialsSeen):
            ends_utc = event.ends_utc
        if isinstance(event, ev.LinkDown):
            kind, reason = FAULTS[event.problem or BROKER_UNREACHABLE.code], event.reason
            break
        if isinstance(event, ev.LinkUp):
            kind, reason, sent_at = CANARY_SILENT, "no canary came back", clock()
            payload = messages.canary(event.session, 0, time.time(), synchronised=False)
            link.publish(
                Outgoing(
                    session=event.session,
                    topic=messages.canary_topic,
                    payload=payload,
                    priority=Priority.CONTROL,
                    expiry_s=CANARY_EXPIRY_S,
                )
            )
        if isinstance(event, ev.CanaryHeard) and sent_at is not None:
            rtt_ms = (clock() - sent_at) * 1000
            found = CheckResult(True, f"broker {name} answers; a canary came back in {rtt_ms:.1f} ms")
            if not event.expiring:
                kind, reason = EXPIRY_LOST, "a canary came back without its expiry"
                found = None
            break
    # The service's log, which the fault names, says nothing of this try.
    next_step = "correct the file" if kind is CREDENTIALS_UNUSABLE else kind.next_step
    yield found or CheckResult(False, f"broker {name}: {reason}: {kind.code} {kind.text}", next_step)
    for whose, end_utc in sorted(ends_utc.items()):
        yield _how_long(f"broker {name}: the {whose} certificate", end_utc)


def _how_long(certificate: str, end_utc: float) -> CheckResult:
    day = time.strftime("%Y-%m-%d", time.gmtime(end_utc))
    days = (end_utc - time.time()) / DAY_S
    if days > EXPIRES_DAYS:
        return CheckResult(True, f"{certificate} is good until {day}")
    when = f"expires in {days:.0f} days, on {day}" if days > 0 else f"expired on {day}"
    text = f"{certificate} {when}: {CERTIFICATE_EXPIRES.code} {CERTIFICATE_EXPIRES.text}"
    return CheckResult(False, text, CERTIFICATE_EXPIRES.next_step)

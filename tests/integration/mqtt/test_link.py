"""What passes through a link that is up: heard, sent and answered, by a real mosquitto."""

import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from node.core.events import Event, LinkUp, MessagesDropped, PublishAnswered
from node.core.model import Key
from node.io.mqtt import answer_timeout, link_queue
from node.io.mqtt.link import UNSENDABLE, Outgoing, Priority, Subscription
from node.io.mqtt.link_types import NODE_BOUNDS
from node.io.mqtt.session.paho_client import PahoClient
from tests.support.broker import Broker
from tests.support.loop import CONNACK, SUBACK, TIMEOUT_S, WINDOW, Heard, Loop, publish_packet, running, strange_broker
from tests.support.mqtt import Client

RECEIPT = Subscription("node/receipt")


def test_a_link_comes_up(broker: Broker) -> None:
    """The first session of a boot has number 1, and LinkUp is the first that the loop hears of it."""
    with running(Loop(broker.port)) as loop:
        event = loop.next()

    assert event == LinkUp(event.at, "the-broker", 1)


def test_a_session_takes_messages_as_soon_as_it_is_known(broker: Broker) -> None:
    """However quickly the loop answers LinkUp with the birth, it isn't too early."""
    loop = Loop(broker.port)
    loop.on_put = lambda event: loop.publish(1, "node/state", b"online") if isinstance(event, LinkUp) else None
    with running(loop):
        answer = loop.expect(PublishAnswered)

    assert answer.topic == "node/state"


def test_what_the_broker_retains_and_what_is_published_later_is_heard(broker: Broker) -> None:
    """A retained message says that it was there before, a fresh one that it wasn't."""
    subscriptions = Subscription("node/alarm"), Subscription("node/canary")
    with Client(broker.port) as client, running(Loop(broker.port, *subscriptions)) as loop:
        client.publish("node/alarm", b"normal", retain=True)
        session = loop.expect(LinkUp).session

        loop.publish(session, "node/canary", b"tweet")
        heard = [loop.expect(Heard).message for _ in range(2)]

    assert [(each.topic, each.payload) for each in heard] == [("node/alarm", b"normal"), ("node/canary", b"tweet")]
    assert not heard[1].retained


def test_a_retained_message_is_told_from_a_fresh_one(broker: Broker) -> None:
    """Only what the broker kept from before the subscription is retained."""
    with Client(broker.port) as client:
        client.publish("node/command", b"old", retain=True)

        with running(Loop(broker.port)) as loop:
            old = loop.expect(Heard).message
            client.publish("node/command", b"new", retain=True)
            new = loop.expect(Heard).message

    assert (old.payload, old.retained) == (b"old", True)
    assert (new.payload, new.retained) == (b"new", False)


@pytest.mark.parametrize("retain", [False, True])
def test_a_subscription_can_ask_how_a_fresh_message_was_published(broker: Broker, retain: bool) -> None:
    """With retain_as_published a fresh message carries its sender's retain flag."""
    subscription = Subscription("node/command", retain_as_published=True)
    with Client(broker.port) as client, running(Loop(broker.port, subscription)) as loop:
        loop.expect(LinkUp)

        client.publish("node/command", b"reset", retain=retain)
        heard = loop.expect(Heard).message

    assert heard.retained == retain


@pytest.mark.parametrize(("expiry_s", "heard_s"), [(None, None), (60, 60)])
def test_a_message_expiry_is_heard(broker: Broker, expiry_s: int | None, heard_s: float | None) -> None:
    """MQTT's message expiry arrives in seconds, and its absence as None."""
    with Client(broker.port) as client, running(Loop(broker.port)) as loop:
        loop.expect(LinkUp)

        client.publish("node/command", b"reset", expiry_s=expiry_s)
        heard = loop.expect(Heard).message

    assert heard.expiry_s == heard_s


def test_a_message_expiry_is_sent(broker: Broker) -> None:
    """A subscriber sees the expiry that the sender gave."""
    with Client(broker.port, subscribe=["node/reply"]) as client, running(Loop(broker.port)) as loop:
        session = loop.expect(LinkUp).session

        loop.publish(session, "node/reply", b"done", expiry_s=60)
        received = client.expect_topic("node/reply")

    assert received.properties["MessageExpiryInterval"] == 60


@pytest.mark.parametrize(
    ("topic", "code"),
    [("node/command", 0x00), ("node/event", 0x10), ("forbidden", 0x87)],
    ids=["accepted", "nobody subscribes", "not authorised"],
)
def test_a_publish_is_answered_with_the_brokers_reason(tmp_path: Path, topic: str, code: int) -> None:
    """PublishAnswered tells PUBACK's code, and whose publish it was."""
    key = Key("0badcafe", 7)
    with Broker(tmp_path / "acl", acl="topic readwrite node/#\n") as broker, running(Loop(broker.port)) as loop:
        session = loop.expect(LinkUp).session

        loop.publish(session, topic, key=key)
        answer = loop.expect(PublishAnswered)

    assert answer == PublishAnswered(answer.at, "the-broker", session, topic, code, key)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A link that waits a minute for an answer: a broker may stay frozen for as long as a slow machine needs."""
    monkeypatch.setattr(answer_timeout, "ANSWER_S", 60.0)


@pytest.mark.usefixtures("patient")
def test_an_alarm_overtakes_everything_that_waits(tmp_path: Path) -> None:
    """Of 1,000 events before an alarm only those go out first for which there is a place that isn't reserved."""
    made = threading.Event()
    under_way = threading.Semaphore(0)

    def alarm() -> bytes:
        made.set()
        return b"alarm"

    def event(number: int) -> bytes:
        under_way.release()
        return b"%d" % number

    with (
        Broker(tmp_path / "large", options=["max_queued_messages 0"]) as broker,
        Client(broker.port, subscribe=["node/#"]) as client,
        running(Loop(broker.port)) as loop,
    ):
        session = loop.expect(LinkUp).session
        broker.freeze()

        for number in range(1_000):
            loop.publish(session, "node/event", partial(event, number), Priority.TELEMETRY)
        taken = [under_way.acquire(timeout=TIMEOUT_S) for _ in range(WINDOW - 4)]
        loop.publish(session, "node/alarm", alarm, Priority.ALARM)
        sent_while_frozen = made.wait(TIMEOUT_S)
        broker.thaw()
        for _ in range(1_001):
            loop.expect(PublishAnswered)
        client.expect(lambda message: message.payload == b"999")

    payloads = [message.payload for message in client.received]
    assert all(taken)
    assert sent_while_frozen
    assert payloads.index(b"alarm") == WINDOW - 4
    assert [payload for payload in payloads if payload != b"alarm"] == [b"%d" % number for number in range(1_000)]


@pytest.mark.usefixtures("patient")
def test_a_broker_that_takes_one_message_at_a_time_gets_no_more(tmp_path: Path) -> None:
    """Its window holds, and is too small for reserved places: each kind goes out when the one before is answered."""
    answered_before = []

    def payload() -> bytes:
        answered_before.append(loop.queue.qsize())
        return b""

    with Broker(tmp_path / "small", options=["max_inflight_messages 1"]) as broker, running(Loop(broker.port)) as loop:
        session = loop.expect(LinkUp).session
        broker.freeze()

        for priority in Priority:
            loop.publish(session, f"node/{priority.name}", payload, priority)
        broker.thaw()
        all_answered = loop.wait_for(len(Priority))

    assert all_answered
    assert answered_before == [0, 1, 2, 3]


def test_a_message_for_another_session_is_dropped(broker: Broker) -> None:
    """What was meant for a session that is gone isn't sent in the next one."""
    with Client(broker.port, subscribe=["node/#"]) as client, running(Loop(broker.port)) as loop:
        session = loop.expect(LinkUp).session

        loop.publish(session + 1, "node/event", b"stale")
        loop.publish(session, "node/event", b"fresh")
        loop.answer("node/event")
        client.expect(lambda message: message.payload == b"fresh")

    assert [message.payload for message in client.received if message.topic == "node/event"] == [b"fresh"]


def _unmakeable() -> bytes:
    raise KeyError("age_ms")


@pytest.mark.parametrize(
    ("topic", "payload"),
    [("node/event", _unmakeable), ("node/#", b"")],
    ids=["its payload can't be made", "its topic is a filter"],
)
def test_a_message_that_cant_be_sent_is_answered_as_refused(
    tmp_path: Path, topic: str, payload: bytes | Callable[[], bytes]
) -> None:
    """It keeps its key, and the message behind it is sent in the same session."""
    key = Key("0badcafe", 7)
    with Broker(tmp_path / "b") as broker, running(Loop(broker.port)) as loop:
        session = loop.expect(LinkUp).session

        loop.publish(session, topic, payload, key=key)
        loop.publish(session, "node/command", b"behind it")
        answers = [loop.next(), loop.next()]

    assert answers[0] == PublishAnswered(answers[0].at, "the-broker", session, topic, UNSENDABLE, key)
    assert isinstance(answers[1], PublishAnswered | Heard)


def test_a_flood_leaves_room_for_answers_and_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the loop decides nothing, only so many events wait; answers are among them, and no message is forgotten."""
    flood = 5_000
    monkeypatch.setattr(link_queue, "_REPORT_S", 0.0)
    with (
        Broker(tmp_path / "large", options=["max_queued_messages 0"]) as broker,
        Client(broker.port) as client,
        running(Loop(broker.port, Subscription("flood"))) as loop,
    ):
        session = loop.expect(LinkUp).session

        for _ in range(3 * WINDOW):
            loop.publish(session, "node/event")
        assert loop.wait_for(WINDOW)
        for _ in range(flood - 1):
            client.send("flood", b"x")
        client.publish("flood", b"x")
        assert loop.wait_for(WINDOW + NODE_BOUNDS.heard + 1)
        events: list[Event] = []
        while _messages(events) < flood or _count(events, PublishAnswered) < 3 * WINDOW:
            events.append(loop.next())

    assert loop.most_undecided <= WINDOW + NODE_BOUNDS.heard + 4
    assert _messages(events) == flood
    assert {event.reason for event in events if isinstance(event, MessagesDropped)} == {"too many"}


def test_a_flood_on_a_topic_with_room_of_its_own_costs_no_message_of_another_topic(broker: Broker) -> None:
    """The loop decides nothing meanwhile."""
    asked = 10 * NODE_BOUNDS.heard
    with Client(broker.port) as client, running(Loop(broker.port, Subscription("flood", room=3), RECEIPT)) as loop:
        loop.expect(LinkUp)
        for _ in range(asked):
            client.send("flood", b"x")
        for _ in range(NODE_BOUNDS.heard):
            client.publish(RECEIPT.topic, b"held")
        assert loop.wait_for(3 + NODE_BOUNDS.heard)
        events: list[Event] = []
        while _messages(events) < asked + NODE_BOUNDS.heard:
            events.append(loop.next())

    came = Counter(event.message.topic for event in events if isinstance(event, Heard))
    assert came == {"flood": 3, RECEIPT.topic: NODE_BOUNDS.heard}


def test_while_too_much_waits_to_be_sent_nothing_more_is_heard(broker: Broker) -> None:
    """Each message may ask for an answer: who asks faster than the broker takes them must not fill the memory."""
    with Client(broker.port) as client, running(Loop(broker.port)) as loop:
        session = loop.expect(LinkUp).session
        for _ in range(WINDOW + NODE_BOUNDS.backlog):
            loop.publish(session, "node/event")
        assert loop.wait_for(WINDOW)  # nothing of this is decided, so the rest waits

        client.publish("node/command", b"unheard")
        dropped = loop.expect(MessagesDropped)
        for _ in range(NODE_BOUNDS.backlog):
            loop.expect(PublishAnswered)
        client.publish("node/command", b"heard")
        heard = loop.expect(Heard)

    assert dropped == MessagesDropped(dropped.at, "the-broker", 1, "too many")
    assert heard.message.payload == b"heard"


def _count(events: list[Event], kind: type[Event]) -> int:
    return sum(isinstance(event, kind) for event in events)


def _messages(events: list[Event]) -> int:
    return _count(events, Heard) + sum(event.count for event in events if isinstance(event, MessagesDropped))


def test_rubbish_is_dropped_and_counted(broker: Broker) -> None:
    """A message that can't be read is told as a number, and the next one is heard in the same session."""
    with Client(broker.port) as client, running(Loop(broker.port)) as loop:
        loop.expect(LinkUp)

        client.publish("node/command", b"rubbish")
        client.publish("node/command", b"ignore")
        client.publish("node/command", b"reset")
        events = [loop.next(), loop.next()]

    dropped, heard = sorted(events, key=lambda event: isinstance(event, Heard))
    assert dropped == MessagesDropped(dropped.at, "the-broker", 1, "unreadable")
    assert isinstance(heard, Heard)
    assert heard.message.payload == b"reset"


def test_dropped_messages_are_reported_at_most_once_a_second(broker: Broker) -> None:
    """However much rubbish comes, its reports don't fill the loop's queue."""
    with Client(broker.port) as client, running(Loop(broker.port)) as loop:
        loop.expect(LinkUp)

        reports = []
        for _ in range(2):
            client.publish("node/command", b"rubbish")
            client.publish("node/command", b"rubbish")
            reports.append(loop.expect(MessagesDropped))

    assert reports[1].at - reports[0].at >= 1.0


def test_a_message_larger_than_the_node_wants_isnt_delivered(broker: Broker) -> None:
    """The broker keeps a megabyte to itself, and the session lives."""
    with Client(broker.port) as client, running(Loop(broker.port)) as loop:
        loop.expect(LinkUp)

        client.publish("node/command", b"x" * 1_000_000)
        client.publish("node/command", b"reset")
        event = loop.next()

    assert isinstance(event, Heard)
    assert event.message.payload == b"reset"


def test_what_comes_before_suback_is_heard_after_link_up() -> None:
    """A broker may deliver what it retains before it answers SUBSCRIBE; the loop gets it in a session that is up."""
    early = publish_packet(b"node/command", b"early")
    with strange_broker(CONNACK, early + SUBACK) as port, running(Loop(port)) as loop:
        events = [loop.next(), loop.next()]

    assert isinstance(events[0], LinkUp)
    assert isinstance(events[1], Heard)
    assert events[1].message.payload == b"early"


def test_a_topic_that_isnt_utf_8_is_unreadable() -> None:
    """It is dropped like any other rubbish, and the message behind it is heard."""
    strange = publish_packet(b"node/\xff", b"strange") + publish_packet(b"node/command", b"reset")
    with strange_broker(CONNACK, SUBACK + strange) as port, running(Loop(port)) as loop:
        loop.expect(LinkUp)
        events = [loop.next(), loop.next()]

    dropped, heard = sorted(events, key=lambda event: isinstance(event, Heard))
    assert dropped == MessagesDropped(dropped.at, "the-broker", 1, "unreadable")
    assert isinstance(heard, Heard)


def test_a_subscription_that_the_broker_refuses_doesnt_keep_the_session_down(caplog: pytest.LogCaptureFixture) -> None:
    """An alarm can be sent without hearing anything; the log names the topic, and a missing canary raises the fault."""
    refusing = b"\x90\x04\x00\x01\x00\x87"
    with strange_broker(CONNACK, refusing) as port, running(Loop(port)) as loop:
        event = loop.next()

    assert isinstance(event, LinkUp)
    assert "can't hear node/command: not authorised (0x87)" in caplog.text


def test_a_message_is_sent_by_the_thread_that_has_it_while_the_links_thread_sleeps(broker: Broker) -> None:
    """An alarm waits for no other thread to wake up. The link's thread wakes at times, and then may be the sender."""
    senders: set[threading.Thread] = set()
    with Client(broker.port, subscribe=["node/event"]) as client, running(Loop(broker.port)) as loop:
        session = loop.expect(LinkUp).session
        for number in range(10):
            loop.link.publish(_alarm(session, number, senders))
            client.expect(lambda message, number=number: message.payload == b"%d" % number)  # type: ignore[misc]
            loop.expect(PublishAnswered)

    assert threading.current_thread() in senders


def test_a_message_waits_for_nobody_while_the_links_thread_is_busy(broker: Broker) -> None:
    """It is handed over, and that thread sends it as soon as it can."""
    senders: set[threading.Thread] = set()
    with Client(broker.port, subscribe=["node/event"]) as client, running(Loop(broker.port)) as loop:
        session = loop.expect(LinkUp).session
        with loop.link._queue.turn:  # noqa: SLF001 - as if the link's thread had it
            loop.link.publish(_alarm(session, 1, senders))
        client.expect_topic("node/event")

    assert senders == {loop.link.thread}


def _alarm(session: int, number: int, senders: set[threading.Thread]) -> Outgoing:
    """A message that notes which thread sends it."""

    def payload() -> bytes:
        senders.add(threading.current_thread())
        return b"%d" % number

    return Outgoing(session=session, topic="node/event", payload=payload, priority=Priority.ALARM)


def test_messages_in_a_row_are_written_by_one_call(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """So the alarm and its event arrive together. Each is answered; what isn't a message is written as it was."""
    written: list[bytes] = []
    send = PahoClient._sock_send  # noqa: SLF001 - the place where paho writes

    def noted(client: PahoClient, data: bytes) -> int:
        written.append(bytes(data))
        return send(client, data)

    monkeypatch.setattr(PahoClient, "_sock_send", noted)
    topics = ["node/alarm", "node/event", "node/event"]
    with running(Loop(broker.port)) as loop:
        session = loop.expect(LinkUp).session
        before = len(written)
        for topic in topics:
            loop.link.hand_over(Outgoing(session=session, topic=topic, payload=b"x" * 1_000, priority=Priority.ALARM))
        loop.link.flush()
        answered = [loop.expect(PublishAnswered).topic for _ in topics]

    assert answered == topics
    assert len(written[before]) > 3_000

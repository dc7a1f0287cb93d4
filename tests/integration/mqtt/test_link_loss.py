"""How a link is lost, waits, comes back and says goodbye."""

import threading
from pathlib import Path
from queue import SimpleQueue

import pytest

from node.core.back_off import BackOff
from node.core.events import Event, LinkDown, LinkUp, PublishAnswered
from node.io.mqtt import answer_timeout, link, link_queue
from node.io.mqtt.answer_timeout import CONNECT, PUBLISH, AnswerTimeouts
from node.io.mqtt.link import Incoming, Outgoing, Priority, Subscription
from tests.support.broker import Broker, free_port
from tests.support.loop import (
    CONNACK,
    SUBACK,
    TIMEOUT_S,
    WINDOW,
    Loop,
    listener,
    running,
    strange_broker,
)
from tests.support.mqtt import Client
from tests.support.proxy import Proxy


def test_a_broker_that_is_killed_and_comes_back_begins_a_session_with_a_higher_number(broker: Broker) -> None:
    """The loss is told once, with the number of the session that was lost."""
    with running(Loop(broker.port)) as loop:
        first = loop.expect(LinkUp)

        broker.kill()
        down = loop.expect(LinkDown)
        broker.start()
        second = loop.expect(LinkUp)

    assert down == LinkDown(down.at, "the-broker", first.session, "connection lost", by_broker=True)
    assert second.session == first.session + 1


@pytest.mark.parametrize(
    ("code", "reason", "taken_over"),
    [
        (0x8B, "ended by the broker: server shutting down (0x8B)", False),
        (0x8E, "session taken over", True),
    ],
)
def test_a_broker_that_ends_a_session_says_why(code: int, reason: str, taken_over: bool) -> None:
    """DISCONNECT's reason reaches the reader of LinkDown, and *taken over* is told from all others."""
    with strange_broker(CONNACK, SUBACK + bytes([0xE0, 1, code])) as port, running(Loop(port)) as loop:
        loop.expect(LinkUp)
        down = loop.next()

    assert down == LinkDown(down.at, "the-broker", 1, reason, taken_over, by_broker=taken_over, code=code)


def test_a_broker_that_refuses_the_client_says_why(tmp_path: Path) -> None:
    """CONNACK's reason code reaches the reader of LinkDown."""
    with Broker(tmp_path / "closed", anonymous=False) as broker, running(Loop(broker.port)) as loop:
        down = loop.next()

    assert down == LinkDown(down.at, "the-broker", 1, "refused: not authorised (0x87)", problem="F022", code=0x87)


def test_a_refused_connection_uses_no_session_number_up() -> None:
    """Numbers are for sessions that a broker can know of, because their will carried it."""
    with running(Loop(free_port())) as loop:
        downs = [loop.next() for _ in range(3)]

    assert downs == [LinkDown(down.at, "the-broker", 1, "connection refused") for down in downs]


def test_a_press_ends_the_wait_for_the_next_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """hurry() brings the next attempt at once, however long the wait would have been."""
    monkeypatch.setattr(link_queue, "jitter", max)
    monkeypatch.setattr(link_queue, "RECONNECT", BackOff(3_600.0, 3_600.0))
    with running(Loop(free_port())) as loop:
        first = loop.expect(LinkDown)

        loop.link.hurry()
        second = loop.expect(LinkDown)

    assert second.at - first.at < TIMEOUT_S


@pytest.fixture
def ceilings(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What each wait before an attempt was chosen below, in seconds; none of them is waited for.

    The link's clock tick is put off too, so that only what should wake it does.
    """
    chosen: list[float] = []

    def jitter(_low: float, high: float) -> float:
        chosen.append(high)
        return 0.0

    monkeypatch.setattr(link_queue, "jitter", jitter)
    monkeypatch.setattr(link_queue, "TICK_S", 3_600.0)
    return chosen


def test_the_waits_grow_while_there_is_no_broker(ceilings: list[float]) -> None:
    """They double from a quarter of a second to five."""
    with running(Loop(free_port())) as loop:
        for _ in range(8):
            loop.expect(LinkDown)

    assert ceilings[:7] == [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0]


@pytest.mark.usefixtures("ceilings")
def test_a_link_doesnt_try_again_before_its_last_loss_is_decided() -> None:
    """A loop that is stalled isn't flooded with the news of one refused attempt after the other."""
    port = free_port()
    with running(Loop(port)) as stalled, running(Loop(port)) as other:
        for _ in range(50):
            other.expect(LinkDown)
        assert stalled.wait_for(1)
        undecided = stalled.queue.qsize()

    assert undecided == 1


@pytest.mark.parametrize(("lasting_s", "ceiling_s"), [(0.0, 0.25), (3_600.0, 5.0)], ids=["lasting", "short-lived"])
def test_the_waits_are_short_again_after_a_session_that_lasted(
    monkeypatch: pytest.MonkeyPatch, ceilings: list[float], broker: Broker, lasting_s: float, ceiling_s: float
) -> None:
    """A broker that accepts and drops over and over is left alone for longer and longer, one that was there isn't."""
    monkeypatch.setattr(link, "_LASTING_S", lasting_s)
    broker.kill()
    with running(Loop(broker.port)) as loop:
        for _ in range(8):
            loop.expect(LinkDown)
        broker.start()
        loop.expect(LinkUp)
        attempts = len(ceilings)

        broker.kill()
        loop.expect(LinkDown)
        loop.expect(LinkDown)

    assert ceilings[attempts] == ceiling_s


def test_a_broker_that_never_answers_connect_is_dropped() -> None:
    """The deadline is the link's own, whatever the keepalive; the attempt had a number, so the next one has another."""
    with listener() as listening, running(Loop(listening.getsockname()[1], keepalive_s=1)) as loop:
        client, _ = listening.accept()
        with client:
            down = loop.next()
            again, _ = listening.accept()
            again.close()
            second = loop.next()

    assert down == LinkDown(down.at, "the-broker", 1, "no answer to CONNECT within 3 s")
    assert isinstance(second, LinkDown)
    assert second.session == 2


def test_a_frozen_broker_is_noticed_by_a_publish_and_then_given_more_time(broker: Broker) -> None:
    """3 s for the publish, 6 s for the next attempt; and when it thaws, the link is up again."""
    with running(Loop(broker.port)) as loop:
        session = loop.expect(LinkUp).session
        broker.freeze()

        loop.publish(session, "node/event")
        downs = [loop.expect(LinkDown) for _ in range(2)]
        broker.thaw()
        up = loop.expect(LinkUp)

    assert [down.reason for down in downs] == ["no answer to a publish within 3 s", "no answer to CONNECT within 6 s"]
    assert up.session > session


def test_a_frozen_broker_is_noticed_by_a_ping(broker: Broker) -> None:
    """A link on which nothing is published notices a dead path too, though later."""
    with running(Loop(broker.port, keepalive_s=1)) as loop:
        session = loop.expect(LinkUp).session

        broker.freeze()
        down = loop.expect(LinkDown)
        broker.thaw()

    assert down == LinkDown(down.at, "the-broker", session, "no answer to a ping within 1 s")


def test_a_slow_path_gets_its_publish_answered_in_the_end(broker: Broker) -> None:
    """With 2 s each way a fixed deadline of 3 s would give every connection up; one that grows doesn't."""
    with Proxy(broker.port, delay_s=2.0) as proxy, running(Loop(proxy.port)) as loop:
        while True:
            session = loop.expect(LinkUp).session
            loop.publish(session, "node/event")
            outcome = loop.next()
            if isinstance(outcome, PublishAnswered):
                break

    assert (outcome.session, outcome.code) == (session, 0x10)


def test_what_a_lost_session_left_isnt_sent_by_the_next_one(broker: Broker) -> None:
    """What was in flight arrives once and what waited doesn't arrive: sending it again is for the record alone."""
    with (
        Proxy(broker.port) as proxy,
        Client(broker.port, subscribe=["node/event"]) as client,
        running(Loop(proxy.port)) as loop,
    ):
        session = loop.expect(LinkUp).session
        proxy.swallow_answers()

        for number in range(2 * WINDOW):
            loop.publish(session, "node/event", b"%d" % number)
        session = loop.expect(LinkUp).session
        loop.publish(session, "node/event", b"marker")
        client.expect(lambda message: message.payload == b"marker")

    assert [message.payload for message in client.received] == [*(b"%d" % each for each in range(WINDOW)), b"marker"]


def test_a_dropped_session_leaves_its_will(broker: Broker) -> None:
    """When the link itself gives a silent connection up, the broker tells the building, with the session's number."""
    with (
        Proxy(broker.port) as proxy,
        Client(broker.port, subscribe=["node/state"]) as client,
        running(Loop(proxy.port)) as loop,
    ):
        session = loop.expect(LinkUp).session
        proxy.swallow_answers()

        loop.publish(session, "node/event")
        will = client.expect_topic("node/state")
        retained = _retained(broker.port, "node/state")

    assert will.payload == b"lost %d" % session
    assert retained == will.payload


def _retained(port: int, topic: str) -> bytes:
    with Client(port, subscribe=[topic]) as client:
        return client.expect(lambda message: message.retain).payload


def test_a_close_lets_the_rest_be_answered_and_leaves_no_will(broker: Broker) -> None:
    """All that was handed over arrives and is answered, then DISCONNECT; no LinkDown is put for what was asked for."""
    with Client(broker.port, subscribe=["node/#"]) as client:
        with running(Loop(broker.port)) as loop:
            session = loop.expect(LinkUp).session
            for number in range(100):
                loop.publish(session, "node/event", b"%d" % number)
            loop.publish(session, "node/state", b"offline", Priority.HEARTBEAT)

            loop.link.close(TIMEOUT_S)
            ended = loop.link.join(TIMEOUT_S)
        client.publish("node/end", b"")
        client.expect_topic("node/end")

    assert ended
    assert [message.payload for message in client.received] == [*(b"%d" % each for each in range(100)), b"offline", b""]
    assert [type(event) for event in _drained(loop.queue)] == [PublishAnswered] * 101


def _drained(queue: SimpleQueue[Event]) -> list[Event]:
    events = []
    while not queue.empty():
        events.append(queue.get())
    return events


def test_a_goodbye_over_unread_messages_leaves_no_will(broker: Broker) -> None:
    """A reset, which closing over unread bytes is, must not overtake DISCONNECT."""
    reading = threading.Event()
    may_read = threading.Event()

    def decode_late(message: Incoming) -> Event | None:
        reading.set()
        may_read.wait(TIMEOUT_S)
        return None

    with Client(broker.port, subscribe=["node/state"]) as client:
        with running(Loop(broker.port, Subscription("flood"), decode=decode_late)) as loop:
            loop.expect(LinkUp)
            for _ in range(3 * WINDOW):
                client.publish("flood", b"x" * 16_000)
            assert reading.wait(TIMEOUT_S)

            loop.link.close(0.0)
            may_read.set()
            assert loop.link.join(TIMEOUT_S)
        client.publish("node/state", b"marker")
        client.expect(lambda message: message.payload == b"marker")

    assert [message.payload for message in client.received] == [b"marker"]


def test_a_close_ends_before_a_broker_that_doesnt_answer(broker: Broker) -> None:
    """A frozen broker holds a stop for the given time and a little more, but not for ever."""
    with running(Loop(broker.port)) as loop:
        session = loop.expect(LinkUp).session
        broker.freeze()
        loop.publish(session, "node/state", b"offline")

        loop.link.close(0.1)
        ended = loop.link.join(TIMEOUT_S)
        broker.thaw()

    assert ended


def test_a_link_that_never_began_can_be_closed() -> None:
    """A service that stops before it started its links needs no special case."""
    loop = Loop(free_port())

    loop.link.publish(Outgoing(session=0, topic="node/state", payload=b"", priority=Priority.CONTROL))
    loop.link.close()
    ended = loop.link.join(TIMEOUT_S)

    assert ended


def test_a_link_that_another_client_throws_off_comes_back(broker: Broker) -> None:
    """Debian's mosquitto doesn't tell a client that its session was taken over; it is a lost session like others."""
    with running(Loop(broker.port, client_id="room-214")) as loop:
        first = loop.expect(LinkUp)

        with Client(broker.port, "room-214") as thief:
            down = loop.expect(LinkDown)
            second = loop.expect(LinkUp)
            thief.wait_until_ended()

    assert down.session == first.session
    assert second.session == first.session + 1


def test_a_broker_that_breaks_the_protocol_is_left() -> None:
    """Bytes that aren't MQTT end the session with a reason."""
    with strange_broker(CONNACK, SUBACK + b"\x00\x00") as port, running(Loop(port)) as loop:
        loop.expect(LinkUp)
        down = loop.expect(LinkDown)

    assert down.reason == "the broker doesn't keep to the protocol"


def test_a_broken_will_costs_an_attempt_and_not_the_thread(broker: Broker) -> None:
    """Whatever a session meets unexpectedly is a lost session, and the next one is tried."""
    calls = []

    def will(session: int) -> tuple[str, bytes]:
        calls.append(session)
        if len(calls) == 1:
            raise KeyError("boot")
        return "node/state", b"lost"

    with running(Loop(broker.port, will=will)) as loop:
        events = [loop.next(), loop.next()]

    assert events == [
        LinkDown(events[0].at, "the-broker", 1, "unexpected KeyError"),
        LinkUp(events[1].at, "the-broker", 1),
    ]


def test_something_unexpected_between_two_sessions_costs_a_moment_and_not_the_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever goes wrong outside of a session too, the link goes on trying."""
    waits: list[int] = []

    def jitter(_low: float, _high: float) -> float:
        waits.append(len(waits))
        if len(waits) == 1:
            raise ArithmeticError
        return 0.0

    monkeypatch.setattr(link_queue, "jitter", jitter)
    monkeypatch.setattr(link, "_STUMBLE_S", 0.0)
    with running(Loop(free_port())) as loop:
        downs = [loop.expect(LinkDown) for _ in range(3)]

    assert [down.reason for down in downs] == ["connection refused"] * 3


def test_a_callback_that_fails_ends_in_silence_and_not_in_paho(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A filter that paho refuses raises inside its callback: that is logged, and the session runs into its deadline."""
    monkeypatch.setattr(answer_timeout, "ANSWER_S", 0.5)
    with running(Loop(broker.port, Subscription("node/#/command"))) as loop:
        down = loop.expect(LinkDown, lambda down: "SUBSCRIBE" in down.reason)

    assert down.reason.startswith("no answer to SUBSCRIBE within")
    assert "a callback failed" in caplog.text


def test_only_a_quick_answer_makes_a_deadline_short_again() -> None:
    """A slow one keeps it, another kind's leaves it alone, and 24 s is the longest."""
    timeouts = AnswerTimeouts()
    seen = []

    for _ in range(4):
        timeouts.lengthen()
        seen.append(timeouts.limit_s(PUBLISH))
    timeouts.answered(PUBLISH, 3.5)
    timeouts.answered(CONNECT, 0.1)

    assert seen == [6.0, 12.0, 24.0, 24.0]
    assert (timeouts.limit_s(PUBLISH), timeouts.limit_s(CONNECT)) == (24.0, 3.0)

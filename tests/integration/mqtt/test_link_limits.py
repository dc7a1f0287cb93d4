"""What a broker forbids or limits: each is told as what it is, with its reason code, and no message ends a session."""

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from node.core.events import LinkDown, LinkUp, PublishAnswered
from node.errors.faults import FAULTS
from node.io.mqtt import link, link_queue
from node.io.mqtt.link import Outgoing, Priority
from tests.support.broker import Broker
from tests.support.loop import CONNACK, SUBACK, TIMEOUT_S, Loop, listener, running, strange_broker
from tests.support.mqtt import Client

TOO_LARGE = 0x95


@pytest.mark.parametrize(
    ("option", "code", "fault"),
    [("retain_available false", 0x9A, "F051"), ("max_qos 0", 0x9B, "F051")],
    ids=["no retained messages", "no QoS 1"],
)
def test_a_broker_that_forbids_what_alarms_need_is_named_as_that(
    tmp_path: Path, option: str, code: int, fault: str
) -> None:
    """Nobody looks at the cable for it."""
    with Broker(tmp_path / "broker", options=[option]) as broker, running(Loop(broker.port)) as loop:
        down = loop.expect(LinkDown)

    assert (down.problem, down.code) == (fault, code)
    assert f"(0x{code:02X})" in down.reason


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (b"\x20\x02\x00\x01", "F050"),
        (b"\x20\x03\x00\x84\x00", "F050"),
        (b"\x20\x02\x00\x05", "F050"),
        (b"\x20\x03\x00\x88\x00", "F053"),
        (b"\x20\x03\x00\x97\x00", "F053"),
        (b"\x20\x03\x00\x9d\x00", "F053"),
        (b"\x20\x03\x00\xc3\x00", "F053"),
        (b"\x20\x03\x00\x95\x00", "F052"),
        (b"\x20\x03\x00\x86\x00", "F022"),
    ],
    ids=lambda value: value.hex() if isinstance(value, bytes) else value,
)
def test_a_refused_connection_is_told_by_what_was_refused(answer: bytes, fault: str) -> None:
    """Brokers of before MQTT 5 answer with codes of their own; a code that nobody knows is the broker's own rule."""
    with strange_broker(answer) as port, running(Loop(port)) as loop:
        down = loop.expect(LinkDown)

    assert down.problem == fault
    assert fault in FAULTS


@pytest.mark.parametrize(
    ("code", "fault"), [(0x93, "F053"), (0x95, "F052"), (0x97, "F053"), (0x9B, "F051"), (0x87, "F022"), (0x8B, None)]
)
def test_a_session_that_the_broker_ends_is_told_by_its_reason(code: int, fault: str | None) -> None:
    """A server that only shuts down is nothing to be mended."""
    with strange_broker(CONNACK, SUBACK + bytes([0xE0, 1, code])) as port, running(Loop(port)) as loop:
        down = loop.expect(LinkDown)

    assert (down.problem, down.code) == (fault, code)


@pytest.mark.parametrize("code", [0x80, 0x87, 0x95, 0x97, 0x9A, 0xC3])
def test_a_refused_publish_ends_no_session(code: int) -> None:
    """Not even with a code that MQTT doesn't foresee there."""
    with strange_broker(CONNACK, SUBACK, bytes([0x40, 3, 0, 2, code])) as port, running(Loop(port)) as loop:
        session = loop.expect(LinkUp).session

        loop.publish(session, "node/event")
        answer = loop.next()

    assert isinstance(answer, PublishAnswered)
    assert answer.code == code


def test_a_topic_that_the_broker_does_not_tell_of_is_named() -> None:
    """With its reason code, and the session goes on."""
    with strange_broker(CONNACK, b"\x90\x04\x00\x01\x00\x87") as port, running(Loop(port)) as loop:
        up = loop.expect(LinkUp)

    assert up.refused == {"node/command": 0x87}


def test_a_message_beyond_the_brokers_size_limit_is_refused_alone(tmp_path: Path) -> None:
    """Mosquitto tells its message_size_limit with a reason code that MQTT has for other packets."""
    with (
        Broker(tmp_path / "broker", options=["message_size_limit 100"]) as broker,
        running(Loop(broker.port)) as loop,
    ):
        session = loop.expect(LinkUp).session
        loop.publish(session, "node/heartbeat", b"x" * 500)
        large = loop.expect(PublishAnswered)
        loop.publish(session, "node/event", b"x" * 50)
        small = loop.next()

    assert large.code == TOO_LARGE
    assert isinstance(small, PublishAnswered)
    assert (small.session, small.code) == (session, 0x10)


def test_a_packet_beyond_the_brokers_limit_is_not_sent(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Mosquitto throws off whoever sends one: it is answered as refused, with one line in the log and no traceback."""
    with (
        Broker(tmp_path / "broker", options=["max_packet_size 2048"]) as broker,
        running(Loop(broker.port)) as loop,
    ):
        up = loop.expect(LinkUp)
        for _ in range(3):
            loop.publish(up.session, "node/alarm", b"x" * 2_048)
        codes = [loop.expect(PublishAnswered).code for _ in range(3)]
        loop.publish(up.session, "node/event", b"x" * 1_900)
        small = loop.next()

    assert up.packet_limit == 2_048
    assert codes == [TOO_LARGE] * 3
    assert isinstance(small, PublishAnswered)
    assert small.code == 0x10
    said = [each for each in caplog.records if "doesn't take" in each.getMessage()]
    assert [each.getMessage() for each in said] == [
        "link the-broker: the broker doesn't take 2048 bytes on node/alarm",
    ]
    assert not any(each.exc_info for each in caplog.records)


def test_a_broker_that_takes_what_we_take_has_no_limit(tmp_path: Path) -> None:
    """As deploy/mosquitto has it."""
    with (
        Broker(tmp_path / "broker", options=["max_packet_size 20480"]) as broker,
        running(Loop(broker.port)) as loop,
    ):
        up = loop.expect(LinkUp)

    assert up.packet_limit is None


def _beat(session: int, size: int) -> Outgoing:
    return Outgoing(
        session=session,
        topic="node/heartbeat",
        payload=b"x" * size,
        priority=Priority.HEARTBEAT,
        shortened=lambda most: b"x" * min(most, size),
    )


@pytest.mark.parametrize(
    ("option", "answers"),
    [("max_packet_size 1024", [0x00]), ("message_size_limit 600", [TOO_LARGE, 0x00])],
    ids=["that is announced", "that is found"],
)
def test_a_heartbeat_is_shortened_to_the_brokers_limit(tmp_path: Path, option: str, answers: list[int]) -> None:
    """At once where the broker has told it, else from the next one on; the session goes on."""
    with (
        Broker(tmp_path / "broker", options=[option]) as broker,
        Client(broker.port, subscribe=["node/heartbeat"]) as client,
        running(Loop(broker.port)) as loop,
    ):
        session = loop.expect(LinkUp).session
        codes = []
        for _ in answers:
            loop.link.publish(_beat(session, 1_000))
            codes.append(loop.expect(PublishAnswered).code)
        heard = client.expect_topic("node/heartbeat")

    assert codes == answers
    assert 400 < len(heard.payload) < 1_000


@contextmanager
def flapping() -> Iterator[int]:
    """The port of a broker that lets everybody in, and ends each session at once."""
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            with suppress(OSError):
                client, _ = listening.accept()
                with client:
                    client.settimeout(TIMEOUT_S)
                    for answer in (CONNACK, SUBACK):
                        client.recv(4096)
                        client.sendall(answer)

    with listener() as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            ended.set()
            listening.shutdown(socket.SHUT_RDWR)  # to close it alone wouldn't end the thread's accept()
            listening.close()
            thread.join(TIMEOUT_S)


def test_a_broker_that_throws_us_off_again_and_again_fills_no_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The same reason is told once in ten minutes."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(link_queue, "jitter", lambda _low, _high: 0.0)
    with flapping() as port, running(Loop(port)) as loop:
        for _ in range(10):
            loop.expect(LinkUp)
            loop.expect(LinkDown)

    lines = [each.getMessage() for each in caplog.records if each.levelno >= logging.INFO]
    assert sum("is down" in line for line in lines) <= 2
    assert sum("is up" in line for line in lines) <= 3


def test_the_end_of_a_long_session_is_always_told(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What broke off today and breaks off in five minutes is two losses."""
    monkeypatch.setattr(link, "_LONG_S", 0.0)
    with running(Loop(broker.port)) as loop:
        for _ in range(2):
            loop.expect(LinkUp)
            broker.kill()
            loop.expect(LinkDown)
            broker.start()
        loop.expect(LinkUp)

    assert sum("connection lost" in each.getMessage() for each in caplog.records) == 2

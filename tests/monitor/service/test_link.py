"""The monitor's link on a real broker, in plain text and in TLS: many messages at once, many threads, and its end."""

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from node.config import brokers
from node.io.mqtt.link import Bounds
from node.io.mqtt.link_queue import LinkQueue
from node.monitor.core.decisions.ledger import SendCommand
from node.monitor.core.decisions.monitor_codec import HEARTBEAT_S, MonitorWire
from node.monitor.core.model.records import EventKey
from node.monitor.service.links import broker_link as linking
from node.monitor.service.links.broker_link import Link
from tests.monitor.core.node_messages import BOOT, ROOM, SITE, press
from tests.support.broker import Broker, Tls
from tests.support.certificates import Authority
from tests.support.listening import Listening
from tests.support.mqtt import Client
from tests.support.node import wait_until
from tests.support.onerecord import OneRecord
from tests.support.strict import Strict

ROOT = "alarm/v1"
MANY = 500
WIRE = MonitorWire(ROOT, (SITE,), "guard-desk", "0000aaaa")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """One that listens in plain text and in TLS, and takes all at once."""
    pair = Authority(tmp_path / "ca.pem").issue("broker", tmp_path, "127.0.0.1")
    options = ["max_inflight_messages 0", "max_queued_messages 0"]
    with Broker(tmp_path / "broker", options=options, tls=Tls(pair)) as started:
        yield started


@pytest.fixture
def listening() -> Listening:
    """Who listens to the link."""
    return Listening()


@pytest.fixture(params=["plain", "tls"])
def link(request: pytest.FixtureRequest, tmp_path: Path, broker: Broker, listening: Listening) -> Iterator[Link]:
    """A link that is up."""
    in_tls = request.param == "tls"
    tls = brokers.Tls(tmp_path / "ca.pem") if in_tls else None
    reached = brokers.Broker("the-broker", "127.0.0.1", broker.tls_port if in_tls else broker.port, tls)
    made = Link(reached, WIRE, listening, "guard-desk")
    made.start()
    assert listening.ready.wait(20.0)
    yield made
    made.close("test")


def test_a_burst_is_heard_whole(broker: Broker, link: Link, listening: Listening) -> None:
    """More at once than is read in one go, and in the order in which it was said."""
    with Client(broker.port) as node:
        for number in range(1, MANY + 1):
            node.send(f"{ROOT}/{SITE}/node/{ROOM.node}/event", msgspec.json.encode(press(number)))

        wait_until(lambda: len(listening.heard) == MANY, what="all of them")

    assert [heard.message.seq for heard in listening.heard] == list(range(1, MANY + 1))
    assert listening.complaints == []


def test_what_comes_in_one_record_is_heard_whole(tmp_path: Path, listening: Listening) -> None:
    """TLS has read all of it by the first message: no poll says that there is more."""
    authority = Authority(tmp_path / "ca.pem")
    with ExitStack() as stack:
        broker = stack.enter_context(Broker(tmp_path / "broker", options=["max_inflight_messages 0"]))
        way = stack.enter_context(OneRecord(authority.issue("broker", tmp_path, "127.0.0.1"), broker.port))
        reached = brokers.Broker("the-broker", "127.0.0.1", way.port, brokers.Tls(authority.file))
        link = Link(reached, WIRE, listening, "guard-desk")
        link.start()
        stack.callback(link.close, "test")
        assert listening.ready.wait(20.0)
        node = stack.enter_context(Client(broker.port))
        way.held.set()
        for number in range(1, 11):
            node.send(f"{ROOT}/{SITE}/node/{ROOM.node}/event", msgspec.json.encode(press(number)))
        wait_until(lambda: way.waiting.count(b"/event") == 10, what="all of them at the door")

        way.let_go.set()  # and nothing after it
        wait_until(lambda: len(listening.heard) == 10, what="all of them")
        way.held.clear()

    assert [heard.message.seq for heard in listening.heard] == list(range(1, 11))


def test_what_several_threads_say_while_it_hears_arrives_whole(
    broker: Broker, link: Link, listening: Listening
) -> None:
    """No packet is mixed with another, and none waits for the link's next turn."""

    def receipts(first: int) -> None:
        for number in range(first, MANY + 1, 2):
            link.receipt(EventKey(*ROOM, BOOT, number), "held")

    threads = [threading.Thread(target=receipts, args=(first,)) for first in (1, 2)]
    with Client(broker.port, subscribe=[f"{ROOT}/{SITE}/node/{ROOM.node}/receipt"]) as node:
        for thread in threads:
            thread.start()
        for number in range(1, MANY + 1):
            node.send(f"{ROOT}/{SITE}/node/{ROOM.node}/event", msgspec.json.encode(press(number)))
        for thread in threads:
            thread.join()

        wait_until(lambda: len(node.received) == len(listening.heard) == MANY, what="all of them")

    told = {msgspec.json.decode(each.payload)["event"]["seq"] for each in node.received}
    assert told == set(range(1, MANY + 1))
    assert listening.complaints == []


def test_a_receipt_goes_out_at_once(broker: Broker, link: Link) -> None:
    """It wakes the link, which would otherwise sleep until it hears something."""
    with Client(broker.port, subscribe=[f"{ROOT}/{SITE}/node/{ROOM.node}/receipt"]) as node:
        delays = []
        for number in range(1, 21):
            began = time.monotonic()
            link.receipt(EventKey(*ROOM, BOOT, number), "held")
            node.expect(lambda message, number=number: f'"seq":{number}}}'.encode() in message.payload)  # type: ignore[misc]
            delays.append(time.monotonic() - began)

    assert sorted(delays)[10] < 0.1


def test_a_link_that_was_woken_sleeps_again(broker: Broker, link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until there is something to do: from one of its heartbeats to the next it turns a few times, not for ever."""
    wait, turns = LinkQueue.wait, itertools.count()

    def counted(queue: LinkQueue, until: float) -> int:
        next(turns)
        return wait(queue, until)

    with Client(broker.port, subscribe=[WIRE.heartbeat_topic(SITE)]) as node:
        monkeypatch.setattr(LinkQueue, "wait", counted)
        link.receipt(EventKey(*ROOM, BOOT, 1), "held")
        for heard in (1, 2):
            link.beat(heard * HEARTBEAT_S)
            wait_until(lambda heard=heard: len(node.received) >= heard, what="a heartbeat")  # type: ignore[misc]

    assert next(turns) < 1_000


@pytest.mark.parametrize("maximum", [1, 5])
def test_no_more_is_under_way_than_the_broker_takes(tmp_path: Path, listening: Listening, maximum: int) -> None:
    """A burst of births asks for a receipt and a probe each: one that enforces its limit throws nobody off."""
    options = [f"max_inflight_messages {maximum}", "max_queued_messages 0"]
    with ExitStack() as ends:
        broker = ends.enter_context(Broker(tmp_path / "broker", options=options))
        strict = ends.enter_context(Strict(broker.port, maximum))
        node = ends.enter_context(Client(broker.port, subscribe=[f"{ROOT}/{SITE}/node/{ROOM.node}/receipt"]))
        link = Link(brokers.Broker("the-broker", "127.0.0.1", strict.port, None), WIRE, listening, "guard-desk")
        ends.callback(link.close, "test")
        link.start()
        assert listening.ready.wait(20.0)

        for number in range(1, 41):
            link.receipt(EventKey(*ROOM, BOOT, number), "held")
        wait_until(lambda: len(node.received) == 40, what="all receipts")

    assert (strict.most, strict.thrown) == (maximum, 0)
    assert listening.complaints == []


def test_what_a_person_wants_overtakes_a_burst_of_receipts(tmp_path: Path, listening: Listening) -> None:
    """Whoever ends a call at a desk doesn't wait for the answers to a building's births."""
    command = SendCommand(ROOM, "c-1", BOOT, "guard-desk", "acknowledge", {"incident": "i"})
    with ExitStack() as ends:
        broker = ends.enter_context(Broker(tmp_path / "broker", options=["max_inflight_messages 1"]))
        strict = ends.enter_context(Strict(broker.port, 1, answer_s=0.1))
        node = ends.enter_context(Client(broker.port, subscribe=[f"{ROOT}/{SITE}/node/{ROOM.node}/+"]))
        link = Link(brokers.Broker("the-broker", "127.0.0.1", strict.port, None), WIRE, listening, "guard-desk")
        ends.callback(link.close, "test")
        link.start()
        assert listening.ready.wait(20.0)

        for number in range(1, 21):
            link.receipt(EventKey(*ROOM, BOOT, number), "held")
        link.command(command)
        node.expect_topic(WIRE.command_topic(ROOM))
        before = len(node.received)

    assert before < 15


def test_a_queue_that_is_full_drops_receipts_and_no_command(
    broker: Broker, listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A frozen broker fills no memory: what isn't sent is counted, and a node sends its event again."""
    monkeypatch.setattr(linking, "BOUNDS", Bounds(window=1, backlog=10, queue=10))
    command = SendCommand(ROOM, "c-1", BOOT, "guard-desk", "acknowledge", {"incident": "i"})
    link = Link(brokers.Broker("the-broker", "127.0.0.1", broker.port, None), WIRE, listening, "guard-desk")
    with ExitStack() as ends, Client(broker.port, subscribe=[WIRE.command_topic(ROOM)]) as node:
        ends.callback(link.close, "test")
        link.start()
        assert listening.ready.wait(20.0)
        broker.freeze()

        for number in range(1, 101):
            link.receipt(EventKey(*ROOM, BOOT, number), "held")
        link.command(command)
        wait_until(lambda: any("dropped" in each for each in listening.complaints), what="the count")
        broker.thaw()
        node.expect_topic(WIRE.command_topic(ROOM))


def test_a_link_that_is_closed_leaves_its_goodbye_behind(broker: Broker, link: Link, listening: Listening) -> None:
    """The broker has it, and tells no will after it."""
    state = WIRE.state_topic(SITE)
    with Client(broker.port, subscribe=[state]) as reader:
        link.close("sigterm")

        reader.expect(lambda message: b'"offline"' in message.payload and b'"sigterm"' in message.payload)
        reader.publish(state, b"", retain=True)
        reader.expect(lambda message: message.payload == b"")

    assert not any(b'"lost"' in message.payload for message in reader.received)
    assert listening.complaints == []


def test_two_monitors_of_one_name_find_each_other(broker: Broker) -> None:
    """The broker throws off whoever came first, so the two are never there together: each finds what the other left."""
    reached = brokers.Broker("the-broker", "127.0.0.1", broker.port, None)
    two = (Listening(), Listening())
    with ExitStack() as links:
        for boot, each in zip(("0000aaaa", "0000bbbb"), two, strict=True):
            wire = MonitorWire(ROOT, (SITE,), "guard-desk", boot)
            made = Link(reached, wire, each, "guard-desk")
            links.callback(made.close, "test")
            made.start()
            assert each.ready.wait(20.0)

        wait_until(lambda: all("stolen" in each.complaints for each in two), what="both to find it")


def test_what_the_process_before_left_is_nobody_elses(broker: Broker, listening: Listening) -> None:
    """A monitor that was killed and starts again has another boot, and the same name by right."""
    before = MonitorWire(ROOT, (SITE,), "guard-desk", "0000bbbb")
    reached = brokers.Broker("the-broker", "127.0.0.1", broker.port, None)
    made = Link(reached, WIRE, listening, "guard-desk")
    with ExitStack() as ends, Client(broker.port) as node:
        node.publish(before.state_topic(SITE), before.said("online", 1, 0.0), retain=True)
        ends.callback(made.close, "test")
        made.start()
        assert listening.ready.wait(20.0)

        node.send(f"{ROOT}/{SITE}/node/{ROOM.node}/event", msgspec.json.encode(press(1)))
        wait_until(lambda: listening.heard != [], what="what was said after what is retained")

    assert listening.complaints == []


def test_a_broker_that_does_not_let_us_in_is_told_from_one_that_is_away(tmp_path: Path, listening: Listening) -> None:
    """Nobody looks for it in the network."""
    with ExitStack() as ends, Broker(tmp_path / "closed", anonymous=False, passwords={"guard-desk": "right"}) as closed:
        reached = brokers.Broker("the-broker", "127.0.0.1", closed.port, None)
        made = Link(reached, WIRE, listening, "guard-desk")
        ends.callback(made.close, "test")
        made.start()

        wait_until(lambda: listening.complaints != [], what="the reason")

    assert listening.complaints[0] == "F022 refused: not authorised (0x87)"

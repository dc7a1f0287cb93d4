"""What a monitor says and hears: topics, payloads, and what it refuses."""

from typing import Any, get_args

import msgspec
import pytest
from msgspec.structs import replace

from node.core.events import CommandHeard, MonitorHeard, ReceiptHeard
from node.core.settings import AlarmClass
from node.monitor.core.decisions.ledger import SendCommand
from node.monitor.core.decisions.monitor_codec import FromMonitor, FromNode, Heard, MonitorWire, event_body
from node.monitor.core.model.records import EventKey
from node.protocol.codec import Wire
from node.protocol.messages import PAYLOAD_LIMIT, Event
from node.protocol.monitor_messages import ReceiptKind
from tests.monitor.core.node_messages import BOOT, ROOM, SITE, alarm, birth, heartbeat, press, reply

BRANCH = f"alarm/v1/{SITE}/node/{ROOM.node}"
OURS = "0000cafe"


def wire() -> MonitorWire:
    """A monitor of two sites."""
    return MonitorWire("alarm/v1", (SITE, "nord"), "guard-desk", OURS)


def node() -> Wire:
    """The node's side."""
    return Wire("alarm/v1", SITE, ROOM.node, BOOT)


def test_it_listens_to_what_nodes_say_at_its_sites_and_to_itself() -> None:
    """And to nothing else."""
    listens = wire().subscriptions

    kinds = ("state", "alarm", "event", "heartbeat", "reply")
    assert set(listens) == {
        *(f"alarm/v1/{site}/node/+/{kind}" for site in (SITE, "nord") for kind in kinds),
        *(f"alarm/v1/{site}/monitor/guard-desk/{kind}" for site in (SITE, "nord") for kind in ("state", "heartbeat")),
    }


@pytest.mark.parametrize(
    ("kind", "message"),
    [("state", birth()), ("alarm", alarm((1, "active"))), ("event", press(1)), ("heartbeat", heartbeat())],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_a_node_says_is_read(kind: str, message: Heard) -> None:
    """Whole."""
    heard = wire().read(f"{BRANCH}/{kind}", msgspec.json.encode(message))

    assert heard == FromNode(ROOM, message)


@pytest.mark.parametrize("version", ["1.0.0", "2.0.0rc1", "1.0.0.dev3+acme-2~x_y", "9" * 32])
def test_a_node_says_its_version(version: str) -> None:
    """The monitor shows it as it is."""
    heard = wire().read(f"{BRANCH}/heartbeat", msgspec.json.encode(heartbeat(version=version)))

    assert heard == FromNode(ROOM, heartbeat(version=version))


def test_a_node_that_is_older_than_the_field_says_no_version() -> None:
    """Its heartbeat is as good as any other."""
    older = msgspec.json.decode(msgspec.json.encode(heartbeat(version="1.0.0")))
    del older["version"]

    heard = wire().read(f"{BRANCH}/heartbeat", msgspec.json.encode(older))

    assert heard == FromNode(ROOM, heartbeat(version=None))


@pytest.mark.parametrize("version", ["", "1.0.0\n", "1 0", "9" * 33, "-1", '1"} 6', "\uff11.0", 1, ["1.0.0"]])
def test_a_text_that_is_no_version_is_refused(version: Any) -> None:
    """It would be a label of a metric and a word on guards' screens."""
    strange = msgspec.json.decode(msgspec.json.encode(heartbeat())) | {"version": version}

    with pytest.raises(ValueError, match="version"):
        wire().read(f"{BRANCH}/heartbeat", msgspec.json.encode(strange))


def test_a_reply_is_read() -> None:
    """The outcome of a command."""
    heard = wire().read(f"{BRANCH}/reply", msgspec.json.encode(reply("c-1", "stopping")))

    assert heard == FromNode(ROOM, reply("c-1", "stopping"))


@pytest.mark.parametrize("state", ["online", "offline", "lost"])
def test_its_own_state_is_read(state: str) -> None:
    """Another boot there is another client that speaks as it."""
    monitor = MonitorWire("alarm/v1", (SITE,), "guard-desk", "0000beef")

    payload = monitor.said(state, 1, 0.0, reason="stopped")  # type: ignore[arg-type]

    assert wire().read(wire().state_topic(SITE), payload) == FromMonitor("0000beef", state)


@pytest.mark.parametrize(
    "topic",
    [
        f"alarm/v1/{SITE}/node/{ROOM.node}/receipt",
        f"alarm/v1/{SITE}/node/{ROOM.node}/event/x",
        f"alarm/v1/{SITE}/node/Room/event",
        f"alarm/v1/{SITE}/node/{ROOM.node}\n/event",
        f"alarm/v1/elsewhere/node/{ROOM.node}/event",
        f"alarm/v1/{SITE}/monitor/other/state",
        f"other/v1/{SITE}/node/{ROOM.node}/event",
        "event",
        "",
    ],
)
def test_a_topic_of_nobody_is_refused(topic: str) -> None:
    """Whatever a broker brings."""
    with pytest.raises(ValueError, match="unknown topic"):
        wire().read(topic, msgspec.json.encode(press(1)))


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "unreadable"),
        (b"{", "unreadable"),
        (b"\xff\xfe", "unreadable"),
        (b"[" * 5_000, "unreadable"),
        (b"[]", "unreadable"),
        (b'{"v":2}', "unreadable"),
        (msgspec.json.encode(press(1)).replace(b'"v":1', b'"v":2'), "unreadable"),
        (msgspec.json.encode(press(1)).replace(ROOM.node.encode(), b"room-999"), "own branch"),
        (b" " * (PAYLOAD_LIMIT + 1), "more than"),
    ],
    ids=["nothing", "half", "no text", "too deep", "list", "no message", "another version", "another node", "too long"],
)
def test_a_payload_that_means_nothing_is_refused_with_a_reason(payload: bytes, reason: str) -> None:
    """Never a guess."""
    with pytest.raises(ValueError, match=reason):
        wire().read(f"{BRANCH}/event", payload)


def with_class(message: Heard, word: str) -> bytes:
    """This message with another class than *threat*."""
    return msgspec.json.encode(message).replace(b'"threat"', f'"{word}"'.encode())


def test_an_event_of_a_kind_that_isnt_known_is_read_as_it_is() -> None:
    """A newer node says it; its number must not be missing for ever."""
    heard = wire().read(f"{BRANCH}/event", msgspec.json.encode(press(1)).replace(b'"pressed"', b'"shouted"'))

    assert heard == FromNode(ROOM, replace(press(1), kind="shouted"), ("kind shouted",))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("event", press(1)),
        ("alarm", alarm((1, "active"), (2, "active"))),
        ("heartbeat", heartbeat(alarm_class=AlarmClass.THREAT)),
    ],
    ids=["event", "alarm", "heartbeat"],
)
def test_a_class_that_isnt_known_counts_as_a_threat(kind: str, message: Heard) -> None:
    """A call is a call, and a node whose buttons have a newer class isn't silent."""
    payload = with_class(message, "medical")
    assert b'"medical"' in payload

    heard = wire().read(f"{BRANCH}/{kind}", payload)

    assert heard == FromNode(ROOM, message, ("class medical",))


@pytest.mark.parametrize(
    "payload",
    [
        with_class(press(1), "Not a word"),
        with_class(press(1), "medical").replace(b'"presses":1', b'"presses":-1'),
        msgspec.json.encode(press(1)).replace(b'"threat"', b"7"),
        msgspec.json.encode(press(1)).replace(b'"pressed"', b'"Not a word"'),
        msgspec.json.encode(press(1)).replace(b'"pressed"', b"7"),
    ],
    ids=["class no word", "more is wrong", "class a number", "kind no word", "kind a number"],
)
def test_only_words_may_be_unknown(payload: bytes) -> None:
    """Whatever else is wrong with a message makes it unreadable, as before."""
    with pytest.raises(ValueError, match="unreadable"):
        wire().read(f"{BRANCH}/event", payload)


def test_the_longest_payload_is_read() -> None:
    """The limit is the last that is allowed."""
    payload = msgspec.json.encode(press(1))

    heard = wire().read(f"{BRANCH}/event", payload + b" " * (PAYLOAD_LIMIT - len(payload)))

    assert heard == FromNode(ROOM, press(1))


@pytest.mark.parametrize("kind", get_args(ReceiptKind))
def test_a_node_reads_its_receipt(kind: ReceiptKind) -> None:
    """On its own topic, of each kind."""
    topic, payload = wire().receipt_topic(ROOM), wire().receipt(EventKey(*ROOM, BOOT, 7), kind)

    heard = node().read("a", topic, payload, retained=False, expiry_s=None, at=1.0)

    assert isinstance(heard, ReceiptHeard)
    assert (heard.monitor, heard.key, heard.kind) == ("guard-desk", (BOOT, 7), kind)


def test_a_node_reads_a_command() -> None:
    """With what it needs, and a life that is short."""
    command = SendCommand(ROOM, "c-1", BOOT, "guard-desk", "acknowledge", {"incident": f"{BOOT}-1", "presses": 2})

    heard = node().read("a", wire().command_topic(ROOM), wire().command(command), retained=False, expiry_s=10.0, at=1.0)

    assert isinstance(heard, CommandHeard)
    assert (heard.id, heard.boot, heard.action, heard.ttl_s) == ("c-1", BOOT, "acknowledge", 10.0)
    assert heard.arguments == {"incident": f"{BOOT}-1", "presses": 2}


@pytest.mark.parametrize("kind", ["state", "heartbeat"])
def test_a_node_hears_that_the_monitor_lives(kind: str) -> None:
    """By its birth and by its heartbeats."""
    topic = wire().state_topic(SITE) if kind == "state" else wire().heartbeat_topic(SITE)
    payload = wire().said("online", 3, 1.5, period_s=None if kind == "state" else 5.0)

    heard = node().read("a", topic, payload, retained=False, expiry_s=None, at=1.0)

    assert isinstance(heard, MonitorHeard)
    assert (heard.monitor, heard.boot, heard.alive, heard.birth) == ("guard-desk", OURS, True, kind == "state")


def test_an_event_is_kept_without_its_age() -> None:
    """That belongs to one copy: two copies are the same event."""
    older = msgspec.structs.replace(press(1), age_ms=9_000)

    kept = event_body(older)

    assert kept == event_body(press(1))
    assert msgspec.json.decode(kept, type=Event).age_ms is msgspec.UNSET


def test_what_a_broker_keeps_of_a_node_has_two_topics() -> None:
    """Its state and its list; everything else is gone once it was sent."""
    branch = f"alarm/v1/{SITE}/node/{ROOM.node}"

    assert wire().kept_topics(ROOM) == (f"{branch}/state", f"{branch}/alarm")

"""The given broker, a real mosquitto: nodes and monitors may do what they must, and nothing else."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from node.io.mqtt.session.paho_client import LARGEST_PACKET
from node.protocol.messages import PAYLOAD_LIMIT
from tests.support.closed import LOGINS, ClosedBroker
from tests.support.desk import RECEIPT_KINDS, faults, receipt
from tests.support.mqtt import Client, Received, trusting
from tests.support.node import NODE, SimulatedNode, wait_until, write_config

SITE = "alarm/v1/mitte"
BRANCH = f"{SITE}/node/{NODE}"
MONITOR = f"{SITE}/monitor/guard-desk"
DONE = (0x00, 0x10)
"""Accepted, whether or not anybody subscribes."""

NOT_AUTHORISED = 0x87

Connect = Callable[..., Client]


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClosedBroker]:
    """The broker, as a building has it."""
    with ClosedBroker(tmp_path_factory.mktemp("closed")) as started:
        yield started


@pytest.fixture
def connect(closed: ClosedBroker) -> Connect:
    """Makes clients with a login: ``connect("guard-desk", subscribe=[…])``."""

    def client(user: str, client_id: str | None = None, **options: object) -> Client:
        return Client(
            closed.port,
            user if client_id is None else client_id,
            user=user,
            password=LOGINS[user],
            ca_file=closed.ca_file,
            **options,  # type: ignore[arg-type] # Client's own
        )

    return client


@pytest.mark.parametrize("topic", ["state", "alarm", "event", "heartbeat", "canary", "reply"])
def test_a_node_may_write_its_own_branch(connect: Connect, topic: str) -> None:
    """All that a node publishes is accepted."""
    with connect(NODE) as node:
        assert node.publish(f"{BRANCH}/{topic}", b"x") in DONE


@pytest.mark.parametrize(
    "topic",
    [
        f"{BRANCH}/command",
        f"{BRANCH}/receipt",
        f"{BRANCH}/else",
        BRANCH,
        f"{BRANCH}/state/more",
        *(f"{SITE}/node/room-215/{topic}" for topic in ("state", "alarm", "event", "heartbeat", "canary", "reply")),
        f"{SITE}/node/room-215/receipt",
        f"{SITE}/node/room-215/command",
        f"{SITE}/node/room-2140/state",
        f"{MONITOR}/state",
        f"{MONITOR}/heartbeat",
        f"{SITE}/monitor/{NODE}/heartbeat",
        f"alarm/v1/nord/node/{NODE}/alarm",
        f"alarm/v2/mitte/node/{NODE}/alarm",
        "anything",
    ],
)
def test_a_node_may_write_nothing_else(connect: Connect, topic: str) -> None:
    """No node speaks as another, as a monitor, or gives itself a receipt: it is told 0x87."""
    with connect(NODE) as node:
        assert node.publish(topic, b"x") == NOT_AUTHORISED


def test_a_node_hears_what_it_must_and_nothing_else(connect: Connect) -> None:
    """Whatever it subscribes to, only its own branch and the monitors' reach it; the rest is silence."""
    everything = ["#", f"{SITE}/node/+/+", f"{SITE}/node/room-215/alarm", f"{BRANCH}/event", "$SYS/#"]
    with (
        connect(NODE, subscribe=everything) as node,
        connect("room-215") as other,
        connect("guard-desk") as desk,
    ):
        for topic in ("state", "alarm", "event", "heartbeat", "canary", "reply"):
            assert other.publish(f"{SITE}/node/room-215/{topic}", b"theirs") in DONE
            assert node.publish(f"{BRANCH}/{topic}", b"own") in DONE
        for topic in ("command", "receipt"):
            assert desk.publish(f"{SITE}/node/room-215/{topic}", b"theirs") in DONE
            assert desk.publish(f"{BRANCH}/{topic}", b"for you") in DONE
        for topic in ("state", "heartbeat"):
            assert desk.publish(f"{MONITOR}/{topic}", b"here") in DONE
        assert node.publish(f"{BRANCH}/canary", b"last") in DONE
        node.expect(lambda message: message.payload == b"last")

        heard = {message.topic for message in node.received}

    own = {f"{BRANCH}/{topic}" for topic in ("state", "alarm", "canary", "command", "receipt")}
    assert heard == own | {f"{MONITOR}/state", f"{MONITOR}/heartbeat"}


def test_a_monitor_hears_every_node(connect: Connect) -> None:
    """What the building has to know of a node reaches the monitor, and nobody's commands, receipts and canaries do."""
    with connect("guard-desk", subscribe=["#"]) as desk, connect(NODE) as node:
        for topic in ("state", "alarm", "event", "heartbeat", "canary", "reply"):
            assert node.publish(f"{BRANCH}/{topic}", b"told") in DONE
        for topic in ("command", "receipt"):
            assert desk.publish(f"{BRANCH}/{topic}", b"given") in DONE
        assert desk.publish(f"{MONITOR}/heartbeat", b"told") in DONE
        assert desk.publish(f"{MONITOR}/state", b"last") in DONE
        desk.expect(lambda message: message.payload == b"last")

        heard = {message.topic for message in desk.received}

    of_the_node = {f"{BRANCH}/{topic}" for topic in ("state", "alarm", "event", "heartbeat", "reply")}
    assert heard == {*of_the_node, f"{MONITOR}/state", f"{MONITOR}/heartbeat"}


@pytest.mark.parametrize(
    "topic", [f"{BRANCH}/command", f"{BRANCH}/receipt", f"{MONITOR}/state", f"{MONITOR}/heartbeat"]
)
def test_a_monitor_may_write_what_it_must(connect: Connect, topic: str) -> None:
    """Commands and receipts to every node, and its own two topics."""
    with connect("guard-desk") as desk:
        assert desk.publish(topic, b"x") in DONE


@pytest.mark.parametrize(
    "topic",
    [
        *(f"{BRANCH}/{topic}" for topic in ("event", "heartbeat", "canary", "reply")),
        f"{SITE}/monitor/gate/state",
        f"{SITE}/monitor/gate/heartbeat",
        f"{MONITOR}/else",
        "anything",
    ],
)
def test_a_monitor_may_write_nothing_else(connect: Connect, topic: str) -> None:
    """No monitor speaks as a node or as another monitor; what is kept of a node it must be able to delete."""
    with connect("guard-desk") as desk:
        assert desk.publish(topic, b"x") == NOT_AUTHORISED


def test_a_tool_may_give_commands_and_hears_what_comes_of_them(connect: Connect) -> None:
    """A script or a panel needs no more: states, alarms and replies in, commands out."""
    with connect("door-desk", subscribe=["#"]) as tool, connect(NODE, subscribe=[f"{BRANCH}/command"]) as node:
        for topic in ("alarm", "event", "heartbeat", "canary", "state", "reply"):
            assert node.publish(f"{BRANCH}/{topic}", b"told") in DONE
        assert tool.publish(f"{BRANCH}/command", b"given") == 0
        node.expect(lambda message: message.payload == b"given")
        tool.expect(lambda message: message.topic == f"{BRANCH}/reply")

        heard = {message.topic for message in tool.received}

    assert heard == {f"{BRANCH}/{topic}" for topic in ("state", "alarm", "reply")}


@pytest.mark.parametrize(
    "topic",
    [
        f"{BRANCH}/receipt",
        *(f"{BRANCH}/{topic}" for topic in ("state", "alarm", "event", "heartbeat", "canary", "reply")),
        f"{SITE}/monitor/door-desk/state",
        f"{SITE}/monitor/door-desk/heartbeat",
        f"{MONITOR}/heartbeat",
    ],
)
def test_a_tool_is_no_monitor(connect: Connect, topic: str) -> None:
    """It can't say that an alarm is held, that people were told, or that a monitor is there."""
    with connect("door-desk") as tool:
        assert tool.publish(topic, b"x") == NOT_AUTHORISED


@pytest.mark.parametrize("topic", [f"{BRANCH}/command", f"{BRANCH}/receipt", f"{SITE}/monitor/gate/heartbeat"])
def test_a_login_that_nobody_named_is_no_monitor(connect: Connect, topic: str) -> None:
    """Who isn't in the list of rights commands nothing, confirms nothing, and counts as nobody who listens."""
    with connect("gate") as gate:
        assert gate.publish(topic, b"x") == NOT_AUTHORISED


def test_a_will_is_published_for_a_node(connect: Connect) -> None:
    """A node that is cut off is lost for the building."""
    will = (f"{BRANCH}/state", b"lost", True)
    with connect("guard-desk", subscribe=[f"{BRANCH}/state"]) as desk, connect(NODE, will=will) as node:
        node.cut()
        desk.expect(lambda message: message.payload == b"lost")


def test_nobody_throws_a_node_off_by_its_name(connect: Connect) -> None:
    """A login is its client id: whoever calls himself as a node does is somebody else to the broker."""
    with connect(NODE, subscribe=[f"{BRANCH}/canary"]) as node, connect("guard-desk", client_id=NODE) as desk:
        assert desk.publish(f"{MONITOR}/heartbeat", b"x") in DONE
        assert node.publish(f"{BRANCH}/canary", b"still here") in DONE
        node.expect(lambda message: message.payload == b"still here")


def test_a_message_that_a_node_would_not_take_does_not_get_in(connect: Connect) -> None:
    """Its sender is thrown out. Some versions of mosquitto would send the node nothing more after 20 of these."""
    with connect(NODE, subscribe=[f"{MONITOR}/heartbeat"]) as node, connect("guard-desk") as desk:
        desk.send(f"{MONITOR}/heartbeat", b"x" * LARGEST_PACKET)
        desk.wait_until_ended()

        with connect("guard-desk") as again:
            assert again.publish(f"{MONITOR}/heartbeat", b"x" * PAYLOAD_LIMIT) in DONE
        node.expect(lambda message: len(message.payload) == PAYLOAD_LIMIT)

        assert len(node.received) == 1


@pytest.mark.parametrize(("user", "password"), [(None, None), (NODE, "wrong"), ("stranger", "x")])
def test_nobody_comes_in_without_a_login(closed: ClosedBroker, user: str | None, password: str | None) -> None:
    """No name, a wrong password, an unknown name: CONNACK says no."""
    assert _connack(closed, user, password) == NOT_AUTHORISED
    assert _connack(closed, NODE, LOGINS[NODE]) == 0


def test_plain_text_is_not_spoken(closed: ClosedBroker) -> None:
    """A client that doesn't begin with TLS gets no answer that could be a CONNACK."""
    with socket.create_connection(("127.0.0.1", closed.port), timeout=20.0) as plain:
        plain.sendall(_connect_packet(NODE, LOGINS[NODE]))
        try:
            answer = plain.recv(1)
        except ConnectionError:
            answer = b""

    assert answer != b"\x20"


def test_a_retained_alarm_outlives_the_broker(tmp_path: Path) -> None:
    """A retained alarm is on the broker's disk within its 10 s, and is there again after a power cut."""
    saved = tmp_path / "mosquitto.db"
    with ClosedBroker(tmp_path) as broker:
        with Client(broker.port, user=NODE, password=LOGINS[NODE], ca_file=broker.ca_file) as node:
            node.publish(f"{BRANCH}/alarm", b"active", retain=True)
        wait_until(lambda: saved.exists() and b"active" in saved.read_bytes())
        broker.kill()
        broker.start()

        with Client(
            broker.port,
            subscribe=[f"{BRANCH}/alarm"],
            user="guard-desk",
            password=LOGINS["guard-desk"],
            ca_file=broker.ca_file,
        ) as reader:
            assert reader.expect_topic(f"{BRANCH}/alarm").payload == b"active"


def test_a_whole_node_lives_with_it(closed: ClosedBroker, tmp_path: Path, connect: Connect) -> None:
    """A press is accepted and told over it, and no fault stands: the given rights are all that a node needs."""
    config = _node_of(closed, tmp_path)
    heard = ["state", "alarm", "event", "heartbeat", "reply"]

    def confirm(message: Received) -> None:
        if message.topic == f"{BRANCH}/event":
            event = json.loads(message.payload)
            for kind in RECEIPT_KINDS:
                desk.send(f"{BRANCH}/receipt", json.dumps(receipt(event, kind)))

    desk = connect("guard-desk", subscribe=[f"{BRANCH}/{topic}" for topic in heard], on_received=confirm)
    with desk, SimulatedNode(config) as node:
        node.expect(output="lamp", pattern="ready")
        node.tell("button tap 120")
        node.expect(ladder="accepted")
        node.expect(ladder="told")
        beat = desk.expect(lambda message: message.topic == f"{BRANCH}/heartbeat")
        assert node.quit() == 0

    assert faults(json.loads(beat.payload)) == {}
    assert "F01" not in node.log


def test_clients_that_the_list_of_rights_denies_make_no_lamp_say_received(
    closed: ClosedBroker, tmp_path: Path, connect: Connect
) -> None:
    """The broker answers 0x00, counting subscribers who hear nothing, and every receipt that they try is refused.

    A monitor whose login the list lacks, a tool and another node: the press stays unconfirmed, and nobody has it.
    """
    config = _node_of(closed, tmp_path, receipt_s=5.0)
    denied = ("gate", "door-desk", "room-215")
    with connect("guard-desk") as desk:
        desk.publish(f"{BRANCH}/alarm", b"", retain=True)  # whatever an earlier test has left
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(user, subscribe=["#", f"{BRANCH}/event"])) for user in denied]
        node = stack.enter_context(SimulatedNode(config))
        node.expect(output="lamp", pattern="ready")
        node.tell("button tap 120")
        node.expect(ladder="accepted")
        alarm = json.loads(clients[1].expect(_lists_a_press).payload)
        press = alarm["incidents"][0]["press"]
        codes = [
            client.publish(f"{BRANCH}/receipt", json.dumps(receipt(press, kind)))
            for client in clients
            for kind in RECEIPT_KINDS
        ]
        node.expect(ladder="nobody")
        node.expect(output="lamp", pattern="nobody")
        node.expect_log("nobody was told in time")  # it isn't 0x10 that says so: the broker counts all three
        steps = {line["ladder"] for line in node.lines() if "ladder" in line}
        heard = [message.topic for client in clients for message in client.received]

    assert codes == [NOT_AUTHORISED] * len(codes)
    assert f"{BRANCH}/event" not in heard
    assert steps == {"pressed", "stored", "accepted", "nobody"}
    assert "received" not in [line["pattern"] for line in node.lines(output="lamp")]


def _lists_a_press(message: Received) -> bool:
    return message.topic == f"{BRANCH}/alarm" and b'"press"' in message.payload


def _node_of(closed: ClosedBroker, directory: Path, receipt_s: float = 10.0) -> Path:
    """The node.toml of a node that has this broker and a login there."""
    config = write_config(directory, receipt_s=receipt_s)
    password = directory / "password"
    password.write_text(LOGINS[NODE], encoding="ascii")
    keys = {
        "host": "127.0.0.1",
        "port": closed.port,
        "ca_file": str(closed.ca_file),
        "username": NODE,
        "password_file": str(password),
    }
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in keys.items())
    config.write_text(f"{config.read_text(encoding='utf-8')}\n[[broker]]\n{lines}\n", encoding="utf-8")
    return config


def _connect_packet(user: str | None, password: str | None) -> bytes:
    """CONNECT of MQTT 5 with clean start, as a client id of its own."""

    def text(value: str) -> bytes:
        return len(value).to_bytes(2, "big") + value.encode()

    flags = 0x02 | (0x80 if user is not None else 0) | (0x40 if password is not None else 0)
    body = text("MQTT") + bytes([5, flags, 0, 10, 0]) + text("somebody")
    body += b"".join(text(each) for each in (user, password) if each is not None)
    return bytes([0x10, len(body)]) + body


def _connack(broker: ClosedBroker, user: str | None, password: str | None) -> int:
    """The reason code of the answer to a CONNECT."""
    with (
        socket.create_connection(("127.0.0.1", broker.port), timeout=20.0) as plain,
        trusting(broker.ca_file).wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        secure.sendall(_connect_packet(user, password))
        answer = secure.recv(4)
    assert answer[0] == 0x20
    return answer[3]

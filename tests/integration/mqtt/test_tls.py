"""A link over TLS and with a login: by real sockets, against a real mosquitto and stranger ones."""

import socket
import ssl
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from node.config import Login
from node.core.events import CredentialsSeen, Event, LinkDown, LinkUp, PublishAnswered
from node.io.mqtt import answer_timeout
from node.io.mqtt.link import Incoming, Priority, Subscription
from node.io.mqtt.login.tls import TlsContext, TlsSocket
from tests.support.broker import Broker, free_port
from tests.support.broker import Tls as Shown
from tests.support.certificates import Authority, Pair
from tests.support.loop import (
    CONNACK,
    SUBACK,
    TIMEOUT_S,
    WINDOW,
    Heard,
    Loop,
    listener,
    publish_packet,
    running,
    strange_broker,
)
from tests.support.mqtt import Client
from tests.support.proxy import Proxy
from tests.support.secure import LOOPBACK, secure_broker, tls_of


def _server(pair: Pair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    return context


# What can be wrong. Each gives the loop of a link for which it is.

Failure = Callable[[ExitStack, Path, Authority], Loop]


def _with_certificate(authority: Authority, pair: Pair, stack: ExitStack, tmp_path: Path) -> Loop:
    broker = stack.enter_context(Broker(tmp_path / "broker", tls=Shown(pair)))
    return Loop(broker.tls_port, tls=tls_of(authority))


def _expired(stack: ExitStack, tmp_path: Path, authority: Authority) -> Loop:
    pair = authority.issue("broker", tmp_path, LOOPBACK, begins_days=-2, days=-1)
    return _with_certificate(authority, pair, stack, tmp_path)


def _authority_expired(stack: ExitStack, tmp_path: Path, _authority: Authority) -> Loop:
    old = Authority(tmp_path / "old.pem", days=-0.5)
    return _with_certificate(old, old.issue("broker", tmp_path, LOOPBACK), stack, tmp_path)


def _too_early(stack: ExitStack, tmp_path: Path, authority: Authority) -> Loop:
    pair = authority.issue("broker", tmp_path, LOOPBACK, begins_days=1)
    return _with_certificate(authority, pair, stack, tmp_path)


def _misnamed(stack: ExitStack, tmp_path: Path, authority: Authority) -> Loop:
    pair = authority.issue("broker", tmp_path, "broker.example", "127.0.0.2")
    return _with_certificate(authority, pair, stack, tmp_path)


def _misnamed_for_a_name(stack: ExitStack, tmp_path: Path, authority: Authority) -> Loop:
    broker = stack.enter_context(secure_broker(tmp_path, authority))
    return Loop(broker.tls_port, host="localhost", tls=tls_of(authority))


def _unknown_authority(stack: ExitStack, tmp_path: Path, authority: Authority) -> Loop:
    other = Authority(tmp_path / "other.pem", "another authority")
    return _with_certificate(authority, other.issue("broker", tmp_path, LOOPBACK), stack, tmp_path)


def _forged_authority(stack: ExitStack, tmp_path: Path, authority: Authority) -> Loop:
    forged = Authority(tmp_path / "forged.pem", pretends=authority)
    return _with_certificate(authority, forged.issue("broker", tmp_path, LOOPBACK), stack, tmp_path)


def _no_such_name(_stack: ExitStack, _tmp_path: Path, authority: Authority) -> Loop:
    return Loop(8883, host="no-such-broker.invalid", tls=tls_of(authority))


def _impossible_name(_stack: ExitStack, _tmp_path: Path, authority: Authority) -> Loop:
    return Loop(8883, host="x" * 64 + ".example", tls=tls_of(authority))


def _no_route(_stack: ExitStack, _tmp_path: Path, authority: Authority) -> Loop:
    # No TCP leads to a multicast address, whatever network this machine has.
    return Loop(8883, host="224.0.0.1", tls=tls_of(authority))


def _no_route_in_plain_text(_stack: ExitStack, _tmp_path: Path, _authority: Authority) -> Loop:
    return Loop(1883, host="224.0.0.1")


def _with_login(login: Login | None) -> Failure:
    def fail(stack: ExitStack, tmp_path: Path, authority: Authority) -> Loop:
        (tmp_path / "password").write_bytes(b"hunter3\n")
        broker = stack.enter_context(secure_broker(tmp_path, authority, passwords={"room-214": "hunter2"}))
        file = tmp_path / "password"
        given = None if login is None else Login(login.username, login.password_file and file)
        return Loop(broker.tls_port, tls=tls_of(authority), login=given)

    return fail


def _no_certificate(stack: ExitStack, tmp_path: Path, authority: Authority) -> Loop:
    broker = stack.enter_context(secure_broker(tmp_path, authority, clients=True))
    return Loop(broker.tls_port, tls=tls_of(authority))


def _foreign_certificate(stack: ExitStack, tmp_path: Path, authority: Authority) -> Loop:
    broker = stack.enter_context(secure_broker(tmp_path, authority, clients=True))
    foreign = Authority(tmp_path / "other.pem", "another authority").issue("room-214", tmp_path)
    return Loop(broker.tls_port, tls=tls_of(authority, foreign))


def _own_certificate_expired(stack: ExitStack, tmp_path: Path, authority: Authority) -> Loop:
    broker = stack.enter_context(secure_broker(tmp_path, authority, clients=True))
    return Loop(broker.tls_port, tls=tls_of(authority, authority.issue("room-214", tmp_path, begins_days=-2, days=-1)))


def _foreign_certificate_in_tls_1_2(stack: ExitStack, tmp_path: Path, authority: Authority) -> Loop:
    context = _server(authority.issue("broker", tmp_path, LOOPBACK))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.file)
    foreign = Authority(tmp_path / "other.pem", "another authority").issue("room-214", tmp_path)
    return Loop(stack.enter_context(strange_broker(context=context)), tls=tls_of(authority, foreign))


def _plain_port(stack: ExitStack, tmp_path: Path, authority: Authority) -> Loop:
    broker = stack.enter_context(Broker(tmp_path / "plain"))
    return Loop(broker.port, tls=tls_of(authority))


def _talks_something_else(stack: ExitStack, _tmp_path: Path, authority: Authority) -> Loop:
    return Loop(stack.enter_context(strange_broker(b"220 mail.example ESMTP\r\n")), tls=tls_of(authority))


def _tls_1_1(stack: ExitStack, tmp_path: Path, authority: Authority) -> Loop:
    context = _server(authority.issue("broker", tmp_path, LOOPBACK))
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return Loop(stack.enter_context(strange_broker(context=context)), tls=tls_of(authority))


FAILURES: dict[str, tuple[Failure, str, str]] = {
    "name not found": (_no_such_name, "F015", "name not found"),
    "name impossible": (_impossible_name, "F015", "name not found"),
    "no route": (_no_route, "F016", "network is unreachable"),
    "no route in plain text": (_no_route_in_plain_text, "F016", "network is unreachable"),
    "unknown authority": (_unknown_authority, "F017", "unable to get local issuer certificate"),
    "forged authority": (_forged_authority, "F017", "certificate signature failure"),
    "expired": (_expired, "F018", "certificate has expired"),
    "authority expired": (_authority_expired, "F018", "certificate has expired"),
    "not valid yet": (_too_early, "F019", "certificate is not yet valid"),
    "for other hosts": (_misnamed, "F021", "IP address mismatch"),
    "for an address but asked by name": (_misnamed_for_a_name, "F021", "Hostname mismatch"),
    "wrong password": (_with_login(Login("room-214", Path("file"))), "F022", "(0x87)"),
    "no password": (_with_login(Login("room-214")), "F022", "(0x87)"),
    "unknown account": (_with_login(Login("room-215", Path("file"))), "F022", "(0x87)"),
    "no account": (_with_login(None), "F022", "(0x87)"),
    "no certificate of ours": (_no_certificate, "F022", "certificate required"),
    "a foreign certificate of ours": (_foreign_certificate, "F022", "alert unknown ca"),
    "our certificate expired": (_own_certificate_expired, "F022", "alert certificate expired"),
    "a foreign certificate of ours in TLS 1.2": (_foreign_certificate_in_tls_1_2, "F022", "alert unknown ca"),
    "no TLS on this port": (_plain_port, "F023", "TLS"),
    "something else on this port": (_talks_something_else, "F023", "TLS: wrong version number"),
    "only TLS 1.1": (_tls_1_1, "F023", "protocol version"),
}


@pytest.mark.parametrize(("fail", "code", "words"), FAILURES.values(), ids=FAILURES.keys())
def test_each_failure_is_told_as_what_it_is(
    tmp_path: Path, authority: Authority, fail: Failure, code: str, words: str
) -> None:
    """With a fault of its own and the reason in words, within 5 s of the attempt."""
    with ExitStack() as stack:
        loop = fail(stack, tmp_path, authority)
        begun = time.monotonic()
        stack.enter_context(running(loop))
        down = loop.expect(LinkDown)

    assert (down.problem, words in down.reason) == (code, True), down.reason
    assert down.at - begun < 5.0


@pytest.mark.parametrize("fail", [_no_such_name, _no_route, _expired, _unknown_authority, _misnamed, _no_certificate])
def test_no_failure_ends_the_retries(tmp_path: Path, authority: Authority, fail: Failure) -> None:
    """Whatever is wrong may be mended at the other end."""
    with ExitStack() as stack:
        loop = stack.enter_context(running(fail(stack, tmp_path, authority)))
        downs = [loop.expect(LinkDown) for _ in range(3)]

    assert len({down.problem for down in downs}) == 1


def test_a_refused_connection_is_no_more_than_that(authority: Authority) -> None:
    """A broker that is being restarted has its 3 s."""
    with running(Loop(free_port(), tls=tls_of(authority))) as loop:
        down = loop.expect(LinkDown)

    assert (down.reason, down.problem) == ("connection refused", None)


def test_a_broker_that_hangs_up_in_the_handshake_is_told(authority: Authority) -> None:
    """As one that doesn't speak TLS there."""
    with listener() as listening, running(Loop(listening.getsockname()[1], tls=tls_of(authority))) as loop:
        client, _ = listening.accept()
        client.close()
        down = loop.expect(LinkDown)

    assert (down.reason, down.problem) == ("ended by the broker in the TLS handshake", "F023")


def test_a_broker_that_is_silent_in_the_handshake_gets_more_time(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice as much after each drop, or a slow path would never come up; and no more than silence is claimed."""
    monkeypatch.setattr(answer_timeout, "ANSWER_S", 0.2)
    with listener() as listening, running(Loop(listening.getsockname()[1], tls=tls_of(authority))) as loop:
        downs = [loop.expect(LinkDown) for _ in range(2)]

    assert [(down.reason, down.problem) for down in downs] == [
        ("no answer to a TLS handshake within 0.2 s", None),
        ("no answer to a TLS handshake within 0.4 s", None),
    ]


def test_a_slow_path_comes_up_in_the_end(secure: Broker, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a fixed deadline would end every handshake."""
    monkeypatch.setattr(answer_timeout, "ANSWER_S", 0.3)
    with Proxy(secure.tls_port, delay_s=0.3) as proxy, running(Loop(proxy.port, tls=tls_of(authority))) as loop:
        up = loop.expect(LinkUp)

    assert up.session >= 1


def test_an_alarm_arrives_over_tls_with_certificate_and_login(tmp_path: Path, authority: Authority) -> None:
    """A broker that asks for both gets both, and answers as any other."""
    (tmp_path / "password").write_bytes(b"hunter2\n")
    own = tls_of(authority, authority.issue("room-214", tmp_path))
    login = Login("room-214", tmp_path / "password")
    accounts = {"room-214": "hunter2", "desk": "secret"}
    with (
        secure_broker(tmp_path, authority, clients=True, passwords=accounts) as broker,
        Client(broker.port, subscribe=["node/#"], user="desk", password="secret") as desk,  # noqa: S106 - a test's
        running(Loop(broker.tls_port, tls=own, login=login)) as loop,
    ):
        session = loop.expect(LinkUp).session

        loop.publish(session, "node/alarm", b"pressed", Priority.ALARM)
        received = desk.expect_topic("node/alarm")
        code = loop.answer("node/alarm")
        desk.publish("node/command", b"reset")
        heard = loop.expect(Heard)

    assert (received.payload, code, heard.message.payload) == (b"pressed", 0x00, b"reset")


def test_a_password_is_in_no_log(tmp_path: Path, authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    """Neither when it is refused nor when it can't be used."""
    caplog.set_level("DEBUG")
    (tmp_path / "password").write_bytes(b"hunter3\n")
    login = Login("room-214", tmp_path / "password")
    with (
        secure_broker(tmp_path, authority, passwords={"room-214": "hunter2"}) as broker,
        running(Loop(broker.tls_port, tls=tls_of(authority), login=login)) as loop,
    ):
        loop.expect(LinkDown)
        (tmp_path / "password").write_bytes(b"hunter3\nhunter4\n")
        loop.expect(CredentialsSeen, lambda seen: not seen.usable)

    assert "hunter" not in caplog.text
    assert f"{tmp_path / 'password'} holds several lines" in caplog.text


def test_tls_is_at_least_1_2_and_asks_who_is_there() -> None:
    """Whatever this machine's OpenSSL is set to."""
    context = TlsContext()

    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.cert_store_stats()["x509"] == 0


# TLS under paho: what a selector can't see, and how a connection ends.


def test_messages_in_one_record_are_all_heard(tmp_path: Path, authority: Authority) -> None:
    """TLS reads them all at once, and the selector says nothing of what it still holds."""
    context = _server(authority.issue("broker", tmp_path, LOOPBACK))
    many = b"".join(publish_packet(b"node/command", b"%d" % number) for number in range(30))
    with (
        strange_broker(CONNACK, SUBACK + many, context=context) as port,
        running(Loop(port, tls=tls_of(authority))) as loop,
    ):
        heard = [loop.expect(Heard).message.payload for _ in range(30)]

    assert heard == [b"%d" % number for number in range(30)]


def test_large_messages_pass_both_ways(secure: Broker, authority: Authority) -> None:
    """Over several records, and partly written."""
    large = b"x" * 18_000
    with (
        Client(secure.port, subscribe=["node/event"]) as client,
        running(Loop(secure.tls_port, tls=tls_of(authority))) as loop,
    ):
        session = loop.expect(LinkUp).session
        for _ in range(2 * WINDOW):
            loop.publish(session, "node/event", large)
        for _ in range(2 * WINDOW):
            loop.expect(PublishAnswered)
        client.publish("node/command", large)
        heard = loop.expect(Heard)

    assert heard.message.payload == large
    assert [message.payload for message in client.received] == [large] * 2 * WINDOW


def test_a_dropped_session_leaves_its_will(secure: Broker, authority: Authority) -> None:
    """Over TLS, too, the broker takes the shut socket for a loss."""
    with (
        Proxy(secure.tls_port) as proxy,
        Client(secure.port, subscribe=["node/state"]) as client,
        running(Loop(proxy.port, tls=tls_of(authority))) as loop,
    ):
        session = loop.expect(LinkUp).session
        proxy.swallow_answers()

        loop.publish(session, "node/event")
        will = client.expect_topic("node/state")

    assert will.payload == b"lost %d" % session


def test_a_goodbye_over_unread_messages_leaves_no_will(secure: Broker, authority: Authority) -> None:
    """DISCONNECT goes out encrypted, and nothing overtakes it."""
    reading = threading.Event()
    may_read = threading.Event()

    def decode_late(_message: Incoming) -> Event | None:
        reading.set()
        may_read.wait(TIMEOUT_S)
        return None

    with Client(secure.port, subscribe=["node/state"]) as client:
        flooded = Loop(secure.tls_port, Subscription("flood"), decode=decode_late, tls=tls_of(authority))
        with running(flooded) as loop:
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
    assert "Received DISCONNECT from node" in secure.log.read_text(encoding="utf-8")


def test_why_a_broker_hung_up_is_heard_even_when_a_write_finds_it_out(tmp_path: Path, authority: Authority) -> None:
    """With TLS 1.3 the handshake is over for us before the broker has looked at our certificate."""
    context = _server(authority.issue("broker", tmp_path, LOOPBACK))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.file)
    refused = threading.Event()

    def serve(listening: socket.socket) -> None:
        plain, _ = listening.accept()
        with plain, suppress(ssl.SSLError):
            context.wrap_socket(plain, server_side=True)
        refused.set()

    trusting = TlsContext()
    trusting.load_verify_locations(authority.file)
    with listener() as listening:
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        with trusting.wrap_socket(
            socket.create_connection(listening.getsockname()), server_hostname=LOOPBACK
        ) as client:
            assert refused.wait(TIMEOUT_S)
            client.setblocking(False)
            _send_until_it_fails(client)
        thread.join(TIMEOUT_S)

    assert isinstance(client, TlsSocket)
    assert client.broken is not None
    assert client.broken.reason == "TLSV13_ALERT_CERTIFICATE_REQUIRED"


def _send_until_it_fails(client: socket.socket) -> None:
    with suppress(OSError):
        while True:
            client.send(b"CONNECT")

"""A link over TLS and with a login: by real sockets, against a real mosquitto and stranger ones."""

import ssl
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from node.config import Login, Tls
from node.core.events import CredentialsSeen, Event, LinkDown, LinkUp, PublishAnswered
from node.link import Incoming, Priority, Subscription
from node.link.tls import TlsContext
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

LOOPBACK = "127.0.0.1"
DAY_S = 86_400.0


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """The building's own."""
    return Authority(tmp_path / "ca.pem")


@pytest.fixture
def secure(tmp_path: Path, authority: Authority) -> Iterator[Broker]:
    """A started mosquitto with a good certificate."""
    with _broker(tmp_path, authority) as started:
        yield started


def _broker(
    tmp_path: Path, authority: Authority, *, clients: bool = False, passwords: dict[str, str] | None = None
) -> Broker:
    pair = authority.issue("broker", tmp_path, LOOPBACK)
    shown = Shown(pair, authority.file if clients else None)
    return Broker(tmp_path / "secure", tls=shown, passwords=passwords, anonymous=passwords is None)


def _own(authority: Authority, pair: Pair | None = None) -> Tls:
    return Tls(authority.file) if pair is None else Tls(authority.file, pair.certificate, pair.key)


def _server(pair: Pair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    return context


def _in_days(days: float) -> float:
    return (datetime.now(UTC) + timedelta(days=days)).timestamp()


# What can be wrong. Each gives the loop of a link for which it is.

Failure = Callable[[ExitStack, Path, Authority], Loop]


def _with_certificate(authority: Authority, pair: Pair, stack: ExitStack, tmp_path: Path) -> Loop:
    broker = stack.enter_context(Broker(tmp_path / "broker", tls=Shown(pair)))
    return Loop(broker.tls_port, tls=_own(authority))


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
    broker = stack.enter_context(_broker(tmp_path, authority))
    return Loop(broker.tls_port, host="localhost", tls=_own(authority))


def _unknown_authority(stack: ExitStack, tmp_path: Path, authority: Authority) -> Loop:
    other = Authority(tmp_path / "other.pem", "another authority")
    return _with_certificate(authority, other.issue("broker", tmp_path, LOOPBACK), stack, tmp_path)


def _forged_authority(stack: ExitStack, tmp_path: Path, authority: Authority) -> Loop:
    forged = Authority(tmp_path / "forged.pem")
    return _with_certificate(authority, forged.issue("broker", tmp_path, LOOPBACK), stack, tmp_path)


def _no_such_name(_stack: ExitStack, _tmp_path: Path, authority: Authority) -> Loop:
    return Loop(8883, host="no-such-broker.invalid", tls=_own(authority))


def _impossible_name(_stack: ExitStack, _tmp_path: Path, authority: Authority) -> Loop:
    return Loop(8883, host="x" * 64 + ".example", tls=_own(authority))


def _no_route(_stack: ExitStack, _tmp_path: Path, authority: Authority) -> Loop:
    # No TCP leads to a multicast address, whatever network this machine has.
    return Loop(8883, host="224.0.0.1", tls=_own(authority))


def _no_route_in_plain_text(_stack: ExitStack, _tmp_path: Path, _authority: Authority) -> Loop:
    return Loop(1883, host="224.0.0.1")


def _with_login(login: Login | None) -> Failure:
    def fail(stack: ExitStack, tmp_path: Path, authority: Authority) -> Loop:
        (tmp_path / "password").write_bytes(b"hunter3\n")
        broker = stack.enter_context(_broker(tmp_path, authority, passwords={"room-214": "hunter2"}))
        file = tmp_path / "password"
        given = None if login is None else Login(login.username, login.password_file and file)
        return Loop(broker.tls_port, tls=_own(authority), login=given)

    return fail


def _no_certificate(stack: ExitStack, tmp_path: Path, authority: Authority) -> Loop:
    broker = stack.enter_context(_broker(tmp_path, authority, clients=True))
    return Loop(broker.tls_port, tls=_own(authority))


def _foreign_certificate(stack: ExitStack, tmp_path: Path, authority: Authority) -> Loop:
    broker = stack.enter_context(_broker(tmp_path, authority, clients=True))
    foreign = Authority(tmp_path / "other.pem", "another authority").issue("room-214", tmp_path)
    return Loop(broker.tls_port, tls=_own(authority, foreign))


def _own_certificate_expired(stack: ExitStack, tmp_path: Path, authority: Authority) -> Loop:
    broker = stack.enter_context(_broker(tmp_path, authority, clients=True))
    return Loop(broker.tls_port, tls=_own(authority, authority.issue("room-214", tmp_path, begins_days=-2, days=-1)))


def _foreign_certificate_in_tls_1_2(stack: ExitStack, tmp_path: Path, authority: Authority) -> Loop:
    context = _server(authority.issue("broker", tmp_path, LOOPBACK))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.file)
    foreign = Authority(tmp_path / "other.pem", "another authority").issue("room-214", tmp_path)
    return Loop(stack.enter_context(strange_broker(context=context)), tls=_own(authority, foreign))


def _plain_port(stack: ExitStack, tmp_path: Path, authority: Authority) -> Loop:
    broker = stack.enter_context(Broker(tmp_path / "plain"))
    return Loop(broker.port, tls=_own(authority))


def _talks_something_else(stack: ExitStack, _tmp_path: Path, authority: Authority) -> Loop:
    return Loop(stack.enter_context(strange_broker(b"220 mail.example ESMTP\r\n")), tls=_own(authority))


def _tls_1_1(stack: ExitStack, tmp_path: Path, authority: Authority) -> Loop:
    context = _server(authority.issue("broker", tmp_path, LOOPBACK))
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return Loop(stack.enter_context(strange_broker(context=context)), tls=_own(authority))


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
    with running(Loop(free_port(), tls=_own(authority))) as loop:
        down = loop.expect(LinkDown)

    assert (down.reason, down.problem) == ("connection refused", None)


def test_a_broker_that_hangs_up_in_the_handshake_is_told(authority: Authority) -> None:
    """As one that doesn't speak TLS there."""
    with listener() as listening, running(Loop(listening.getsockname()[1], tls=_own(authority))) as loop:
        client, _ = listening.accept()
        client.close()
        down = loop.expect(LinkDown)

    assert (down.reason, down.problem) == ("ended by the broker in the TLS handshake", "F023")


def test_a_broker_that_is_silent_in_the_handshake_gets_more_time(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice as much after each drop, or a slow path would never come up; and no more than silence is claimed."""
    monkeypatch.setattr("node.link.patience.ANSWER_S", 0.2)
    with listener() as listening, running(Loop(listening.getsockname()[1], tls=_own(authority))) as loop:
        downs = [loop.expect(LinkDown) for _ in range(2)]

    assert [(down.reason, down.problem) for down in downs] == [
        ("no answer to a TLS handshake within 0.2 s", None),
        ("no answer to a TLS handshake within 0.4 s", None),
    ]


def test_a_slow_path_comes_up_in_the_end(secure: Broker, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a fixed deadline would end every handshake."""
    monkeypatch.setattr("node.link.patience.ANSWER_S", 0.3)
    with Proxy(secure.tls_port, delay_s=0.3) as proxy, running(Loop(proxy.port, tls=_own(authority))) as loop:
        up = loop.expect(LinkUp)

    assert up.session >= 1


def test_an_alarm_arrives_over_tls_with_certificate_and_login(tmp_path: Path, authority: Authority) -> None:
    """A broker that asks for both gets both, and answers as any other."""
    (tmp_path / "password").write_bytes(b"hunter2\n")
    own = _own(authority, authority.issue("room-214", tmp_path))
    login = Login("room-214", tmp_path / "password")
    accounts = {"room-214": "hunter2", "desk": "secret"}
    with (
        _broker(tmp_path, authority, clients=True, passwords=accounts) as broker,
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
        _broker(tmp_path, authority, passwords={"room-214": "hunter2"}) as broker,
        running(Loop(broker.tls_port, tls=_own(authority), login=login)) as loop,
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
        running(Loop(port, tls=_own(authority))) as loop,
    ):
        heard = [loop.expect(Heard).message.payload for _ in range(30)]

    assert heard == [b"%d" % number for number in range(30)]


def test_large_messages_pass_both_ways(secure: Broker, authority: Authority) -> None:
    """Over several records, and partly written."""
    large = b"x" * 18_000
    with (
        Client(secure.port, subscribe=["node/event"]) as client,
        running(Loop(secure.tls_port, tls=_own(authority))) as loop,
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
        running(Loop(proxy.port, tls=_own(authority))) as loop,
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
        flooded = Loop(secure.tls_port, Subscription("flood"), decode=decode_late, tls=_own(authority))
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


# Certificates that run out and are renewed.


def test_what_certificates_last_is_told_before_the_session(tmp_path: Path, authority: Authority) -> None:
    """Our own and the authority's before any broker was met; and the broker's when it is."""
    own = _own(authority, authority.issue("room-214", tmp_path, days=20))
    with _broker(tmp_path, authority, clients=True) as broker, running(Loop(broker.tls_port, tls=own)) as loop:
        before, after, up = loop.next(), loop.next(), loop.next()

    assert isinstance(before, CredentialsSeen)
    assert isinstance(after, CredentialsSeen)
    assert isinstance(up, LinkUp)
    assert before.ends_utc == pytest.approx({"node": _in_days(20), "authority": _in_days(3_650)}, abs=3_600)
    assert after.ends_utc == pytest.approx({**before.ends_utc, "broker": _in_days(365)}, abs=3_600)
    assert before.usable
    assert after.usable


def test_only_the_authority_that_signed_is_told(tmp_path: Path, secure: Broker, authority: Authority) -> None:
    """Another one in the same file may have run out long ago: during a change there are two."""
    old = Authority(tmp_path / "old.pem", "the one before", days=2)
    newer = Authority(tmp_path / "newer.pem", "the one to come", days=9_000)
    both = tmp_path / "all.pem"
    both.write_bytes(b"# \xc3\xa4lter\n" + b"".join(each.file.read_bytes() for each in (old, authority, newer)))
    with running(Loop(secure.tls_port, tls=Tls(both))) as loop:
        before, after = loop.expect(CredentialsSeen), loop.expect(CredentialsSeen)

    assert before.ends_utc == pytest.approx({"authority": _in_days(9_000)}, abs=3_600)
    assert after.ends_utc["authority"] == pytest.approx(_in_days(3_650), abs=3_600)


def test_a_plain_link_has_no_credentials_to_tell(broker: Broker) -> None:
    """Its first word is that it is up."""
    with running(Loop(broker.port)) as loop:
        event = loop.next()

    assert isinstance(event, LinkUp)


def test_a_renewed_certificate_is_taken_without_a_restart(tmp_path: Path, authority: Authority) -> None:
    """A node whose certificate the broker refuses is let in when the file holds a better one."""
    foreign = Authority(tmp_path / "other.pem", "another authority").issue("room-214", tmp_path)
    with (
        _broker(tmp_path, authority, clients=True) as broker,
        running(Loop(broker.tls_port, tls=_own(authority, foreign))) as loop,
    ):
        assert loop.expect(LinkDown).problem == "F022"

        renewed = authority.issue("room-214", tmp_path)
        up = loop.expect(LinkUp)

    assert renewed == foreign
    assert up.session >= 1


def test_a_renewed_authority_and_password_are_taken_without_a_restart(tmp_path: Path, authority: Authority) -> None:
    """Both are looked at for each attempt."""
    (tmp_path / "password").write_bytes(b"hunter3\n")
    trusted = Authority(tmp_path / "trusted.pem", "another authority")
    login = Login("room-214", tmp_path / "password")
    with (
        _broker(tmp_path, authority, passwords={"room-214": "hunter2"}) as broker,
        running(Loop(broker.tls_port, tls=_own(trusted), login=login)) as loop,
    ):
        first = loop.expect(LinkDown)
        trusted.file.write_bytes(authority.file.read_bytes())
        second = loop.expect(LinkDown, lambda down: down.problem != first.problem)
        (tmp_path / "password").write_bytes(b"hunter2\n")
        loop.expect(LinkUp)

    assert (first.problem, second.problem) == ("F017", "F022")


def test_a_renewed_certificate_of_the_broker_is_seen(tmp_path: Path, authority: Authority) -> None:
    """When the link comes back."""
    with _broker(tmp_path, authority) as broker, running(Loop(broker.tls_port, tls=_own(authority))) as loop:
        loop.expect(LinkUp)

        broker.stop()
        authority.issue("broker", tmp_path, LOOPBACK, days=700)
        broker.start()
        seen = loop.expect(CredentialsSeen)
        loop.expect(LinkUp)

    assert seen.ends_utc["broker"] == pytest.approx(_in_days(700), abs=3_600)


def test_what_is_renewed_in_a_session_is_seen_in_it(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection may last for months: a fault that was mended must not. The session stays."""
    monkeypatch.setattr("node.link.session._LOOK_S", 0.05)
    pair = authority.issue("room-214", tmp_path, days=2)
    with (
        _broker(tmp_path, authority, clients=True) as broker,
        running(Loop(broker.tls_port, tls=_own(authority, pair))) as loop,
    ):
        loop.expect(LinkUp)

        pair.certificate.write_bytes(b"")
        unusable = loop.expect(CredentialsSeen)
        authority.issue("room-214", tmp_path, days=200)
        renewed = loop.next()

    assert not unusable.usable
    assert unusable.ends_utc["node"] == pytest.approx(_in_days(2), abs=3_600)
    assert isinstance(renewed, CredentialsSeen)
    assert renewed.usable
    assert renewed.ends_utc["node"] == pytest.approx(_in_days(200), abs=3_600)


def test_what_was_read_is_used_when_the_files_are_gone(tmp_path: Path, authority: Authority) -> None:
    """A card that dies doesn't keep the node from its broker; but it is told."""
    (tmp_path / "password").write_bytes(b"hunter2\n")
    pair = authority.issue("room-214", tmp_path)
    login = Login("room-214", tmp_path / "password")
    own = Tls(tmp_path / "trusted.pem", pair.certificate, pair.key)
    own.ca_file.write_bytes(authority.file.read_bytes())
    with (
        _broker(tmp_path, authority, clients=True, passwords={"room-214": "hunter2"}) as broker,
        running(Loop(broker.tls_port, tls=own, login=login)) as loop,
    ):
        first = loop.expect(LinkUp)

        for file in (own.ca_file, pair.certificate, pair.key, tmp_path / "password"):
            file.unlink()
        broker.kill()
        broker.start()
        seen = loop.expect(CredentialsSeen)
        second = loop.expect(LinkUp)

    assert not seen.usable
    assert second.session > first.session


def _swap(a: Path, b: Path) -> None:
    first, second = a.read_bytes(), b.read_bytes()
    a.write_bytes(second)
    b.write_bytes(first)


def _spoil_authority(own: Tls, _authority: Authority, _tmp_path: Path) -> None:
    own.ca_file.write_text("rubbish\n", encoding="ascii")


def _spoil_certificate(own: Tls, _authority: Authority, _tmp_path: Path) -> None:
    assert own.certificate_file is not None
    own.certificate_file.write_text("rubbish\n", encoding="ascii")


def _spoil_key(own: Tls, _authority: Authority, _tmp_path: Path) -> None:
    assert own.key_file is not None
    own.key_file.write_bytes(b"")


def _take_other_key(own: Tls, authority: Authority, tmp_path: Path) -> None:
    assert own.key_file is not None
    _swap(own.key_file, authority.issue("room-215", tmp_path).key)


def _hide_key(_own: Tls, authority: Authority, tmp_path: Path) -> None:
    authority.issue("room-214", tmp_path, passphrase="hunter2")  # noqa: S106 - a test's


def _make_key_a_directory(own: Tls, _authority: Authority, _tmp_path: Path) -> None:
    assert own.key_file is not None
    own.key_file.unlink()
    own.key_file.mkdir()


NO_PAIR = "no certificate, or no key without a passphrase, in PEM"
SPOILT: dict[str, tuple[Callable[[Tls, Authority, Path], None], str]] = {
    "authority": (_spoil_authority, "trusted.pem holds no certificate in PEM"),
    "certificate": (_spoil_certificate, NO_PAIR),
    "key": (_spoil_key, NO_PAIR),
    "another's key": (_take_other_key, "room-214.key isn't the key of "),
    "a key with a passphrase": (_hide_key, NO_PAIR),
    "a key that is a directory": (_make_key_a_directory, "room-214.key: Is a directory"),
}


@pytest.mark.parametrize(("spoil", "words"), SPOILT.values(), ids=SPOILT.keys())
def test_files_that_cannot_be_used_are_told_and_tried_again(
    tmp_path: Path,
    secure: Broker,
    authority: Authority,
    caplog: pytest.LogCaptureFixture,
    spoil: Callable[[Tls, Authority, Path], None],
    words: str,
) -> None:
    """Nobody is asked for a passphrase, the log says which file and why, and mended files are taken."""
    pair = authority.issue("room-214", tmp_path)
    own = Tls(tmp_path / "trusted.pem", pair.certificate, pair.key)
    own.ca_file.write_bytes(authority.file.read_bytes())
    spoil(own, authority, tmp_path)
    with running(Loop(secure.tls_port, tls=own)) as loop:
        seen = loop.expect(CredentialsSeen)
        downs = [loop.expect(LinkDown) for _ in range(2)]
        if pair.key.is_dir():
            pair.key.rmdir()
        authority.issue("room-214", tmp_path)
        own.ca_file.write_bytes(authority.file.read_bytes())
        mended = loop.expect(CredentialsSeen)
        loop.expect(LinkUp)

    assert (seen.ends_utc, seen.usable, mended.usable) == ({}, False, True)
    assert {(down.session, down.problem) for down in downs} == {(1, "F026")}
    assert caplog.text.count("credentials can't be used: ") == 1
    assert words in caplog.text

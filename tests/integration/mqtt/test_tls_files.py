"""Certificates that run out, are renewed, or can't be used, while the node runs."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.x509 import load_pem_x509_certificate

from node.config import Login, Tls, files
from node.core.events import CredentialsSeen, LinkDown, LinkUp
from node.io.mqtt.login import x509
from node.io.mqtt.login.credentials import Credentials
from node.io.mqtt.session import session
from tests.support.broker import Broker
from tests.support.certificates import Authority
from tests.support.loop import Loop, running
from tests.support.secure import LOOPBACK, in_days, secure_broker, tls_of


def test_what_certificates_last_is_told_before_the_session(tmp_path: Path, authority: Authority) -> None:
    """Our own and the authority's before any broker was met; and the broker's when it is."""
    own = tls_of(authority, authority.issue("room-214", tmp_path, days=20))
    with secure_broker(tmp_path, authority, clients=True) as broker, running(Loop(broker.tls_port, tls=own)) as loop:
        before, after, up = loop.next(), loop.next(), loop.next()

    assert isinstance(before, CredentialsSeen)
    assert isinstance(after, CredentialsSeen)
    assert isinstance(up, LinkUp)
    assert before.ends_utc == pytest.approx({"node": in_days(20), "authority": in_days(3_650)}, abs=3_600)
    assert after.ends_utc == pytest.approx({**before.ends_utc, "broker": in_days(365)}, abs=3_600)
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

    assert before.ends_utc == pytest.approx({"authority": in_days(9_000)}, abs=3_600)
    assert after.ends_utc["authority"] == pytest.approx(in_days(3_650), abs=3_600)


def test_a_plain_link_has_no_credentials_to_tell(broker: Broker) -> None:
    """Its first word is that it is up."""
    with running(Loop(broker.port)) as loop:
        event = loop.next()

    assert isinstance(event, LinkUp)


def test_a_renewed_certificate_is_taken_without_a_restart(tmp_path: Path, authority: Authority) -> None:
    """A node whose certificate the broker refuses is let in when the file holds a better one."""
    foreign = Authority(tmp_path / "other.pem", "another authority").issue("room-214", tmp_path)
    with (
        secure_broker(tmp_path, authority, clients=True) as broker,
        running(Loop(broker.tls_port, tls=tls_of(authority, foreign))) as loop,
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
        secure_broker(tmp_path, authority, passwords={"room-214": "hunter2"}) as broker,
        running(Loop(broker.tls_port, tls=tls_of(trusted), login=login)) as loop,
    ):
        first = loop.expect(LinkDown)
        trusted.file.write_bytes(authority.file.read_bytes())
        second = loop.expect(LinkDown, lambda down: down.problem != first.problem)
        (tmp_path / "password").write_bytes(b"hunter2\n")
        loop.expect(LinkUp)

    assert (first.problem, second.problem) == ("F017", "F022")


def test_a_renewed_certificate_of_the_broker_is_seen(tmp_path: Path, authority: Authority) -> None:
    """When the link comes back."""
    with secure_broker(tmp_path, authority) as broker, running(Loop(broker.tls_port, tls=tls_of(authority))) as loop:
        loop.expect(LinkUp)

        broker.stop()
        authority.issue("broker", tmp_path, LOOPBACK, days=700)
        broker.start()
        seen = loop.expect(CredentialsSeen)
        loop.expect(LinkUp)

    assert seen.ends_utc["broker"] == pytest.approx(in_days(700), abs=3_600)


def test_what_is_renewed_in_a_session_is_seen_in_it(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection may last for months: a fault that was mended must not. The session stays."""
    monkeypatch.setattr(session, "_LOOK_S", 0.05)
    pair = authority.issue("room-214", tmp_path, days=2)
    with (
        secure_broker(tmp_path, authority, clients=True) as broker,
        running(Loop(broker.tls_port, tls=tls_of(authority, pair))) as loop,
    ):
        loop.expect(LinkUp)

        pair.certificate.write_bytes(b"")
        unusable = loop.expect(CredentialsSeen)
        authority.issue("room-214", tmp_path, days=200)
        renewed = loop.next()

    assert not unusable.usable
    assert unusable.ends_utc["node"] == pytest.approx(in_days(2), abs=3_600)
    assert isinstance(renewed, CredentialsSeen)
    assert renewed.usable
    assert renewed.ends_utc["node"] == pytest.approx(in_days(200), abs=3_600)


def test_what_was_read_is_used_when_the_files_are_gone(tmp_path: Path, authority: Authority) -> None:
    """A card that dies doesn't keep the node from its broker; but it is told."""
    (tmp_path / "password").write_bytes(b"hunter2\n")
    pair = authority.issue("room-214", tmp_path)
    login = Login("room-214", tmp_path / "password")
    own = Tls(tmp_path / "trusted.pem", pair.certificate, pair.key)
    own.ca_file.write_bytes(authority.file.read_bytes())
    with (
        secure_broker(tmp_path, authority, clients=True, passwords={"room-214": "hunter2"}) as broker,
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


SPOILT: dict[str, tuple[Callable[[Tls, Authority, Path], None], str]] = {
    "authority": (_spoil_authority, "trusted.pem holds no certificate in PEM"),
    "certificate": (_spoil_certificate, "room-214.pem holds no certificate in PEM"),
    "key": (_spoil_key, "room-214.key holds no whole key in PEM"),
    "another's key": (_take_other_key, "room-214.key isn't the key of "),
    "a key with a passphrase": (_hide_key, "room-214.key is encrypted, and nobody is there"),
    "a key that is a directory": (_make_key_a_directory, "room-214.key can't be read (Is a directory)"),
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


@pytest.mark.parametrize("days", [0.5, 40.0, 365 * 20, 365 * 30, 365 * 200])
def test_a_certificates_end_is_read_as_its_maker_wrote_it(tmp_path: Path, authority: Authority, days: float) -> None:
    """Before 2050 and after it, which X.509 writes in two ways."""
    pair = authority.issue("room-214", tmp_path, "a.example", days=days)
    pem = pair.certificate.read_text(encoding="ascii")

    end = x509.ends_utc(pem)

    assert end == load_pem_x509_certificate(pem.encode()).not_valid_after_utc.timestamp()


def test_years_of_two_digits_are_those_from_1950_on(tmp_path: Path) -> None:
    """A certificate from the time before its maker had a clock."""
    pem = Authority(tmp_path / "ca.pem", days=-365 * 60).file.read_text(encoding="ascii")

    end = x509.ends_utc(pem)

    assert end == load_pem_x509_certificate(pem.encode()).not_valid_after_utc.timestamp()


def test_of_a_chain_the_first_end_counts(tmp_path: Path, authority: Authority) -> None:
    """A broker is shown all of it."""
    leaf = authority.issue("room-214", tmp_path, days=300).certificate.read_text(encoding="ascii")
    between = Authority(tmp_path / "between.pem", "in between", days=20).file.read_text(encoding="ascii")

    end = x509.ends_utc(f"what people write above\n{leaf}and between\n{between}")

    assert end == pytest.approx(in_days(20), abs=3_600)


@pytest.mark.parametrize("pem", ["", "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n"])
def test_what_has_no_readable_date_has_none(pem: str) -> None:
    """OpenSSL decides what a certificate is; an end that nobody can tell is no reason not to connect."""
    end = x509.ends_utc(pem)

    assert end is None


@pytest.mark.parametrize(("age_s", "taken"), [(0.0, True), (60.0, False)])
def test_a_file_is_read_again_when_it_has_or_may_have_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age_s: float, taken: bool
) -> None:
    """Two changes within a tick of the file system's clock look like one; one that is long ago is one."""
    changed_ns = time.time_ns() - int(age_s * 1e9)
    monkeypatch.setattr(files, "_stamp", lambda _path: (0, changed_ns))
    credentials = Credentials("the-broker", Tls(Authority(tmp_path / "ca.pem", days=10).file))
    credentials.look()
    credentials.changes()

    Authority(tmp_path / "ca.pem", days=20)
    credentials.look()
    changes = credentials.changes()

    assert (changes is not None) is taken

"""The doctor's findings about TLS and login: files, rights, dates, and what a broker answers."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from node.cli.check import broker_check, pin_check
from node.cli.check.node_check import examine
from node.core import effects as ef
from node.core.settings import Wiring
from node.errors.faults import CREDENTIALS_UNUSABLE
from node.io import health
from node.io.terminal.check_result import CheckResult
from node.service import status_file
from tests.support.broker import Broker
from tests.support.certificates import Authority, Pair
from tests.support.node import wait_until, write_config
from tests.support.sayings import HEARTBEAT, WIRE
from tests.support.secure import LOOPBACK, in_days, secure_broker
from tests.support.walls import wall_of

WAIT_LIMIT_S = 20.0
EXPIRES = "F024 a certificate expires soon: after that, the node can't send alarms through this broker"


@pytest.fixture(autouse=True)
def in_no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow this machine is, what answers is waited for."""
    monkeypatch.setattr(broker_check, "ANSWER_S", WAIT_LIMIT_S)
    monkeypatch.setattr(pin_check, "LEVELS_S", WAIT_LIMIT_S)


def findings(tmp_path: Path, keys: Mapping[str, object], environ: Mapping[str, str] | None = None) -> list[CheckResult]:
    """What the doctor says of a broker with these keys."""
    config = write_config(tmp_path, brokers=[{"host": LOOPBACK, **keys}])
    pins = wall_of({"button": (17, Wiring.NORMALLY_OPEN)}).factory
    return [each for each in examine(config, environ or {}, lambda name: pins) if each.text.startswith("broker ")]


def keys_of(broker: Broker, authority: Authority, pair: Pair | None = None) -> dict[str, object]:
    """What node.toml says of a broker with TLS."""
    keys: dict[str, object] = {"port": broker.tls_port, "ca_file": str(authority.file)}
    return keys if pair is None else {**keys, "certificate_file": str(pair.certificate), "key_file": str(pair.key)}


def day(days: float) -> str:
    """A date as the doctor writes it."""
    return time.strftime("%Y-%m-%d", time.gmtime(in_days(days)))


def test_a_broker_in_order_is_told_with_its_dates(tmp_path: Path, authority: Authority) -> None:
    """How long each certificate lasts: the authority's, the broker's and our own."""
    pair = authority.issue("room-214", tmp_path, days=100.5)
    with secure_broker(tmp_path, authority, clients=True) as broker:
        found = findings(tmp_path, keys_of(broker, authority, pair))

    name = f"broker {LOOPBACK}:{broker.tls_port}"
    assert [each.ok for each in found] == [True] * 4
    assert found[0].text.startswith(f"{name} answers; a canary came back in ")
    assert [each.text for each in found[1:]] == [
        f"{name}: the authority certificate is good until {day(3_650)}",
        f"{name}: the broker certificate is good until {day(365)}",
        f"{name}: the node certificate is good until {day(100.5)}",
    ]


@pytest.mark.parametrize(("days", "when"), [(9.5, "expires in 9 days, on"), (-0.5, "expired on")])
def test_a_certificate_that_runs_out_is_a_finding(
    tmp_path: Path, secure: Broker, authority: Authority, days: float, when: str
) -> None:
    """With the date, and as the fault that it is."""
    pair = authority.issue("room-214", tmp_path, begins_days=-2, days=days)

    found = findings(tmp_path, keys_of(secure, authority, pair))

    name = f"broker {LOOPBACK}:{secure.tls_port}"
    assert [each.ok for each in found] == [True, True, True, False]
    assert found[3].text == f"{name}: the node certificate {when} {day(days)}: {EXPIRES}"
    assert found[3].next_step.startswith("renew the certificate")


def test_a_broker_that_cannot_be_trusted_is_the_fault_that_it_would_be(tmp_path: Path, secure: Broker) -> None:
    """With OpenSSL's reason, our code and the next step; our own dates are told all the same."""
    other = Authority(tmp_path / "other.pem", "another authority")

    found = findings(tmp_path, keys_of(secure, other))

    assert [each.ok for each in found] == [False, True]
    assert "unable to get local issuer certificate: F017 ca_file lacks the authority" in found[0].text
    assert found[0].next_step.startswith("ask who runs the broker")


def test_files_that_hold_nothing_useful_are_told_with_the_reason(tmp_path: Path, secure: Broker) -> None:
    """Which file, and why."""
    (tmp_path / "rubbish").write_text("rubbish", encoding="ascii")

    (found,) = findings(tmp_path, {"port": secure.tls_port, "ca_file": str(tmp_path / "rubbish")})

    assert found.ok is False
    assert (
        f"can't be used: ca_file {tmp_path / 'rubbish'} holds no certificate in PEM, or one that isn't whole: F026 "
        in found.text
    )
    assert found.next_step == "correct the file"


def test_a_file_that_is_not_there_is_a_finding(tmp_path: Path, secure: Broker, authority: Authority) -> None:
    """By its key; and what was written as a password's file isn't shown."""
    found = findings(tmp_path, {**keys_of(secure, authority), "username": "x", "password_file": "/hunter2"})

    name = f"broker {LOOPBACK}:{secure.tls_port}"
    assert found[0].text == (
        f"{name}: password_file can't be read (No such file or directory): check that the file exists and that the "
        "service may read it"
    )
    assert [each.ok for each in found] == [False]


@pytest.mark.parametrize("key", ["ca_file", "password_file"])
def test_a_missing_file_is_one_finding(tmp_path: Path, secure: Broker, authority: Authority, key: str) -> None:
    """With its key and its path; a broker isn't tried without it."""
    (tmp_path / "password").write_text("secret", encoding="ascii")
    (tmp_path / "password").chmod(0o600)
    files = {**keys_of(secure, authority), "username": "x", "password_file": str(tmp_path / "password")}

    (found,) = findings(tmp_path, {**files, key: str(tmp_path / "missing")})

    assert f": {key} {tmp_path / 'missing'} can't be read (No such file or directory)" in found.text


def test_a_file_that_systemd_hands_over_cannot_be_told(tmp_path: Path, secure: Broker) -> None:
    """Whoever asks isn't the service; a broker without its files isn't tried, least of all with others."""
    (found,) = findings(tmp_path, {"port": secure.tls_port, "ca_file": "ca.pem"})

    assert found.ok is None
    assert found.text == (
        f"broker {LOOPBACK}:{secure.tls_port}: ca_file is a file that systemd hands to the service, and to nobody else"
    )
    assert found.next_step.startswith("start the service")


def test_a_file_in_the_credentials_directory_is_found(tmp_path: Path, secure: Broker, authority: Authority) -> None:
    """Where whoever asks was given one."""
    environ = {"CREDENTIALS_DIRECTORY": str(authority.file.parent)}

    found = findings(tmp_path, {"port": secure.tls_port, "ca_file": authority.file.name}, environ)

    assert [each.ok for each in found] == [True] * 3


@pytest.mark.parametrize("mode", [0o604, 0o640])
def test_what_everybody_may_read_is_a_finding_where_it_is_secret(
    tmp_path: Path, secure: Broker, authority: Authority, mode: int
) -> None:
    """Key and password, not certificates; and a group may."""
    pair = authority.issue("room-214", tmp_path)
    password = tmp_path / "password"
    password.write_text("secret", encoding="ascii")
    for file in (pair.certificate, pair.key, password, authority.file):
        file.chmod(mode)
    keys = {**keys_of(secure, authority, pair), "username": "room-214", "password_file": str(password)}

    found = findings(tmp_path, keys)

    name = f"broker {LOOPBACK}:{secure.tls_port}"
    expected = [
        CheckResult(
            False, f"{name}: every account of this machine may read {key} {path}", f"take that right away: {step}"
        )
        for key, path in (("key_file", pair.key), ("password_file", password))
        for step in [f"chmod o-rwx {path}"]
    ]
    assert [each for each in found if each.ok is False] == (expected if mode & 0o004 else [])


def test_plain_text_over_a_network_is_a_finding(tmp_path: Path) -> None:
    """Whatever else is wrong with it."""
    found = findings(tmp_path, {"host": "224.0.0.1", "port": 1883, "insecure": True})

    assert [each.ok for each in found] == [False, False]
    assert found[0].text.startswith("broker 224.0.0.1:1883: F025 the connection to a broker isn't encrypted")
    assert found[1].text.startswith("broker 224.0.0.1:1883: network is unreachable: F016 there is no network route")


NAME = "10.0.0.2:1883"


@contextmanager
def saying(tmp_path: Path, code: str, name: str = NAME) -> Iterator[None]:
    """A service that says this fault of the one broker that it has."""
    directory = tmp_path / "state"
    directory.mkdir()
    lock = status_file.hold(directory)
    writer = status_file.Writer(directory, health.kernel_boot(), time.monotonic)
    writer.start()
    away = ef.LinkReport(name, False, None)
    heartbeat = replace(HEARTBEAT, faults=(ef.FaultReport(code, name, 0.0),), links=(away,))
    writer.write(WIRE.heartbeat(heartbeat, record_depth=0))
    wait_until((directory / "status.json").exists)
    yield
    writer.stop(WAIT_LIMIT_S)
    status_file.release(lock)


def test_a_running_service_knows_why_a_broker_is_away(tmp_path: Path) -> None:
    """Its own fault is told, nothing is added; rights are looked at all the same."""
    password = tmp_path / "password"
    password.write_text("secret", encoding="ascii")
    password.chmod(0o604)
    config = write_config(
        tmp_path, brokers=[{"host": LOOPBACK, "port": 1883, "username": "x", "password_file": str(password)}]
    )

    with saying(tmp_path, "F017"):
        found = [str(each) for each in examine(config, {}, lambda name: pytest.fail("the pins are the service's"))]

    about = [each for each in found if "10.0.0.2" in each or "password" in each]
    assert [each[:45] for each in about] == [
        "FINDING F017 (10.0.0.2:1883) ca_file lacks th",
        "FINDING broker 127.0.0.1:1883: every account ",
    ]


@pytest.mark.parametrize(
    ("written", "told"), [(b"", "is empty: write the password into it, on one line"), (b"x", None)]
)
def test_the_file_that_a_running_service_cannot_use_is_named(tmp_path: Path, written: bytes, told: str | None) -> None:
    """Nobody has to look for it in a log; one that was mended meanwhile is in order."""
    password = tmp_path / "password"
    password.write_bytes(written)
    password.chmod(0o600)
    host, _, port = NAME.partition(":")
    keys = {"host": host, "port": int(port), "insecure": True, "username": "x", "password_file": str(password)}
    config = write_config(tmp_path, brokers=[keys])

    with saying(tmp_path, "F026"):
        found = [str(each) for each in examine(config, {}, lambda name: pytest.fail("the pins are the service's"))]

    named = [each for each in found if str(password) in each]
    expected = (
        f"FINDING F026 ({NAME}) {CREDENTIALS_UNUSABLE.text}: password_file {password} {told}. "
        "Next: correct the file; the node reads it within a minute."
    )
    assert named == ([] if told is None else [expected])

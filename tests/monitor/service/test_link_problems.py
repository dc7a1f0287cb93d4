"""Why a monitor can't connect: named as at a node, by the same code, whose page says what to do."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from node.config import Login, Tls
from node.config.brokers import Broker as Reached
from node.errors.faults import FAULTS
from node.monitor.core.decisions.monitor_codec import MonitorWire
from node.monitor.service.links.broker_link import Link
from tests.support.broker import Broker
from tests.support.broker import Tls as Shown
from tests.support.certificates import Authority, Pair
from tests.support.listening import Listening
from tests.support.monitor import alarm_monitor, write_monitor
from tests.support.node import wait_until
from tests.support.secure import LOOPBACK, secure_broker, tls_of

Make = Callable[[ExitStack, Path, Authority], Reached]


def _to(port: int, tls: Tls | None, login: Login | None = None, host: str = LOOPBACK) -> Reached:
    return Reached("the-broker", host, port, tls, login)


def _shows(issue: Callable[[Authority, Path], Pair]) -> Make:
    """A broker that shows this certificate."""

    def make(stack: ExitStack, directory: Path, authority: Authority) -> Reached:
        pair = issue(authority, directory)
        broker = stack.enter_context(Broker(directory / "broker", tls=Shown(pair)))
        return _to(broker.tls_port, tls_of(authority))

    return make


def _asks(issue: Callable[[Authority, Path], Pair | None]) -> Make:
    """A broker that asks for a certificate, and a monitor that shows this one."""

    def make(stack: ExitStack, directory: Path, authority: Authority) -> Reached:
        broker = stack.enter_context(secure_broker(directory, authority, clients=True))
        return _to(broker.tls_port, tls_of(authority, issue(authority, directory)))

    return make


def _wrong_password(stack: ExitStack, directory: Path, authority: Authority) -> Reached:
    broker = stack.enter_context(secure_broker(directory, authority, passwords={"me": "hunter2"}))
    (directory / "password").write_bytes(b"hunter3\n")
    return _to(broker.tls_port, tls_of(authority), Login("me", directory / "password"))


def _plain(stack: ExitStack, directory: Path, authority: Authority) -> Reached:
    return _to(stack.enter_context(Broker(directory / "plain")).port, tls_of(authority))


def _no_name(_stack: ExitStack, _directory: Path, authority: Authority) -> Reached:
    return _to(8883, tls_of(authority), host="no-such-broker.invalid")


def _other(directory: Path) -> Authority:
    return Authority(directory / "other.pem", "another authority")


WAYS: dict[str, tuple[Make, str]] = {
    "an unknown authority": (_shows(lambda _, path: _other(path).issue("broker", path, LOOPBACK)), "F017"),
    "an expired broker": (_shows(lambda ours, path: ours.issue("b", path, LOOPBACK, begins_days=-9, days=-1)), "F018"),
    "an early broker": (_shows(lambda ours, path: ours.issue("b", path, LOOPBACK, begins_days=1)), "F019"),
    "another host": (_shows(lambda ours, path: ours.issue("b", path, "broker.example")), "F021"),
    "no certificate of ours": (_asks(lambda _ours, _path: None), "F022"),
    "a foreign certificate of ours": (_asks(lambda _, path: _other(path).issue("me", path)), "F022"),
    "an expired certificate of ours": (
        _asks(lambda ours, path: ours.issue("me", path, begins_days=-9, days=-1)),
        "F022",
    ),
    "a wrong password": (_wrong_password, "F022"),
    "no TLS on this port": (_plain, "F023"),
    "no such name": (_no_name, "F015"),
}


@pytest.mark.parametrize(("make", "code"), WAYS.values(), ids=WAYS.keys())
def test_each_reason_is_told_as_what_it_is(tmp_path: Path, make: Make, code: str) -> None:
    """With the code of a node's fault, for which there is a page; in words that speak of no node."""
    listening = Listening()
    with ExitStack() as stack:
        reached = make(stack, tmp_path, Authority(tmp_path / "ca.pem"))
        link = Link(reached, MonitorWire("alarm/v1", ("mitte",), "guard-desk", "0000aaaa"), listening, "guard-desk")
        stack.callback(link.close, "test")
        link.start()
        wait_until(lambda: listening.complaints != [], what="the reason")

    assert listening.complaints[0].startswith(f"{code} ")
    assert FAULTS[code].link_problem
    assert "node" not in FAULTS[code].link_problem


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (WAYS["no certificate of ours"][0], "unknown name, wrong password or certificate (F022 "),
        (WAYS["an unknown authority"][0], "the authority that signed the broker's certificate (F017 "),
    ],
)
def test_the_doctor_says_the_same(tmp_path: Path, make: Make, words: str) -> None:
    """Before the service runs."""
    with ExitStack() as stack:
        reached = make(stack, tmp_path, Authority(tmp_path / "ca.pem"))
        keys: dict[str, object] = {"host": reached.host, "port": reached.port, "ca_file": str(tmp_path / "ca.pem")}

        told = alarm_monitor(write_monitor(tmp_path, brokers=[keys]), "check")

    assert words in told.stdout
    assert told.returncode == 1

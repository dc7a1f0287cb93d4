"""A node as a process, with brokers that it reaches by TLS, and others that it can't reach: told over a healthy one."""

import shutil
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import broker as brokers
from tests.support.broker import Broker
from tests.support.certificates import Authority, Pair
from tests.support.desk import Desk, faults
from tests.support.node import NODE, SimulatedNode, write_config
from tests.support.secure import LOOPBACK, secure_broker

Keys = dict[str, object]


def _keys(authority: Authority, port: int, **others: object) -> Keys:
    return {"host": LOOPBACK, "port": port, "ca_file": str(authority.file), **others}


def test_presses_arrive_over_tls_with_a_certificate_and_a_login(tmp_path: Path) -> None:
    """The node proves who it is, hears its receipts, and says that nothing is wrong."""
    authority = Authority(tmp_path / "ca.pem")
    pair = authority.issue("room-214", tmp_path)
    (tmp_path / "password").write_text("hunter2\n", encoding="ascii")
    with secure_broker(tmp_path, authority, clients=True) as broker:
        keys = _keys(
            authority,
            broker.tls_port,
            certificate_file=str(pair.certificate),
            key_file=str(pair.key),
            username="room-214",
            password_file=str(tmp_path / "password"),
        )
        with (
            Desk(broker.port, receipts=True) as desk,
            SimulatedNode(write_config(tmp_path, brokers=[keys])) as node,
        ):
            desk.beat()
            for number in range(1, 6):
                node.tap()
                desk.receive("event", kind="pressed", presses=number)
            node.expect(ladder="told")
            heartbeat = desk.expect("heartbeat", lambda message: message["incidents"] == 1)
            code = node.quit()
            desk.receive("state", state="offline")

    assert code == 0
    assert faults(heartbeat) == {}
    assert "hunter2" not in node.log
    assert "u'room-214'" in broker.log.read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Way:
    """What node.toml says of a broker, and the broker, where there is one."""

    keys: Keys
    broker: Broker | None = None


Make = Callable[[ExitStack, Path, Authority], Way]


def _with(pair_of: Callable[[Authority, Path], Pair]) -> Make:
    """A broker that shows this certificate."""

    def make(stack: ExitStack, directory: Path, authority: Authority) -> Way:
        shown = brokers.Tls(pair_of(authority, directory))
        broker = stack.enter_context(Broker(directory / "broker", tls=shown))
        return Way(_keys(authority, broker.tls_port), broker)

    return make


def _showing(pair_of: Callable[[Authority, Path], Pair]) -> Make:
    """A broker that asks for a certificate by the building's own authority, and a node that shows it this one."""

    def make(stack: ExitStack, directory: Path, authority: Authority) -> Way:
        broker = stack.enter_context(secure_broker(directory, authority, clients=True))
        own = pair_of(authority, directory)
        keys = _keys(authority, broker.tls_port, certificate_file=str(own.certificate), key_file=str(own.key))
        return Way(keys, broker)

    return make


def _showing_none(stack: ExitStack, directory: Path, authority: Authority) -> Way:
    broker = stack.enter_context(secure_broker(directory, authority, clients=True))
    return Way(_keys(authority, broker.tls_port), broker)


def _refused(stack: ExitStack, directory: Path, authority: Authority) -> Way:
    shown = brokers.Tls(authority.issue("broker", directory, LOOPBACK))
    broker = stack.enter_context(Broker(directory / "broker", tls=shown, passwords={NODE: "hunter2"}))
    (directory / "password").write_text("hunter3", encoding="ascii")
    keys = _keys(authority, broker.tls_port, username=NODE, password_file=str(directory / "password"))
    return Way(keys, broker)


def _plain(stack: ExitStack, directory: Path, authority: Authority) -> Way:
    broker = stack.enter_context(Broker(directory / "plain"))
    return Way(_keys(authority, broker.port), broker)


def _unknown(_stack: ExitStack, _directory: Path, authority: Authority) -> Way:
    return Way({**_keys(authority, 8883), "host": "no-such-broker.invalid"})


def _away(_stack: ExitStack, _directory: Path, authority: Authority) -> Way:
    return Way({**_keys(authority, 8883), "host": "224.0.0.1"})


def _spoilt(stack: ExitStack, directory: Path, authority: Authority) -> Way:
    broker = stack.enter_context(secure_broker(directory, authority))
    (directory / "spoilt.pem").write_text("rubbish", encoding="ascii")
    return Way({**_keys(authority, broker.tls_port), "ca_file": str(directory / "spoilt.pem")}, broker)


def _in_plain_text(_stack: ExitStack, _directory: Path, _authority: Authority) -> Way:
    return Way({"host": "224.0.0.1", "port": 1883, "insecure": True})


BROKERS: Mapping[str, tuple[Make, str]] = {
    "foreign": (_with(lambda _, path: Authority(path / "x.pem", "another").issue("broker", path, LOOPBACK)), "F017"),
    "expired": (_with(lambda ours, path: ours.issue("broker", path, LOOPBACK, begins_days=-9, days=-1)), "F018"),
    "early": (_with(lambda ours, path: ours.issue("broker", path, LOOPBACK, begins_days=1)), "F019"),
    "misnamed": (_with(lambda ours, path: ours.issue("broker", path, "broker.example")), "F021"),
    "refused": (_refused, "F022"),
    "showing none": (_showing_none, "F022"),
    "showing a foreign one": (_showing(lambda _, path: Authority(path / "x.pem", "another").issue(NODE, path)), "F022"),
    "showing an expired one": (_showing(lambda ours, path: ours.issue(NODE, path, begins_days=-9, days=-1)), "F022"),
    "plain": (_plain, "F023"),
    "unknown": (_unknown, "F015"),
    "away": (_away, "F016"),
    "ending": (_with(lambda ours, path: ours.issue("broker", path, LOOPBACK, days=10)), "F024"),
    "in plain text": (_in_plain_text, "F025"),
    "spoilt": (_spoilt, "F026"),
}


@pytest.mark.parametrize(
    "names",
    [
        ("foreign", "expired", "early"),
        ("misnamed", "refused", "plain"),
        ("unknown", "away", "ending"),
        ("in plain text", "spoilt", "showing none"),
        ("showing a foreign one",),
        ("showing an expired one",),
    ],
    ids=" ".join,
)
def test_what_is_wrong_on_one_path_is_told_over_another(
    tmp_path: Path, broker: Broker, desk: Desk, names: tuple[str, ...]
) -> None:
    """Each with its own fault, which names the broker, within 5 s of the start; and a press still arrives."""
    authority = Authority(tmp_path / "ca.pem")
    with ExitStack() as stack:
        listed = [BROKERS[name][0](stack, tmp_path / name.replace(" ", "-"), authority).keys for name in names]
        with SimulatedNode(write_config(tmp_path, broker.port, brokers=listed)) as node:
            begun_at, _ = node.expect_log("starts, boot")
            raised = [desk.receive("event", kind="fault-raised", fault=BROKERS[name][1]) for name in names]
            standing = desk.expect(
                "heartbeat", lambda message: {BROKERS[name][1] for name in names} <= {*faults(message)}
            )
            node.tap()
            desk.receive("event", kind="pressed")

    told = faults(standing)
    for name, keys in zip(names, listed, strict=True):
        assert f"{keys['host']}:{keys['port']}" in told[BROKERS[name][1]]
    assert max(each.at for each in raised) - begun_at < 5.0


Mend = Callable[[Way, Path, Authority], None]


def _renew(way: Way, directory: Path, authority: Authority) -> None:
    """The broker gets a good certificate in the place of the bad one."""
    assert way.broker is not None
    authority.issue("broker", directory, LOOPBACK)
    way.broker.reload()


def _certify(_way: Way, directory: Path, authority: Authority) -> None:
    """The node gets a good certificate in the place of the bad one."""
    authority.issue(NODE, directory)


def _write_password(_way: Way, directory: Path, _authority: Authority) -> None:
    (directory / "password").write_text("hunter2", encoding="ascii")


def _write_authority(_way: Way, directory: Path, authority: Authority) -> None:
    shutil.copy(authority.file, directory / "spoilt.pem")


MENDED: Mapping[str, Mend] = {
    "foreign": _renew,
    "expired": _renew,
    "early": _renew,
    "misnamed": _renew,
    "refused": _write_password,
    "showing a foreign one": _certify,
    "showing an expired one": _certify,
    "spoilt": _write_authority,
}


@pytest.mark.parametrize("name", MENDED)
def test_a_path_that_was_mended_comes_up_by_itself(tmp_path: Path, broker: Broker, desk: Desk, name: str) -> None:
    """No failure ends the retries: the same node clears the fault, and its presses go that way too."""
    authority = Authority(tmp_path / "ca.pem")
    make, code = BROKERS[name]
    with ExitStack() as stack:
        way = make(stack, tmp_path / "other", authority)
        assert way.broker is not None
        with SimulatedNode(write_config(tmp_path, broker.port, brokers=[way.keys])) as node:
            desk.receive("event", kind="fault-raised", fault=code)

            MENDED[name](way, tmp_path / "other", authority)
            desk.receive("event", kind="fault-cleared", fault=code)
            desk.receive("heartbeat", lambda message: all(link["connected"] for link in message["links"].values()))
            with Desk(way.broker.port) as other:
                node.tap()
                for each in (desk, other):
                    each.receive("event", kind="pressed", presses=1)

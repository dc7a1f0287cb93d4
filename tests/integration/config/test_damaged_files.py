"""Password, authority, certificate and key that are damaged under a running node or monitor, or before its start.

Both sides do the same, by the same code: a session lives on, the next one uses what was read last, what is wrong is
told with the file's name and nothing of its content, and the mended file is taken.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from node.config import Login, Tls
from node.config.brokers import Broker as Reached
from node.core.events import CredentialsSeen, Event, LinkDown, LinkUp
from node.io.mqtt import link_queue
from node.io.mqtt.session import session
from node.monitor.core.decisions.monitor_codec import MonitorWire
from node.monitor.service.links.broker_link import Link
from tests.support.broker import Broker
from tests.support.certificates import Authority
from tests.support.damage import DAMAGES, HALF, Damage, mend
from tests.support.listening import Listening
from tests.support.loop import Loop, running
from tests.support.node import wait_until
from tests.support.secure import LOOPBACK, secure_broker

PASSWORD = b"hunter2\n"


class Side(Protocol):
    """A link of one side, as this test sees it."""

    def start(self) -> None:
        """Let it connect."""

    def expect_up(self, times: int) -> None:
        """Wait until so many sessions have begun."""

    def expect_problem(self, words: str) -> None:
        """Wait until it tells this of its files; "" that they are in order."""

    @property
    def losses(self) -> int:
        """How many sessions have ended."""


class NodeSide:
    """The node's link."""

    def __init__(self, stack: ExitStack, reached: Reached, caplog: pytest.LogCaptureFixture) -> None:
        self._stack, self._caplog = stack, caplog
        self._loop = Loop(reached.port, host=reached.host, tls=reached.tls, login=reached.login)
        self._events: list[Event] = []
        self._loop.on_put = self._take

    def _take(self, event: Event) -> None:
        self._events.append(event)
        self._loop.link.decided()

    def start(self) -> None:
        """Let it connect."""
        self._stack.enter_context(running(self._loop))

    def expect_up(self, times: int) -> None:
        """Wait until so many sessions have begun."""
        wait_until(lambda: sum(isinstance(each, LinkUp) for each in self._events) >= times, what="the session")

    def expect_problem(self, words: str) -> None:
        """Wait until it tells this of its files."""
        wait_until(lambda: self._usable() is (not words) and words in self._caplog.text, what=words)

    def _usable(self) -> bool | None:
        seen = [each for each in self._events if isinstance(each, CredentialsSeen)]
        return seen[-1].usable if seen else None

    @property
    def losses(self) -> int:
        """How many sessions have ended."""
        ups = [each.session for each in self._events if isinstance(each, LinkUp)]
        return sum(isinstance(each, LinkDown) and each.session in ups for each in self._events)


class MonitorSide:
    """The monitor's link."""

    def __init__(self, stack: ExitStack, reached: Reached, _caplog: pytest.LogCaptureFixture) -> None:
        self._stack, self._hearer = stack, Listening()
        wire = MonitorWire("alarm/v1", ("mitte",), "guard-desk", "0000aaaa")
        self._link = Link(reached, wire, self._hearer, "guard-desk")

    def start(self) -> None:
        """Let it connect."""
        self._stack.callback(self._link.close, "test")
        self._link.start()

    def expect_up(self, times: int) -> None:
        """Wait until so many sessions have begun."""
        wait_until(lambda: self._hearer.ups >= times, what="the session")

    def expect_problem(self, words: str) -> None:
        """Wait until it tells this of its files."""
        told = self._hearer.files_seen
        wait_until(lambda: told != [] and bool(told[-1]) is bool(words) and words in told[-1], what=words)

    @property
    def losses(self) -> int:
        """How many sessions have ended."""
        return len(self._hearer.complaints)


SIDES: dict[str, Callable[[ExitStack, Reached, pytest.LogCaptureFixture], Side]] = {
    "node": NodeSide,
    "monitor": MonitorSide,
}


class Files:
    """All that a broker may want to see, and what these files hold while they are in order."""

    def __init__(self, directory: Path, authority: Authority) -> None:
        pair = authority.issue("own", directory)
        self.tls = Tls(directory / "trusted.pem", pair.certificate, pair.key)
        self.login = Login("me", directory / "password")
        mend(self.tls.ca_file, authority.file.read_bytes())
        mend(directory / "password", PASSWORD)
        self.of = {
            "ca_file": self.tls.ca_file,
            "certificate_file": pair.certificate,
            "key_file": pair.key,
            "password_file": directory / "password",
        }
        self._good = {path: path.read_bytes() for path in self.of.values()}

    def mend(self) -> None:
        """Put back what was in order."""
        for path, content in self._good.items():
            mend(path, content)

    def is_in(self, text: str) -> bool:
        """Whether something of what the secret ones hold stands in this text."""
        key = self._good[self.of["key_file"]].decode().splitlines()[1]
        return "hunter2" in text or key in text


def _encrypted(path: Path) -> None:
    hidden = Authority(path.with_name("x.pem")).issue("x", path.parent, passphrase="open sesame")  # noqa: S106 - a test's
    path.write_bytes(hidden.key.read_bytes())


def _anothers(path: Path) -> None:
    path.write_bytes(Authority(path.with_name("x.pem")).issue("x", path.parent).key.read_bytes())


CASES = [
    *((key, name, damage) for key in ("ca_file", "certificate_file", "key_file") for name, damage in HALF.items()),
    *(
        (key, name, damage)
        for key in ("ca_file", "certificate_file", "key_file", "password_file")
        for name, damage in DAMAGES.items()
    ),
    ("key_file", "encrypted", _encrypted),
    ("key_file", "another's", _anothers),
]


@pytest.fixture
def broker(tmp_path: Path, authority: Authority) -> Iterator[Broker]:
    """One that asks for a certificate and a password."""
    with secure_broker(tmp_path, authority, clients=True, passwords={"me": "hunter2"}) as started:
        yield started


@pytest.fixture
def files(tmp_path: Path, authority: Authority) -> Files:
    """The files of a client of this broker, in order."""
    return Files(tmp_path / "own", authority)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are looked at without waiting for a minute."""
    monkeypatch.setattr(session, "_LOOK_S", 0.05)
    monkeypatch.setattr(link_queue, "TICK_S", 0.05)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(("key", "name", "damage"), CASES, ids=[f"{key}-{name}" for key, name, _ in CASES])
def test_a_file_that_is_damaged_under_a_session_ends_nothing(
    side: str,
    key: str,
    name: str,
    damage: Damage,
    broker: Broker,
    files: Files,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nor does it keep the next session from beginning; and what is mended is taken."""
    reached = Reached("the-broker", LOOPBACK, broker.tls_port, files.tls, files.login)
    with ExitStack() as stack:
        link = SIDES[side](stack, reached, caplog)
        link.start()
        link.expect_up(1)
        link.expect_problem("")

        damage(files.of[key])
        link.expect_problem(str(files.of[key]))
        lost_by_damage = link.losses
        broker.kill()
        broker.start()
        link.expect_up(2)
        files.mend()
        link.expect_problem("")
        lost = link.losses

    assert lost_by_damage == 0
    assert lost >= 1
    assert not files.is_in(caplog.text)
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(("key", "name", "damage"), CASES, ids=[f"{key}-{name}" for key, name, _ in CASES])
def test_a_file_that_is_damaged_at_the_start_is_taken_once_it_is_mended(
    side: str,
    key: str,
    name: str,
    damage: Damage,
    broker: Broker,
    files: Files,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Until then nobody connects, and what is wrong is told; a passphrase is never asked for."""
    reached = Reached("the-broker", LOOPBACK, broker.tls_port, files.tls, files.login)
    damage(files.of[key])
    # Where there was no such file, the name may be the password: whoever wrote it there doesn't find it in a log.
    named = key if (key, name) == ("password_file", "missing") else str(files.of[key])
    with ExitStack() as stack:
        link = SIDES[side](stack, reached, caplog)
        link.start()
        link.expect_problem(named)
        files.mend()
        link.expect_up(1)
        link.expect_problem("")

    assert not files.is_in(caplog.text)
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("side", SIDES)
def test_the_file_that_is_damaged_now_is_the_one_that_is_told(
    side: str, broker: Broker, files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever mends one hears of the next."""
    reached = Reached("the-broker", LOOPBACK, broker.tls_port, files.tls, files.login)
    with ExitStack() as stack:
        link = SIDES[side](stack, reached, caplog)
        link.start()
        link.expect_up(1)
        for path in (files.of["key_file"], files.of["password_file"], files.of["ca_file"]):
            files.mend()
            path.write_bytes(b"")
            link.expect_problem(str(path))

        lost = link.losses

    assert lost == 0

"""A real mosquitto that belongs to the test: on a free loopback port, in a directory of its own, always reaped."""

import hashlib
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from base64 import b64encode
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.certificates import Pair

READY_S = 60.0
STOP_S = 10.0

# Below the range from which the kernel takes ports for outgoing connections: a client that tries to connect while the
# broker is down must neither take its port nor, by chance, connect to itself.
_PORTS = range(20_000, 30_000)

_given: deque[int] = deque(maxlen=100)

_CONNECT = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x05\x00\x04wait"


def _own_ports() -> range:
    """Each worker of pytest has ports of its own: a broker that is away for a while finds its port free."""
    worker, workers = os.environ.get("PYTEST_XDIST_WORKER", "gw0"), os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")
    return _PORTS[int(worker.removeprefix("gw")) :: int(workers)]


def free_port() -> int:
    """A loopback port on which nothing listens, and that no recent call returned: who asked may not listen yet."""
    ports = _own_ports()
    while True:
        port = random.SystemRandom().choice(ports)
        if port in _given:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            _given.append(port)
            return port


@dataclass(frozen=True, slots=True)
class Tls:
    """What a broker shows, and whom it lets in: anybody, or clients with a certificate by the authority in a file."""

    pair: Pair
    clients_by: Path | None = None


class Broker:
    """A mosquitto that is started, stopped, killed and frozen at will, always on the same ``port``.

    ``acl``: the text of an ACL file; None allows everything. Any user name is let in without a password unless there
    are ``passwords`` (by user name), and clients without one unless ``anonymous`` is False. ``persistent``: retained
    messages survive a stop and a start. ``options``: more lines for mosquitto.conf. ``tls``: it listens on ``tls_port``
    too, and there in TLS alone.
    """

    def __init__(
        self,
        directory: Path,
        *,
        acl: str | None = None,
        anonymous: bool = True,
        persistent: bool = False,
        options: Sequence[str] = (),
        passwords: Mapping[str, str] | None = None,
        tls: Tls | None = None,
    ) -> None:
        self.port = free_port()
        self.tls_port = free_port()
        self.log = directory / "mosquitto.log"
        self._config = directory / "mosquitto.conf"
        self._process: subprocess.Popen[bytes] | None = None
        directory.mkdir(parents=True, exist_ok=True)
        lines = [
            f"listener {self.port} 127.0.0.1",
            f"allow_anonymous {str(anonymous).lower()}",
            "set_tcp_nodelay true",
            "log_type all",
            "user root",  # or, started by root, it becomes mosquitto and may not read its own directory
        ]
        self._acl = directory / "acl"
        self._passwords = directory / "passwords"
        if acl is not None:
            _write_secret(self._acl, acl)
            lines.append(f"acl_file {self._acl}")
        if persistent:
            lines += ["persistence true", f"persistence_location {directory}/", "autosave_interval 1"]
            lines += ["autosave_on_changes true"]
        if passwords is not None:
            _write_secret(self._passwords, _accounts(passwords))
            lines.append(f"password_file {self._passwords}")
        lines += options
        if tls is not None:
            lines += [f"listener {self.tls_port} 127.0.0.1", f"certfile {tls.pair.certificate}"]
            lines += [f"keyfile {tls.pair.key}"]
            lines += ["require_certificate true", f"cafile {tls.clients_by}"] if tls.clients_by is not None else []
        self._config.write_text("\n".join([*lines, ""]), encoding="utf-8")

    @property
    def pid(self) -> int:
        """The process that runs now."""
        return self._running().pid

    def start(self) -> None:
        """Start it, and wait until it answers."""
        assert self._process is None, "it runs already"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [_mosquitto(), "-c", str(self._config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + READY_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"mosquitto didn't start:\n{self.log.read_text(encoding='utf-8')}")
            time.sleep(0.01)

    def stop(self) -> None:
        """End it as a service manager would; nothing where it doesn't run."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        self._process.send_signal(signal.SIGCONT)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def kill(self) -> None:
        """End it as a power cut would."""
        process = self._running()
        process.kill()
        process.wait()
        self._process = None

    def freeze(self) -> None:
        """Let it hang: its sockets stay open and take what the kernel's buffers hold. Returns when it does."""
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def thaw(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def allow(self, acl: str) -> None:
        """From now on this ACL holds; there must have been one from the start."""
        _write_secret(self._acl, acl)
        self.reload()

    def let_in(self, passwords: Mapping[str, str]) -> None:
        """From now on these accounts hold; there must have been some from the start. Who isn't let in is thrown off."""
        _write_secret(self._passwords, _accounts(passwords))
        self.reload()

    def reload(self) -> None:
        """Let it read its files anew: ACL, accounts and certificates. Returns when it does so, before all else."""
        before = self._reloads()
        os.kill(self.pid, signal.SIGHUP)
        deadline = time.monotonic() + READY_S
        while self._reloads() == before:
            assert time.monotonic() < deadline, "mosquitto doesn't reload"
            time.sleep(0.01)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "it doesn't run"
        return self._process

    def _reloads(self) -> int:
        return self.log.read_bytes().count(b"Reloading config.")

    def _answers(self) -> bool:
        """Whether it answers CONNECT, be it with a refusal."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=READY_S) as client:
                client.sendall(_CONNECT)
                return client.recv(1) == b"\x20"
        except ConnectionError:
            return False


def _write_secret(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)


def _accounts(passwords: Mapping[str, str]) -> str:
    return "".join(f"{user}:{_hashed(password)}\n" for user, password in passwords.items())


def _hashed(password: str) -> str:
    salt, rounds = os.urandom(12), 101
    derived = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds)
    return f"$7${rounds}${b64encode(salt).decode()}${b64encode(derived).decode()}"


def _mosquitto() -> str:
    found = shutil.which("mosquitto", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
    assert found is not None, "mosquitto is missing; next: apt-get install mosquitto"
    return found

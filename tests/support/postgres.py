"""A real PostgreSQL that belongs to the tests: a cluster of its own in a temporary directory, always reaped.

No cluster of the system is started or used. PostgreSQL refuses to run as root: then it runs as the account that its
Debian package brings.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from tests.support.broker import free_port

READY_S = 60.0
STOP_S = 30.0
PASSWORD = "a-password-of-the-tests"  # noqa: S105 - it opens nothing but this cluster


class Postgres:
    """A cluster with the superuser ``postgres``: trusted on its socket, asked for PASSWORD on 127.0.0.1:``port``."""

    def __init__(self) -> None:
        self.port = free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="alarm-monitor-postgres-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._user = "postgres" if os.geteuid() == 0 else None
        self._numbers = count(1)
        if self._user is not None:
            owner = pwd.getpwnam(self._user)
            os.chown(self.directory, owner.pw_uid, owner.pw_gid)

    def start(self) -> None:
        """Make the cluster where there is none yet, start it, and wait until it answers."""
        assert self._process is None, "it runs already"
        data = self.directory / "data"
        if not data.exists():
            self._make(data)
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    _program("postgres"),
                    "-D",
                    str(data),
                    *("-c", f"unix_socket_directories={self.directory}"),
                    *("-c", "listen_addresses=127.0.0.1", "-c", f"port={self.port}"),
                    *("-c", "shared_buffers=32MB", "-c", "max_connections=50", "-c", "autovacuum=off"),
                ],
                cwd="/",
                user=self._user,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + READY_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise AssertionError(
                    f"PostgreSQL didn't start:\n{(self.directory / 'log').read_text(encoding='utf-8')}"
                )
            time.sleep(0.02)

    def stop(self) -> None:
        """End it at once, but in order; nothing where it doesn't run."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(STOP_S)
        self._process = None

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """The name of a database that is there for as long as this."""
        name = f"history_{os.getpid()}_{next(self._numbers)}"
        self.run(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        try:
            yield name
        finally:
            self.run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def url(self, database: str) -> str:
        """Its address, by the socket."""
        return f"postgresql://postgres@/{database}?host={self.directory}&port={self.port}"

    def network_url(self, database: str, *, user: str = "postgres", password: str = PASSWORD) -> str:
        """Its address on loopback, with a password."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def run(self, statement: str, database: str = "postgres") -> None:
        """Run one statement as the superuser."""
        with psycopg.connect(self._address(database), autocommit=True) as connection:
            connection.execute(statement.encode())

    def cut(self, database: str) -> None:
        """End every connection to a database, as an administrator does."""
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            ending = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s"
            connection.execute(ending, (database,))

    @contextmanager
    def away(self) -> Iterator[None]:
        """It is ended, and started again."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def waiting_for_nobody(self) -> Iterator[None]:
        """Every commit waits for a standby that isn't there."""
        self._set_standby("nobody")
        try:
            yield
        finally:
            self._set_standby("")

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Every process of the server stands still: connections stay, and nothing is answered."""
        assert self._process is not None
        server = self._process.pid
        processes = [server, *_children(server)]
        try:
            for each in processes:
                os.kill(each, signal.SIGSTOP)
            yield
        finally:
            for each in processes:
                os.kill(each, signal.SIGCONT)

    def _set_standby(self, name: str) -> None:
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            connection.execute("SET synchronous_commit = local")
            connection.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{name}'".encode())
            connection.execute("SELECT pg_reload_conf()")
            asked = "SELECT setting FROM pg_settings WHERE name = 'synchronous_standby_names'"
            while connection.execute(asked).fetchone() != (name,):
                time.sleep(0.02)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            shutil.rmtree(self.directory, ignore_errors=True)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _make(self, data: Path) -> None:
        password_file = self.directory / "password"
        password_file.write_text(PASSWORD, encoding="utf-8")
        password_file.chmod(0o644)
        made = subprocess.run(
            [
                _program("initdb"),
                *("-D", str(data), "-U", "postgres", "--pwfile", str(password_file)),
                *("--auth-local=trust", "--auth-host=scram-sha-256"),
                *("--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"),
            ],
            cwd="/",
            user=self._user,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        assert made.returncode == 0, made.stderr.decode()

    def _address(self, database: str) -> str:
        return f"host={self.directory} port={self.port} user=postgres dbname={database} connect_timeout=5"

    def _answers(self) -> bool:
        try:
            psycopg.connect(self._address("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True


def _program(name: str) -> str:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    assert found, "PostgreSQL is missing; next: apt-get install postgresql"
    return str(found[-1])


def _children(process: int) -> list[int]:
    asked = ["ps", "-o", "pid=", "--ppid", str(process)]
    return [int(each) for each in subprocess.run(asked, check=True, capture_output=True, text=True).stdout.split()]

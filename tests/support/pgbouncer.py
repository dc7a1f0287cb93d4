"""A real pgbouncer that belongs to a test: it gives each transaction another session of a PostgreSQL."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from tests.support.broker import free_port
from tests.support.node import wait_until
from tests.support.postgres import Postgres

READY_S = 60.0
STOP_S = 10.0


@contextmanager
def pooled(postgres: Postgres, database: str) -> Iterator[str]:
    """The address of this database behind a pool in transaction mode, of two sessions."""
    port = free_port()
    file = postgres.directory / f"pgbouncer-{port}.ini"
    file.write_text(
        f"[databases]\n{database} = host={postgres.directory} port={postgres.port} user=postgres\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
        "pool_mode = transaction\ndefault_pool_size = 2\nmax_client_conn = 100\n",
        encoding="utf-8",
    )
    url = f"postgresql://postgres@127.0.0.1:{port}/{database}"
    user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
    with (postgres.directory / f"pgbouncer-{port}.log").open("wb") as log:
        process = subprocess.Popen(
            ["/usr/sbin/pgbouncer", str(file)], cwd="/", user=user, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        try:
            wait_until(lambda: _answers(url), READY_S, "pgbouncer")
            yield url
        finally:
            process.kill()
            process.wait(STOP_S)


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True

"""What a history holds, seen by none of the monitor's own code: SQL on the database, or on a copy of its file."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from tests.support.node import wait_until

_FILE = "sqlite:///"
WRITING = 7_302_465_119
"""The advisory lock of whoever writes (node/monitor/history/database/connection.py)."""


def rows(url: str, select: str) -> list[tuple[Any, ...]]:
    """What this question gives. Of a file a copy is asked: to open it would mend what a killed monitor has left."""
    if not url.startswith(_FILE):
        with psycopg.connect(url) as connection:
            return list(connection.execute(select.encode()))
    path = Path(url.removeprefix(_FILE))
    with tempfile.TemporaryDirectory(prefix="kept-") as copied:
        for each in path.parent.glob(f"{path.name}*"):
            if not each.name.endswith("-shm"):
                shutil.copy(each, copied)
        opened = sqlite3.connect(Path(copied) / path.name)
        try:
            return opened.execute(select).fetchall()
        finally:
            opened.close()


def wait_until_nothing_waits(url: str) -> None:
    """Until all that people are to be told was told, or given up: no further message comes of what happened so far."""
    wait_until(
        lambda: rows(url, "SELECT count(*) FROM deliveries WHERE outcome IS NULL") == [(0,)], what="nothing that waits"
    )


@contextmanager
def blocked(url: str) -> Iterator[None]:
    """Nobody else can write into it meanwhile: whoever tries waits, and then takes it for away."""
    if url.startswith(_FILE):
        with closing(sqlite3.connect(url.removeprefix(_FILE), timeout=30.0, isolation_level=None)) as opened:
            opened.execute("BEGIN IMMEDIATE")
            yield
            opened.execute("ROLLBACK")
        return
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"SELECT pg_advisory_lock({WRITING})".encode())
        yield

"""A started record, and what is seen of its way to the disk."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import node.io.record.record_file
from tests.integration.record.desk import Desk, Tap
from tests.support.tmpfs import mounted


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A state directory that exists and is empty."""
    desk = Desk(tmp_path)
    yield desk
    desk.close()


@pytest.fixture
def tap(monkeypatch: pytest.MonkeyPatch) -> Tap:
    """A tap on the writer of each record that is started in this test."""
    tap = Tap()
    monkeypatch.setattr(sqlite3, "connect", tap.connect)
    return tap


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> threading.Semaphore:
    """Counts how often a writer tried to open its file."""
    tried = threading.Semaphore(0)
    open_to_write = node.io.record.record_file.open_to_write

    def count(path: Path) -> sqlite3.Connection:
        tried.release()
        return open_to_write(path)

    monkeypatch.setattr(node.io.record.record_file, "open_to_write", count)
    return tried


@pytest.fixture
def tmpfs(tmp_path: Path) -> Iterator[Desk]:
    """A state directory on a file system of 2 MB that belongs to the test."""
    with mounted(tmp_path / "card") as directory, closing(Desk(directory)) as desk:
        yield desk

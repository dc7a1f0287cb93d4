"""What people are told when the history can't be used, and that the monitor goes on by itself."""

import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from node.monitor.errors import (
    HistoryDamagedError,
    HistoryError,
    HistoryFullError,
    HistoryReadOnlyError,
    HistoryRefusedError,
    HistoryUnreachableError,
    HistoryUrlError,
)
from node.monitor.history.database import connection as opened
from node.monitor.history.database.failures import as_history_error
from node.monitor.history.history import Batch, History, Stored, StoreFailed, StoreRecovered
from node.monitor.history.writer import Writer
from tests.monitor.conftest import TEMPLATE
from tests.support.broker import free_port
from tests.support.history import at, event, incident
from tests.support.postgres import PASSWORD, Postgres
from tests.support.tmpfs import make_read_only, make_writable, mounted

TIMEOUT_S = 30.0


def failure_of(url: str, act: Callable[[History], object] = lambda history: history.remember(at())) -> HistoryError:
    """What this ends with."""
    history = History(url)
    try:
        with pytest.raises(HistoryError) as caught:
            act(history)
    finally:
        history.close()
    return caught.value


@pytest.mark.parametrize(
    "url",
    [
        "",
        "history.sqlite",
        "mysql://desk@host/name",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite+aiosqlite:///x",
        "a b:c",
    ],
)
def test_an_address_of_another_kind_is_refused(url: str) -> None:
    """With what to write instead, and without the address: it may hold a password."""
    failure = failure_of(url)

    assert isinstance(failure, HistoryUrlError)
    assert re.match(r"E028 .*Next: write sqlite:///path or postgresql://", str(failure))


def test_a_server_that_is_not_there_is_unreachable() -> None:
    """Nobody listens."""
    failure = failure_of(f"postgresql://desk:{PASSWORD}@127.0.0.1:{free_port()}/name")

    assert isinstance(failure, HistoryUnreachableError)
    assert str(failure).startswith("E021 the history postgresql://desk@127.0.0.1")
    assert PASSWORD not in str(failure)


def test_a_directory_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    """Where the file should be made."""
    failure = failure_of(f"sqlite:///{tmp_path}/missing/history.sqlite", History.upgrade)

    assert isinstance(failure, HistoryUnreachableError)
    assert "Next: check that the database runs" in str(failure)


@pytest.mark.parametrize(
    ("user", "password", "database"),
    [("postgres", "wrong", TEMPLATE), ("stranger", PASSWORD, TEMPLATE), ("postgres", PASSWORD, "no_such_name")],
    ids=["password", "user", "database"],
)
def test_a_server_that_refuses_is_told_from_one_that_is_away(
    postgres: Postgres, user: str, password: str, database: str
) -> None:
    """It answers: something in the address is wrong. What the password was isn't told."""
    failure = failure_of(postgres.network_url(database, user=user, password=password))

    assert isinstance(failure, HistoryRefusedError)
    assert str(failure).startswith("E022 ")
    assert password not in str(failure).replace("password", "")


def test_rights_that_are_missing_are_told(postgres: Postgres) -> None:
    """An account that may connect and no more."""
    postgres.run(f"CREATE ROLE onlooker LOGIN PASSWORD '{PASSWORD}'")

    with postgres.database(TEMPLATE) as name:
        failure = failure_of(postgres.network_url(name, user="onlooker"))

    assert isinstance(failure, HistoryRefusedError)
    assert "permission denied" in str(failure)


def test_a_database_that_takes_nothing_is_told(postgres: Postgres) -> None:
    """A standby, or one that was set read-only: it can still be read."""
    with postgres.database(TEMPLATE) as name:
        postgres.run(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        failure = failure_of(postgres.url(name), lambda history: history.store(Batch(incidents=[incident()])))

    assert isinstance(failure, HistoryReadOnlyError)
    assert str(failure).startswith("E024 ")


def full(path: Path) -> None:
    """Write beyond what the file may grow to."""
    connection = sqlite3.connect(path)
    try:
        connection.execute("PRAGMA max_page_count = 2")
        connection.execute("CREATE TABLE much AS SELECT zeroblob(100000)")
    finally:
        connection.close()


def read_only(path: Path) -> None:
    """Write where only reading is allowed."""
    path.touch()
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        connection.execute("CREATE TABLE one (id INTEGER)")
    finally:
        connection.close()


@pytest.mark.parametrize(("act", "kind"), [(full, HistoryFullError), (read_only, HistoryReadOnlyError)])
def test_a_disk_of_sqlite_that_takes_nothing_is_told(
    tmp_path: Path, act: Callable[[Path], None], kind: type[HistoryError]
) -> None:
    """By SQLite's own error."""
    with pytest.raises(sqlite3.OperationalError) as caught:
        act(tmp_path / "history.sqlite")

    failure = as_history_error(OperationalError("INSERT", {}, caught.value), "sqlite:///history.sqlite")

    assert type(failure) is kind


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk that can become read-only."""
    with mounted(tmp_path / "disk") as directory:
        yield directory


@pytest.mark.parametrize(
    "act",
    [History.upgrade, lambda history: history.store(Batch(events=[event(1)]))],
    ids=["a start", "an event"],
)
@pytest.mark.parametrize("is_there", [True, False], ids=["old", "new"])
def test_a_disk_of_sqlite_that_became_read_only_is_told(
    disk: Path, act: Callable[[History], object], is_there: bool
) -> None:
    """SQLite can't open its log there and says no more than that; whoever looks for a server looks in vain."""
    url = f"sqlite:///{disk}/history.sqlite"
    if is_there:
        history = History(url)
        history.upgrade()
        history.close()
    make_read_only(disk)

    failure = failure_of(url, act)

    assert str(failure).startswith("E024 ")
    assert "Next: make its disk and directory writable" in str(failure)


def test_a_disk_that_can_be_written_again_is(disk: Path, told: SimpleQueue[object]) -> None:
    """By itself: nobody has to start the monitor anew."""
    history = History(f"sqlite:///{disk}/history.sqlite")
    history.upgrade()
    history.close()
    make_read_only(disk)
    writer = Writer(history, told.put, retry_s=0.2)
    writer.start()
    writer.store(Batch(events=[event(1)]))
    failed = told.get(timeout=TIMEOUT_S)

    make_writable(disk)

    answers = [told.get(timeout=TIMEOUT_S) for _ in range(2)]
    assert writer.stop(TIMEOUT_S)
    history.close()
    assert isinstance(failed, StoreFailed)
    assert [type(answer) for answer in answers] == [StoreRecovered, Stored]


def test_a_disk_of_postgresql_that_is_full_is_told() -> None:
    """By PostgreSQL's own code for it."""
    failure = as_history_error(
        OperationalError("INSERT", {}, psycopg.errors.DiskFull("no space left")), "postgresql://host"
    )

    assert type(failure) is HistoryFullError


def test_a_file_that_is_no_history_is_left_alone(tmp_path: Path) -> None:
    """Nothing is written over it."""
    path = tmp_path / "history.sqlite"
    path.write_bytes(b"these are the minutes of a meeting\n" * 100)
    before = path.read_bytes()

    failure = failure_of(f"sqlite:///{path}", History.upgrade)

    assert isinstance(failure, HistoryDamagedError)
    assert path.read_bytes() == before


def test_a_row_that_was_never_written_so_is_told(tmp_path: Path) -> None:
    """A garbled value isn't taken for a status."""
    path = tmp_path / "history.sqlite"
    history = History(f"sqlite:///{path}")
    history.upgrade()
    history.store(Batch(incidents=[incident()]))
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE incidents SET alarm_class = 'mild'")
    connection.close()

    with pytest.raises(HistoryDamagedError, match=r"^E027 .*mild"):
        history.remember(at())

    history.close()


@pytest.fixture
def told() -> SimpleQueue[object]:
    """What a writer answers."""
    return SimpleQueue()


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A PostgreSQL that this test may stop."""
    with Postgres() as started:
        yield started


def test_a_server_that_restarts_costs_nothing(own_postgres: Postgres, told: SimpleQueue[object]) -> None:
    """What was given while it was away is stored once it is back."""
    history = History(own_postgres.url("postgres"))
    history.upgrade()
    writer = Writer(history, told.put, retry_s=0.2)
    writer.start()
    writer.store(Batch(events=[event(1)]))
    answers = [told.get(timeout=TIMEOUT_S)]

    own_postgres.stop()
    writer.store(Batch(events=[event(2)]))
    answers.append(told.get(timeout=TIMEOUT_S))
    own_postgres.start()
    answers += [told.get(timeout=TIMEOUT_S) for _ in range(2)]

    assert writer.stop(TIMEOUT_S)
    history.close()
    assert answers[0] == Stored(events=(event(1).key,))
    assert isinstance(answers[1], StoreFailed)
    assert isinstance(answers[2], StoreRecovered)
    assert answers[3] == Stored(events=(event(2).key,))


def test_a_connection_that_was_cut_costs_nothing(postgres: Postgres) -> None:
    """By an administrator, or a firewall that forgot it."""
    with postgres.database(TEMPLATE) as name:
        history = History(postgres.url(name))
        history.store(Batch(events=[event(1)]))
        postgres.cut(name)

        stored = history.store(Batch(events=[event(2)]))

        history.close()
    assert stored == Stored(events=(event(2).key,))


def test_a_monitor_that_hangs_while_it_writes_is_thrown_out(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others wait for it as long as the server does, and no longer; what it hadn't committed is gone."""
    monkeypatch.setattr(opened, "_HANGS_S", 1)
    holds, ends = threading.Event(), threading.Event()
    outcome: list[BaseException] = []

    def hang(database: opened.Database) -> None:
        try:
            with database.writing():
                holds.set()
                ends.wait(TIMEOUT_S)
        except HistoryError as failure:
            outcome.append(failure)

    with postgres.database(TEMPLATE) as name:
        hanging, history = opened.Database(postgres.url(name)), History(postgres.url(name))
        thread = threading.Thread(target=hang, args=(hanging,))
        thread.start()
        assert holds.wait(TIMEOUT_S)

        stored = history.store(Batch(events=[event(1)]))

        ends.set()
        thread.join()
        hanging.close()
        history.close()
    assert stored == Stored(events=(event(1).key,))
    assert [type(failure) for failure in outcome] == [HistoryError]
    assert "idle-in-transaction timeout" in str(outcome[0])


def test_a_file_that_was_deleted_is_made_anew(tmp_path: Path, told: SimpleQueue[object]) -> None:
    """SQLite would go on writing into what nobody finds any more: no receipt for that."""
    path = tmp_path / "history.sqlite"
    history = History(f"sqlite:///{path}")
    history.upgrade()
    writer = Writer(history, told.put, retry_s=0.2)
    writer.start()
    for each in tmp_path.iterdir():
        each.unlink()

    writer.store(Batch(incidents=[incident()]))

    answers = [told.get(timeout=TIMEOUT_S) for _ in range(3)]
    assert writer.stop(TIMEOUT_S)
    assert [type(answer) for answer in answers] == [StoreFailed, StoreRecovered, Stored]
    history.close()
    again = History(f"sqlite:///{path}")
    assert again.remember(at()).incidents == (incident(),)
    again.close()

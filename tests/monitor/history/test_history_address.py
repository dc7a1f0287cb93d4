"""Where the history is: addresses of every spelling, none of which tells a password, and databases that won't do."""

import os
import re
import sqlite3
import stat
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from node.monitor.core.model.requests import RecordFilter
from node.monitor.errors import HistoryEncodingError, HistoryError, HistoryUnreachableError, HistoryUrlError
from node.monitor.history.database.connection import Database
from node.monitor.history.history import Batch, History
from tests.monitor.conftest import TEMPLATE
from tests.support.broker import free_port
from tests.support.examples import examples
from tests.support.history import at, event
from tests.support.pgbouncer import pooled
from tests.support.postgres import PASSWORD, Postgres

NOBODY = 65534
HARD = "a@b:c/d?password=e#f%g&h=i j"


def problem_of(url: str) -> HistoryError:
    """What the use of this address ends with."""
    history = History(url)
    try:
        with pytest.raises(HistoryError) as caught:
            history.upgrade()
    finally:
        history.close()
    return caught.value


def all_that_is_said(problem: BaseException) -> str:
    """Its text, and that of a log with its traceback, whatever it came from."""
    return "".join([str(problem), repr(problem), *traceback.format_exception(problem)])


@pytest.mark.parametrize("password", [HARD, "@", "://", "?password=x", "a:b", "100%", "ß€🔑"])
def test_a_password_of_any_characters_opens_the_database(postgres: Postgres, password: str) -> None:
    """Where they are encoded, as its user information or as a parameter."""
    name = f"desk_{abs(hash(password))}"
    postgres.run(f"CREATE ROLE {name} SUPERUSER LOGIN PASSWORD '{password}'")
    encoded = quote(password, safe="")
    try:
        with postgres.database(TEMPLATE) as database:
            for url in (
                f"postgresql://{name}:{encoded}@127.0.0.1:{postgres.port}/{database}",
                f"postgresql+psycopg://{name}@127.0.0.1:{postgres.port}/{database}?password={encoded}",
            ):
                history = History(url)
                history.store(Batch(events=[event()]))
                history.close()
    finally:
        postgres.run(f"DROP ROLE {name}")


@given(st.text(st.characters(blacklist_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=6, max_size=40))
@settings(max_examples=examples(200))
def test_no_address_tells_a_part_of_its_password(password: str) -> None:
    """Encoded or not, wherever it stands: not in the error, nor in what a log makes of it."""
    encoded = quote(password, safe="")
    pieces = {password[start : start + 6] for start in range(len(password) - 5)}
    harmless = all_that_is_said(problem_of("postgresql://desk:@127.0.0.1:1/name"))
    secret = {piece for piece in pieces if piece not in harmless}

    for url in (
        f"postgresql://desk:{password}@127.0.0.1:1/name",
        f"postgresql://desk:{encoded}@127.0.0.1:1/name",
        f"postgresql://desk@127.0.0.1:1/name?password={password}",
        f"postgresql://desk@127.0.0.1:1/name?password={encoded}",
        f"postgresql://desk:{re.sub('[@,]', '', password)}/name",  # what follows these is a host's name
        f"mysql://desk:{password}@127.0.0.1/name",
    ):
        said = all_that_is_said(problem_of(url))
        assert not any(piece in said for piece in secret), url


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://desk:pa@ss-word@127.0.0.1:1/name",
        "postgresql://desk:pass/word@127.0.0.1:1/name",
        "postgresql://desk:12/pass-word@127.0.0.1:1/name",
        "postgresql://desk:pass?word@127.0.0.1:1/name",
        "postgresql://desk:pass#word@127.0.0.1:1/name",
        "postgresql://desk:pass%word@127.0.0.1:1/name",
        "postgresql://desk@127.0.0.1:1/name?password=pass@word",
        "postgresql://desk@127.0.0.1:1/name?password=pass&word",
        "postgresql://desk:pass-word/name",
        "postgresql://127.0.0.1:1/name?pass-word=x",
    ],
)
def test_an_address_of_two_meanings_says_what_to_write(url: str) -> None:
    """What isn't encoded could make half a password the name of a host."""
    problem = problem_of(url)

    assert isinstance(problem, HistoryUrlError)
    assert "Next: write " in str(problem)
    assert "in a password @ is %40" in str(problem)
    assert "word" not in str(problem).replace("password", "")


def test_an_address_may_name_several_hosts(postgres: Postgres) -> None:
    """As libpq has it: the first that answers is taken; and where none does that is said."""
    dead = free_port()
    with postgres.database(TEMPLATE) as name:
        both = History(f"postgresql://postgres:{PASSWORD}@127.0.0.1:{dead},127.0.0.1:{postgres.port}/{name}")
        both.store(Batch(events=[event()]))
        both.close()
    none = problem_of(f"postgresql://desk:{PASSWORD}@127.0.0.1:{dead},127.0.0.1:{free_port()}/name")

    assert isinstance(none, HistoryUnreachableError)
    assert f"postgresql://desk@127.0.0.1,127.0.0.1:{dead}," in str(none)
    assert PASSWORD not in all_that_is_said(none)


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_cannot_keep_every_name_is_refused(postgres: Postgres, encoding: str) -> None:
    """Before anything is stored in it: an event with another character would never be held."""
    name = f"other_{encoding.lower()}"
    postgres.run(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
    try:
        problem = problem_of(postgres.url(name))
    finally:
        postgres.run(f"DROP DATABASE {name} WITH (FORCE)")

    assert isinstance(problem, HistoryEncodingError)
    assert str(problem).startswith(f"E043 the database {name} has the encoding {encoding}, ")
    assert "Next: create another database and name that one: createdb --encoding=UTF8" in str(problem)


def test_a_pool_that_gives_each_transaction_another_session_will_do(postgres: Postgres) -> None:
    """Pgbouncer in transaction mode: nothing is asked of a session that another one got, from many threads at once."""
    with postgres.database(TEMPLATE) as name, pooled(postgres, name) as url:
        history = History(url)
        history.upgrade()

        def store(first: int) -> None:
            for seq in range(first, first + 25):
                history.store(Batch(events=[event(seq)]))
                history.remember(at())

        with ThreadPoolExecutor(4) as monitors:
            list(monitors.map(store, range(1, 101, 25)))
        events, _ = history.reading.events(RecordFilter(), 200)
        history.close()

    assert len(events) == 100


def test_what_a_transaction_needs_is_set_within_it(postgres: Postgres) -> None:
    """Whatever the server's defaults are, and whoever had the session before: what is committed is on the disk."""
    names = ("synchronous_commit", "lock_timeout", "idle_in_transaction_session_timeout", "timezone")
    with postgres.database(TEMPLATE) as name:
        postgres.run(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
        with pooled(postgres, name) as url:
            database = Database(url)
            with database.writing() as connection:
                found = [connection.execute(text(f"SHOW {each}")).scalar_one() for each in names]
            database.close()

    assert found == ["on", "5s", "10s", "UTC"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of another account")
def test_what_root_makes_belongs_to_the_account_of_the_directory(tmp_path: Path) -> None:
    """Whichever command root runs first: the service can use the file, and what SQLite lays beside it."""
    os.chown(tmp_path, NOBODY, NOBODY)
    history = History(f"sqlite:///{tmp_path}/history.db")

    history.upgrade()
    history.store(Batch(events=[event()]))
    owners = {path.name: (path.stat().st_uid, path.stat().st_gid) for path in tmp_path.iterdir()}
    history.close()

    assert owners == dict.fromkeys(("history.db", "history.db-wal", "history.db-shm"), (NOBODY, NOBODY))


def test_a_path_of_any_characters_is_a_file(tmp_path: Path) -> None:
    """A state directory may be called as somebody likes."""
    path = tmp_path / "a?b=c #d%20é"
    path.mkdir()
    history = History(f"sqlite:///{path}/history.db")

    history.upgrade()
    history.close()

    assert stat.S_ISREG((path / "history.db").stat().st_mode)
    with closing(sqlite3.connect(path / "history.db")) as opened:
        assert opened.execute("SELECT count(*) FROM events").fetchone() == (0,)

"""What the monitor's tests need: a history on SQLite and one on PostgreSQL, each empty."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from node.monitor.history.history import History
from tests.support.postgres import Postgres

TEMPLATE = "history_template"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A started PostgreSQL, with a database TEMPLATE that has the history's tables."""
    with Postgres() as started:
        started.run(f"CREATE DATABASE {TEMPLATE}")
        template = History(started.url(TEMPLATE))
        template.upgrade()
        template.close()
        yield started


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database in which nothing is, on each kind of database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/history.sqlite"
        return
    started: Postgres = request.getfixturevalue("postgres")
    with started.database() as name:
        yield started.url(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def history_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty history, on each kind of database."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/history.sqlite"
        made = History(url)
        made.upgrade()
        made.close()
        yield url
        return
    started: Postgres = request.getfixturevalue("postgres")
    with started.database(TEMPLATE) as name:
        yield started.url(name)


@pytest.fixture
def history(history_url: str) -> Iterator[History]:
    """An empty history."""
    opened = History(history_url)
    yield opened
    opened.close()

"""The history's tables: made, changed and judged by migrations; on SQLite and on PostgreSQL."""

import re
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url

from node.monitor.errors import HistoryNewerError, HistoryOlderError
from node.monitor.history.database import connection as opened
from node.monitor.history.history import Batch, History
from node.monitor.history.schema.tables import metadata
from tests.support.history import alarm, at, event, incident

SCRIPTS = ScriptDirectory(str(Path(opened.__file__).parents[1] / "schema" / "migrations"))
REVISIONS = [script.revision for script in reversed(list(SCRIPTS.walk_revisions()))]

TRIES = 5
LOCKED = re.compile("database is locked|lock timeout")
"""What a database says when another monitor has used it for longer than a statement waits."""

_INCIDENT = (
    "INSERT INTO incidents (site, node, incident, input, alarm_class, raised_utc, presses, test, told_steps,"
    " told_presses, beyond, acknowledged_utc, acknowledged_by) VALUES ('mitte', 'room-214', '0000b007-1', 'button',"
    " 'threat', '2026-11-25 08:00:00', 3, FALSE, 1, 0, 0, '2026-11-25 08:00:10', 'guard-desk')"
)
SAMPLES = {
    "base": "SELECT 1",
    "0001": _INCIDENT,
    "0002": _INCIDENT,
    "0003": _INCIDENT.replace("told_steps", "told_level"),
    "0004": _INCIDENT.replace("told_steps", "told_level"),
}
"""By the revision that a migration starts from: a statement that stores an open incident, as it did then."""


def with_connection(url: str, act: Callable[[Connection], None]) -> None:
    """Do this in one transaction."""
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg") if url.startswith("postgresql") else url)
    try:
        with engine.begin() as connection:
            act(connection)
    finally:
        engine.dispose()


def run(url: str, statement: str) -> None:
    """Run one statement."""

    def act(connection: Connection) -> None:
        connection.execute(text(statement))

    with_connection(url, act)


def migrate(url: str, revision: str) -> None:
    """Bring a database to this revision."""

    def act(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", SCRIPTS.dir)
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    with_connection(url, act)


def test_migrations_make_the_tables_of_the_program(empty_url: str) -> None:
    """Alembic finds no difference between what migrations made and tables.py; types, indices and constraints too."""
    differences: list[object] = []
    history = History(empty_url)
    history.upgrade()
    history.close()

    def act(connection: Connection) -> None:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences.extend(compare_metadata(context, metadata))

    with_connection(empty_url, act)

    assert differences == []


@pytest.mark.parametrize(("before", "after"), list(pairwise(["base", *REVISIONS])))
def test_each_migration_keeps_what_was_stored(empty_url: str, before: str, after: str) -> None:
    """An incident that an earlier program stored is open after the migration, and after all that follow."""
    migrate(empty_url, before)
    run(empty_url, SAMPLES[before])

    migrate(empty_url, after)

    history = History(empty_url)
    history.upgrade()
    assert len(history.remember(at()).incidents) == (before != "base")
    history.close()


def test_what_was_acknowledged_before_knew_of_all_presses(empty_url: str) -> None:
    """Until version 2 nobody counted: a start after the upgrade calls nobody anew."""
    migrate(empty_url, "0001")
    run(empty_url, SAMPLES["0001"])
    history = History(empty_url)

    history.upgrade()

    (found,) = history.remember(at()).incidents
    assert (found.answered, found.is_answered) == (3, True)
    history.close()


def test_a_message_that_waits_keeps_its_level(empty_url: str) -> None:
    """Until version 5 a stored notice called it step. What people wrote stays as it is."""
    waiting = alarm(level=2, reason='"step":')
    migrate(empty_url, "0004")
    history = History(empty_url, lambda _notice: ("mail",))
    history.store(Batch(notices=[waiting]))
    run(empty_url, """UPDATE notices SET body = replace(body, '"level":', '"step":')""")

    history.upgrade()

    claim = history.outbox.claim("mail", "guard-desk", gather=False, limit=10)
    assert claim is not None
    assert [each.notice for each in claim.deliveries] == [waiting]
    history.close()


def test_every_migration_has_a_sample() -> None:
    """Who writes a migration writes what must come through it."""
    assert list(SAMPLES) == ["base", *REVISIONS[:-1]]


def test_an_upgrade_of_what_is_up_to_date_changes_nothing(history: History) -> None:
    """Every start upgrades; what was stored stays."""
    history.store(Batch(events=[event()], incidents=[incident()], notices=[alarm()]))
    before = history.remember(at())

    history.upgrade()

    assert history.remember(at()) == before
    assert history.store(Batch(notices=[alarm()])).notices == ()


def test_monitors_that_start_at_once_do_not_collide(empty_url: str) -> None:
    """Whoever comes second waits, and finds nothing left to do. On a busy machine it tries again, as a monitor does."""
    histories = [History(empty_url) for _ in range(4)]
    together = threading.Barrier(len(histories))
    problems: list[Exception] = []

    def start(history: History) -> None:
        together.wait()
        for left in reversed(range(TRIES)):
            try:
                history.upgrade()
                history.store(Batch(incidents=[incident()]))
            except Exception as problem:  # noqa: BLE001 - the test shows whatever it was
                if left and LOCKED.search(str(problem)):
                    continue
                problems.append(problem)
            return

    threads = [threading.Thread(target=start, args=(history,)) for history in histories]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert problems == []
    assert histories[0].remember(at()).incidents == (incident(),)
    for history in histories:
        history.close()


def test_a_history_of_a_newer_program_is_refused(history: History, history_url: str) -> None:
    """Neither the monitor nor a command touches it, and both say what to do."""
    run(history_url, "UPDATE alembic_version SET version_num = '9999'")

    for look in (history.upgrade, history.check):
        with pytest.raises(HistoryNewerError, match=r"^E025 .*newer.*Next: install that version"):
            look()


def test_a_command_does_not_make_a_history(empty_url: str) -> None:
    """Where the monitor has never run a command says so, and leaves everything as it is."""
    history = History(empty_url)

    with pytest.raises(HistoryOlderError, match=r"^E026 .*Next: start the monitor"):
        history.check()

    history.upgrade()
    history.check()
    history.close()


def test_a_file_of_sqlite_is_its_owners_alone(tmp_path: Path) -> None:
    """Nobody else on the machine reads what happened, or a token's hash."""
    history = History(f"sqlite:///{tmp_path}/history.sqlite")

    history.upgrade()

    history.store(Batch(events=[event()]))
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    history.close()

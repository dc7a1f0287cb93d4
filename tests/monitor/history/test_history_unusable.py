"""A monitor starts whatever is wrong with its history: it hears, tells people from memory, and goes on trying."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from node.monitor.service.assembly import is_in_memory
from tests.support.broker import Broker
from tests.support.monitor import RunningMonitor, alarm_monitor, write_monitor
from tests.support.node import NODE, SITE, SimulatedNode, write_config
from tests.support.postgres import Postgres
from tests.support.receivers import HttpReceiver
from tests.support.tmpfs import mounted


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker of its own."""
    with Broker(tmp_path / "broker") as running:
        yield running


def finding(monitor: RunningMonitor) -> dict[str, Any]:
    """What the monitor says of its history."""
    (found,) = [each for each in monitor.items("/findings") if each["code"] == "M011"]
    return found


def from_the_future(file: Path) -> None:
    """As a newer program leaves it."""
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")


def of_today(file: Path) -> None:
    """As this program left it."""
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = (SELECT before FROM kept_version)")


def test_a_call_is_told_while_the_history_is_no_history_and_kept_once_it_is(tmp_path: Path, broker: Broker) -> None:
    """Garbage in place of the file: people hear of a call within seconds, and once; the file is left alone."""
    (tmp_path / "monitor" / "state").mkdir(parents=True)
    file = tmp_path / "monitor" / "state" / "history.db"
    file.write_bytes(b"no history at all\n" * 500)
    with HttpReceiver() as people:
        targets = [{"name": "guards", "url": people.url, "findings": "none", "language": "en"}]
        config = write_monitor(tmp_path / "monitor", broker.port, targets=targets)
        monitor = RunningMonitor(config)
        monitor.start()
        try:
            monitor.wait(lambda: monitor.health() == "history", 30.0, "a monitor that runs")
            with SimulatedNode(write_config(tmp_path, broker.port, receipt_s=5)) as node:
                monitor.expect_status(NODE, "up")
                node.tap(45)
                (told,) = people.taken.first(1)
                found = finding(monitor)
                status = alarm_monitor(config, "status")
                checked = alarm_monitor(config, "check")
                untouched = file.read_bytes().startswith(b"no history at all")
                file.rename(file.with_name("put-aside"))
                monitor.wait(lambda: monitor.health() == "ok", 30.0, "a monitor that is well")
                monitor.wait(lambda: len(monitor.items("/incidents/past")) == 1, 40.0, "the call in the history")
                monitor.wait(lambda: (monitor.node(NODE) or {}).get("status") == "up", what="the node, heard anew")
                monitor.wait(lambda: "M011" not in monitor.codes(), what="the end of the finding")
        finally:
            monitor.kill()

    assert told.title.startswith("ALARM, threat: ")
    assert len(people.taken.items) == 1
    assert found["detail"].startswith(f"E027 the history sqlite:///{file} can't be used: file is not a database")
    assert status.returncode == 0
    assert "FINDING E027 the history" in checked.stdout
    assert untouched
    assert "Traceback" not in monitor.log


def test_what_a_history_of_the_future_knows_counts_once_it_can_be_read(tmp_path: Path, broker: Broker) -> None:
    """It is left as it is; when the newer program has given it back, a pause of an earlier run holds."""
    config = write_monitor(tmp_path / "monitor", broker.port)
    file = tmp_path / "monitor" / "state" / "history.db"
    monitor = RunningMonitor(config)
    with monitor, SimulatedNode(write_config(tmp_path, broker.port, heartbeat_s=1)):
        monitor.expect_status(NODE, "up")
        assert monitor.post(f"/nodes/{SITE}/{NODE}/pause", {"reason": "works", "for_s": 3600})[0] == 200
        assert monitor.terminate() == 0
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute("CREATE TABLE kept_version AS SELECT version_num AS before FROM alembic_version")
        from_the_future(file)

        monitor.start()
        monitor.wait(lambda: monitor.health() == "history", 30.0, "a monitor that runs")
        monitor.expect_status(NODE, "up")
        found = finding(monitor)
        of_today(file)
        paused = monitor.expect_status(NODE, "paused")
        monitor.wait(lambda: "M011" not in monitor.codes(), what="the end of the finding")

    assert found["detail"].startswith("E025 the history ")
    assert paused["status"] == "paused"
    assert "Traceback" not in monitor.log


@pytest.mark.parametrize("kind", ["latin1", "two meanings", "nobody there", "wrong password"])
def test_a_database_that_will_not_do_is_named_and_the_monitor_runs(
    tmp_path: Path, broker: Broker, postgres: Postgres, kind: str
) -> None:
    """With a code and without a part of the password, in the finding, the log and in what check says."""
    postgres.run("DROP DATABASE IF EXISTS latin")
    postgres.run("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    url, code = {
        "latin1": (postgres.network_url("latin"), "E043"),
        "two meanings": ("postgresql://desk:se@cret/word@127.0.0.1/name", "E028"),
        "nobody there": ("postgresql://desk:secret-word@127.0.0.1:1/name", "E021"),
        "wrong password": (postgres.network_url("latin", password="secret-word"), "E022"),  # noqa: S106
    }[kind]
    monitor = RunningMonitor(write_monitor(tmp_path / "monitor", broker.port, history_url=url))
    monitor.start()
    try:
        monitor.wait(lambda: monitor.health() == "history", 30.0, "a monitor that runs")
        found = finding(monitor)
        checked = alarm_monitor(monitor.config, "check")
        created = alarm_monitor(monitor.config, "token", "create", "board")
    finally:
        monitor.kill()

    said = "".join([monitor.log, str(found), checked.stdout, checked.stderr, created.stderr])
    assert found["detail"].startswith(f"{code} ")
    assert f"FINDING {code} " in checked.stdout
    assert created.stderr.startswith(f"{code} ")
    assert "Traceback" not in said
    assert not any(part in said for part in ("secret", "cret/", "/word", "-word", "a-password-of"))


def test_a_pause_that_is_not_stored_is_said_to_be_in_memory_alone(tmp_path: Path, broker: Broker) -> None:
    """Whoever asks learns that a restart forgets it, at once where the history is known to be away."""
    with Postgres() as postgres, postgres.database() as name:
        config = write_monitor(tmp_path / "monitor", broker.port, history_url=postgres.url(name))
        with RunningMonitor(config) as monitor, SimulatedNode(write_config(tmp_path, broker.port, heartbeat_s=1)):
            monitor.expect_status(NODE, "up")
            before = alarm_monitor(config, "pause", f"{SITE}/{NODE}", "--for", "1h", "--reason", "works")
            postgres.stop()
            first = alarm_monitor(config, "resume", f"{SITE}/{NODE}")
            monitor.wait(lambda: monitor.health() == "history", what="a monitor that knows it")
            second = alarm_monitor(config, "pause", f"{SITE}/{NODE}", "--for", "1h", "--reason", "works")
        postgres.start()

    note = (
        "this is only in memory, because the history can't be written: if the monitor ends before that works "
        "again, it is lost"
    )
    assert [each.returncode for each in (before, first, second)] == [0, 0, 0]
    assert note not in before.stdout
    assert note in first.stdout
    assert note in second.stdout


def test_a_history_in_memory_is_a_finding(tmp_path: Path, broker: Broker) -> None:
    """Of the running monitor and of check: whoever reads *held* believes that a disk has it."""
    config = write_monitor(tmp_path / "monitor", broker.port)
    with mounted(tmp_path / "monitor" / "state"):
        with RunningMonitor(config) as monitor:
            found = [each for each in monitor.items("/findings") if each["code"] == "M041"]
        checked = alarm_monitor(config, "check")

    assert [each["detail"] for each in found] == [str(tmp_path / "monitor" / "state")]
    assert "FINDING M041 " in checked.stdout
    assert not is_in_memory(Path("/proc/no-such-place"))

"""``alarm-monitor history``, asked of a real API before a real history: all of it comes, or what is missing is said."""

import csv
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import pytest

from node.errors import AlarmNodeError
from node.monitor.api.operations.history_access import Reading
from node.monitor.cli.api_client import http_client
from node.monitor.cli.export import history_export
from node.monitor.cli.export.columns import zone
from node.monitor.cli.output.replies import words_of
from node.monitor.core.model.catalogue import BROKER_AWAY, DOWN
from node.monitor.core.model.records import EventKey, HeardEvent, NodeKey, Role
from node.monitor.core.model.requests import RecordFilter
from node.monitor.history.history import Batch, History
from node.protocol.messages import PAYLOAD_LIMIT
from tests.support.history import at, event, finding
from tests.support.monitor import alarm_monitor, started, write_monitor
from tests.support.prepared import Running
from tests.support.web import SECRETS, Behind, HistoryInMemory, TokenList, serving

MANY = 2 * http_client.PAGE + 3
WAIT_LIMIT_S = 60.0


class Long(HistoryInMemory):
    """Pages of events without an end, each as large as it can be. ``after``: what happens instead of the second."""

    def __init__(self) -> None:
        super().__init__()
        self.after: Exception | None = None
        self.asked_again = threading.Event()
        self.gate = threading.Event()

    @classmethod
    def opened(cls) -> Self:
        """One whose pages don't wait."""
        made = cls()
        made.gate.set()
        return made

    def events(self, which: RecordFilter, limit: int, cursor: str | None) -> tuple[Sequence[HeardEvent], str | None]:
        """As the Protocol says; the second page waits for the gate."""
        if cursor is not None:
            self.asked_again.set()
            self.gate.wait(WAIT_LIMIT_S)
            if self.after is not None:
                raise self.after
        largest = event(
            key=EventKey("s" * 63, "n" * 63, "0badcafe", 2**53),
            kind="walk-test-started",
            heard_utc=at(0.123456),
            input="i" * 63,
            incident=f"0badcafe-{2**53}",
            body='{"reason":"%s"}' % ("x" * (PAYLOAD_LIMIT - 13)),
        )
        return [largest] * limit, "1"


@contextmanager
def asking(directory: Path, reading: Reading, behind: Behind | None = None) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """A configuration whose API shows this history, and the arguments that bring a viewer's token."""
    with serving(behind or Behind(), reading=reading) as site:
        token = directory / "viewer.token"
        token.write_text(SECRETS[Role.VIEWER], encoding="utf-8")
        yield write_monitor(directory, 1, api={"port": urlsplit(site.url).port}), ("--token-file", str(token))


def asked(directory: Path, reading: Reading, *arguments: str) -> subprocess.CompletedProcess[str]:
    """How ``alarm-monitor history`` with these arguments ends."""
    with asking(directory, reading) as (config, token):
        return alarm_monitor(config, "history", *arguments, *token)


@pytest.fixture
def events(history: History) -> History:
    """A history of more events than two pages hold."""
    history.store(Batch(events=[event(seq) for seq in range(1, MANY + 1)]))
    return history


@pytest.mark.parametrize("form", ["--json", "--csv"])
def test_an_export_is_whole(events: History, tmp_path: Path, form: str) -> None:
    """However many pages it takes: each record once, the newest first, and nothing is said beside it."""
    told = asked(tmp_path, events.reading, "events", form)

    found: list[dict[str, Any]] = (
        list(csv.DictReader(StringIO(told.stdout)))
        if form == "--csv"
        else [json.loads(line) for line in told.stdout.splitlines()]
    )
    assert [int(each["seq"]) for each in found] == list(range(MANY, 0, -1))
    assert (told.returncode, told.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "seqs"),
    [
        ((), range(MANY - 49, MANY + 1)),
        (("--most", "3"), range(MANY - 2, MANY + 1)),
        (("--most", "3", "--json"), range(MANY, MANY - 3, -1)),
        (("--most", f"{http_client.PAGE}", "--json"), range(MANY, MANY - http_client.PAGE, -1)),
    ],
    ids=["table", "few", "few-exported", "a-page"],
)
def test_what_is_left_out_is_said(events: History, tmp_path: Path, arguments: tuple[str, ...], seqs: range) -> None:
    """Beside what a tool reads; and so below the table at a terminal, where the newest stands last."""
    told = asked(tmp_path, events.reading, "events", *arguments)

    lines = told.stdout.splitlines()
    if "--json" in arguments:
        assert [json.loads(line)["seq"] for line in lines] == list(seqs)
    else:
        assert lines[0].split("  ") == ["Heard (Europe/Berlin)", "Node", "Number", "Kind", "About"]
        assert [int(line.split()[2].partition("-")[2]) for line in lines[1:]] == list(seqs)
    assert told.stderr.startswith(f"these are the newest {len(seqs)}; for others: --most N")
    assert told.returncode == 0


@pytest.mark.parametrize("form", [(), ("--json",), ("--csv",)], ids=str)
def test_nothing_is_said_where_nothing_is_left_out(history: History, tmp_path: Path, form: tuple[str, ...]) -> None:
    """As many as may be are not one too many."""
    history.store(Batch(events=[event(1), event(2)]))

    told = asked(tmp_path, history.reading, "events", "--most", "2", *form)

    assert len(told.stdout.splitlines()) == (2 if "--json" in form else 3)
    assert (told.returncode, told.stderr) == (0, "")


def test_the_largest_events_come_as_well(tmp_path: Path) -> None:
    """A node that says as much as it may doesn't make its building's history unreadable."""
    most = 3 * http_client.PAGE

    told = asked(tmp_path, Long.opened(), "events", "--json", "--most", f"{most}")

    assert len(told.stdout.splitlines()) == most
    assert told.returncode == 0


@pytest.mark.parametrize(
    ("failure", "reason"),
    [(AlarmNodeError("the database is away", "start it"), "Next: start it."), (ValueError(), "has no such list")],
)
def test_an_export_that_ends_early_says_so(tmp_path: Path, failure: Exception, reason: str) -> None:
    """What a file holds by then looks like all; neither the exit code nor the last lines do."""
    long = Long.opened()
    long.after = failure

    told = asked(tmp_path, long, "events", "--json")

    said = told.stderr.splitlines()
    assert len(told.stdout.splitlines()) == http_client.PAGE
    assert said[0] == "the output is incomplete"
    assert reason in said[1]
    assert told.returncode == 1


def test_a_table_that_ends_early_shows_nothing(tmp_path: Path) -> None:
    """It is shown from its other end."""
    long = Long.opened()
    long.after = AlarmNodeError("the database is away", "start it")

    told = asked(tmp_path, long, "events", "--most", f"{http_client.PAGE + 1}")

    assert (told.stdout, len(told.stderr.splitlines()), told.returncode) == ("", 1, 1)


def ended(command: Running) -> str:
    """What a command complained of, once it has ended."""
    command.wait(WAIT_LIMIT_S)
    assert command.stderr is not None
    return command.stderr.read()


def test_an_export_that_somebody_stops_is_not_done(tmp_path: Path) -> None:
    """Whoever started it from a script hears of it by its exit code."""
    long, file = Long(), tmp_path / "events.json"
    with (
        asking(tmp_path, long) as (config, token),
        started(config, "history", "events", "--json", *token, into=file) as command,
    ):
        assert long.asked_again.wait(WAIT_LIMIT_S)
        command.send_signal(signal.SIGINT)
        long.gate.set()
        said = ended(command)

    assert len(file.read_text(encoding="utf-8").splitlines()) == http_client.PAGE
    assert said.splitlines() == ["the output is incomplete", "stopped before its end"]
    assert command.returncode == 1


def test_a_status_that_is_watched_is_done_when_somebody_stops_it(tmp_path: Path) -> None:
    """Nothing else ends it."""

    class Counted(TokenList):
        def __init__(self) -> None:
            super().__init__()
            self.count = 0
            self.again = threading.Event()

        def lookup(self, secret: str) -> Any:
            self.count += 1
            if self.count > 4:  # a status takes four requests
                self.again.set()
            return super().lookup(secret)

    tokens = Counted()
    behind = Behind(tokens=tokens)
    with (
        asking(tmp_path, behind.history, behind) as (config, token),
        started(config, "status", "--watch", *token, into=tmp_path / "status") as command,
    ):
        assert tokens.again.wait(WAIT_LIMIT_S)
        command.send_signal(signal.SIGINT)
        said = ended(command)

    assert (command.returncode, said) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "codes"),
    [
        ((), ["M001", "M008", "M001"]),
        (("--site", "mitte", "--node", "room-1"), ["M001", "M001"]),
        (("--node", "mitte/room-1"), ["M001", "M001"]),
        (("--since", "2026-03-01T09:00:20", "--until", "2026-03-01T08:00:40+00:00"), ["M008", "M001"]),
        (("--until", "2026-03-01"), []),
    ],
    ids=["all", "node", "node as the status shows it", "time", "before"],
)
def test_past_findings_can_be_looked_up(
    history: History, tmp_path: Path, arguments: tuple[str, ...], codes: list[str]
) -> None:
    """By node, site and time; an instant without a zone is this machine's, and so they are shown, in summer too."""
    first, own = finding(since_utc=at(10)), finding("M008", NodeKey("", ""), subject="broker:8883", since_utc=at(20))
    again = finding(since_utc=at(40))
    history.store(Batch(raised=[first, own]))
    history.store(Batch(cleared=[(first.key, at(15 + 150 * 86400))]))
    history.store(Batch(raised=[again]))

    shown = asked(tmp_path, history.reading, "findings", *arguments)
    told = asked(tmp_path, history.reading, "findings", "--json", *arguments)

    lines = [
        "Since (Europe/Berlin)  Node  Code  Subject  Until (Europe/Berlin)  What",
        f"2026-03-01T09:00:10+01:00  mitte/room-1  M001  over 2026-07-29T10:00:15+02:00  {DOWN.text}",
        f"2026-03-01T09:00:20+01:00  the monitor  M008  broker:8883  open  {BROKER_AWAY.text}",
        f"2026-03-01T09:00:40+01:00  mitte/room-1  M001  open  {DOWN.text}",
    ]
    assert [json.loads(line)["code"] for line in told.stdout.splitlines()] == codes
    assert [line.split("  ")[2] for line in shown.stdout.splitlines()[1:]] == codes[::-1]
    assert [line for line in shown.stdout.splitlines() if line not in lines] == []
    assert shown.stderr == ("" if codes else "the history has no such entry\n")
    assert told.stderr == ""


class Terminal(StringIO):
    """Where somebody reads."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def test_what_does_not_fit_on_a_line_of_a_terminal_stands_below(monkeypatch: pytest.MonkeyPatch) -> None:
    """On 40 columns no word is cut, and the lines of a record hang together."""
    shown = Terminal()
    monkeypatch.setattr(sys, "stdout", shown)
    monkeypatch.setenv("COLUMNS", "40")
    item = {"site": "mitte", "node": "room-1", "at": "2026-03-01T08:00:10Z", "before": "up", "after": "down"}

    history_export.show("flips", iter([{**item, "reason": "will"}]), "table", 50, words_of("de"))

    lines = shown.getvalue().splitlines()
    assert max(map(len, lines)) <= 40
    assert " ".join(each.strip() for each in lines).split() == [
        *("Datum", f"({zone()})", "Gerät", "Änderung", "Grund"),
        *(datetime.fromisoformat(item["at"]).astimezone().isoformat(), "mitte/room-1"),
        *("in", "Betrieb", "->", "ausgefallen"),
        *("der", "Broker", "meldet,", "dass", "die", "Verbindung", "abgerissen", "ist"),
    ]
    assert sum(each.startswith("    ") for each in lines) == len(lines) - 2


@pytest.mark.parametrize("what", ["events", "findings", "flips", "incidents", "tests"])
def test_a_spreadsheet_of_nothing_has_its_columns_all_the_same(history: History, tmp_path: Path, what: str) -> None:
    """A tool that reads it every night finds the names that it looks for; and they are those of the records."""
    with asking(tmp_path, HistoryInMemory()) as (config, token):
        some = alarm_monitor(config, "history", what, "--csv", *token)
    none = asked(tmp_path, history.reading, what, "--csv")

    assert none.stdout == some.stdout.splitlines(keepends=True)[0]
    assert (none.returncode, none.stderr) == (0, "")


@pytest.mark.parametrize("form", [(), ("--json",), ("--csv",)], ids=str)
@pytest.mark.parametrize(
    ("where", "reason"),
    [
        (("--site", "mite"), "there is no site mite; there are: mitte. Next: name one of these, or leave --site out."),
        (("--site", "Mitte"), "there is no site Mitte; there are: mitte."),
        (("--site", "mitte", "--node", "desk-9"), "there is no node mitte/desk-9. Next: list them"),
        (("--node", "desk-9"), "there is no node desk-9."),
        (("--node", "mitte/desk-9"), "there is no node mitte/desk-9."),
        (("--node", "mite/desk-1"), "there is no site mite; there are: mitte."),
        (("--site", "mitte", "--node", "nord/desk-1"), "there is no node mitte/nord/desk-1."),
    ],
)
def test_a_site_or_a_node_that_there_is_not_is_refused(
    history: History, tmp_path: Path, where: tuple[str, ...], reason: str, form: tuple[str, ...]
) -> None:
    """A history without anything in it looks like one in which nothing happened."""
    told = asked(tmp_path, history.reading, "events", *where, *form)

    assert (told.returncode, told.stdout) == (1, "")
    assert reason in told.stderr


@pytest.mark.parametrize("where", [("--site", "mitte"), ("--site", "mitte", "--node", "desk-1"), ("--node", "desk-1")])
def test_a_node_of_which_there_is_nothing_yet_is_not_refused(
    history: History, tmp_path: Path, where: tuple[str, ...]
) -> None:
    """It is there."""
    told = asked(tmp_path, history.reading, "events", *where)

    assert (told.returncode, told.stderr) == (0, "the history has no such entry\n")


def test_a_site_that_is_no_more_is_in_the_history_all_the_same(history: History, tmp_path: Path) -> None:
    """Its nodes were taken out of the roster."""
    history.store(Batch(events=[event(key=EventKey("gone", "room-1", "0badcafe", 1))]))

    told = asked(tmp_path, history.reading, "events", "--site", "gone")

    assert (told.returncode, len(told.stdout.splitlines())) == (0, 2)  # the headings, and it


@pytest.mark.parametrize("form", [(), ("--csv",)], ids=["page", "csv"])
def test_a_record_of_a_site_that_there_is_not_is_none(tmp_path: Path, form: tuple[str, ...]) -> None:
    """Whoever keeps an empty one takes it for one of a site without buttons."""
    with asking(tmp_path, HistoryInMemory()) as (config, token):
        told = alarm_monitor(config, "report", "tests", "--site", "mite", *form, *token)

    assert (told.returncode, told.stdout) == (1, "")
    assert "there is no site mite; there are: mitte." in told.stderr


@pytest.mark.parametrize(
    ("argument", "reason"),
    [
        (("--most", "0"), "'0' isn't a number from 1 on"),
        (("--most", "-5"), "'-5' isn't a number from 1 on"),
        (("--most", "all"), "'all' isn't a number from 1 on"),
        (("--since", "yesterday"), "'yesterday' isn't like 2026-03-01"),
        (("--until", "0001-01-01T00:00+05:00"), "'0001-01-01T00:00+05:00' isn't like 2026-03-01"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, argument: tuple[str, str], reason: str) -> None:
    """Before the monitor is asked."""
    told = alarm_monitor(tmp_path / "monitor.toml", "history", *argument)

    assert (told.returncode, told.stdout) == (2, "")
    assert reason in told.stderr

"""Where what is printed goes: to a terminal of any locale, a full disk, a pipe that nobody reads, to Excel."""

import csv
import json
import os
import re
from collections.abc import Iterator
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.monitor.api.metrics import Metrics
from node.monitor.cli.export import history_export, test_report
from node.monitor.cli.export.columns import for_people, headings
from node.monitor.cli.export.csv_cells import PLAIN, csv_lines, for_excel
from node.monitor.cli.output.replies import words_of
from node.monitor.core.model.records import Role
from node.monitor.history.history import History
from tests.support.building import building, finding, node
from tests.support.monitor import alarm_monitor, write_monitor
from tests.support.node import alarm_node, write_config
from tests.support.plugin import run
from tests.support.web import SECRETS, Behind, Site, serving

PLACE = "Büro, 会議室 👩‍🚒"
ASCII = [{"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "latin1"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}]
FULL = Path("/dev/full")


@pytest.fixture
def site() -> Iterator[Site]:
    """An API before a building whose places are written in many scripts."""
    nodes = (node("desk-1", place=PLACE),)
    findings = (finding("M015", name="desk-1", severity=building().findings[0].severity, place=PLACE, subject=PLACE),)
    with serving(Behind(view=building(nodes=nodes, findings=findings))) as running:
        yield running


@pytest.fixture
def token(tmp_path: Path) -> Path:
    """The file with a manager's token."""
    file = tmp_path / "manager.token"
    file.write_text(SECRETS[Role.MANAGER], encoding="utf-8")
    return file


@pytest.fixture
def config(tmp_path: Path, site: Site) -> Path:
    """A configuration that names this API."""
    return write_monitor(tmp_path, 1, language="de", api={"port": urlsplit(site.url).port})


COMMANDS = [("status",), ("history", "events"), ("report", "tests"), ("walk-test", "list"), ("history", "--excel")]


@pytest.mark.parametrize("environ", ASCII, ids=str)
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_what_a_locale_can_not_print_is_replaced(
    config: Path, token: Path, command: tuple[str, ...], environ: dict[str, str]
) -> None:
    """Nobody is left without a status because of one letter in it."""
    told = alarm_monitor(config, *command, "--token-file", str(token), environ=environ)

    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout


@pytest.mark.parametrize("environ", ASCII, ids=str)
def test_the_plugin_exits_as_it_says(site: Site, token: Path, environ: dict[str, str]) -> None:
    """Icinga goes by the exit code."""
    code, line = run("-H", site.url, "--token-file", token, "-v", "site", "mitte", environ=environ)

    assert (code, line.split(" - ")[0]) == (2, "ALARM CRITICAL")


@pytest.mark.parametrize("environ", ASCII, ids=str)
@pytest.mark.parametrize("command", [("history", "events", "--json"), ("status", "--json"), ("report", "tests")])
def test_an_export_is_utf_8_in_any_locale(
    config: Path, token: Path, command: tuple[str, ...], environ: dict[str, str]
) -> None:
    """As it says of itself, and with nothing replaced."""
    here, there = (
        alarm_monitor(config, *command, "--token-file", str(token), environ=each).stdout
        for each in ({"PYTHONIOENCODING": "utf-8"}, environ)
    )

    assert "?" not in there.replace("?,", "")
    if command[0] == "status":
        assert json.loads(there)["nodes"][0]["place"] == PLACE
    if command[0] == "report":
        assert "Proben der Alarmtaster" in there
        assert "überfällig" in there
    assert len(there.splitlines()) == len(here.splitlines())


@pytest.mark.parametrize(
    "command", [*COMMANDS, ("status", "--json"), ("history", "events", "--csv"), ("check",), ("--help",)], ids=" ".join
)
def test_a_full_disk_is_an_error_with_a_next_step(config: Path, token: Path, command: tuple[str, ...]) -> None:
    """Whoever keeps half a file takes it for all."""
    more = ("--token-file", str(token)) if command[0] not in {"check", "--help"} else ()
    with FULL.open("wb") as full:
        told = alarm_monitor(config, *command, *more, into=full)

    assert told.returncode == 1
    assert "E051 " in told.stderr
    assert " Next: " in told.stderr or " Zu tun: " in told.stderr
    assert "Traceback" not in told.stderr
    assert "Exception ignored" not in told.stderr


@pytest.mark.parametrize("goes", ["disk", "pipe"])
def test_a_token_that_nobody_has_seen_opens_nothing(tmp_path: Path, goes: str) -> None:
    """Where its line can't be written it is revoked, and its name is free for the next one."""
    url = f"sqlite:///{tmp_path}/history.sqlite"
    history = History(url)
    history.upgrade()
    config = write_monitor(tmp_path, 1, history_url=url)
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe, FULL.open("wb") as full:
        told = alarm_monitor(config, "token", "create", "desk", into={"disk": full, "pipe": pipe}[goes])

    left = history.tokens.list()
    again = alarm_monitor(config, "token", "create", "desk")
    history.close()

    assert told.returncode == {"disk": 1, "pipe": 141}[goes]
    assert ("E051 " in told.stderr and " Next: " in told.stderr) is (goes == "disk")
    assert "Copy this token now" not in told.stderr
    assert [(each.name, each.revoked_utc is not None) for each in left] == [("desk", True)]
    assert again.returncode == 0


@pytest.mark.parametrize("command", [*COMMANDS, ("status", "--json"), ("--help",)], ids=" ".join)
def test_a_pipe_that_nobody_reads_ends_a_command_quietly(config: Path, token: Path, command: tuple[str, ...]) -> None:
    """As the shell's own commands end."""
    more = ("--token-file", str(token)) if command[0] != "--help" else ()
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        told = alarm_monitor(config, *command, *more, into=pipe)

    assert (told.returncode, told.stderr) == (141, "")


@pytest.mark.parametrize("closed", [True, False], ids=["pipe", "disk"])
def test_the_plugins_exit_code_stays_where_nobody_takes_its_line(site: Site, token: Path, closed: bool) -> None:
    """It says the same."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe, FULL.open("wb") as full:
        code, _ = run("-H", site.url, "--token-file", token, "site", "mitte", into=pipe if closed else full)

    assert code == 2


def test_a_node_that_can_not_print_its_record_says_so(tmp_path: Path) -> None:
    """Its commands are the same."""
    with FULL.open("wb") as full:
        told = alarm_node("check", "--config", write_config(tmp_path, 1), cwd=tmp_path, into=full)

    assert told.returncode == 1
    assert told.stderr.startswith("E051 ")
    assert "Exception ignored" not in told.stderr


def test_a_node_says_what_it_can_in_any_locale(tmp_path: Path) -> None:
    """Its file may have any name."""
    config = write_config(tmp_path, 1).rename(tmp_path / "Büro.toml")

    told = alarm_node("check", "--config", config, cwd=tmp_path, environ={"PYTHONIOENCODING": "ascii"})

    assert "Traceback" not in told.stderr
    assert told.returncode == 1
    assert "B?ro.toml is complete" in told.stdout


ITEM: dict[str, Any] = {"boot": "0012e456", "place": "Büro; Flur", "at": "2026-03-01T08:00:00Z", "seq": 7, "s": 40.5}


def test_excel_gets_a_mark_and_the_separators_of_its_country() -> None:
    """Opened by a double click, each cell stands in its own column, with its umlauts, and as it was written."""
    german, english = ("".join(csv_lines([ITEM], (), each)) for each in (for_excel("de"), for_excel("en")))

    assert german == '\ufeffboot;place;at;seq;s\n\'0012e456;"Büro; Flur";2026-03-01T08:00:00Z;7;40,5\n'
    assert english == "\ufeffboot,place,at,seq,s\n'0012e456,Büro; Flur,2026-03-01T08:00:00Z,7,40.5\n"
    assert "".join(csv_lines([ITEM], ())) == english[1:].replace("'", "")


@pytest.mark.parametrize("text", ["00000012", "12e45678", "3-1", "1/2", "10:30", "1.5", "1,5"])
def test_excel_reckons_with_no_name(text: str) -> None:
    """A boot is no power of ten, a room no date."""
    assert list(csv_lines([{"a": text}], (), for_excel("de")))[1].strip() == f"'{text}" or "," in text
    assert list(csv.reader(StringIO("".join(csv_lines([{"a": text}], (), PLAIN)))))[1] == [text]


def test_the_record_of_tests_opens_in_excel_too(config: Path, token: Path) -> None:
    """In the language of whoever keeps it."""
    told = alarm_monitor(config, "report", "tests", "--excel", "--token-file", str(token))

    assert re.match(r"\ufeffArt;Datum \([\w/]+\);Standort;Gerät;", told.stdout)
    assert test_report.tests_csv([], [], PLAIN, words_of("de")).startswith("kind,at,site,node,")


TEST: dict[str, Any] = {"site": "mitte", "node": "room-1", "input": "button", "walk_test": "w-1", "reaction_s": 0.25}


def test_a_german_excel_opens_dates_as_dates() -> None:
    """As that country writes them, in this machine's zone, which the heading names; and the words are German, too."""
    tested = {**TEST, "at": "2026-07-01T08:00:05Z"}
    button = {**TEST, "last_test": tested["at"], "due": "2026-12-01T08:00:05Z", "overdue": True}
    at, due = (datetime.fromisoformat(each).astimezone() for each in (tested["at"], button["due"]))

    german, english = (
        test_report.tests_csv([tested], [button], for_excel(language), words_of(language)).splitlines()
        for language in ("de", "en")
    )

    assert german[1].startswith(f"Probe;{at:%d.%m.%Y %H:%M:%S};mitte;room-1;button;bestanden;250;")
    assert german[2].endswith(f";{due:%d.%m.%Y %H:%M:%S};ja")
    assert english[1].startswith(f"test,{at:%Y-%m-%d %H:%M:%S},mitte,room-1,button,passed,250,")


@pytest.mark.parametrize("what", history_export.COLUMNS)
def test_every_column_has_a_heading_of_its_own_in_each_language(what: str) -> None:
    """None stands for two."""
    german, english = (headings(history_export.COLUMNS[what], words_of(language)) for language in ("de", "en"))

    assert len(set(german)) == len(set(english)) == len(history_export.COLUMNS[what])
    assert set(german) & set(english) <= {"Alarm", "Code", "Status"}


def test_excel_gets_the_words_of_a_language_and_tools_those_of_the_api() -> None:
    """A phase, a class, yes and no, a finding's detail."""
    item = {"phase": "acknowledged", "alarm_class": "threat", "test": False, "severity": "critical", "detail": "will"}
    item |= {"reset_reason": "real", "kind": "pressed", "message": {"v": 1}, "count": 3, "reset_by": None, "after": "x"}

    told = for_people(item, words_of("de"))

    assert list(told.values()) == [
        *("jemand kommt", "Bedrohung", "nein", "kritisch", "der Broker meldet, dass die Verbindung abgerissen ist"),
        *("Ernstfall", "gedrückt", {"v": 1}, 3, None, "x"),
    ]


_VERSIONS = st.sampled_from(
    ["", "…", "1", "1.0", "1.0.0", "1.x", "x", "2.0.0", "-1", "0.0.4", "1.0.0.x", ".", "9" * 5000]
)
_TYPES = st.sampled_from(["application/openmetrics-text", "text/plain", "*/*", "application/json", ""])
_PARAMETERS = st.sampled_from(
    [";version={}", ";version", ";charset=utf-8", ";escaping={}", ";q=0.5", ";;", ";escaping=dots"]
)


@given(st.lists(st.tuples(_TYPES, st.lists(_PARAMETERS, max_size=3), _VERSIONS), max_size=3) | st.text(max_size=20))
def test_any_accept_header_gets_metrics(accept: list[tuple[str, list[str], str]] | str) -> None:
    """In a format that there is."""
    header = (
        accept
        if isinstance(accept, str)
        else ",".join(kind + "".join(parameters).replace("{}", version) for kind, parameters, version in accept)
    )

    content, media_type = Metrics(Behind().sources(), lambda: 0).text(header)

    assert b"# HELP " in content
    assert media_type.startswith(("text/plain", "application/openmetrics-text"))


@pytest.mark.parametrize("version", ["…", "x", "1.x", "1..0"])
def test_a_strange_version_of_openmetrics_is_no_mistake_of_ours(version: str) -> None:
    """Over HTTP, as a tool asks."""
    with serving(Behind(), open_metrics=True) as site:
        accept = f"application/openmetrics-text;version={version}".encode()
        answer = site.client(None).get("/metrics", headers=[(b"Accept", accept)])

    assert answer.status_code == 200
    assert "alarm_monitor_blind" in answer.text

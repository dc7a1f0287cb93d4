"""What nodes, rosters and people wrote, on every surface: shown as it is, and nothing of it steers what shows it."""

import csv
import html
import json
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from datetime import timedelta, timezone
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from prometheus_client.parser import text_string_to_metric_families

from node.core.settings import AlarmClass
from node.errors.severity import Severity
from node.monitor.api.metrics import Metrics
from node.monitor.cli import main
from node.monitor.cli.nagios.plugin import Report, State
from node.monitor.core.decisions.deliveries import Delivery
from node.monitor.core.model.monitor_settings import Language, Place
from node.monitor.core.model.records import (
    ButtonTest,
    EventKey,
    FindingKey,
    Flip,
    HeardEvent,
    IncidentKey,
    IncidentRecord,
    NodeKey,
    NoticeKind,
    PastFinding,
    Role,
    Status,
)
from node.monitor.core.view.view_types import BrokerView, TargetView
from node.monitor.locale.translation import Words
from node.monitor.notify.texts.wording import message
from node.sanitize import plain
from tests.support import notices
from tests.support.building import NOW, building, button, finding, incident, node
from tests.support.examples import examples
from tests.support.foreign import ODD, foreign, steering, written
from tests.support.monitor import write_monitor
from tests.support.web import SECRETS, Behind, HistoryInMemory, Site, serving

UTC = timezone(timedelta(0))


def full_of(text: str) -> Behind:
    """A building whose every name is this, where it may be."""
    view = building(
        nodes=(
            node("desk-1", place=text, floor=text, reason=text),
            node("desk-5", Status.PAUSED, paused_by=text, paused_until=NOW, pause_reason=text),
        ),
        incidents=(incident("desk-1", place=text, input=text, phase="acknowledged", acknowledged_by=text),),
        findings=(finding("M006", Severity.WARNING, "desk-1", place=text, subject=text, text=text, detail=text),),
        buttons=(msgspec.structs.replace(button("desk-1"), input=text, place=text),),
        brokers=(BrokerView(name=text, connected=False, since=NOW, problem=text),),
        targets=(TargetView(name=text, level=0, failing=True, waiting=0, told=0, problem=text),),
    )
    return Behind(view=view)


class Past(HistoryInMemory):
    """A history of one record of each kind, in which somebody wrote a text wherever it may stand."""

    def write(self, text: str) -> None:
        """Such a history, of this text."""
        where = NodeKey("mitte", "desk-1")
        key = EventKey(*where, "0badcafe", 7)
        body = json.dumps({"reason": text})
        self._events = [
            HeardEvent(key=key, kind="reset", at_utc=text, heard_utc=NOW, urgent=True, input=text, body=body)
        ]
        self._incidents = [
            IncidentRecord(
                key=IncidentKey(*where, "0badcafe-7"),
                input=text,
                alarm_class=AlarmClass.THREAT,
                raised_utc=NOW,
                reset_utc=NOW,
                reset_by=text,
                reset_reason=text,
            )
        ]
        self._flips = [Flip(node=where, before=Status.UP, after=Status.PAUSED, at_utc=NOW, reason=text)]
        self._tests = [ButtonTest(event=key, input=text, at_utc=NOW, walk_test=text)]
        about = FindingKey("M006", *where, text)
        self._findings = [
            PastFinding(key=about, severity=Severity.WARNING, since_utc=NOW, cleared_utc=None, detail=text)
        ]


FORMS: tuple[tuple[str, ...], ...] = ((), ("--json",), ("--csv",), ("--excel",))
RECORDS = ("events", "findings", "flips", "incidents", "tests")
COMMANDS = (
    ("status",),
    ("status", "--json"),
    *(("history", what, *form) for what in RECORDS for form in FORMS),
    ("report", "tests"),
    ("report", "tests", "--csv"),
    ("report", "tests", "--excel"),
    ("walk-test", "list"),
)

TYPED = (
    ("acknowledge", "{}"),
    ("reset", "{}", "--reason", "real"),
    ("silence", "mitte/{}/0badcafe-1"),
    ("identify", "{}"),
    ("pause", "mitte/{}", "--for", "2h", "--reason", "x"),
    ("pause", "mitte/desk-1", "--for", "{}", "--reason", "{}"),
    ("resume", "{}"),
    ("history", "events", "--node", "{}", "--site", "{}"),
    ("history", "{}"),
    ("report", "tests", "--site", "{}"),
    ("walk-test", "start", "--site", "{}", "--floor", "{}", "--node", "{}"),
    ("walk-test", "end", "{}"),
    ("{}",),
    ("status", "--watch={}", "--{}"),
)


class Asked:
    """A running API, of which commands are asked in this process. ``site`` is it."""

    def __init__(self, directory: Path, site: Site) -> None:
        self.site = site
        self._config = str(write_monitor(directory, 1, api={"port": urlsplit(site.url).port}))
        self._token = directory / "token"
        self._token.write_text(SECRETS[Role.MANAGER], encoding="utf-8")

    def show(self, text: str) -> None:
        """From here on this text is everywhere."""
        behind = self.site.behind
        behind.view = full_of(text).view
        assert isinstance(behind.history, Past)
        behind.history.write(text)

    def ask(self, *arguments: str) -> tuple[int, str, str]:
        """The exit code of a command, what it printed and what it said beside it."""
        more = ("--config", self._config, "--token-file", str(self._token)) if arguments[0] in main.COMMANDS else ()
        bytes_out, bytes_err = BytesIO(), BytesIO()
        out = TextIOWrapper(bytes_out, encoding="utf-8", write_through=True)
        err = TextIOWrapper(bytes_err, encoding="utf-8", write_through=True)
        with redirect_stdout(out), redirect_stderr(err):
            try:
                code = main.main([*arguments[:1], *more, *arguments[1:]])
            except SystemExit as usage:
                code = int(str(usage.code))
        return code, bytes_out.getvalue().decode(), bytes_err.getvalue().decode()


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    """An API of whose answers the tests decide."""
    with serving(Behind(history=Past())) as site, pytest.MonkeyPatch.context() as patched:
        patched.setenv("COLUMNS", "4000")  # a name that is folded stands in several lines
        yield Asked(tmp_path_factory.mktemp("asked"), site)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@settings(max_examples=examples(40, 5), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=foreign)
@example(text="".join(ODD))
def test_whatever_was_written_is_shown_as_it_is(asked: Asked, command: tuple[str, ...], text: str) -> None:
    """By every command in every form: nothing raises, steers the terminal, or is taken for markup."""
    asked.show(text)
    shown_in: dict[str, Any] = {"--json": json_strings, "--csv": cells, "--excel": cells_of_excel}

    code, out, err = asked.ask(*command)

    assert (code, err) == (0, "")
    assert steering(out.removeprefix("\ufeff")) == []
    if command[:2] != ("walk-test", "list") and command[-1] not in shown_in:
        seen = html.unescape(out) if command[0] == "report" else out
        assert written(text) in written(seen)
    elif command[-1] in shown_in:
        assert shown_in[command[-1]](text, out)


def json_strings(text: str, out: str) -> bool:
    """Whether these documents hold this text, exactly."""
    documents = [json.loads(out)] if out.startswith("{\n") else [json.loads(line) for line in out.splitlines()]
    return json.dumps(text) in json.dumps(documents)


def cells(text: str, out: str, delimiter: str = ",") -> bool:
    """Whether this text is a cell, but for the apostrophe before a formula."""
    rows = list(csv.reader(StringIO(out), delimiter=delimiter))
    found = {cell for row in rows for cell in row}
    return len({len(row) for row in rows}) == 1 and not {plain(text), f"'{plain(text)}"}.isdisjoint(found)


def cells_of_excel(text: str, out: str) -> bool:
    """The same, in what begins with Excel's mark."""
    return out.startswith("\ufeff") and cells(text, out.removeprefix("\ufeff"))


@pytest.mark.parametrize("command", TYPED, ids=" ".join)
@settings(max_examples=examples(40, 5), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=foreign)
@example(text="=1+1\x1b[2J")  # a flag that begins as several do
def test_whatever_is_typed_is_answered(asked: Asked, command: tuple[str, ...], text: str) -> None:
    """With an exit code and words, never a traceback; what is repeated of it steers nothing."""
    code, out, err = asked.ask(*(each.replace("{}", text.replace("\0", "")) for each in command))

    assert code in {0, 1, 2}
    assert steering(out + err) == []


@settings(max_examples=examples(100))
@given(foreign)
def test_people_are_told_it_as_it_is(text: str) -> None:
    """In the subject as in the body, in both languages; a line break makes no header of a mail."""
    where = NodeKey("mitte", "room-214")
    told = (
        notices.alarm(kind=NoticeKind.ACKNOWLEDGED, by=text),
        notices.alarm(kind=NoticeKind.RESET, by=text, reason=text),
        notices.finding(subject=text, detail=text),
    )
    languages: tuple[Language, ...] = ("de", "en")
    for language in languages:
        for notice in told:
            words = Words(language, UTC, {where: Place(where, text, text)})

            made = message([Delivery(id=1, notice=notice)], words)

            assert steering(made.title + made.body) == []
            assert "\n" not in made.title
            assert written(text)[:100] in written(made.body)


@given(foreign)
def test_a_plugin_says_it_as_it_is(text: str) -> None:
    """But for the bar, behind which the guidelines have numbers."""
    lines = list(Report(text, [(State.WARNING, text)], [], [text]).lines(1))

    assert [steering(line) for line in lines] == [[], []]
    assert written(text.replace("|", "/")) in written(lines[0])


@settings(max_examples=examples(100))
@given(foreign)
def test_a_metric_has_it_as_it_is(text: str) -> None:
    """A label is one line, and Prometheus reads it back."""
    found = Metrics(full_of(text).sources(), lambda: 0).text("")[0].decode()

    assert steering(found) == []
    labels = [sample.labels for family in text_string_to_metric_families(found) for sample in family.samples]
    assert plain(text) in [each.get("broker") for each in labels]


@pytest.mark.parametrize("typed", ["Büro", "Bu\u0308ro"])
@pytest.mark.parametrize("floor", ["Büro", "Bu\u0308ro"])
def test_a_floor_is_found_however_its_umlaut_is_typed(asked: Asked, typed: str, floor: str) -> None:
    """By who filters the nodes; a walk test finds it in the same way."""
    asked.site.behind.view = building(nodes=(node("desk-1", floor=floor), node("desk-2", floor="Buro")))

    found = asked.site.client(Role.VIEWER).get("/api/v1/nodes", params={"floor": typed}).json()

    assert [each["node"] for each in found["items"]] == ["desk-1"]
    assert found["items"][0]["floor"] == floor


def test_a_table_is_as_wide_as_its_names(asked: Asked) -> None:
    """A name with marks over its letters takes as many columns as it has letters."""
    asked.site.behind.view = building(nodes=(node("desk-1", place="Bu\u0308ro [links]"), node("desk-2", place="Büro")))

    lines = [line for line in asked.ask("status")[1].splitlines() if "ro " in line and "desk-" in line]

    assert len({len(line.replace("\u0308", "")) for line in lines}) == 1
    assert sys.getdefaultencoding() == "utf-8"

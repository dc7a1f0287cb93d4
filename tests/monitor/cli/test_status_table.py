"""What the status shows at a terminal, from what the API tells; nothing looks alive that isn't known to be."""

import re
from collections.abc import Iterator, Mapping
from io import StringIO
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from rich.console import Console
from rich.text import Text

from node.errors.severity import Severity
from node.monitor.api.operations import representations
from node.monitor.cli.api_client.monitor_client import ApiError
from node.monitor.cli.output import status
from node.monitor.cli.output.replies import words_of
from node.monitor.core.model.catalogue import FINDINGS
from node.monitor.core.model.monitor_settings import Language
from node.monitor.core.model.next_steps import next_step
from node.monitor.core.model.records import FindingKey, Role, Status
from node.monitor.core.view.view_types import BrokerView, View
from tests.support.building import NOW, building, finding, incident, node

WIDTH = 80
COMMANDS = re.compile(r"(?:sudo|alarm-monitor) [^;:,(…]*(?: --reason …)?")
"""A command in a next step, with the words after it up to the next mark."""
AWAY = BrokerView(name="broker:8883", connected=False, since=NOW, problem="refused")


def told(view: View, age_s: float = 0.5) -> dict[str, Any]:
    """As ``alarm-monitor status`` asks for it."""
    whole = {
        "fleet": representations.fleet(view, age_s),
        "incidents": view.incidents,
        "findings": view.findings,
        "nodes": view.nodes,
    }
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(whole))
    return plain


def lines(answer: Mapping[str, Any], language: Language = "en", width: int = WIDTH) -> list[str]:
    """What is printed, without colours."""
    printed = StringIO()
    Console(file=printed, width=width).print(status.status(answer, language), crop=False)
    return printed.getvalue().splitlines()


def rows(answer: Mapping[str, Any], language: Language = "en", width: int = WIDTH) -> dict[str, list[str]]:
    """The cells of each node's row."""
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines(answer, language, width)]
    return {row[0]: row for row in cells if row and row[0].startswith("mitte/")}


def quiet(**changes: Any) -> View:
    """A building in which nothing is wrong."""
    calm: dict[str, Any] = {"nodes": (node("desk-1"),), "incidents": (), "findings": (), "targets": ()}
    return building(**{**calm, **changes})


def test_a_building_in_which_nothing_is_wrong_says_so() -> None:
    """In one line, which stands nowhere else."""
    assert lines(told(quiet()))[-1].strip() == "All is well."
    assert rows(told(quiet()))["mitte/desk-1"][2] == "up"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (told(quiet(blind=True, brokers=(AWAY,))), "No broker can be reached"),
        (told(quiet(), age_s=12.0), "The monitor doesn't respond: this is the state of 12 s ago."),
        (told(quiet(nodes=(node("desk-1", reason="broker-away"),))), ""),
        (told(quiet(nodes=(node("desk-1", Status.NEW, reason="broker-away", heard_s=None),))), ""),
    ],
    ids=["blind", "stale", "its broker is away", "its broker is away since a start"],
)
def test_what_is_not_known_is_not_shown_as_up(answer: Mapping[str, Any], says: str) -> None:
    """A node that may be dead isn't green, and all isn't well."""
    printed = "\n".join(lines(answer))

    assert rows(answer)["mitte/desk-1"][2] == "not known now"
    assert says in printed
    assert "All is well" not in printed


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.UP])
def test_all_is_well_only_where_every_node_is_heard(status: Status) -> None:
    """Findings come after a while, and in a pause none comes: until then nobody knows whether a press is heard."""
    printed = "\n".join(lines(told(quiet(nodes=(node("desk-1"), node("desk-2", status))))))

    assert "All is well" not in printed


def test_a_pause_is_shown_with_its_end() -> None:
    """Until then nobody is told that the node is silent."""
    printed = "\n".join(lines(told(building()), "de", width=240))

    assert f"in Wartung bis {words_of('de').time(NOW)}: painting (facilities)" in printed


@pytest.mark.parametrize(
    ("version", "english", "german"),
    [
        ("1.0.0", "up", "in Betrieb"),
        (None, "up", "in Betrieb"),
        ("1.1.0", "up, version 1.1.0", "in Betrieb, Version 1.1.0"),
    ],
)
def test_a_node_of_another_version_than_the_monitor_shows_it(version: str | None, english: str, german: str) -> None:
    """So one that was forgotten in an upgrade is seen; of a node that doesn't say its version nothing is claimed."""
    answer = told(quiet(nodes=(node("desk-1", version=version),)))

    shown = [rows(answer, language, width=160)["mitte/desk-1"][2] for language in ("en", "de")]

    assert shown == [english, german]


def test_a_monitor_that_tells_no_versions_is_understood() -> None:
    """The command may be newer than the monitor that runs."""
    answer = told(quiet())
    del answer["nodes"][0]["version"]

    assert rows(answer)["mitte/desk-1"][2] == "up"


def test_where_no_node_is_known_all_is_not_well() -> None:
    """Whoever presses is heard by nobody."""
    assert "All is well" not in "\n".join(lines(told(quiet(nodes=()))))


def test_who_is_down_or_paused_stays_so_while_nothing_is_heard() -> None:
    """That is known, and by whom."""
    answer = told(building(blind=True))

    states = {name: row[2] for name, row in rows(answer).items()}

    assert states["mitte/desk-3"] == "down"
    assert states["mitte/desk-5"].startswith("paused")
    assert states["mitte/desk-1"] == states["mitte/desk-2"] == "not known now"


@pytest.mark.parametrize(
    ("phase", "next_step"),
    [
        ("open", "If you go there, acknowledge:\n  alarm-monitor acknowledge mitte/desk-1/0badcafe-7"),
        ("held", "If you go there, acknowledge:\n  alarm-monitor acknowledge mitte/desk-1/0badcafe-7"),
        ("acknowledged", "To end it:\n  alarm-monitor reset mitte/desk-1/0badcafe-7 --reason …"),
    ],
)
def test_an_alarm_comes_first_with_the_command_that_is_next(phase: str, next_step: str) -> None:
    """To be copied as it stands; that somebody pressed again is seen, too."""
    answer = told(building(incidents=(incident("desk-1", phase=phase, presses=2),)))

    first, *following = (line.rstrip() for line in lines(answer)[:3])

    assert first.startswith("ALARM  Room desk-1  button  threat")
    assert first.endswith("Pressed 2 times")
    assert "\n".join(following) == next_step


def test_a_command_is_never_cut_in_two() -> None:
    """On a narrow terminal, too: copied, it would be two commands. A screen that is watched shows all of it."""
    answer = told(building(incidents=(incident("desk-1", phase="told"),)))

    printed = lines(answer, width=40)
    watched = StringIO()
    Console(file=watched, width=40).print(status.status(answer, "en", watch=True))

    assert "  alarm-monitor acknowledge mitte/desk-1/0badcafe-7" in [line.rstrip() for line in printed]
    assert "alarm-monitor acknowledge mitte/desk-1/0badcafe-7" in " ".join(watched.getvalue().split())


@pytest.mark.parametrize(
    ("problem", "findings", "line"),
    [
        ("", (), "Connecting to the brokers: the present state of the nodes isn't known yet."),
        ("refused", (), "No broker can be reached: the present state of the nodes isn't known."),
        ("", ("M008",), "No broker can be reached: the present state of the nodes isn't known."),
    ],
    ids=["at the start", "an attempt has failed", "for some seconds"],
)
def test_a_monitor_that_has_just_started_is_connecting(problem: str, findings: tuple[str, ...], line: str) -> None:
    """Nothing is wrong yet; and nothing is known yet."""
    broker = BrokerView(name="broker:8883", connected=False, since=NOW, problem=problem)
    found = tuple(finding(code, Severity.CRITICAL) for code in findings)
    answer = told(quiet(blind=True, brokers=(broker,), findings=found))

    printed = [each.strip() for each in lines(answer)]

    assert line in printed
    assert rows(answer)["mitte/desk-1"][2] == "not known now"


def test_an_alarm_of_which_nobody_was_told_stands_out() -> None:
    """In both languages, also where its event never came; of a test nobody needs to be told."""
    calls = [incident(f"desk-{number}", phase=phase) for number, phase in enumerate(("open", "held", "told"))]
    calls.append(incident("desk-9", phase="held", test=True))
    answer = told(building(incidents=tuple(calls)))

    english, german = ("\n".join(lines(answer, language)) for language in ("en", "de"))

    assert english.count("NOBODY NOTIFIED YET") == german.count("NOCH NIEMAND BENACHRICHTIGT") == 2
    assert english.count("people notified") == 1


def test_a_finding_says_why() -> None:
    """The reason, in words; OPERATIONS.md promises it."""
    findings = (
        finding("M001", Severity.CRITICAL, "desk-1", detail="will"),
        finding("M008", Severity.CRITICAL, subject="guard/broker", detail="F022 refused: not authorised (0x87)"),
        finding("M010", Severity.CRITICAL, subject="guard/sms", detail="no such host"),
    )

    printed = "\n".join(lines(told(quiet(findings=findings)), "de", width=200))

    assert "Näheres: der Broker meldet, dass die Verbindung abgerissen ist" in printed
    assert (
        "Näheres: der Broker weist die Anmeldung ab: unbekannter Name, falsches Passwort oder Zertifikat (F022 "
        "„refused: not authorised "
        "(0x87)“)"
    ) in printed
    assert "Näheres: „no such host“" in printed


@pytest.mark.parametrize(
    ("subject", "english", "german"),
    [
        ("guard-desk/mitte/threat", "mitte: threat", "mitte: Bedrohung (threat)"),
        (
            "guard-desk/mitte/assist",
            "mitte: colleague needs help (assist)",
            "mitte: Kollegin oder Kollege braucht Hilfe (assist)",
        ),
        ("guard-desk/mitte", "mitte: all alarms", "mitte: alle Alarme"),
        ("guard-desk/mitte/new-class", "mitte: new-class", "mitte: new-class"),
    ],
)
def test_calls_that_nobody_takes_are_shown_by_site_and_class(subject: str, english: str, german: str) -> None:
    """And which target to bring back, where one is isolated that would take them."""
    detail = "isolated: sms"
    step = next_step(FindingKey("M018", "", "", subject), detail)
    found = finding("M018", Severity.CRITICAL, subject=subject, detail=detail, next=step)

    shown = ["\n".join(lines(told(quiet(findings=(found,))), language, width=240)) for language in ("en", "de")]

    def where(printed: str) -> str:
        """The cells of the second column, which is narrow: without the spaces at which they are broken."""
        rows = [line.split("│") for line in printed.partition("└")[0].splitlines() if line.count("│") == 5]
        return "".join(row[2] for row in rows).replace(" ", "")

    assert [where(each) for each in shown] == [each.replace(" ", "") for each in (english, german)]
    assert "the monitor guard-desk" not in shown[0]
    assert "Details: isolated: sms" in shown[0]
    assert "Näheres: abgeschaltet: sms" in shown[1]
    assert [each.count("alarm-monitor restore-target sms") for each in shown] == [1, 1]
    assert "wieder einschalten" in shown[1]


def test_one_fault_at_many_nodes_is_explained_once() -> None:
    """Each has its line; a page that scrolls away shows nobody the second fault."""
    many = [finding("F030", Severity.WARNING, f"desk-{number}") for number in range(20)]
    other = finding("M006", Severity.WARNING, "desk-2", count=3)

    printed = lines(told(quiet(findings=(*many[:10], other, *many[10:]))))

    table = printed[: next(number for number, line in enumerate(printed) if line.startswith("Nodes"))]
    assert sum("mend it" in line for line in table) == 2
    assert sum("as above" in line for line in table) == 19
    assert sum("Room desk-" in line for line in table) == 21
    assert any("something is wrong (3 days)" in line for line in table)
    assert len(table) < 35


def test_each_of_several_says_what_to_type_for_it() -> None:
    """Two pauses are ended by two commands, so "as above" would not do; what counts says what it counts."""
    steps = [f"end it: alarm-monitor resume mitte/desk-{number}" for number in (1, 2)]
    paused = [
        finding("M019", Severity.NOTICE, f"desk-{number}", subject="pause", next=step)
        for number, step in enumerate(steps, 1)
    ]
    walk = finding("M019", Severity.NOTICE, subject="w-1", count=1, next="end it: alarm-monitor walk-test end w-1")

    printed = "\n".join(lines(told(quiet(findings=(*paused, walk))), width=160))

    assert all(step in printed for step in (*steps, walk.next))
    assert "as above (1 node)" in printed


def test_a_long_name_leaves_room_for_what_to_do() -> None:
    """On 80 columns too."""
    away = finding("M008", Severity.CRITICAL, subject="guard-desk-at-the-entrance/mqtt-broker.building.example:8883")

    printed = lines(told(quiet(findings=(away,))))

    assert any("something is wrong" in line for line in printed)
    assert any("│ guard-desk-at-the-entrance/mqtt-broker" in line for line in printed)
    assert any(line.startswith("M008 mend it") for line in printed)
    assert max(map(len, printed)) <= WIDTH


@pytest.mark.parametrize("code", FINDINGS)
def test_no_command_of_a_next_step_is_broken(code: str) -> None:
    """At 80 columns, of every finding: what is copied can be run."""
    key = FindingKey(code, "mitte", "room-214", "0badcafe-7")
    found = finding(code, Severity.WARNING, "room-214", subject="0badcafe-7", next=next_step(key))
    commands = [each.strip() for each in COMMANDS.findall(next_step(key))]

    printed = lines(told(quiet(findings=(found,))))

    assert [each for each in commands if not any(each in line for line in printed)] == []
    assert all(len(line.rstrip()) <= WIDTH or any(each in line for each in commands) for line in printed)


def test_a_display_goes_on_while_the_monitor_is_away(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It shows nothing of before, says what to do, and shows how it is as soon as it can again."""
    up = told(quiet())
    down = told(quiet(nodes=(node("desk-1", Status.DOWN),)))
    answers: Iterator[Mapping[str, Any] | Exception] = iter([up, ApiError("it can't be reached", "start it"), down])

    def ask() -> Mapping[str, Any]:
        answer = next(answers, KeyboardInterrupt())
        if isinstance(answer, BaseException):
            raise answer
        return answer

    monkeypatch.setattr(status, "WATCH_S", 0.0)
    monkeypatch.setenv("FORCE_COLOR", "1")

    status.show_status(ask, "en", watch=True)

    text = capsys.readouterr().out
    assert "The monitor doesn't answer" in text
    assert text.index("All is well") < text.index("it can't be reached. Next: start it") < text.rindex("down")
    assert "As of " in text


def fitted(answer: Mapping[str, Any], height: int) -> list[str]:
    """What a display of so many lines shows."""
    console = Console(file=StringIO(), width=WIDTH, height=height, force_terminal=True)
    with console.capture() as shown_there:
        console.print(status.fitted(answer, "en", console))
    return [line.strip() for line in Text.from_ansi(shown_there.get()).plain.splitlines()]


def words_in(printed: list[str]) -> set[str]:
    """Names, commands, times of day: whatever may be copied."""
    return {word for line in printed for word in re.findall(r"[\w/.:-]*\w", line)}


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize(("width", "tables"), [(40, 0), (60, 1), (80, 2), (120, 2)])
def test_no_word_is_broken_however_narrow_the_terminal(width: int, tables: int, language: Language) -> None:
    """Where a table has no room its rows are lines; a name or a command can be copied as it stands."""
    answer = told(building())

    narrow, wide = (lines(answer, language, columns) for columns in (width, 300))

    assert max(len(line) for line in narrow if not line.startswith("  alarm-monitor ")) <= width
    assert words_in(narrow) <= words_in(wide)
    assert sum(line.startswith("┏") for line in narrow) == tables


def test_a_long_name_of_a_token_is_whole(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the table has no room for it, it has lines of its own."""
    monkeypatch.setenv("COLUMNS", "70")
    token = SimpleNamespace(name="x" * 60, role=Role.VIEWER, created_utc=NOW, used_utc=None, revoked_utc=None)

    status.show_tokens([token], words_of("de"))  # type: ignore[list-item]

    assert capsys.readouterr().out.splitlines() == [
        "Name: " + "x" * 60,
        "Rolle: viewer",
        "Angelegt: 2026-03-02",
        "Zuletzt benutzt: -",
        "Widerrufen: -",
        "",
    ]


@pytest.mark.parametrize("height", range(4, 60))
def test_a_small_display_shows_what_needs_somebody_most_and_how_much_else_there_is(height: int) -> None:
    """In as many whole rows as there is room for; whoever takes a part for all leaves somebody alone."""
    incidents = (incident("desk-1", phase="acknowledged"), incident("desk-7"), incident("desk-8", alarm_class="amok"))
    answer = told(building(incidents=incidents))
    rows_of = ["Room desk-8  ", "Room desk-7  ", "Room desk-1  ", "│ M001", "│ M003", "│ M006", "│ M007", "│ M010"]
    rows_of += [f"│ mitte/desk-{number}" for number in (1, 3, 2, 4, 5)]

    printed = fitted(answer, height)

    starts = [line.removeprefix("ALARM  ") for line in printed]
    found = [row for row in rows_of if any(line.startswith(row) for line in starts)]
    left = len(rows_of) - len(found)
    assert len(printed) <= height
    assert found == rows_of[: len(found)]
    unseen = 3 - sum(row in found for row in rows_of[:3])
    alarms = f", {unseen} of them alarms" if unseen else ""
    assert (printed[-1] == f"and {left} more{alarms}: alarm-monitor status") == (left > 0)
    assert printed[0].startswith("As of ")
    assert left == 0 or len(printed) > height - 12


def watch_once(answer: Mapping[str, Any]) -> None:
    """Watch until Ctrl-C, which comes after the first answer."""
    answers = iter([answer])

    def ask() -> Mapping[str, Any]:
        answer = next(answers, None)
        if answer is None:
            raise KeyboardInterrupt
        return answer

    status.show_status(ask, "en", watch=True)


def test_a_display_that_is_watched_fits(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """From the first on."""
    monkeypatch.setattr(status, "WATCH_S", 0.0)
    for name, value in {"FORCE_COLOR": "1", "LINES": "20", "COLUMNS": "80"}.items():
        monkeypatch.setenv(name, value)

    watch_once(told(building(nodes=tuple(node(f"desk-{number}") for number in range(100)))))

    assert " more: alarm-monitor status" in capsys.readouterr().out


def test_what_is_watched_by_a_file_is_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has no height."""
    monkeypatch.setattr(status, "WATCH_S", 0.0)

    watch_once(told(building(nodes=tuple(node(f"desk-{number}") for number in range(100)))))

    text = capsys.readouterr().out
    assert "mitte/desk-99" in text
    assert "more: alarm-monitor status" not in text


def test_a_monitor_that_can_not_be_asked_at_first_ends_the_display() -> None:
    """A wrong token or file is said at once."""

    def ask() -> Mapping[str, Any]:
        raise ApiError("this token isn't known", "make one")

    with pytest.raises(ApiError):
        status.show_status(ask, "en", watch=True)

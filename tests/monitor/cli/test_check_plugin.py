"""check_alarm_node as Nagios runs it: a real process, a real monitor's API, one line and an exit code."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from node.errors.severity import Severity
from node.monitor.cli.nagios.plugin import State
from node.monitor.core.model.records import Role, Status
from tests.support.building import building, finding, incident, node
from tests.support.plugin import LINE, run
from tests.support.web import SECRETS, Behind, Site, serving

PIECE = re.compile(r"[a-z]+=-?[0-9.]+s?;[^; ]*;[^; ]*;0")
OK, WARNING, CRITICAL, UNKNOWN = State


@pytest.fixture(scope="module")
def served() -> Iterator[Site]:
    """A server for all tests here."""
    with serving(Behind()) as site:
        yield site


@pytest.fixture
def site(served: Site) -> Site:
    """The server, with a building in which all is well."""
    served.behind.view = building(nodes=(node("desk-1"), node("desk-2")), findings=(), incidents=(), targets=())
    served.behind.age_s = 0.5
    return served


@pytest.fixture
def token(tmp_path: Path) -> Path:
    """A viewer's token in its file."""
    path = tmp_path / "token"
    path.write_text(SECRETS[Role.VIEWER] + "\n", encoding="ascii")
    return path


def check(site: Site, token: Path, *arguments: str) -> tuple[State, str, dict[str, str]]:
    """The state, the text and the performance data of one check."""
    code, told = run("-H", site.url, "--token-file", token, *arguments)
    found = LINE.fullmatch(told)
    assert found is not None, told
    assert State[found[1]] == code
    pieces = (found[3] or "").split()
    assert all(PIECE.fullmatch(piece) for piece in pieces), told
    return State(code), found[2], dict(piece.split("=") for piece in pieces)


def test_all_is_well(site: Site, token: Path) -> None:
    """Each mode says so, with what it measured."""
    told = [check(site, token, *mode) for mode in (("node", "mitte/desk-1"), ("site", "mitte"), ("monitor",))]

    assert [state for state, _, _ in told] == [OK, OK, OK]
    assert [text for _, text, _ in told] == [
        "mitte/desk-1: all is well",
        "mitte: all is well",
        "monitor: all is well",
    ]
    assert told[0][2] == {"heard": "4s;;;0", "incidents": "0;;;0"}
    assert told[1][2] == {name: f"{count};;;0" for name, count in (("new", 0), ("up", 2), ("late", 0))} | {
        "down": "0;;0;0",
        "paused": "0;;;0",
        "incidents": "0;;;0",
    }
    assert told[2][2] == {"age": "0.5s;10;30;0", "uptime": "3600s;;;0", "waiting": "0;;;0"}


@pytest.mark.parametrize(
    ("status", "expected", "word"),
    [
        (Status.NEW, UNKNOWN, "not heard"),
        (Status.UP, OK, "well"),
        (Status.LATE, WARNING, "late"),
        (Status.DOWN, CRITICAL, "down (the broker reports that the connection broke)"),
        (Status.PAUSED, OK, "paused"),
    ],
)
def test_a_node_is_as_the_monitor_knows_it(site: Site, token: Path, status: Status, expected: State, word: str) -> None:
    """What isn't known is never OK."""
    site.behind.view = building(nodes=(node("desk-1", status, reason="will"),), findings=())

    state, text, _ = check(site, token, "node", "mitte/desk-1")

    assert state is expected
    assert word in text


@pytest.mark.parametrize(
    ("severity", "expected"), [(Severity.CRITICAL, CRITICAL), (Severity.WARNING, WARNING), (Severity.NOTICE, OK)]
)
def test_a_finding_counts_by_its_severity(site: Site, token: Path, severity: Severity, expected: State) -> None:
    """At the node that it is about, and at its site; not at others."""
    site.behind.view = building(
        nodes=(node("desk-1"), node("desk-2")), findings=(finding("F001", severity, "desk-1", subject="button"),)
    )

    at_node = check(site, token, "node", "mitte/desk-1")
    at_other = check(site, token, "node", "mitte/desk-2")
    at_site = check(site, token, "site", "mitte")
    of_monitor = check(site, token, "monitor")

    assert [each[0] for each in (at_node, at_other, at_site, of_monitor)] == [expected, OK, expected, OK]
    assert "F001 desk-1/button" in at_node[1]


def test_an_alarm_is_no_fault(site: Site, token: Path) -> None:
    """A node that calls works; the call is measured and said, and people are told of it by other ways."""
    site.behind.view = building(nodes=(node("desk-1", incidents=1),), findings=(), incidents=(incident("desk-1"),))

    told = [check(site, token, *mode) for mode in (("node", "mitte/desk-1"), ("site", "mitte"))]

    assert [(state, data["incidents"]) for state, _, data in told] == [(OK, "1;;;0")] * 2
    assert [text for _, text, _ in told] == ["mitte/desk-1: an alarm is open", "mitte: an alarm is open"]


@pytest.mark.parametrize("phase", ["open", "held"])
def test_an_alarm_of_which_nobody_was_told_is_critical(site: Site, token: Path, phase: str) -> None:
    """At its node and at its site; a test isn't, and nor is one that somebody has answered."""
    calls = [incident("desk-1", phase=phase), incident("desk-1", phase=phase, test=True)]
    calls.append(incident("desk-1", phase="acknowledged"))
    site.behind.view = building(nodes=(node("desk-1", incidents=3),), findings=(), incidents=tuple(calls))

    told = [check(site, token, *mode) for mode in (("node", "mitte/desk-1"), ("site", "mitte"))]

    assert [state for state, _, _ in told] == [CRITICAL, CRITICAL]
    assert all("an alarm of which nobody was told, " in f"{text}, " for _, text, _ in told)


def test_a_node_whose_broker_is_away_is_unknown(site: Site, token: Path) -> None:
    """Also where the monitor hears others over another broker; its site isn't OK either."""
    away = node("desk-1", reason="broker-away")
    brokers = (replace(site.behind.view.brokers[0], connected=False), site.behind.view.brokers[0])
    site.behind.view = building(nodes=(away, node("desk-2")), findings=(), incidents=(), targets=(), brokers=brokers)

    told = [check(site, token, "-w", "1", *mode) for mode in (("node", "mitte/desk-1"), ("site", "mitte"))]
    other = check(site, token, "node", "mitte/desk-2")

    assert [state for state, _, _ in told] == [UNKNOWN, UNKNOWN]
    assert "doesn't reach its broker" in told[0][1]
    assert "1 not known" in told[1][1]
    assert other[0] is OK


@pytest.mark.parametrize(
    ("arguments", "expected", "word"),
    [
        (("-w", "3", "node", "mitte/desk-1"), WARNING, "heard 4 s ago"),
        (("-w", "3", "-c", "3.9", "node", "mitte/desk-1"), CRITICAL, "heard 4 s ago"),
        (("-w", "5", "-c", "6", "node", "mitte/desk-1"), OK, "mitte/desk-1: an alarm is open"),
        (("-c", "2", "site", "mitte"), OK, "2 down"),
        (("-w", "0", "-c", "2", "site", "mitte"), WARNING, "2 down"),
        (("-c", "1", "site", "mitte"), CRITICAL, "2 down"),
        (("site", "mitte"), CRITICAL, "2 down"),
        (("-c", "@0", "site", "nord"), CRITICAL, "nord: none down"),
        (("-w", "0.1", "monitor"), WARNING, "it last looked 0.5 s ago"),
        (("-c", "@0:1", "monitor"), CRITICAL, "it last looked 0.5 s ago"),
    ],
)
def test_thresholds_judge_what_is_measured(
    site: Site, token: Path, arguments: tuple[str, ...], expected: State, word: str
) -> None:
    """Seconds since a node was heard, how many nodes of a site are down, the age of a look; and it says which."""
    down = [node(f"desk-{number}", Status.DOWN) for number in (2, 3)]
    site.behind.view = building(
        nodes=(node("desk-1", incidents=1), node("desk-1", site="nord"), *down),
        findings=tuple(finding("M001", Severity.CRITICAL, each.node) for each in down),
        incidents=(incident("desk-1"),),
    )

    state, text, _ = check(site, token, *arguments)

    assert state is expected
    assert word in text
    assert "all is well" not in text


def test_a_site_names_some_of_the_nodes_that_are_down(site: Site, token: Path) -> None:
    """One line stays one that a person reads."""
    down = tuple(node(f"desk-{number:02}", Status.DOWN) for number in range(1200))
    findings = tuple(finding("M001", Severity.CRITICAL, each.node) for each in down)
    others = tuple(finding("M003", Severity.WARNING, each.node) for each in down)
    site.behind.view = building(nodes=down, findings=(*findings, *others), incidents=())

    state, text, data = check(site, token, "site", "mitte")

    assert state is CRITICAL
    assert text.startswith("mitte: 1200 down (desk-00, ")
    assert text.endswith(", and 1195 more")
    assert len(text) < 400
    assert data["down"] == "1200;;0;0"


@pytest.mark.parametrize(("blind", "age_s", "word"), [(True, 0.5, "blind"), (False, 31.0, "stands still")])
@pytest.mark.parametrize("mode", [("node", "mitte/desk-1"), ("site", "mitte")], ids=["node", "site"])
def test_a_monitor_that_sees_nothing_says_nothing_about_nodes(
    site: Site, token: Path, mode: tuple[str, ...], blind: bool, age_s: float, word: str
) -> None:
    """What was so when it last looked isn't OK now, nor critical: it is unknown."""
    site.behind.view = building(blind=blind)
    site.behind.age_s = age_s

    state, text, _ = check(site, token, "-c", "0", *mode)

    assert state is UNKNOWN
    assert word in text


@pytest.mark.parametrize(
    ("changes", "age_s", "expected", "word"),
    [
        ({"blind": True}, 0.5, CRITICAL, "blind"),
        ({"history_ok": False}, 0.5, CRITICAL, "history"),
        ({}, 12.0, WARNING, "last looked 12 s ago"),
        ({}, 31.0, CRITICAL, "last looked 31 s ago"),
        ({"findings": (finding("M010", Severity.CRITICAL, subject="sms"),)}, 0.5, CRITICAL, "M010 sms"),
        ({"findings": (finding("M001", Severity.CRITICAL, "desk-1"),)}, 0.5, OK, "well"),
    ],
)
def test_the_monitor_is_judged_by_its_own_troubles(
    site: Site, token: Path, changes: dict[str, object], age_s: float, expected: State, word: str
) -> None:
    """What is wrong with a node is no fault of the monitor."""
    site.behind.view = building(**({"findings": ()} | changes))
    site.behind.age_s = age_s

    state, text, _ = check(site, token, "monitor")

    assert state is expected
    assert word in text


def test_verbose_tells_each_finding_with_its_next_step(site: Site, token: Path) -> None:
    """On lines of their own after the first."""
    down = finding("M001", Severity.CRITICAL, "desk-3", detail="it is gone")
    site.behind.view = building(findings=(down,))

    _, told = run("-v", "-H", site.url, "--token-file", token, "node", "mitte/desk-3")

    first, place, *findings = told.splitlines()
    assert LINE.fullmatch(f"{first}\n")
    assert place == "place: Room desk-3"
    assert findings[0] == "M001 mitte/desk-3: something is wrong (it is gone). Next: mend it (OPERATIONS.md#m001)"


@pytest.mark.parametrize(
    "mode", [("node", "mitte/desk-9"), ("node", "nord/desk-1"), ("site", "nord"), ("node", "../fleet")]
)
def test_what_the_monitor_does_not_know_is_unknown(site: Site, token: Path, mode: tuple[str, ...]) -> None:
    """A name that was mistyped, or a node that is gone."""
    state, text, _ = check(site, token, *mode)

    assert state is UNKNOWN
    assert "knows no" in text


def test_a_wrong_token_is_unknown_and_says_what_to_do(site: Site, tmp_path: Path) -> None:
    """It isn't the node's fault."""
    wrong = tmp_path / "wrong"
    wrong.write_text("x" * 32, encoding="ascii")

    state, text, _ = check(site, wrong, "monitor")

    assert state is UNKNOWN
    assert "alarm-monitor token create" in text


@pytest.mark.parametrize("content", [None, "two tokens", "übel"])
def test_a_token_file_that_cannot_be_used_is_unknown(site: Site, tmp_path: Path, content: str | None) -> None:
    """The plugin says which file, and never what is in it."""
    path = tmp_path / "unusable"
    if content is not None:
        path.write_text(content, encoding="utf-8")

    state, text, _ = check(site, path, "monitor")

    assert state is UNKNOWN
    assert str(path) in text
    assert content is None or content not in text


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--help",),
        ("-V",),
        ("node",),
        ("node", "desk-1"),
        ("everything",),
        ("-w", "high", "monitor"),
        ("-t", "0", "monitor"),
        ("-t", "nan", "monitor"),
        ("-H", "ftp://localhost", "monitor"),
        ("-H", "http://", "monitor"),
    ],
)
def test_usage_ends_with_unknown(arguments: tuple[str, ...]) -> None:
    """Right or wrong, it is no state of anything; what is wrong is said in words, none of them a function's name."""
    code, told = run(*arguments)

    assert code == UNKNOWN
    assert told
    assert "invalid _" not in told
    assert "threshold value" not in told

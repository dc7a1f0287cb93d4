"""What the commands say, in people's own language; what is printed there is for nobody else (tools have --json)."""

from datetime import UTC, datetime
from string import Formatter
from typing import Any

import pytest

from node.monitor.api.operations.answers import told
from node.monitor.api.problems import ProblemError
from node.monitor.cli.api_client.http_client import AskError
from node.monitor.cli.api_client.monitor_client import explained
from node.monitor.cli.export.history_export import line_of
from node.monitor.cli.output.replies import DONE, done, refused, words_of
from node.monitor.cli.output.walk_tests import show_walk_tests
from node.monitor.core.model.catalogue import UNREACHED
from node.monitor.core.model.next_steps import next_step
from node.monitor.core.model.records import FindingKey, IncidentKey, NodeKey
from node.monitor.core.model.requests import Acknowledge, Answer, StartWalkTest
from tests.monitor.core.node_messages import SITE, goodbye, heartbeat
from tests.monitor.core.play import Play

GERMAN, ENGLISH = words_of("de"), words_of("en")
AT = "2026-03-01T08:00:00Z"
PRESSED = (
    "pressed a moment ago or in another walk test, so their next press raises an alarm",
    "eben erst oder in einem anderen Begehungstest gedrückt, der nächste Druck löst also Alarm aus",
)
UNTIL = datetime(2026, 3, 1, 10, 30, tzinfo=UTC)
WHERE: dict[str, Any] = {"site": "mitte", "node": "desk-1"}


def incident(alarm_class: str, end: dict[str, Any]) -> dict[str, Any]:
    """One of the history, which went so."""
    return {
        "raised": AT,
        "id": "mitte/desk-1/0badcafe-7",
        "input": "button",
        "alarm_class": alarm_class,
        "test": False,
        "told": None,
        **end,
    }


@pytest.mark.parametrize("action", DONE)
def test_what_is_done_is_said_in_german(action: str) -> None:
    """Not in the language of the program; with what it is about, and until when it holds."""
    names = {name for _, name, _, _ in Formatter().parse(DONE[action]) if name is not None}
    values: dict[str, object] = {name: UNTIL if name == "until" else f"<{name}>" for name in names}

    german, english = (done(action, {"note": ""}, words, **values) for words in (GERMAN, ENGLISH))

    assert german != english
    for words, text in ((GERMAN, german), (ENGLISH, english)):
        told = {words.time(UNTIL) if name == "until" else f"<{name}>" for name in names}
        assert {each for each in told if each not in text} == set()


@pytest.mark.parametrize(
    ("action", "line"),
    [
        ("pause", "Das ersetzt die Wartung von painters bis {}."),
        ("isolate", "Das ersetzt die Abschaltung durch painters bis {}."),
    ],
)
def test_what_takes_the_place_of_another_says_so(action: str, line: str) -> None:
    """Whose it was, and until when; an older monitor doesn't say it."""
    made = {"note": "", "replaced_by": "painters", "replaced_until": UNTIL.isoformat()}
    values: dict[str, object] = {"node": "mitte/desk-1", "target": "sms", "until": UNTIL}

    german = done(action, made, GERMAN, **values).splitlines()
    older = done(action, {}, GERMAN, **values).splitlines()

    assert german == [*older, line.format(GERMAN.time(UNTIL))]
    assert len(older) == 1


def test_what_is_not_as_it_seems_is_said_in_german_too() -> None:
    """By whatever monitor answers; what one says that is newer is quoted."""
    known = done("acknowledge", {"note": "somebody had already acknowledged it"}, GERMAN)
    newer = done("acknowledge", {"note": "{nobody} knows"}, GERMAN)

    assert known == "quittiert\nHinweis: jemand hatte ihn schon quittiert."
    assert newer == "quittiert\nHinweis: der Monitor meldet: „{nobody} knows“."


@pytest.mark.parametrize(
    ("status", "detail", "step", "text"),
    [
        (
            *(409, "refused: that node isn't paused (not-paused)", "nothing needs doing"),
            "dieses Gerät ist nicht in Wartung. Zu tun: nichts.",
        ),
        (409, "refused: {for_s} is new (new-code)", "{x}", "der Monitor meldet: „{for_s} is new“. Zu tun: {x}."),
        (
            503,
            "the {history} is away",
            "start it",
            "der Monitor meldet: „the {history} is away“. Zu tun: start it.",
        ),
    ],
    ids=["known", "a newer reason", "in its own words"],
)
def test_what_a_monitor_refuses_is_said_in_german(status: int, detail: str, step: str, text: str) -> None:
    """As far as the words are known here; what isn't is quoted as the monitor says it."""
    error = explained(AskError("{detail}", next_step=step, status=status, detail=detail), "here")

    assert refused(error, GERMAN) == f"E061 {text}"
    assert refused(error, ENGLISH) == str(error)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (Answer("unanswered"), "das Gerät antwortet nicht: Der Monitor hat vermerkt, dass jemand kommt"),
        (Answer("refused", "pressed-again"), "E061 inzwischen hat jemand noch einmal gedrückt. Zu tun: "),
        (Answer("refused", "all-these-nodes-are-down"), "E061 keines dieser Geräte ist jetzt zu hören"),
    ],
)
def test_what_the_api_says_is_known(answer: Answer, text: str) -> None:
    """Both ends are of one version here; whoever changes one has to change the other."""
    with pytest.raises(ProblemError) as caught:
        told(Acknowledge(IncidentKey("mitte", "desk-1", "0badcafe-1"), "desk"), answer)
    problem = caught.value

    asked = AskError("{detail}", next_step=problem.next_step, status=problem.status, detail=problem.detail)
    said = refused(explained(asked, "here"), GERMAN)

    assert text in said
    assert GERMAN.translate(problem.next_step) != problem.next_step


@pytest.mark.parametrize(
    ("count", "note"),
    [(1, "ausgelassen: room-300 (ausgefallen)."), (12, " (ausgefallen), room-309 (ausgefallen) und 2 weitere.")],
)
def test_whom_a_walk_test_leaves_out_is_said_in_german(count: int, note: str) -> None:
    """As the decider names them, all that it names."""
    play = Play()
    for number in range(300, 300 + count):
        node = NodeKey(SITE, f"room-{number}")
        play.hear(1.0, heartbeat(node=node), node)
        play.hear(2.0, goodbye(node=node), node)
    play.hear(2.0, heartbeat())
    asked = StartWalkTest(SITE, "desk", 600.0)
    answer = play.answer(play.ask(3.0, asked))
    assert answer is not None
    made = told(asked, answer)

    said = done("walk-test", {"id": made.id, "note": made.note}, GERMAN, id=made.id, until=UNTIL)

    assert said.startswith(
        f"{made.id} läuft bis {GERMAN.time(UNTIL)}. Warten Sie an jedem Gerät, bis die Lampe jede Sekunde blinkt, "
    )
    assert said.endswith(note)
    assert said.count("(ausgefallen)") == min(count, 10)


@pytest.mark.parametrize(
    ("note", "said"),
    [
        (
            "pressed a moment ago or in another walk test, so their next press raises an alarm: desk-1/button",
            (
                "eben erst oder in einem anderen Begehungstest gedrückt, der nächste Druck löst also Alarm aus: "
                "desk-1/button."
            ),
        ),
        (
            (
                f"{PRESSED[0]}: desk-1/a; wait until 2026-03-01T10:30:00Z, end this walk test, then start a new one "
                "for them"
            ),
            (
                f"{PRESSED[1]}: desk-1/a; warten Sie bis {GERMAN.time(UNTIL)}, beenden Sie diesen Begehungstest, und "
                "beginnen Sie dann für sie einen neuen."
            ),
        ),
        ("can't be tested now: desk-1/a (F001)", "jetzt nicht prüfbar: desk-1/a (F001)."),
        (
            f"left out: desk-2 (down); {PRESSED[0]}: desk-1/a and 7 more",
            f"ausgelassen: desk-2 (ausgefallen); {PRESSED[1]}: desk-1/a und 7 weitere.",
        ),
    ],
    ids=["alone", "with a time", "unreadable", "besides others"],
)
def test_the_buttons_whose_presses_stay_real_are_named_in_german(note: str, said: str) -> None:
    """Whoever tests them would call people."""
    assert done("walk-test", {"note": note}, GERMAN, id="walk-1", until=UNTIL).endswith(f"Hinweis: {said}")


@pytest.mark.parametrize(
    ("what", "item", "line"),
    [
        (
            "incidents",
            incident(
                "threat",
                {
                    "presses": 2,
                    "reset": AT,
                    "reset_reason": "drill",
                    "reset_by": "desk",
                    "phase": "reset",
                },
            ),
            "mitte/desk-1/0badcafe-7  button  Bedrohung  2x  niemand benachrichtigt  beendet: Übung (von desk)",
        ),
        (
            "incidents",
            incident(
                "assist",
                {"presses": 1, "told": AT, "reset": AT, "reset_reason": None, "reset_by": None, "phase": "reset"},
            ),
            "mitte/desk-1/0badcafe-7  button  Kollegin oder Kollege braucht Hilfe  1x  benachrichtigt 2026-",
        ),
        (
            "incidents",
            incident("amok", {"presses": 1, "test": True, "reset": None, "phase": "acknowledged"}),
            "mitte/desk-1/0badcafe-7  button  Amok  1x  jemand kommt",
        ),
        (
            "incidents",
            incident("amok", {"presses": 1, "reset": None, "phase": "held"}),
            "mitte/desk-1/0badcafe-7  button  Amok  1x  niemand benachrichtigt",
        ),
        (
            "flips",
            {"at": AT, "before": "up", "after": "down", "reason": "will"},
            "mitte/desk-1  in Betrieb -> ausgefallen  der Broker meldet, dass die Verbindung abgerissen ist",
        ),
        (
            "flips",
            {"at": AT, "before": "up", "after": "paused", "reason": "Maler"},
            "mitte/desk-1  in Betrieb -> in Wartung  Maler",
        ),
        (
            "tests",
            {"at": AT, "input": "button", "reaction_s": None, "walk_test": "walk-1"},
            "mitte/desk-1  button  nicht bestätigt  walk-1",
        ),
        (
            "events",
            {
                "heard": AT,
                "boot": "0badcafe",
                "seq": 3,
                "kind": "fault-raised",
                "input": None,
                "incident": None,
                "message": {"fault": "F010", "subject": "broker-a:8883"},
            },
            "mitte/desk-1  0badcafe-3  Störung  F010  broker-a:8883",
        ),
        (
            "events",
            {
                "heard": AT,
                "boot": "0badcafe",
                "seq": 4,
                "kind": "pressed",
                "input": "button",
                "incident": "0badcafe-4",
                "message": None,
            },
            "mitte/desk-1  0badcafe-4  gedrückt  button  0badcafe-4",
        ),
        (
            "findings",
            {"since": AT, "until": None, "code": "M999", "subject": "button", "text": "late"},
            "mitte/desk-1  M999  button  offen  verspätet",
        ),
        (
            "findings",
            {
                "since": AT,
                "site": "",
                "node": "",
                "until": None,
                "code": "M018",
                "subject": "guard-desk/mitte/amok",
                "text": UNREACHED.text,
            },
            "mitte: Amok (amok)  M018  offen  kein Empfänger für diese Alarme",
        ),
        (
            "findings",
            {"since": AT, "site": "", "node": "", "until": AT, "code": "M999", "subject": "", "text": "late"},
            "der Monitor  M999  beendet ",
        ),
    ],
)
def test_the_history_is_told_in_german(what: str, item: dict[str, Any], line: str) -> None:
    """Names, codes and times are as they are everywhere."""
    said = line_of(what, {**WHERE, **item}, GERMAN)

    assert said.partition("  ")[2].startswith(line)


def test_walk_tests_are_listed_in_german(capsys: pytest.CaptureFixture[str]) -> None:
    """What was tested, what waits, and where a press is real."""
    walk = {"id": "walk-1", "site": "mitte", "left_s": 600.0, "by": "desk", "tested": [], "untested": ["desk-1/button"]}
    older = {**walk, "id": "walk-2"}

    show_walk_tests([{**walk, "not_testing": ["desk-1"], "real": ["desk-1/x"]}, older], GERMAN)
    listed = capsys.readouterr().out.splitlines()
    show_walk_tests([], GERMAN)

    assert listed == [
        "walk-1  mitte  noch 10 min  von desk",
        "  geprüft:       -",
        "  nicht geprüft: desk-1/button",
        "  eben erst oder in einem anderen Begehungstest gedrückt, der nächste Druck löst also Alarm aus: desk-1/x",
        "  ein Druck löst Alarm aus an: desk-1",
        "walk-2  mitte  noch 10 min  von desk",
        "  geprüft:       -",
        "  nicht geprüft: desk-1/button",
    ]
    assert capsys.readouterr().out == "Kein Begehungstest läuft: Jeder Druck ist echt.\n"


def test_a_list_says_until_when_a_node_of_several_walk_tests_tests(capsys: pytest.CaptureFixture[str]) -> None:
    """With the last of them; where a press is real already nothing ends, and another site has its own nodes."""
    quiet = {"by": "desk", "tested": [], "untested": []}
    walks = [
        {**quiet, "id": "w-1", "site": "mitte", "left_s": 60.0, "nodes": ["a", "b", "c"], "not_testing": ["c"]},
        {**quiet, "id": "w-2", "site": "mitte", "left_s": 600.0, "nodes": ["b", "a"], "not_testing": []},
        {**quiet, "id": "w-3", "site": "mitte", "left_s": 1_200.0, "nodes": ["a", "c"], "not_testing": ["c"]},
        {**quiet, "id": "w-4", "site": "nord", "left_s": 3_600.0, "nodes": ["a", "b"], "not_testing": []},
    ]

    show_walk_tests(walks, ENGLISH)
    english = capsys.readouterr().out.splitlines()
    show_walk_tests(walks[:2], GERMAN)

    assert [line for line in english if line.startswith(("w-", "  a first"))] == [
        "w-1  mitte  1 min left  by desk",
        "  a first press is a test until w-3 ends, in 20 min: a",
        "  a first press is a test until w-2 ends, in 10 min: b",
        "w-2  mitte  10 min left  by desk",
        "  a first press is a test until w-3 ends, in 20 min: a",
        "w-3  mitte  20 min left  by desk",
        "w-4  nord  60 min left  by desk",
    ]
    assert "  ein erster Druck ist eine Probe, bis w-2 endet, in 10 min: a, b\n" in capsys.readouterr().out


@pytest.mark.parametrize(("code", "is_there"), [("F001", True), ("F010", False), ("M008", False)])
def test_a_command_for_the_node_is_not_typed_at_the_monitor(code: str, is_there: bool) -> None:
    """Whoever reads the next step of a node's fault may sit at another machine, which has such a service or none."""
    step = next_step(FindingKey(code, SITE, "room-214", "button"))

    assert step.endswith(" (on the node)") is is_there
    assert GERMAN.retold(step).endswith(" (am Gerät)") is is_there
    assert GERMAN.retold(step) != step

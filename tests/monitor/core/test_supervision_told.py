"""Whatever changes supervision is told to the first group of its site once, and stands in the findings meanwhile."""

from typing import get_args

import pytest

from node.errors.severity import Severity
from node.monitor.cli.output.replies import words_of
from node.monitor.core.decisions.batch import Remembered
from node.monitor.core.decisions.deliveries import Delivery
from node.monitor.core.decisions.ledger import lasting
from node.monitor.core.model.catalogue import kind_of
from node.monitor.core.model.monitor_settings import Language, Target
from node.monitor.core.model.records import Finding, FindingKey, NodeKey, NodeRecord, Notice, Status
from node.monitor.core.model.requests import EndWalkTest, PauseNode, Resume, StartWalkTest
from node.monitor.notify.routing import targets_of
from node.monitor.notify.texts.wording import message
from tests.monitor.core.node_messages import ROOM, SITE, START, heartbeat
from tests.monitor.core.play import Play
from tests.support.notices import finding

FIRST = Target("first", "json://x", findings="none")
OTHERS = (
    Target("second", "json://x", level=1, findings="critical"),
    Target("elsewhere", "json://x", sites=frozenset({"nord"})),
)


def changes(play: Play) -> list[Notice]:
    """What the first group was told of supervision, in its order."""
    return [
        each
        for each in play.all.notices
        if each.finding is not None and each.finding.code in ("M019", "F040") and "first" in targets_of(each, [FIRST])
    ]


def said(play: Play) -> list[tuple[str, str, str]]:
    """Kind, subject and detail of each."""
    return [(each.kind.value, each.finding.subject, each.detail) for each in changes(play) if each.finding is not None]


def heard(until: float) -> Play:
    """A node has been there for so long."""
    play = Play(targets=(FIRST, *OTHERS))
    at = 0.0
    while at <= until:
        play.hear(at, heartbeat())
        at += 9.0
    return play


def test_a_pause_and_its_end_are_told_once() -> None:
    """With who, for how long and why; while it holds it is a finding that is nobody's alarm."""
    play = heard(0.0)

    play.ask(1.0, PauseNode(ROOM, "facilities", "new cable", 7200.0))
    meanwhile = play.found()
    play.ask(2.0, Resume(ROOM, "facilities"))

    assert said(play) == [
        ("finding", "pause", "facilities, 2 h: new cable"),
        ("cleared", "pause", "facilities, 2 h: new cable"),
    ]
    assert (meanwhile, play.found()) == (["M019"], [])
    assert kind_of("M019").severity == "notice"


def test_a_pause_that_ends_by_itself_is_told_as_well() -> None:
    """The node is there by then."""
    play = heard(0.0)
    play.ask(1.0, PauseNode(ROOM, "facilities", "new cable", 60.0))

    for at in (9.0, 18.0, 27.0, 36.0, 45.0, 54.0, 63.0):
        play.hear(at, heartbeat())

    assert [kind for kind, _, _ in said(play)] == ["finding", "cleared"]
    assert play.found() == []


def test_a_pause_that_is_made_longer_is_told_anew() -> None:
    """It is another change; the same once more is none."""
    play = heard(0.0)
    play.ask(1.0, PauseNode(ROOM, "facilities", "new cable", 7200.0))

    play.ask(2.0, PauseNode(ROOM, "facilities", "new cable", 86400.0 * 3))
    play.ask(3.0, PauseNode(ROOM, "facilities", "new cable", 86400.0 * 3))

    assert [detail for _, _, detail in said(play)] == ["facilities, 2 h: new cable", "facilities, 3 d: new cable"]
    assert len({each.key for each in changes(play)}) == 2


@pytest.mark.parametrize("by_itself", [False, True], ids=["by somebody", "by itself"])
def test_a_walk_test_and_its_end_are_told_once_for_the_site(by_itself: bool) -> None:
    """Not for each of its nodes."""
    play = heard(0.0)
    number = play.ask(1.0, StartWalkTest(SITE, "guard-desk", 60.0))
    answer = play.answer(number)
    assert answer is not None
    play.hear(9.0, heartbeat())

    if by_itself:
        play.until(62.0)
    else:
        play.ask(10.0, EndWalkTest(answer.id, "guard-desk"))

    assert [(kind, subject, detail) for kind, subject, detail in said(play)] == [
        ("finding", answer.id, "guard-desk, 1 min"),
        ("cleared", answer.id, "guard-desk, 1 min"),
    ]
    assert all((each.site, each.node) == (SITE, "") for each in changes(play))


def test_an_inhibited_input_and_its_end_are_told_once() -> None:
    """As the node's heartbeat says: whoever asked it to, by whatever way."""
    play = heard(0.0)
    for at in (1.0, 2.0):
        play.hear(at, heartbeat(faults=(("F040", "button"),)))
    play.hear(3.0, heartbeat())

    assert [(kind, subject) for kind, subject, _ in said(play)] == [("finding", "button"), ("cleared", "button")]


def test_the_first_group_of_the_site_is_told_and_no_later_one() -> None:
    """Whatever else they want to hear."""
    notice = finding(code="M019", subject="pause")

    assert targets_of(notice, [FIRST, *OTHERS]) == ("first",)
    assert targets_of(finding(code="F040"), [FIRST, *OTHERS]) == ("first", "second")
    assert targets_of(finding(code="M006"), [FIRST, *OTHERS]) == ()


@pytest.mark.parametrize("code", ["M019", "F040"])
@pytest.mark.parametrize("language", get_args(Language))
def test_it_is_told_in_both_languages(code: str, language: Language) -> None:
    """What changed, where, and by whom."""
    notice = finding(code=code, subject="pause" if code == "M019" else "button", detail="facilities, 2 h: new cable")

    made = message([Delivery(id=1, notice=notice)], words_of(language))

    brief = {
        ("M019", "de"): "die Überwachung ist eingeschränkt",
        ("M019", "en"): "supervision is reduced",
        ("F040", "de"): "ein Eingang ist gesperrt",
        ("F040", "en"): "an input is inhibited",
    }[code, language]
    named = {("M019", "de"): "Wartung", ("M019", "en"): "pause"}.get((code, language), "button")
    assert brief in made.title
    by_whom = "„facilities, 2 h: new cable“" if language == "de" else "facilities, 2 h: new cable"
    assert f"{named}, {by_whom}" in made.body


def test_after_a_restart_what_is_over_is_none_any_more() -> None:
    """A pause that holds goes on; what ended while nobody looked is no finding."""
    first = heard(0.0)
    first.ask(1.0, PauseNode(ROOM, "facilities", "new cable", 7200.0))
    first.ask(1.0, StartWalkTest(SITE, "guard-desk", 60.0, nodes=("room-214",)))
    known = tuple(first.findings.values())
    node = NodeRecord(node=ROOM, status=Status.UP, since_utc=START)

    goes_on = Play(Remembered(findings=known, nodes=(node,), pauses=tuple(first.all.pauses)))
    over = Play(Remembered(findings=known, nodes=(node,)))

    assert (goes_on.found(), over.found()) == (["M019"], [])


def test_a_pause_of_a_node_that_nobody_knows_any_more_is_over() -> None:
    """It was taken out of the roster."""
    first = heard(0.0)
    first.ask(1.0, PauseNode(NodeKey(*ROOM), "facilities", "new cable", 7200.0))

    assert Play(Remembered(findings=tuple(first.findings.values())), roster=()).found() == []


@pytest.mark.parametrize(
    ("for_s", "said"), [(60.0, "1 min"), (5400.0, "90 min"), (7200.0, "2 h"), (86400.0, "24 h"), (86400.0 * 30, "30 d")]
)
def test_how_long_is_said_in_whole_units(for_s: float, said: str) -> None:
    """They are written alike in every language."""
    assert lasting(for_s) == said


def test_a_start_forgets_a_walk_test_that_has_ended_meanwhile() -> None:
    """Another monitor ended it, or its time was over: nobody would clear the finding any more."""
    key = FindingKey("M019", SITE, "", "walk-1")
    known = Finding(key=key, severity=Severity.NOTICE, since_utc=START)

    assert Play(Remembered(findings=(known,))).found() == []

"""A call that no first-level target takes is found before anybody calls."""

from node.core.settings import AlarmClass
from node.errors.severity import Severity
from node.monitor.core.decisions.batch import Remembered
from node.monitor.core.findings.target_coverage import HEARD_S, of_roster, unreached
from node.monitor.core.model.catalogue import ISOLATED, UNREACHED
from node.monitor.core.model.monitor_settings import Place, Target
from node.monitor.core.model.next_steps import general_step, next_step
from node.monitor.core.model.records import Finding, FindingKey, NodeKey
from node.monitor.core.model.requests import IsolateTarget, RestoreTarget
from tests.monitor.core.node_messages import ROOM, SITE, START, heartbeat
from tests.monitor.core.play import Play

HALL = NodeKey(SITE, "hall")
ALL = Target("all", "json://x")
GUARDS = Target("guards", "json://x", classes=frozenset({AlarmClass.THREAT, AlarmClass.AMOK}))
LATER = Target("later", "json://x", level=1)
NORTH = Target("north", "json://x", sites=frozenset({"nord"}))


def about(play: Play) -> list[str]:
    """What is told to nobody."""
    return sorted(key.subject for key in play.findings if key.code == UNREACHED.code)


def beating(play: Play, until: float, alarm_class: AlarmClass, node: NodeKey = ROOM) -> None:
    """A node is there for so long, and calls with this class."""
    at = 0.0
    while at <= until:
        play.hear(at, heartbeat(node, alarm_class=alarm_class), node)
        at += 9.0
    play.until(until)


def test_a_class_that_no_first_step_target_takes_is_told_to_nobody() -> None:
    """A later level, another site and another class don't count; where nothing is known it may be any class."""
    known = {SITE: {AlarmClass.THREAT}}

    assert unreached([SITE], known, [ALL]) == []
    assert unreached([SITE], known, [GUARDS, LATER]) == []
    assert unreached([SITE], {}, [GUARDS, LATER]) == [f"{SITE}/assist"]
    assert unreached([SITE, "nord"], {}, [NORTH]) == [SITE]
    assert unreached([SITE, "nord"], {}, []) == [SITE, "nord"]
    assert unreached([SITE], {}, [LATER]) == [SITE]


def test_the_roster_says_classes_of_sites() -> None:
    """Of all its nodes together."""
    roster = [Place(ROOM, classes=frozenset({AlarmClass.THREAT})), Place(HALL, classes=frozenset({AlarmClass.ASSIST}))]

    assert of_roster(roster) == {SITE: {AlarmClass.THREAT, AlarmClass.ASSIST}}


def test_without_any_target_that_is_found_at_once() -> None:
    """Nobody has to press for it."""
    play = Play(targets=())

    assert about(play) == [f"guard-desk/{SITE}"]
    assert all(each.severity == "critical" for each in play.findings.values())


def test_what_a_node_calls_with_and_nobody_takes_is_found_once_it_was_heard() -> None:
    """The guards take no call of colleagues; after a minute every node has said what it has."""
    play = Play(targets=(GUARDS,))

    beating(play, HEARD_S - 1.0, AlarmClass.ASSIST)
    before = about(play)
    beating(play, HEARD_S + 61.0, AlarmClass.ASSIST)

    assert (before, about(play)) == ([], [f"guard-desk/{SITE}/assist"])


def test_the_isolated_targets_that_would_take_a_call_are_named() -> None:
    """Not those of a later level, another site or another class: bringing them back helps nobody who calls."""
    mended = Target("mail", "json://x", classes=frozenset({AlarmClass.ASSIST}))
    play = Play(targets=(GUARDS, ALL, mended, LATER, NORTH))
    beating(play, HEARD_S + 61.0, AlarmClass.ASSIST)
    for target in ("all", "mail", "guards", "later", "north"):
        play.ask(HEARD_S + 62.0, IsolateTarget(target, "facilities", "new gateway", 3_600.0))

    (found,) = [each for each in play.findings.values() if each.key.code == UNREACHED.code]
    whole = found.key.subject, found.detail
    play.ask(HEARD_S + 63.0, RestoreTarget("guards", "facilities"))
    (found,) = [each for each in play.findings.values() if each.key.code == UNREACHED.code]

    assert whole == (f"guard-desk/{SITE}", "isolated: guards, all, mail")
    assert (found.key.subject, found.detail) == (f"guard-desk/{SITE}/assist", "isolated: all, mail")
    assert next_step(found.key, found.detail).endswith("restore it: alarm-monitor restore-target all")
    assert next_step(found.key) == UNREACHED.next_step


def test_what_no_node_calls_with_needs_no_target() -> None:
    """All of them were heard, or the roster knows."""
    play = Play(targets=(GUARDS,))
    beating(play, HEARD_S + 61.0, AlarmClass.THREAT)

    listed = Play(targets=(GUARDS,), roster=(Place(ROOM, classes=frozenset({AlarmClass.AMOK})),))
    listed.until(HEARD_S + 61.0)

    assert (about(play), about(listed)) == ([], [])


def test_what_was_found_before_a_restart_stands_until_the_nodes_were_heard() -> None:
    """It isn't told anew, and another monitor's is none of ours."""
    first = Play(targets=(GUARDS,))
    beating(first, HEARD_S + 61.0, AlarmClass.ASSIST)
    (known,) = [each for each in first.findings.values() if each.key.code == UNREACHED.code]

    again = Play(Remembered(findings=(known,)), targets=(GUARDS,))
    at_first = about(again)
    beating(again, HEARD_S + 61.0, AlarmClass.THREAT)

    assert (at_first, about(again)) == ([f"guard-desk/{SITE}/assist"], [])
    notices = [each for each in again.all.notices if each.finding is not None and each.finding.code == UNREACHED.code]
    assert [each.kind.value for each in notices] == ["cleared"]


def test_another_monitors_finding_is_its_own() -> None:
    """It may hear the same sites, with other targets."""
    theirs = FindingKey(UNREACHED.code, "", "", f"other-desk/{SITE}")
    play = Play(Remembered(findings=(Finding(key=theirs, severity=Severity.CRITICAL, since_utc=START),)))

    play.until(HEARD_S + 61.0)

    assert (play.found(), play.all.cleared) == ([], [])


def test_a_step_for_any_place_names_what_is_to_be_filled_in() -> None:
    """In capitals, as manuals do; that of one place names it."""
    own = next_step(FindingKey(UNREACHED.code, SITE, "", f"{SITE}/assist"), "")

    assert "{" not in general_step(UNREACHED) + own
    assert "TARGET" in general_step(ISOLATED)

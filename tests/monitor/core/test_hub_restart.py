"""What a start takes over: nothing that is over stays open for ever, and nothing is told once more."""

from datetime import datetime

import pytest

from node.errors.severity import Severity
from node.monitor.core.decisions.batch import Remembered
from node.monitor.core.findings.self_check import SHOWN_S
from node.monitor.core.model.monitor_settings import Place
from node.monitor.core.model.records import Finding, FindingKey, IncidentKey, NodeKey, NodeRecord, Status
from tests.monitor.core.node_messages import BOOT, BROKER, OTHER_BROKER, ROOM, SITE, START, heartbeat, moment
from tests.monitor.core.play import INCIDENT, Play, record_of
from tests.monitor.core.settings import TWO_BROKERS

GONE = NodeKey(SITE, "room-gone")
OWN = NodeKey("", "")


def found(code: str, node: NodeKey = ROOM, subject: str = "") -> Finding:
    """A finding of an earlier run."""
    return Finding(key=FindingKey(code, *node, subject), severity=Severity.CRITICAL, since_utc=START)


def restarted(*findings: Finding) -> Play:
    """A start with these findings, and with ROOM alone in the roster."""
    return Play(Remembered(findings=findings), roster=(Place(ROOM),))


@pytest.mark.parametrize(
    "finding",
    [
        found("M001", GONE),
        found("M004", GONE),
        found("M006", GONE, "button"),
        found("F020", GONE, "record"),
        found("M005"),
        found("M007", ROOM, "button"),
        found("M009", ROOM, INCIDENT.incident),
        found("M015", ROOM, INCIDENT.incident),
        found("M008", OWN, "guard-desk/broker that was taken out of monitor.toml"),
        found("M010", OWN, "guard-desk/mail"),
    ],
    ids=lambda each: f"{each.key.code} {each.key.node}",
)
def test_a_finding_that_nobody_would_ever_clear_is_over(finding: Finding) -> None:
    """Its node was taken out of the roster or written into it, its incident has ended, its year has passed."""
    play = restarted(finding)

    assert play.found() == []
    assert [key for key, _ in play.all.cleared] == [finding.key]
    assert play.all.notices == []


@pytest.mark.parametrize(
    "finding",
    [found("M001"), found("F020", ROOM, "record"), found("M005", GONE)],
    ids=lambda each: f"{each.key.code} {each.key.node}",
)
def test_a_finding_that_may_still_be_so_stays(finding: Finding) -> None:
    """And isn't told once more."""
    play = restarted(finding)

    assert play.found() == [finding.key.code]
    assert (play.all.cleared, play.all.notices) == ([], [])


@pytest.mark.parametrize(("received", "codes"), [(START, []), (None, ["M015"])], ids=["came", "never came"])
def test_an_open_alarms_event_that_came_meanwhile_is_missed_no_longer(
    received: datetime | None, codes: list[str]
) -> None:
    """Another monitor stored it while we were away."""
    incident = record_of(INCIDENT, held_utc=received)
    missing = found("M015", ROOM, INCIDENT.incident)

    play = Play(Remembered(incidents=(incident,), findings=(missing,)), roster=(Place(ROOM),))

    assert play.found() == codes


def test_what_another_monitor_found_about_itself_is_its_own_business() -> None:
    """It shares the history: its broker's absence is neither shown here nor ended by our start."""
    play = restarted(found("M008", OWN, f"other-desk/{BROKER}"), found("M011", OWN, "other-desk"))

    assert (play.found(), play.all.cleared, play.all.notices) == ([], [], [])


def test_a_broker_that_was_away_before_a_restart_is_told_as_back_once_it_is() -> None:
    """And not as away once more."""
    play = Play(Remembered(findings=(found("M008", OWN, f"guard-desk/{OTHER_BROKER}"),)), brokers=TWO_BROKERS)
    play.until(60.0)
    while_away = play.found(), list(play.all.notices)

    play.link_up(61.0, OTHER_BROKER)
    play.until(62.0)

    assert while_away == (["M008"], [])
    assert play.found() == []
    assert [each.kind for each in play.all.notices] == ["cleared"]


@pytest.mark.parametrize("code", ["M012", "M013", "M014"])
def test_what_was_shown_before_a_restart_goes_after_its_minute(code: str) -> None:
    """Unless it is seen again."""
    play = Play(Remembered(findings=(found(code, OWN, f"guard-desk/{BROKER}"),)))
    play.until(SHOWN_S - 1.0)
    before = play.found()

    play.until(SHOWN_S)

    assert (before, play.found()) == ([code], [])


def test_a_history_that_can_be_read_at_a_start_works() -> None:
    """Who heard that it failed hears that it is over."""
    play = restarted(found("M011", OWN, "guard-desk"))

    assert play.found() == []
    assert [each.kind for each in play.all.notices] == ["cleared"]


def test_what_was_found_of_a_stranger_stays_with_it() -> None:
    """It may speak again, and nobody is told twice for it."""
    play = restarted(found("M005", GONE), found("F020", GONE, "record"))

    play.hear(1.0, heartbeat(node=GONE, faults=(("F020", "record"),)), GONE)

    assert play.found() == ["F020", "M005"]
    assert play.all.notices == []


def test_the_finding_of_an_open_incident_stays() -> None:
    """It still misses its end."""
    memory = Remembered(incidents=(record_of(INCIDENT),), findings=(found("M009", ROOM, INCIDENT.incident),))

    play = Play(memory)

    assert play.found() == ["M009"]


def test_faults_of_before_a_restart_go_with_the_first_heartbeat_without_them() -> None:
    """What the history had open is compared as well."""
    play = Play(Remembered(findings=(found("F020", ROOM, "record"), found("F032", ROOM, "cpu"))))

    play.hear(1.0, heartbeat(faults=(("F032", "cpu"),)))

    assert play.found() == ["F032"]


def test_a_node_that_said_goodbye_and_was_found_overdue_is_told_once() -> None:
    """The finding stands."""
    record = NodeRecord(node=ROOM, status=Status.DOWN, since_utc=START, boot=BOOT, reason="goodbye")
    play = Play(Remembered(nodes=(record,), findings=(found("M002"),)))

    play.until(500.0)

    assert play.found() == ["M002"]
    assert play.all.notices == []


def test_an_acknowledged_incident_wakes_nobody_after_a_restart() -> None:
    """Somebody was coming."""
    record = record_of(INCIDENT, acknowledged_utc=moment(1.0).utc, acknowledged_by="guard-desk", answered=1)
    other = record_of(IncidentKey(*ROOM, f"{BOOT}-2"))

    play = Play(Remembered(incidents=(record, other)))
    play.until(200.0)

    assert play.told() == []
    assert len(play.incidents) == 2

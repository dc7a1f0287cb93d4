"""What nodes say of their faults: each a finding, within what a building can have."""

from node.monitor.core.decisions.batch import Remembered
from node.monitor.core.findings.node_faults import REFILL_S, ROOM, SHOWN_S
from node.monitor.core.model.monitor_settings import Place
from node.monitor.core.model.records import FindingKey, NodeKey
from node.protocol.messages import FAULTS_LIMIT
from tests.monitor.core.node_messages import ROOM as NODE
from tests.monitor.core.node_messages import SITE, heartbeat
from tests.monitor.core.play import Play

OTHER = NodeKey(SITE, "room-215")


def invented(turn: int, code: str = "F020") -> tuple[tuple[str, str], ...]:
    """As many faults as a heartbeat has, and none that was there before."""
    return tuple((code, f"s-{turn}-{number}") for number in range(FAULTS_LIMIT))


def test_codes_that_nobody_knows_are_one_finding_of_their_node() -> None:
    """Whoever invents codes filled the history with 69 MB of findings in a minute."""
    play = Play()

    for turn in range(1_000):
        codes = tuple((f"X{turn:03d}-{number}", "") for number in range(FAULTS_LIMIT))
        play.hear(turn / 100, heartbeat(faults=codes))

    assert [each.key for each in play.all.raised] == [FindingKey("M023", *NODE, "")]
    (finding,) = play.findings.values()
    assert (finding.count, finding.detail) == (FAULTS_LIMIT, "X999-0, X999-1, X999-10")
    assert len(play.all.notices) == 1


def test_what_is_unknown_no_more_is_over() -> None:
    """The node was brought to our version."""
    play = Play()
    play.hear(0.0, heartbeat(faults=(("F999", ""), ("F020", ""))))
    both = play.found()

    play.hear(10.0, heartbeat(faults=(("F020", ""),)))

    assert (both, play.found()) == (["F020", "M023"], ["F020"])


def test_faults_that_change_with_each_heartbeat_have_an_end() -> None:
    """As many findings as a node may have at once, and a few an hour; the rest is one finding."""
    play = Play()

    for turn in range(6_000):
        play.hear(turn / 100, heartbeat(faults=invented(turn)))

    raised = [each for each in play.all.raised if each.key.code == "F020"]
    assert len(raised) <= ROOM + 60.0 / REFILL_S + 1
    assert len(play.all.notices) <= 2 * len(raised) + 2
    assert FindingKey("M012", *NODE, "faults") in play.findings


def test_faults_that_come_and_go_have_an_end_too() -> None:
    """Also the one that stands for all that are unknown."""
    play = Play()

    for turn in range(6_000):
        play.hear(turn / 100, heartbeat(faults=(("F999", ""),) if turn % 2 else ()))

    assert len([each for each in play.all.raised if each.key.code == "M023"]) <= ROOM + 60.0 / REFILL_S + 1


def test_a_fault_that_found_no_room_is_found_later() -> None:
    """It still stands when there is room again."""
    play = Play()
    play.hear(0.0, heartbeat(faults=invented(0)))
    play.hear(0.1, heartbeat(faults=invented(1)))
    play.hear(0.2, heartbeat(faults=(("F001", "button"),)))
    before = play.found()

    for turn in range(1, 12):
        play.hear(turn * 10.0, heartbeat(faults=(("F001", "button"),)))

    assert before == ["M012"]
    assert play.found() == ["F001"]
    assert REFILL_S < SHOWN_S


def test_no_node_takes_another_ones_room() -> None:
    """Its fault is found at once."""
    play = Play()
    for turn in range(100):
        play.hear(0.0, heartbeat(faults=invented(turn)))

    play.hear(0.1, heartbeat(node=OTHER, faults=(("F001", "button"),)), OTHER)

    assert FindingKey("F001", *OTHER, "button") in play.findings


def test_faults_of_before_a_restart_are_known() -> None:
    """What stands is told to nobody once more, and what doesn't is over."""
    before = Play()
    before.hear(0.0, heartbeat(faults=(("F001", "button"), ("F020", "record"), ("F999", ""))))
    play = Play(Remembered(findings=tuple(before.findings.values())), roster=(Place(NODE),))

    play.hear(1.0, heartbeat(faults=(("F001", "button"),)))

    assert play.found() == ["F001"]
    assert (play.all.raised, len(play.all.cleared)) == ([], 2)

"""What a node says of its faults is cut to what a history holds and a table shows."""

from node.monitor.core.model.records import FindingKey
from tests.monitor.core.node_messages import ROOM, heartbeat
from tests.monitor.core.play import Play


def test_a_code_has_up_to_8_characters() -> None:
    """A later version may have longer ones than ours."""
    play = Play()

    play.hear(0.0, heartbeat(faults=(("F9999999", ""), ("X99999999", ""))))

    (finding,) = play.findings.values()
    assert (finding.count, finding.detail) == (2, "F9999999, X9999999")


def test_a_subject_has_up_to_200_characters() -> None:
    """It is the name of an input or a link."""
    play = Play()

    play.hear(0.0, heartbeat(faults=(("F001", "b" * 200), ("F020", "r" * 201))))

    assert play.findings.keys() == {
        FindingKey("F001", *ROOM, "b" * 200),
        FindingKey("F020", *ROOM, "r" * 200),
    }

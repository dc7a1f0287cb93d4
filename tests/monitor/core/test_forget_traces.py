"""What is kept of a node beside its findings: who counts as ours, and which incidents are its own."""

from node.monitor.core.model.records import NodeKey
from node.monitor.core.model.requests import Answer, Forget, Reset
from node.monitor.core.nodes.roster import PROVEN_S
from tests.monitor.core.node_messages import ROOM, SITE, goodbye, heartbeat, press
from tests.monitor.core.play import INCIDENT, Play


def test_a_node_that_was_forgotten_has_to_prove_itself_anew() -> None:
    """Without a roster, whoever uses its name later is a stranger at first."""
    play = Play()
    play.hear(0.0, heartbeat())
    play.hear(PROVEN_S, heartbeat())
    before = play.ours()
    play.hear(PROVEN_S + 1, goodbye())

    answer = play.answer(play.ask(PROVEN_S + 2, Forget(ROOM, "facilities")))

    assert (before, answer, play.ours()) == ({ROOM}, Answer("done"), set())


def test_a_node_with_one_of_two_incidents_left_is_not_forgotten() -> None:
    """The end of the one says nothing of the other."""
    play = Play()
    play.hear(0.0, heartbeat())
    play.hear(1.0, press(1))
    play.hear(2.0, press(2))
    play.hear(3.0, goodbye())
    play.ask(4.0, Reset(INCIDENT, "guard-desk", "real"))

    assert play.answer(play.ask(5.0, Forget(ROOM, "facilities"))) == Answer("refused", "alarm-open")


def test_what_is_found_of_another_node_makes_no_mistyped_one_known() -> None:
    """Whoever is told that it is done would look no further."""
    play = Play()
    play.hear(0.0, heartbeat(faults=(("F020", "record"),)))

    assert play.found() == ["F020"]
    assert play.answer(play.ask(1.0, Forget(NodeKey(SITE, "room-241"), "facilities"))) == Answer(
        "unknown", "no-such-node"
    )

"""Nodes that are no more: what brokers keep of them makes no node, and once forgotten nothing of them stands."""

import pytest
from msgspec.structs import replace

from node.monitor.core import hub
from node.monitor.core.decisions.ledger import ClearTopics
from node.monitor.core.incidents.known import ended_incidents
from node.monitor.core.model.monitor_settings import Place
from node.monitor.core.model.records import NodeKey, NoticeKind
from node.monitor.core.model.requests import Answer, Forget, PauseNode, Reset
from tests.monitor.core.node_messages import ROOM, SITE, about, alarm, birth, event, goodbye, heartbeat, press, will
from tests.monitor.core.play import INCIDENT, Play

OLD = NodeKey(SITE, "room-213")
ELSEWHERE = NodeKey("nord", "room-213")


def nodes(play: Play) -> list[str]:
    """Those that are known."""
    return [each.node for each in play.view().nodes]


def forget(play: Play, at: float, node: NodeKey = OLD) -> Answer | None:
    """Ask for it; what came of it."""
    return play.answer(play.ask(at, Forget(node, "facilities")))


@pytest.fixture
def play() -> Play:
    """A monitor whose roster has one other node."""
    return Play(roster=(Place(ROOM),))


@pytest.mark.parametrize("message", [birth(OLD), will(OLD), goodbye(OLD), alarm(node=OLD)], ids=lambda each: each.node)
def test_what_only_a_broker_remembers_is_no_node(play: Play, message: object) -> None:
    """It was renamed or taken away: nobody speaks, so nobody is looked for."""
    play.hear(0.0, message, OLD, retained=True)
    play.hear(0.0, heartbeat())
    play.until(5.0)

    assert (play.found(), nodes(play), play.view().counters.dropped) == ([], [ROOM.node], 0)


def test_an_open_call_that_only_a_broker_remembers_is_told_all_the_same(play: Play) -> None:
    """Its node may have been destroyed by whoever is there. But nobody says that it speaks."""
    play.hear(0.0, alarm((1, "active"), node=OLD), OLD, retained=True)
    play.hear(9.0, heartbeat())
    play.until(10.5)

    assert play.told() == [("alarm", 0)]
    assert "M005" not in play.found()


def test_whoever_speaks_and_is_not_listed_is_a_finding(play: Play) -> None:
    """Also where a broker's memory of its call made it known before."""
    play.hear(0.0, alarm((1, "active"), node=OLD), OLD, retained=True)
    play.hear(1.0, heartbeat(OLD), OLD)

    assert play.found() == ["M005"]


def test_a_node_that_is_forgotten_leaves_nothing(play: Play) -> None:
    """Neither findings nor buttons that are due, here, in the history, or at the brokers."""
    play.hear(0.0, heartbeat(OLD, seq=3, faults=(("F030", ""),)), OLD)
    play.hear(0.0, heartbeat())
    play.hear(1.0, heartbeat(OLD, seq=9), OLD)
    for at in range(10, 100, 10):
        play.hear(float(at), heartbeat())
    before = play.found()

    answer = forget(play, 100.0)
    for at in range(100, 200, 10):
        play.hear(float(at), heartbeat())

    assert (before, answer) == (["M001", "M005"], Answer("done"))
    assert (play.found(), nodes(play)) == ([], [ROOM.node])
    assert [(each.node, each.input) for each in play.view().buttons] == [(ROOM.node, "button")]
    assert play.all.forgotten == [OLD]
    assert ClearTopics(OLD) in play.all.says
    assert [each.kind for each in play.all.notices if each.node == OLD.node].count(NoticeKind.CLEARED) == 0


def test_of_a_node_that_is_forgotten_no_memory_is_left(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it has said. Of an incident that is over its name stays, of as many as are remembered."""
    monkeypatch.setattr(ended_incidents, "CLOSED_KEPT", 1)
    gone = [NodeKey(SITE, f"old-{number}") for number in range(20)]
    play.hear(0.0, heartbeat())
    size = play.size()

    for node in gone:
        play.hear(1.0, birth(node), node)
        play.hear(1.0, heartbeat(node, seq=9, faults=(("F030", ""),)), node)
        play.hear(1.0, event(1, "shouted", node), node, unknown=("kind shouted",))
        play.hear(1.0, event(2, "tested", node, input="button", test=True), node)
        play.hear(1.0, replace(press(3, node), presses=2**53), node)
        play.hear(1.0, press(4, node), node)
        play.hear(1.0, about(5, "reset", 4, node, by="x", reason="real"), node)
        play.hear(1.0, alarm((6, "active"), node=node), node)
        play.hear(2.0, goodbye(node), node)
        forget(play, 3.0, node)
    for at in range(10, 1_000, 10):  # until no deadline of theirs is left
        play.hear(float(at), heartbeat())

    assert nodes(play) == [ROOM.node]
    assert play.size() < size + len(gone)


def test_it_is_known_again_as_soon_as_it_speaks(play: Play) -> None:
    """Forgetting hides no button: it was a mistake, or somebody has put it back."""
    play.hear(0.0, goodbye(OLD), OLD)
    forget(play, 1.0)

    play.hear(2.0, birth(OLD), OLD)
    play.hear(2.1, press(1, OLD), OLD)

    assert play.found() == ["M005"]
    assert play.told() == [("alarm", 0)]


@pytest.mark.parametrize(
    ("case", "reason"),
    [("speaks", "still-speaks"), ("paused", "still-speaks"), ("alarm", "alarm-open"), ("listed", "in-the-roster")],
)
def test_what_is_still_needed_is_not_forgotten(play: Play, case: str, reason: str) -> None:
    """A button that people rely on, a call that nobody has ended, a node that the roster wants."""
    node = ROOM if case == "listed" else OLD
    play.hear(0.0, heartbeat(node), node)
    if case == "paused":
        play.ask(1.0, PauseNode(node, "facilities", "paint", 600.0))
    if case == "alarm":
        play.hear(1.0, press(1, node), node)
        play.until(30.0)

    assert forget(play, 30.0 if case == "alarm" else 2.0, node) == Answer("refused", reason)
    assert play.all.forgotten == []


def test_a_node_of_the_last_roster_that_could_be_used_says_so() -> None:
    """To remove it from a file that can't be used would change nothing."""
    play = Play(roster=(Place(ROOM),), roster_problems=("nodes.toml: [[node]] is missing",))

    assert forget(play, 1.0, ROOM) == Answer("refused", "in-the-last-roster")


def test_a_paused_node_that_is_silent_can_be_forgotten_with_its_pause(play: Play) -> None:
    """A pause is how such work often begins."""
    play.hear(0.0, heartbeat(OLD), OLD)
    play.ask(1.0, PauseNode(OLD, "facilities", "gone", 600.0))

    assert forget(play, 30.0) == Answer("done")
    assert [node for node, _ in play.all.pause_ends] == [OLD]


def test_an_alarm_that_was_ended_at_the_desk_keeps_nobody(play: Play) -> None:
    """What its list at the broker goes on saying is deleted there."""
    play.hear(0.0, press(1), ROOM)
    lone = Play()
    lone.hear(0.0, heartbeat())
    lone.hear(0.0, alarm((1, "active")))
    lone.hear(0.1, press(1))
    lone.ask(30.0, Reset(INCIDENT, "guard-desk", "technical"))

    assert forget(lone, 31.0, ROOM) == Answer("done")
    lone.until(100.0)
    assert lone.found() == []


def test_of_a_site_that_is_not_heard_nothing_can_be_forgotten(play: Play) -> None:
    """Its topics are none of ours."""
    assert forget(play, 1.0, ELSEWHERE) == Answer("unknown", "no-such-node")


def test_a_mistyped_node_is_not_forgotten(play: Play) -> None:
    """Whoever is told that it is done would look no further."""
    assert forget(play, 1.0) == Answer("unknown", "no-such-node")


def test_what_only_a_broker_knows_is_taken_from_it(play: Play) -> None:
    """With a roster a gone node isn't even known; its topics stand there for ever otherwise."""
    play.hear(0.5, goodbye(OLD), OLD, retained=True)

    assert forget(play, 1.0) == Answer("done")
    assert ClearTopics(OLD) in play.all.says


def test_what_only_brokers_remember_fills_no_memory(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever invents nodes on a broker is bounded."""
    monkeypatch.setattr(hub, "NODES_LIMIT", 1)
    for number in range(3):
        node = NodeKey(SITE, f"old-{number}")
        play.hear(0.0, goodbye(node), node, retained=True)

    assert [forget(play, 1.0, NodeKey(SITE, f"old-{number}")) for number in range(3)] == [
        Answer("done"),
        Answer("unknown", "no-such-node"),
        Answer("unknown", "no-such-node"),
    ]

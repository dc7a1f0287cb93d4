"""Who is there: every deadline at its exact second, in virtual time."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.monitor.core.model.records import FindingKey, NodeKey, NodeRecord, Pause, Status
from node.monitor.core.nodes import roster
from node.monitor.core.nodes.roster import PROVEN_S, STRANGERS_LIMIT
from node.protocol.messages import HeartbeatMessage, State
from tests.monitor.core.fleet_play import DOWN_S, LATE_S, Play
from tests.monitor.core.node_messages import (
    BOOT,
    BROKER,
    LATER_BOOT,
    OTHER_BROKER,
    ROOM,
    START,
    birth,
    goodbye,
    heartbeat,
    moment,
    will,
)
from tests.support.examples import examples


def test_a_node_is_down_at_the_exact_end_of_its_grace() -> None:
    """Up with its heartbeat, late half of the grace after its period, down a whole one after it."""
    play = Play()
    play.say(100.0, heartbeat())

    play.until(100.0 + DOWN_S + 50)

    assert play.flips() == [("new", "up", 100.0), ("up", "late", 100.0 + LATE_S), ("late", "down", 100.0 + DOWN_S)]
    assert play.found() == ["M001"]


@pytest.mark.parametrize(
    ("after", "status"), [(14.4, Status.UP), (14.5, Status.LATE), (18.9, Status.LATE), (19.0, Status.DOWN)]
)
def test_a_status_holds_until_its_second(after: float, status: Status) -> None:
    """A tenth of a second before, nothing has changed yet."""
    play = Play()
    play.say(100.0, heartbeat())

    play.until(100.0 + after)

    assert play.status() is status


def test_a_heartbeat_says_when_the_next_is_due() -> None:
    """A node with a period of a minute has a minute, and the grace."""
    play = Play()
    play.say(100.0, heartbeat(period_s=60.0))

    play.until(168.9)
    before = play.status()
    play.until(169.0)

    assert (before, play.status()) == (Status.LATE, Status.DOWN)


def test_no_node_can_claim_more_time_than_any_may_have() -> None:
    """A period beyond what node.toml allows is taken for that: it must not die unnoticed for a year."""
    play = Play()
    play.say(100.0, heartbeat(period_s=1e9))

    play.until(169.0)

    assert play.status() is Status.DOWN


def test_a_node_that_beats_stays_up() -> None:
    """Nothing is recorded and nothing told while all is well."""
    play = Play()
    for at in range(0, 1000, 10):
        play.say(float(at), heartbeat())

    flips = play.flips()

    assert flips == [("new", "up", 0.0)]
    assert play.found() == []


def test_a_node_that_returns_clears_what_was_found() -> None:
    """Down, and up again with its next boot."""
    play = Play()
    play.say(0.0, heartbeat())
    play.until(50.0)

    play.say(60.0, heartbeat(boot=LATER_BOOT))

    assert play.status() is Status.UP
    assert play.found() == []


def test_a_node_of_the_roster_that_never_speaks_is_found() -> None:
    """Its button may have hung on the wall for weeks."""
    play = Play(roster=[ROOM])

    play.until(DOWN_S)

    assert play.found() == ["M004"]
    assert play.status() is Status.NEW


def test_a_node_that_the_roster_does_not_know_is_found_and_heard() -> None:
    """A frightened person may stand there all the same."""
    play = Play(roster=[ROOM])
    stranger = NodeKey("mitte", "room-999")

    play.say(1.0, heartbeat(node=stranger), node=stranger)

    assert play.status(stranger) is Status.UP
    assert play.found() == ["M005"]


def test_strangers_are_bounded() -> None:
    """Whoever invents nodes fills neither the memory nor anybody's mail."""
    play = Play(roster=[ROOM])

    for number in range(3 * STRANGERS_LIMIT):
        play.say(1.0, heartbeat(node=NodeKey("mitte", f"n-{number}")), node=NodeKey("mitte", f"n-{number}"))

    assert len(play.fleet.nodes) == STRANGERS_LIMIT + 1
    assert len(play.ledger.open) == STRANGERS_LIMIT


def test_without_a_roster_all_nodes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever invents nodes where nobody is a stranger fills no memory; whoever is known already is heard on."""
    monkeypatch.setattr(roster, "NODES_LIMIT", 2)
    play = Play()

    found = [play.fleet.find(NodeKey("mitte", f"n-{number}"), moment(1.0)) for number in (1, 2, 3, 1)]

    assert [each and each.key.node for each in found] == ["n-1", "n-2", None, "n-1"]


def test_a_roster_may_be_longer_than_what_is_kept_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its nodes are all there, and a stranger that calls for help is heard all the same."""
    monkeypatch.setattr(roster, "NODES_LIMIT", 2)
    play = Play(roster=[NodeKey("mitte", f"n-{number}") for number in range(5)])

    stranger = play.fleet.find(NodeKey("mitte", "room-999"), moment(1.0))

    assert len(play.fleet.nodes) == 6
    assert stranger is not None
    assert not stranger.known


def test_whom_the_roster_lists_is_ours() -> None:
    """And nobody else, for however long he is heard."""
    play = Play(roster=[ROOM])
    stranger = NodeKey("mitte", "room-999")

    for at in range(0, 200, 10):
        play.say(float(at), heartbeat(node=stranger), node=stranger)

    assert play.fleet.members.ours == {ROOM}


def test_without_a_roster_whoever_has_been_there_is_ours() -> None:
    """From an earlier run, or for a minute of heartbeats; whoever spoke once a minute ago has to be heard again."""
    known, brief = NodeKey("mitte", "room-1"), NodeKey("mitte", "room-2")
    play = Play(known=[NodeRecord(node=known, status=Status.UP, since_utc=START, boot=BOOT)])

    play.say(0.0, heartbeat(node=brief), node=brief)
    play.say(0.0, heartbeat())
    play.say(PROVEN_S - 0.1, heartbeat())
    before = set(play.fleet.members.ours)
    play.say(PROVEN_S, heartbeat())

    assert before == {known}
    assert play.fleet.members.ours == {known, ROOM}


@pytest.mark.parametrize("kept", [None, birth(), will()], ids=["nothing", "a birth", "a will"])
def test_a_start_without_one_of_two_brokers_finds_no_node_down_that_may_be_there(kept: State | None) -> None:
    """Unless the broker that is reached has something of it: then it is that one's to bring."""
    record = NodeRecord(node=ROOM, status=Status.UP, since_utc=START, boot=BOOT)
    play = Play(known=[record], brokers=(BROKER, OTHER_BROKER), reached=(BROKER,))
    if kept is not None:
        play.say(0.0, kept, retained=True)

    play.until(300.0)
    while_away = play.status(), play.found()
    play.fleet.broker_up(moment(300.0), OTHER_BROKER)
    play.until(300.0 + DOWN_S)

    assert while_away == ((Status.UP, []) if kept is None else (Status.DOWN, ["M001"]))
    assert (play.status(), play.found()) == (Status.DOWN, ["M001"])


def test_a_broker_that_is_away_says_nothing_about_nodes() -> None:
    """No node is down for it; once it is back, each has its whole time."""
    play = Play()
    play.say(0.0, heartbeat())
    play.until(5.0)
    play.fleet.broker_down(BROKER)

    play.until(65.0)
    while_away = play.status()
    play.fleet.broker_up(moment(65.0), BROKER)
    play.until(65.0 + DOWN_S - 0.1)
    before = play.status()
    play.until(65.0 + DOWN_S)

    assert (while_away, before, play.status()) == (Status.UP, Status.LATE, Status.DOWN)


def test_a_node_on_two_brokers_is_watched_while_one_is_away() -> None:
    """What the other brings decides."""
    play = Play(brokers=(BROKER, OTHER_BROKER))
    play.say(0.0, heartbeat())
    play.say(0.1, heartbeat(), broker=OTHER_BROKER)
    play.fleet.broker_down(BROKER)

    play.until(0.1 + DOWN_S)

    assert play.status() is Status.DOWN


def test_a_paused_node_is_nobodys_business_until_the_pause_ends() -> None:
    """Then its silence counts again, from its whole time on."""
    play = Play()
    play.say(0.0, heartbeat())
    tracked = play.fleet.nodes[ROOM]
    until = START + timedelta(seconds=600)
    play.fleet.pause(
        moment(10.0), tracked, Pause(node=ROOM, by="facilities", reason="paint", since_utc=START, until_utc=until)
    )

    play.until(599.9)
    paused = play.status(), play.found()
    play.until(600.0 + DOWN_S)

    assert paused == (Status.PAUSED, ["M019"])
    assert (play.status(), play.found()) == (Status.DOWN, ["M001"])


def test_a_node_that_dies_while_paused_is_down_when_the_pause_ends() -> None:
    """A will during the pause isn't forgotten with it."""
    play = Play()
    play.say(0.0, birth())
    tracked = play.fleet.nodes[ROOM]
    until = START + timedelta(seconds=600)
    play.fleet.pause(
        moment(10.0), tracked, Pause(node=ROOM, by="facilities", reason="paint", since_utc=START, until_utc=until)
    )
    play.say(590.0, heartbeat())
    play.say(595.0, will())

    play.until(600.0 + DOWN_S)

    assert play.status() is Status.DOWN


def test_a_resumed_node_that_beats_is_up() -> None:
    """Its heartbeats went on."""
    play = Play()
    play.say(0.0, heartbeat())
    tracked = play.fleet.nodes[ROOM]
    until = START + timedelta(seconds=600)
    play.fleet.pause(
        moment(1.0), tracked, Pause(node=ROOM, by="facilities", reason="paint", since_utc=START, until_utc=until)
    )
    play.say(9.0, heartbeat())

    resumed = play.fleet.resume(moment(12.0), tracked)

    assert resumed
    assert play.status() is Status.UP


@pytest.mark.parametrize("status", [Status.UP, Status.LATE])
def test_after_a_restart_whoever_was_there_has_its_whole_time(status: Status) -> None:
    """The monitor's own absence is nobody's fault."""
    record = NodeRecord(node=ROOM, status=status, since_utc=START, boot=BOOT)
    play = Play(known=[record])

    play.until(DOWN_S - 0.1)
    before = play.status()
    play.until(DOWN_S)

    assert (before, play.status()) == (Status.LATE, Status.DOWN)


def test_after_a_restart_a_node_that_was_down_is_told_no_second_time() -> None:
    """Its flip was recorded once."""
    record = NodeRecord(node=ROOM, status=Status.DOWN, since_utc=START, boot=BOOT, reason="silent")
    play = Play(known=[record])

    play.until(100.0)

    assert play.flips() == []
    assert play.status() is Status.DOWN


def test_what_is_retained_is_no_sign_of_life() -> None:
    """A birth that the broker kept says nothing of now."""
    play = Play()
    play.say(0.0, birth(), retained=True)

    play.until(DOWN_S)

    assert play.status() is Status.DOWN


@given(
    st.lists(
        st.tuples(st.floats(0.0, 30.0), st.sampled_from(["beat", "birth", "will", "bye", "away", "back"])), max_size=30
    )
)
def test_no_order_of_things_leaves_a_silent_node_looking_alive(steps: list[tuple[float, str]]) -> None:
    """Whatever came before: 19 s after its last sign of life, and with the broker there, a node isn't up."""
    play = Play()
    at = 0.0
    for wait_s, what in steps:
        at += wait_s
        play.until(at)
        if what == "away":
            play.fleet.broker_down(BROKER)
        elif what == "back":
            play.fleet.broker_up(moment(at), BROKER)
        else:
            said: dict[str, HeartbeatMessage | State] = {
                "beat": heartbeat(),
                "birth": birth(),
                "will": will(),
                "bye": goodbye(),
            }
            play.say(at, said[what])
    play.fleet.broker_up(moment(at), BROKER)

    play.until(at + DOWN_S + 0.001)  # sums of such numbers are a little off

    assert all(each.status not in (Status.UP, Status.LATE) for each in play.fleet.nodes.values())


@pytest.mark.many
def test_a_heartbeat_costs_the_same_in_a_large_fleet() -> None:
    """Of all nodes that beat, the heap holds one entry each, whatever the number of beats."""
    play = Play()
    nodes = [NodeKey("mitte", f"n-{number}") for number in range(examples(1_000))]

    for at in range(0, 100, 10):
        for node in nodes:
            play.say(float(at), heartbeat(node=node), node=node)

    assert len(play.fleet.deadlines) == len(nodes)
    assert {play.status(node) for node in nodes} == {Status.UP}


@pytest.mark.many
def test_many_that_fall_silent_are_all_found() -> None:
    """Wills or not: by its deadline each one is down."""
    play = Play()
    nodes = [NodeKey("mitte", f"n-{number}") for number in range(examples(10_000))]
    for node in nodes:
        play.say(0.0, heartbeat(node=node), node=node)
    play.ledger.take()

    play.until(DOWN_S)

    down = [each for each in play.ledger.take().flips if each.after is Status.DOWN]
    assert len(down) == len(nodes)
    assert FindingKey("M001", *nodes[-1], "") in play.ledger.open

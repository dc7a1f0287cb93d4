"""Whether commands reach the nodes: what a probe finds, and when one goes out."""

from collections import Counter

import pytest

from node.monitor.core.commands import probes
from node.monitor.core.commands.probes import ANSWER_S, AT_ONCE, PROBE_S, TRIES
from node.monitor.core.model.records import NodeKey, Status
from tests.monitor.core.node_messages import LATER_BOOT, ROOM, SITE, birth, heartbeat, reply, will
from tests.monitor.core.play import Play


def silent() -> Play:
    """A hub whose nodes answer nothing by themselves."""
    play = Play()
    play.obey = False
    return play


def newest(play: Play) -> str:
    """The id of the newest probe."""
    return play.commands("probe")[-1].id


def stay(play: Play, until: float) -> None:
    """The node beats until then."""
    at = 10.0 * (play.next_due // 10.0 + 1.0)
    while at < until:
        play.hear(at, heartbeat())
        at += 10.0
    play.until(until)


def test_a_node_that_answers_its_probe_is_in_order() -> None:
    """The answer comes by the way of every command."""
    play = silent()
    play.hear(1.0, birth())

    play.hear(2.0, reply(newest(play)))
    stay(play, 120.0)

    assert play.found() == []
    assert len(play.commands("probe")) == 1


@pytest.mark.parametrize("later", [None, "other-boot"])
def test_a_probe_without_its_expiry_is_found_until_one_keeps_it(later: str | None) -> None:
    """Every command is refused there; what is refused for another reason came as it was sent."""
    play = silent()
    play.hear(1.0, birth())

    play.hear(2.0, reply(newest(play), "no-expiry"))
    found = play.found()
    stay(play, 2.0 + PROBE_S + 1.0)
    play.hear(2.0 + PROBE_S + 2.0, reply(newest(play), later))

    assert (found, play.found()) == (["M038"], [])
    assert len(play.commands("probe")) == 2


def test_whatever_command_is_refused_for_its_expiry_shows_it() -> None:
    """An acknowledgement finds it as soon as a probe would."""
    play = silent()
    play.hear(1.0, birth())
    play.hear(2.0, reply(newest(play)))

    play.hear(3.0, reply("0000cafe-99", "no-expiry"))

    assert play.found() == ["M038"]


def test_what_is_refused_to_others_is_none_of_ours() -> None:
    """A tool that forgets the expiry finds nothing here; neither does an answer without an id."""
    play = silent()
    play.hear(1.0, birth())
    play.hear(2.0, reply(newest(play)))

    play.hear(3.0, reply("x-1", "no-expiry"))
    play.hear(4.0, reply("", "no-expiry"))

    assert play.found() == []


def test_an_answer_of_a_node_that_was_never_asked_says_nothing() -> None:
    """It may be for a monitor of the same name."""
    play = silent()

    play.hear(1.0, reply("0000cafe-1", "no-expiry"))

    assert "M038" not in play.found()


def test_a_node_that_answers_no_probe_is_found_until_it_does() -> None:
    """It is heard, so the way back is what is missing."""
    play = silent()
    play.hear(1.0, birth())
    stay(play, 1.0 + TRIES * ANSWER_S - 1.0)
    before = play.found()

    stay(play, 1.0 + TRIES * ANSWER_S + 1.0)
    after = play.found()
    play.hear(1.0 + TRIES * ANSWER_S + 2.0, reply(newest(play)))

    assert (before, after, play.found()) == ([], ["M039"], [])


def test_a_node_that_is_heard_without_a_birth_is_probed() -> None:
    """A monitor that starts later than its nodes sees only what the broker kept of their births."""
    play = silent()

    play.hear(1.0, heartbeat())
    play.until(2.0)

    assert [each.node for each in play.commands("probe")] == [ROOM]


def test_a_node_that_is_down_is_not_probed() -> None:
    """It has its own finding, and its next birth asks."""
    play = silent()
    play.hear(1.0, birth())
    play.hear(2.0, will())
    play.until(10.0)
    assert play.node().status is Status.DOWN

    play.until(200.0)
    away = len(play.commands("probe"))
    play.hear(201.0, birth(boot=LATER_BOOT))

    assert (away, len(play.commands("probe"))) == (1, 2)
    assert "M039" not in play.found()


def test_nothing_is_missed_while_no_broker_is_reached() -> None:
    """What isn't sent isn't answered."""
    play = silent()
    play.hear(1.0, birth())
    play.link_down(2.0, "connection lost")

    play.until(19.0)

    assert len(play.commands("probe")) == 1


def test_a_large_fleet_is_looked_at_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few are looked at in a tick, each node has its turn, and is probed once."""
    monkeypatch.setattr(probes, "LOOKED_AT", 7)
    play = silent()
    keys = {NodeKey(SITE, f"n-{number}") for number in range(4 * AT_ONCE)}
    for key in keys:
        play.hear(1.0, heartbeat(), key)

    play.until(10.0)

    assert Counter(each.node for each in play.commands("probe") if each.node in keys) == Counter(keys)


def test_a_building_is_probed_little_by_little() -> None:
    """All nodes are there at once when a monitor starts."""
    play = silent()
    for number in range(3 * AT_ONCE):
        play.hear(1.0, heartbeat(), NodeKey(SITE, f"n-{number}"))

    play.until(1.6)
    first = len(play.commands("probe"))
    play.until(3.0)

    assert first <= 2 * AT_ONCE
    assert len({each.node for each in play.commands("probe")}) == 3 * AT_ONCE

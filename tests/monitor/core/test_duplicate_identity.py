"""Two processes that speak as one node: found where their lives overlap, and only there."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from node.errors.severity import Severity
from node.monitor.core.decisions.batch import Remembered
from node.monitor.core.model.records import Finding, FindingKey, NodeRecord, Status
from node.monitor.core.nodes.duplicate_identity import MARGIN_S, SHOWN_S
from node.protocol.messages import HeartbeatMessage
from tests.monitor.core.node_messages import BOOT, LATER_BOOT, ROOM, START, heartbeat
from tests.monitor.core.play import Play
from tests.support.examples import examples

PERIOD_S = 10.0
DOUBLED = FindingKey("M028", *ROOM, "")


def beat(boot: str, uptime_s: float) -> HeartbeatMessage:
    """A heartbeat of a process that has run for so long."""
    return replace(heartbeat(boot=boot), uptime_s=uptime_s)


def is_doubled(play: Play) -> bool:
    """Whether the finding stands."""
    return DOUBLED in play.findings


def test_an_older_start_that_speaks_after_a_newer_one_is_a_second_node() -> None:
    """A copied card in a spare Pi: both are up, and nobody sees which button is dead."""
    play = Play()
    play.hear(0.0, beat(BOOT, 100.0))
    play.hear(2.0, beat(LATER_BOOT, 1.0))
    before = is_doubled(play)

    play.hear(10.0, beat(BOOT, 110.0))

    assert (before, is_doubled(play)) == (False, True)


def test_the_last_words_of_a_node_that_was_restarted_are_no_second_node() -> None:
    """They may overtake the first ones of the next start, over another broker."""
    play = Play()
    play.hear(0.0, beat(BOOT, 100.0))
    play.hear(1.0, beat(LATER_BOOT, 0.1))

    play.hear(1.0 + MARGIN_S - 0.1, beat(BOOT, 105.0))

    assert not is_doubled(play)


def test_heartbeats_that_were_held_up_on_their_way_are_no_second_node() -> None:
    """By its uptime a heartbeat says when it was sent: a slow broker brings a dead start's words late."""
    play = Play()
    play.hear(0.0, beat(BOOT, 100.0))
    play.hear(12.0, beat(LATER_BOOT, 1.0))

    play.hear(40.0, beat(BOOT, 110.0))

    assert not is_doubled(play)


def test_it_goes_once_the_second_one_is_silent() -> None:
    """Whoever has switched it off sees that it worked."""
    play = Play()
    play.hear(0.0, beat(BOOT, 100.0))
    play.hear(2.0, beat(LATER_BOOT, 1.0))
    play.hear(10.0, beat(BOOT, 110.0))

    play.hear(10.0 + SHOWN_S - 1.0, beat(LATER_BOOT, SHOWN_S + 8.0))
    before = is_doubled(play)
    play.hear(10.0 + SHOWN_S, beat(LATER_BOOT, SHOWN_S + 9.0))

    assert (before, is_doubled(play)) == (True, False)


def test_a_restart_of_the_monitor_keeps_it_until_the_second_one_is_silent() -> None:
    """Nobody is told of it anew, nor that it is over."""
    known = Finding(key=DOUBLED, severity=Severity.CRITICAL, since_utc=START)
    node = NodeRecord(node=ROOM, status=Status.UP, since_utc=START, boot=LATER_BOOT)
    play = Play(Remembered(findings=(known,), nodes=(node,)))

    play.hear(1.0, beat(BOOT, 100.0))
    before = is_doubled(play)
    play.hear(SHOWN_S, beat(BOOT, 100.0 + SHOWN_S))

    assert (before, is_doubled(play)) == (True, False)


def test_no_more_boots_are_kept_than_a_node_has_starts_in_a_while() -> None:
    """Whoever invents one with each heartbeat fills no memory, and is found all the same."""
    play = Play()
    play.hear(0.0, beat(BOOT, 100.0))

    for number in range(100):
        play.hear(1.0 + number, beat(f"{number:08x}", 1.0))
    size = play.size()
    for number in range(100, 200):
        play.hear(1.0 + number, beat(f"{number:08x}", 1.0))

    assert play.size() < size + 100


@settings(max_examples=examples(100))
@given(
    lives=st.lists(st.tuples(st.floats(0.1, 300.0), st.floats(0.0, 60.0)), min_size=1, max_size=6),
    delay=st.floats(0.0, MARGIN_S / 2),
)
def test_a_node_that_is_restarted_however_often_is_never_a_second_one(
    lives: list[tuple[float, float]], delay: float
) -> None:
    """``lives``: how long each start runs, and the time until the next one; the last heartbeat of each comes late."""
    play = Play()
    at = 0.0
    said: list[tuple[float, HeartbeatMessage]] = []
    for number, (runs, rests) in enumerate(lives):
        boot = f"{number:08x}"
        beats = [runs * step / 4 for step in range(5)]
        said += [(at + each + (delay if each == beats[-1] else 0.0), beat(boot, each)) for each in beats]
        at += runs + rests

    for when, message in sorted(said, key=lambda each: each[0]):
        play.hear(when, message)

        assert not is_doubled(play)


@given(offset=st.floats(0.0, PERIOD_S), older=st.floats(0.0, 1_000.0))
@pytest.mark.parametrize("pause_s", [0.5, PERIOD_S])
def test_two_that_live_at_once_are_found_within_two_periods_and_a_margin(
    pause_s: float, offset: float, older: float
) -> None:
    """However they lie to each other: on two brokers, or in turn on one."""
    play = Play()
    said = [(number * pause_s, beat(BOOT, older + 1.0 + number * pause_s)) for number in range(60)]
    said += [(offset + number * pause_s, beat(LATER_BOOT, number * pause_s)) for number in range(60)]

    for when, message in sorted(said, key=lambda each: each[0]):
        if when <= offset + 2 * PERIOD_S + MARGIN_S:
            play.hear(when, message)

    assert is_doubled(play)

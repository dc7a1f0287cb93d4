"""The sampler: when it is asked, and what is known of an input that can't be read."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.core import controller, line
from node.core.effects import SampleAt
from node.core.events import EdgeSeen, LevelsRead, TimePassed
from node.core.line import ContactState, Line
from tests.core.house import make_settings
from tests.core.playbook import START, Playbook
from tests.core.wall import BEAT_S, quiet_wall, train, watch


def test_before_the_first_sample_an_input_is_unknown() -> None:
    """Unknown is never taken for normal."""
    play = Playbook(make_settings(links=()))

    assert play.state.contact_state("button") is ContactState.UNKNOWN


@pytest.mark.parametrize(("after_s", "state"), [(4.99, ContactState.NORMAL), (5.0, ContactState.UNKNOWN)])
def test_an_input_that_cannot_be_read_stays_what_it_was_for_5_s(after_s: float, state: ContactState) -> None:
    """Then nothing is known of it any more, and that is a fault."""
    play = quiet_wall()
    play.actuated["button"] = None

    play.sample().wait(after_s)

    assert play.state.contact_state("button") is state
    assert play.faults() == ([("F001", "button")] if after_s >= line.UNREADABLE_S else [])


def test_an_input_that_was_never_read_is_a_fault_5_s_after_the_start() -> None:
    """A sampler that says nothing looks like a pin that can't be read."""
    play = Playbook(make_settings(links=()), actuated={"button": None})
    play.begin()

    play.until(START + 5.0)

    assert play.faults() == [("F001", "button")]


def test_the_fault_ends_when_the_input_can_be_read_again() -> None:
    """One good sample says what it is."""
    play = quiet_wall()
    play.actuated["button"] = None
    play.sample().wait(6.0)

    play.actuated["button"] = False
    play.sample()

    assert play.kinds() == ["fault-raised", "fault-cleared"]
    assert play.state.contact_state("button") is ContactState.NORMAL


def test_a_button_found_pressed_after_it_could_not_be_read_is_an_alarm() -> None:
    """From unknown to active is a press, as at start."""
    play = quiet_wall()
    play.actuated["button"] = None
    play.sample().wait(6.0)

    play.actuated["button"] = True
    play.sample().wait(0.1)

    assert play.kinds() == ["fault-raised", "fault-cleared", "pressed"]


def test_a_tap_counts_though_the_level_cannot_be_read() -> None:
    """While a pin's level can't be read, its edges are still believed."""
    play = quiet_wall()
    play.actuated["button"] = None
    play.sample().wait(6.0).skip()

    play >> EdgeSeen(play.now, "button", high=False)
    play >> TimePassed(play.now + 0.010)
    play >> EdgeSeen(play.now + 0.040, "button", high=True)

    assert play.kinds() == ["pressed"]


def test_an_undecided_input_is_read_every_10_ms_until_it_is_decided() -> None:
    """Rule 7 of the superloop; and no later than the decision is possible."""
    play = quiet_wall(debounce_ms=25)
    asked: list[float] = []

    state, effects = controller.handle(play.state, EdgeSeen(play.now, "button", high=False))
    while requests := [each.at for each in effects if isinstance(each, SampleAt)]:
        asked += requests
        state, effects = controller.handle(state, LevelsRead(requests[0], {"button": False}))

    assert asked == [pytest.approx(START + each) for each in (0.010, 0.020, 0.025)]
    assert state.contact_state("button") is ContactState.ACTIVE


def test_a_decided_input_asks_for_no_sample() -> None:
    """While all is quiet the sampler's own beat is enough."""
    quiet = Line(state=ContactState.NORMAL, level=False)

    assert line.next_sample(quiet, 1.0, 0.020) is None


def test_an_undecided_input_that_cannot_be_read_does_not_make_the_sampler_spin() -> None:
    """The reading that would decide it fails: the next one isn't wanted at once, but a step later."""
    play = quiet_wall()
    play.actuated["button"] = None
    play.sample().skip()
    before = play.samples

    play >> EdgeSeen(play.now, "button", high=False)
    play.actuated["button"] = None
    play.wait(1.0)

    assert play.samples - before <= 101


def test_endless_chatter_does_not_make_the_sampler_spin() -> None:
    """A contact that hums at 50 Hz is undecided for ever; it is read about every 10 ms, not once more for each edge."""
    play = quiet_wall()

    watch(play, train(100, 0.010, 0.020), rest_s=0.0)

    assert play.samples <= 2.0 / 0.010 + 2.0 / BEAT_S + 2


@given(st.lists(st.tuples(st.floats(0.0001, 0.060), st.booleans()), min_size=1, max_size=40))
@settings(max_examples=150)
def test_edges_and_samples_in_any_order_keep_the_integral_in_its_bounds(steps: list[tuple[float, bool]]) -> None:
    """Between 0 and the debounce; the timeline never goes back; a decision is never dated after it was made."""
    at, seen = START, [Line(since=START)]

    for gap, is_edge in steps:
        at += gap
        level = len(seen) % 3 != 0
        step = line.edge if is_edge else line.sample
        seen.append(step(seen[-1], level, at, 0.020))

    assert all(0.0 <= each.integral <= 0.020 for each in seen)
    assert all(before.since <= after.since for before, after in pairwise(seen))
    assert all(each.changed_at <= at for each in seen)

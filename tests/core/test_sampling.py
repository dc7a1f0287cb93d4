"""The sampler: when it is asked, and what is known of an input that can't be read."""

from collections.abc import Callable
from functools import partial
from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.core import controller, inputs, line
from node.core.effects import Append, SampleAt
from node.core.events import EdgeSeen, LevelsRead, TimePassed
from node.core.line import ContactState, Line
from node.core.settings import Wiring
from tests.core.house import button, make_settings
from tests.core.playbook import START, Playbook
from tests.core.wall import BEAT_S, quiet_wall, train, watch
from tests.support.examples import examples


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


@pytest.mark.parametrize("wiring", Wiring)
@pytest.mark.parametrize("actuated", [False, True], ids=["at rest", "held"])
def test_a_reading_that_says_nothing_new_needs_no_decision(wiring: Wiring, *, actuated: bool) -> None:
    """That is so once everything is decided; whatever differs is decided (tests/core/checks.py)."""
    play = Playbook(make_settings(button(wiring=wiring), links=())).begin()

    def reading(actuated: bool | None) -> LevelsRead:
        lines = play.settings.inputs[0].lines
        levels = {
            name: None if actuated is None else wiring.actuated(actuated, number) for number, name in enumerate(lines)
        }
        return LevelsRead(play.now, levels)

    play.edge("button", actuated)
    assert inputs.says_nothing_new(play.state, reading(actuated)) is not actuated, "a press isn't decided by its edge"
    play.wait(1.0).skip()

    assert inputs.says_nothing_new(play.state, reading(actuated))
    for other in (not actuated, None):
        assert not inputs.says_nothing_new(play.state, reading(other))
    assert not inputs.says_nothing_new(play.state, LevelsRead(play.now, {}))


@pytest.mark.parametrize("open_question", ["dissent_since", "unread_since"])
def test_a_line_with_an_open_question_is_not_confirmed_by_its_own_level(open_question: str) -> None:
    """A reading that agrees ends the question, so it has to be decided."""
    settled = Line(state=ContactState.NORMAL, level=False)
    asked = Line(state=ContactState.NORMAL, level=False, **{open_question: 1.0})

    assert line.is_confirmed(settled, False)
    assert not line.is_confirmed(asked, False)


@pytest.mark.parametrize("wiring", Wiring)
def test_what_a_reading_will_lead_to_can_be_foreseen(wiring: Wiring) -> None:
    """If no level changes until then; the state stays what it is."""
    play = Playbook(make_settings(button(wiring=wiring), links=())).begin().skip()
    play.edge("button", True)
    play.wait(0.010).skip()
    before, due = play.state, play.state.sample_at

    reading, after, foreseen = controller.foresee(play.state, due)

    assert any(isinstance(each, Append) and each.event.kind == "pressed" for each in foreseen)
    assert play.state == before
    play.until(due)
    assert play.take(object) == [each for each in foreseen if not isinstance(each, SampleAt)]
    assert reading == LevelsRead(due, inputs.known_levels(before))
    assert after == play.state


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


def test_a_press_counts_though_the_sampler_stood_still_while_it_read() -> None:
    """What it read may be of a later instant than its clock had said: of after the press, of which an edge comes late.

    contact  __|‾‾‾‾‾‾‾‾‾‾‾‾|______
    edges      down            up, 3 ms late
    sampler      [--- stood still ---] [
    """
    play = quiet_wall()
    at = play.now

    play >> EdgeSeen(at, "button", high=False)
    play >> LevelsRead(at + 0.010, {"button": True}, until=at + 0.0405)
    play >> LevelsRead(at + 0.0406, {"button": True}, until=at + 0.0407)
    play >> EdgeSeen(at + 0.038, "button", high=True)

    assert play.kinds() == ["pressed"]


def test_a_brush_stays_one_though_the_sampler_stood_still_while_it_read() -> None:
    """Two samples of one millisecond aren't a press because thirty went by between their clocks."""
    play = quiet_wall()
    at = play.now

    play >> LevelsRead(at, {"button": False}, until=at + 0.030)
    play >> LevelsRead(at + 0.0301, {"button": False}, until=at + 0.0302)
    play >> EdgeSeen(at + 0.028, "button", high=False)
    play >> EdgeSeen(at + 0.031, "button", high=True)
    play.wait(0.1)

    assert play.kinds() == []


def test_a_level_that_may_be_older_than_its_edge_contradicts_nothing() -> None:
    """The sampler read, was held up, and came after an edge that is newer: the press goes on."""
    play = quiet_wall()
    at = play.now

    play >> EdgeSeen(at + 0.001, "button", high=False)
    play >> LevelsRead(at, {"button": True}, until=at + 0.010)
    play >> LevelsRead(at + 0.011, {"button": False}, until=at + 0.0111)
    play >> EdgeSeen(at + 0.022, "button", high=True)

    assert play.kinds() == ["pressed"]


def test_a_button_found_pressed_by_a_sampler_that_stood_still_has_to_stay_so() -> None:
    """At the start there is no edge: the debounce counts from when the level was surely read."""
    play = Playbook(make_settings(links=()), actuated={"button": None}).begin().skip()
    at = play.now

    play >> LevelsRead(at, {"button": False}, until=at + 0.030)
    play >> LevelsRead(at + 0.031, {"button": False}, until=at + 0.032)
    early = play.kinds()
    play >> LevelsRead(at + 0.050, {"button": False}, until=at + 0.051)

    assert early == []
    assert play.kinds() == ["pressed"]


def test_an_edge_that_repeats_the_last_one_says_that_the_one_between_was_lost() -> None:
    """Two spikes half a second apart, of which the first one's end never came, aren't a press of half a second."""
    play = quiet_wall()
    at = play.now

    play >> EdgeSeen(at, "button", high=False)
    play >> LevelsRead(at + 0.010, {"button": True})
    play >> EdgeSeen(at + 0.500, "button", high=False)
    play >> EdgeSeen(at + 0.501, "button", high=True)
    play.wait(0.1)

    assert play.kinds() == []


def test_a_spark_is_no_press_because_one_before_it_had_lost_its_end() -> None:
    """An edge that is newer than what the samples have said for long isn't the one that the line waits for."""
    play = quiet_wall()

    play >> EdgeSeen(play.now, "button", high=False)
    play.wait(0.5)
    play >> EdgeSeen(play.now, "button", high=True)
    play.wait(0.1)

    assert play.kinds() == []


def test_a_wire_is_no_fault_because_its_line_waits_while_the_other_one_moves() -> None:
    """That the other line's edge comes says nothing of a level that samples have seen go."""
    play = Playbook(make_settings(button(wiring=Wiring.CHANGEOVER), links=())).begin().skip()

    play >> EdgeSeen(play.now, "button", high=False)
    play.wait(0.3)
    play >> EdgeSeen(play.now, "button.nc", high=True)
    play >> EdgeSeen(play.now + 0.005, "button.nc", high=False)
    play.wait(0.1)

    assert play.kinds() == []


def test_two_lines_whose_releases_come_late_and_at_once_are_a_press_and_no_fault() -> None:
    """An edge of before what the samples saw still says that the other line's level has held until then."""
    play = Playbook(make_settings(button(wiring=Wiring.CHANGEOVER), links=())).begin().skip()
    at = play.now

    play >> EdgeSeen(at, "button", high=False) >> EdgeSeen(at, "button.nc", high=True)
    play >> LevelsRead(at + 0.101, {"button": True, "button.nc": False})
    play >> EdgeSeen(at + 0.100, "button.nc", high=False) >> EdgeSeen(at + 0.100, "button", high=True)
    play.wait(0.1)

    assert play.kinds() == ["pressed", "restored"]


def test_a_spark_is_no_press_though_the_level_cannot_be_read_meanwhile() -> None:
    """What the samples have seen before it isn't forgotten; nor does the sampler spin when the wait is over."""
    play = quiet_wall()

    play >> EdgeSeen(play.now, "button", high=False)
    play.wait(0.1)
    before = play.samples
    play.actuated["button"] = None
    play.wait(2.0)
    play >> EdgeSeen(play.now, "button", high=True)

    assert play.samples - before <= 201
    assert "pressed" not in play.kinds()


def test_a_press_counts_though_the_whole_process_stood_still_for_longer_than_a_second() -> None:
    """The release was read before, its edge comes after: a second in which nobody looked is no second of waiting."""
    play = quiet_wall()
    at = play.now

    play >> EdgeSeen(at, "button", high=False)
    play >> LevelsRead(at + 0.041, {"button": True})
    play >> LevelsRead(at + 1.500, {"button": True})
    play >> EdgeSeen(at + 0.040, "button", high=True)
    play.wait(0.1)

    assert play.kinds() == ["pressed", "restored"]


def test_one_sample_is_no_press_because_the_line_still_waits() -> None:
    """Nothing becomes active because no edge came: also of what follows a lost one, two samples have to tell."""
    play = quiet_wall(debounce_ms=6)

    play >> EdgeSeen(play.now, "button", high=False)
    play.wait(0.1)
    at = play.now
    play >> LevelsRead(at, {"button": False})
    play >> LevelsRead(at + 0.007, {"button": True})
    play >> EdgeSeen(at + 0.008, "button", high=False)
    play >> EdgeSeen(at + 0.009, "button", high=True)
    play.wait(0.1)

    assert play.kinds() == []


def test_a_button_whose_release_never_came_is_normal_and_a_fault_within_2_s() -> None:
    """Nothing becomes active because no edge came; that one is missing is told."""
    play = quiet_wall()

    play >> EdgeSeen(play.now, "button", high=False)
    play.wait(2.0)

    assert play.kinds() == ["fault-raised"]
    assert play.faults() == [("F002", "button")]
    assert play.state.contact_state("button") is ContactState.NORMAL


usual = st.floats(0.0, 0.003)
stalls = st.one_of(usual, st.floats(0.0, 0.200))
slow_sampler = st.lists(st.tuples(st.floats(0.0001, 0.050), stalls, stalls), min_size=30, max_size=30)
quick_sampler = st.lists(st.tuples(st.floats(0.0001, 0.010), usual, usual), min_size=80, max_size=80)


@given(
    st.sampled_from([(0.040, 1), (0.005, 0)]),
    st.one_of(
        st.tuples(slow_sampler, st.lists(usual, min_size=4, max_size=4)),
        st.tuples(quick_sampler, st.lists(stalls, min_size=4, max_size=4)),
    ),
    st.floats(0.0, 0.050),
)
@settings(max_examples=examples(500))
def test_however_long_either_thread_stands_still_a_press_counts_once_and_a_brush_never(
    length: tuple[float, int], threads: tuple[list[tuple[float, float, float]], list[float]], phase_s: float
) -> None:
    """The sampler: each gap, how long until the pin was read, how long after that; and how late each edge comes.

    3 ms of either are chatter.
    """
    length_s, presses = length
    samples, late = threads
    contact = [(0.0, True), (0.001, False), (0.003, True), (length_s, False)]
    arrivals = accumulate((at + wait for (at, _), wait in zip(contact, late, strict=True)), max)
    happenings: list[tuple[float, Callable[[Line], Line]]] = [
        (arrival, partial(line.edge, actuated=level, at=at, debounce_s=0.020))
        for arrival, (at, level) in zip(arrivals, contact, strict=True)
    ]
    now = -phase_s
    for gap_s, before_s, after_s in [*samples, *[(0.010, 0.0, 0.0)] * 150]:
        at, read_at, now = now + gap_s, now + gap_s + before_s, now + gap_s + before_s + after_s
        level = next((level for changed, level in reversed(contact) if changed <= read_at), False)
        happenings.append((now, partial(line.sample, actuated=level, at=at, debounce_s=0.020, until=now)))

    known = [Line(state=ContactState.NORMAL, level=False, since=-1.0)]
    for _, happen in sorted(happenings, key=lambda each: each[0]):
        known.append(happen(known[-1]))

    turns = [after.state for before, after in pairwise(known) if before.state is not after.state]
    assert turns == [ContactState.ACTIVE, ContactState.NORMAL] * presses


@given(
    st.lists(st.tuples(st.floats(0.040, 0.400), st.floats(0.0001, 0.005), st.booleans(), st.booleans()), max_size=8),
    st.floats(0.0, 0.010),
)
@settings(max_examples=examples(300))
def test_whichever_edges_are_lost_sparks_that_come_one_by_one_are_no_press(
    sparks: list[tuple[float, float, bool, bool]], phase_s: float
) -> None:
    """Each spark: how long after the last one, how long itself, and which of its two edges come."""
    now, wave, edges = 0.0, [(-1.0, False)], []
    for gap_s, length_s, begins, ends in sparks:
        changes = [(now + gap_s, True), (now + gap_s + length_s, False)]
        edges += [each for each, comes in zip(changes, (begins, ends), strict=True) if comes]
        wave += changes
        now = changes[1][0]
    reads = [(phase_s + number * 0.010, None) for number in range(int(now / 0.010) + 150)]

    known = [Line(state=ContactState.NORMAL, level=False, since=-1.0)]
    for at, actuated in sorted([*edges, *reads], key=lambda each: each[0]):
        if actuated is not None:
            known.append(line.edge(known[-1], actuated, at, 0.020))
        else:
            level = next(level for changed, level in reversed(wave) if changed <= at)
            known.append(line.sample(known[-1], level, at, 0.020))

    assert {each.state for each in known} == {ContactState.NORMAL}
    assert known[-1].level is False


@given(st.lists(st.tuples(st.floats(0.0001, 0.060), st.booleans()), min_size=1, max_size=40))
@settings(max_examples=examples(150))
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

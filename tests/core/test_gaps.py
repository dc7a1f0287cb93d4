"""Edges that are missing beside a loose wire or a press: no press is made up, and none that is held is lost."""

from collections import Counter
from collections.abc import Collection, Sequence
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.core.events import EdgesDropped, EdgeSeen, EdgesLost, LevelsRead
from node.core.line import ContactState
from node.core.settings import Wiring
from tests.core.house import button, make_settings
from tests.core.playbook import Playbook
from tests.core.wall import BEAT_S
from tests.support.examples import examples

DEBOUNCE_S = 0.020
HELD_S = 0.200
"""A press that two readings see, whatever stands still (``STALL_S``) and whatever edges are missing."""

STALL_S = 0.100
AWAKE_S = 0.030
"""What the debounce takes, and a reading. Where a press is seen for less between two stalls, and its edge is missing,
nobody can tell it from hum."""

CALM_S = 0.003
"""Two closings of 10 ms this far apart never add up to a press."""

Change = tuple[float, int]
"""A line (by its number) changes, so many seconds from now."""

Stall = tuple[float, float]
"""The program stands still: from when to when, in seconds from now."""

pytestmark = pytest.mark.no_cover  # so many steps take four times as long while coverage watches them


def room(wiring: Wiring) -> Playbook:
    """A begun node with one button at rest and no broker."""
    return Playbook(make_settings(button(wiring=wiring), links=())).begin().skip()


def deliver(
    play: Playbook,
    changes: Sequence[Change],
    *,
    missing: Collection[int] = (),
    told_by_readings: bool = True,
    stalls: Sequence[Stall] = (),
    phase_s: float = 0.0,
    rest_s: float = 1.5,
) -> Playbook:
    """Let the lines change, in this order, while the sampler beats 20 times a second from ``phase_s`` on.

    The edges with these numbers are ``missing``. That is told before the line's next edge; edges that were dropped for
    want of room (``told_by_readings``) are told before the next reading, too. In a stall nothing comes: then all edges
    that waited, and a reading.
    """
    start, wiring = play.now, play.settings.inputs[0].wiring
    lines = play.settings.inputs[0].lines
    end = max([at for at, _ in changes] + [wakes for _, wakes in stalls]) + rest_s

    def comes(at: float) -> float:
        return next((wakes for begins, wakes in stalls if begins <= at < wakes), at)

    readings = {comes(phase_s + number * BEAT_S) for number in range(int((end - phase_s) / BEAT_S))}
    happenings = [(comes(at), index, at) for index, (at, _) in enumerate(changes)]
    happenings += [(at, len(changes), at) for at in readings | {wakes for _, wakes in stalls}]
    untold: Counter[str] = Counter()
    actuated = [False] * len(lines)

    def tell(line: str) -> None:
        if count := untold.pop(line, 0):
            play >> (EdgesDropped if told_by_readings else EdgesLost)(play.now, line, count)

    for at, index, stamp in sorted(happenings):
        for begins, wakes in stalls:
            if wakes == at and play.now <= start + begins:
                play.until(start + begins)
                play.now = start + wakes
        if start + at > play.now:
            play.until(start + at)
        if index == len(changes):
            for line in lines if told_by_readings else ():
                tell(line)
            play.sample()
            continue
        number = changes[index][1]
        actuated[number] = not actuated[number]
        high = actuated[number] is wiring.actuated(True, number)
        play.wires[lines[number]] = high
        if index in missing:
            untold[lines[number]] += 1
        else:
            tell(lines[number])
            play >> EdgeSeen(start + stamp, lines[number], high)
    return play.until(start + end)


def presses(play: Playbook) -> int:
    """How many were told since the start."""
    return sum(event.kind == "pressed" for event in play.logged)


def pulse(lines: Collection[int], at: float, length_s: float, bounces: Sequence[float] = ()) -> list[Change]:
    """These lines are actuated for so long, and bounce meanwhile: after these shares of the length they change."""
    shares = sorted(bounces[: len(bounces) // 2 * 2])
    return [(at + share * length_s, line) for line in lines for share in (0.0, *shares, 1.0)]


wirings = st.sampled_from(list(Wiring))
bounces = st.lists(st.floats(0.01, 0.99), max_size=6)
stall_plans = st.lists(st.tuples(st.floats(0.0, 0.100), st.floats(0.001, STALL_S)), max_size=4)
pausing_plans = st.lists(st.tuples(st.floats(AWAKE_S, 0.100), st.floats(0.001, STALL_S)), max_size=4)


@st.composite
def loose_wires(draw: st.DrawFn, wiring: Wiring) -> list[Change]:
    """Some pulses of 1 to 10 ms, one after the other, each of one line or of all lines."""
    changes: list[Change] = []
    at = 0.0
    which = [(number,) for number in range(wiring.lines)] + [tuple(range(wiring.lines))]
    for lines, length_s, calm_s in draw(
        st.lists(
            st.tuples(st.sampled_from(which), st.floats(0.001, 0.010), st.floats(CALM_S, 0.080)),
            min_size=1,
            max_size=4,
        )
    ):
        changes += pulse(lines, at, length_s, draw(bounces))
        at += length_s + calm_s
    return sorted(changes)


def planned(stalls: Sequence[tuple[float, float]]) -> list[Stall]:
    """Stalls, each so long after the end of the one before."""
    plan: list[Stall] = []
    at = 0.0
    for pause_s, length_s in stalls:
        plan.append((at + pause_s, at + pause_s + length_s))
        at += pause_s + length_s
    return plan


def oldest(changes: Sequence[Change], stalls: Sequence[Stall], shares: Sequence[float]) -> set[int]:
    """Of what waits during each stall the kernel drops the oldest edges: so large a share, but never the newest."""
    dropped: set[int] = set()
    for (begins, wakes), share in zip(stalls, shares, strict=False):
        waiting = [index for index, (at, _) in enumerate(changes) if begins <= at < wakes]
        dropped |= set(waiting[: min(round(share * len(waiting)), len(waiting) - 1)])
    return dropped


# A loose wire.


@given(data=st.data(), wiring=wirings, plan=stall_plans, phase_s=st.floats(0, BEAT_S))
@settings(max_examples=examples(1500))
def test_a_loose_wire_is_no_press_whatever_edges_have_no_room(
    data: st.DataObject, wiring: Wiring, plan: list[tuple[float, float]], phase_s: float
) -> None:
    """Closings of 1 to 10 ms, of any lines, while the program stands still at times."""
    changes = data.draw(loose_wires(wiring))
    missing = data.draw(st.sets(st.integers(0, len(changes) - 1)))
    play = room(wiring)

    deliver(play, changes, missing=missing, stalls=planned(plan), phase_s=phase_s)

    assert presses(play) == 0
    assert play.state.contact_state("button") is ContactState.NORMAL


@given(
    data=st.data(),
    wiring=wirings,
    plan=stall_plans,
    shares=st.lists(st.floats(0, 1), min_size=4, max_size=4),
    phase_s=st.floats(0, BEAT_S),
)
@settings(max_examples=examples(1500))
def test_a_loose_wire_is_no_press_whatever_edges_the_kernel_drops(
    data: st.DataObject, wiring: Wiring, plan: list[tuple[float, float]], shares: list[float], phase_s: float
) -> None:
    """It drops the oldest, and says so with the next one of the same line."""
    changes, stalls = data.draw(loose_wires(wiring)), planned(plan)
    play = room(wiring)

    deliver(
        play,
        changes,
        missing=oldest(changes, stalls, shares),
        told_by_readings=False,
        stalls=stalls,
        phase_s=phase_s,
    )

    assert presses(play) == 0
    assert play.state.contact_state("button") is ContactState.NORMAL


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("told_by_readings", [False, True])
@pytest.mark.parametrize("late_s", [0.0, 0.300])
def test_two_loose_wires_are_no_press_at_any_position_of_the_gap(
    first: int, told_by_readings: bool, late_s: float
) -> None:
    """One line, then the other, then the first again, 5 ms each; every choice of edges that are missing."""
    changes = [
        *pulse([first], 0.0, 0.005),
        *pulse([1 - first], 0.030, 0.005),
        *pulse([first], 0.070, 0.005),
        *pulse([1 - first], 0.110, 0.005),
    ]
    for count in range(len(changes)):
        for missing in combinations(range(len(changes)), count):
            play = room(Wiring.CHANGEOVER)
            deliver(
                play,
                changes,
                missing=missing,
                told_by_readings=told_by_readings,
                stalls=[(-0.001, late_s)] if late_s else [],
            )
            assert presses(play) == 0, missing


# A press.


@given(
    data=st.data(),
    wiring=wirings,
    plan=pausing_plans,
    apart_s=st.floats(0, 0.010),
    closing=bounces,
    opening=bounces,
    phase_s=st.floats(0, BEAT_S),
    told_by_readings=st.booleans(),
)
@settings(max_examples=examples(800))
def test_a_press_that_is_held_counts_once_whatever_edges_are_missing(
    data: st.DataObject,
    wiring: Wiring,
    plan: list[tuple[float, float]],
    apart_s: float,
    closing: list[float],
    opening: list[float],
    phase_s: float,
    told_by_readings: bool,
) -> None:
    """All lines bounce for 3 ms at both ends; the readings after the gap decide."""
    changes: list[Change] = []
    for number in range(wiring.lines):
        at = number * apart_s
        changes += pulse([number], at, 0.003, closing)[:-1]
        changes += pulse([number], at + HELD_S, 0.003, opening)[:-1]
    changes.sort()
    missing = data.draw(st.sets(st.integers(0, len(changes) - 1)))
    play = room(wiring)

    deliver(play, changes, missing=missing, told_by_readings=told_by_readings, stalls=planned(plan), phase_s=phase_s)

    assert presses(play) == 1
    assert play.state.contact_state("button") is ContactState.NORMAL


BROKEN = [pytest.param(0, id="the open side is shorted"), pytest.param(1, id="the closed side is cut")]


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("told_by_readings", [False, True])
@pytest.mark.parametrize("missing", [(), (1,), (2,), (3,), (4,), (1, 2), (2, 3), (3, 4), (1, 2, 3), (1, 2, 3, 4)])
def test_a_press_counts_while_a_wire_is_broken_whatever_edges_are_missing(
    broken: int, told_by_readings: bool, missing: tuple[int, ...]
) -> None:
    """A wire breaks, which is a fault; then the other line bounces and is held."""
    changes = [(0.0, broken), *((at, 1 - broken) for at in (0.300, 0.301, 0.302, 0.500))]
    play = room(Wiring.CHANGEOVER)

    deliver(play, changes, missing=missing, told_by_readings=told_by_readings)

    told = [event.fault or event.kind for event in play.logged[1:]]
    assert told[0] == "F043"
    assert told.count("pressed") == 1
    assert play.state.contact_state("button") is ContactState.FAULT


def test_a_press_that_was_told_isnt_told_again_after_a_gap() -> None:
    """An edge of the open side has decided it. Then an edge of the closed side says that some were missing."""
    changes = [
        (0.000, 1),
        (0.001, 0),
        *pulse([0], 0.025, 0.0005),
        *pulse([1], 0.026, 0.0002),
        *pulse([0], 0.045, 0.0005),
        (0.300, 0),
        (0.301, 1),
    ]
    play = room(Wiring.CHANGEOVER)

    deliver(play, changes, missing=[4], told_by_readings=False, stalls=[(0.0, 0.060)])

    assert [event.kind for event in play.logged[1:]] == ["pressed", "restored", "fault-raised"]
    assert play.faults() == [("F002", "button")]


# What nobody can tell apart (HAZARDS.md H85).


def levels(wiring: Wiring, *actuated: bool) -> dict[str, bool]:
    """What a reading says if its lines are so."""
    lines = button(wiring=wiring).lines
    return {line: wiring.actuated(True, number) is actuated[number] for number, line in enumerate(lines)}


@pytest.mark.parametrize("wiring", list(Wiring))
@pytest.mark.parametrize(("apart_s", "count"), [(DEBOUNCE_S - 0.0001, 0), (DEBOUNCE_S, 1)])
def test_readings_a_debounce_apart_make_a_press_after_a_gap(wiring: Wiring, apart_s: float, count: int) -> None:
    """Nothing contradicts them. What was before the gap adds nothing."""
    play = room(wiring)
    pressed = levels(wiring, *[True] * wiring.lines)
    for line, high in pressed.items():
        play >> EdgeSeen(play.now, line, high)
        play >> EdgesDropped(play.now, line, 2)
    at = play.now + 0.015

    play >> LevelsRead(at, pressed)
    play >> LevelsRead(at + apart_s, pressed)

    assert presses(play) == count


@pytest.mark.parametrize("wiring", list(Wiring))
@pytest.mark.parametrize(("late_s", "count"), [(DEBOUNCE_S - 0.0001, 0), (DEBOUNCE_S, 1)])
def test_a_closing_whose_end_is_missing_lasts_until_the_first_reading_that_denies_it(
    wiring: Wiring, late_s: float, count: int
) -> None:
    """If nobody has told the gap, and the next reading says that the contact is closed again."""
    play = room(wiring)
    pressed, released = (levels(wiring, *[actuated] * wiring.lines) for actuated in (True, False))
    at = play.now
    for line, high in pressed.items():
        play >> EdgeSeen(at, line, high)

    play >> LevelsRead(at + late_s, released)
    play >> LevelsRead(at + late_s + 0.010, pressed)

    assert presses(play) == count


@pytest.mark.parametrize("alone", [0, 1])
def test_a_closing_of_one_of_two_lines_whose_end_is_missing_is_no_press(alone: int) -> None:
    """However late the reading is: the other line says that nobody has pressed."""
    play = room(Wiring.CHANGEOVER)
    actuated = levels(Wiring.CHANGEOVER, alone == 0, alone == 1)
    line = button(wiring=Wiring.CHANGEOVER).lines[alone]
    at = play.now

    play >> EdgeSeen(at, line, actuated[line])
    play >> LevelsRead(at + 0.5, levels(Wiring.CHANGEOVER, False, False))
    play >> LevelsRead(at + 0.51, actuated)
    play >> LevelsRead(at + 0.53, levels(Wiring.CHANGEOVER, False, False))
    play.wait(2.0)

    assert presses(play) == 0

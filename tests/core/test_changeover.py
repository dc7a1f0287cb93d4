"""A changeover contact: two lines that must agree, in every order and timing of them, and with each wire broken."""

from collections.abc import Iterator
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.core.contact import read
from node.core.events import EdgeSeen, LevelsRead
from node.core.line import ContactState
from node.core.model import EventKind
from node.core.settings import Role, Wiring
from tests.core.house import button, make_settings, switch
from tests.core.playbook import START, Playbook, Stage
from tests.core.wall import BEAT_S
from tests.support.examples import examples

DEBOUNCE_S = 0.020
SURELY_S = 0.001
"""What the sampler may take longer than the debounce, and rounding."""

UNSEEN_S = 0.120
"""Without edges the sampler finds what lasts so long at any phase: two beats, and the debounce."""

OPEN_SIDE, CLOSED_SIDE = "button", "button.nc"
LINES = (OPEN_SIDE, CLOSED_SIDE)

Span = tuple[float, float]


def changeover_wall(**others: object) -> Playbook:
    """A begun node with one supervised button at rest and no broker."""
    return Playbook(make_settings(button(wiring=Wiring.CHANGEOVER), links=(), **others)).begin().skip()


def play_lines(play: Playbook, toggles: dict[str, list[float]], *, phase_s: float, lost: bool) -> None:
    """Let each line change at these instants (seconds from now), sampled 20 times a second; then all is quiet."""
    start, end = play.now, max(max(each, default=0.0) for each in toggles.values()) + 0.5
    happenings = [(at, 0, line) for line, instants in toggles.items() for at in instants]
    happenings += [(phase_s + number * BEAT_S, 1, "") for number in range(int((end - phase_s) / BEAT_S))]
    for at, is_beat, line in sorted(happenings):
        if start + at > play.now:
            play.until(start + at)
        if is_beat:
            play.sample()
            continue
        high = not play.wires.get(line, line == OPEN_SIDE)
        play.wires[line] = high
        if not lost:
            play >> EdgeSeen(play.now, line, high)
    play.until(start + end)


def spans(toggles: dict[str, list[float]]) -> Iterator[tuple[frozenset[str], Span]]:
    """Which lines are actuated, from when to when; the last span has no end."""
    actuated: set[str] = set()
    begin = 0.0
    for at, line in sorted((at, line) for line, instants in toggles.items() for at in instants):
        if at > begin:
            yield frozenset(actuated), (begin, at)
        actuated ^= {line}
        begin = at
    yield frozenset(actuated), (begin, float("inf"))


def longest(toggles: dict[str, list[float]], lines: int) -> list[float]:
    """How long each span lasted in which so many of the two lines were actuated; spans that touch are one."""
    lengths: list[float] = []
    end_of_last = -1.0
    for actuated, (begin, end) in spans(toggles):
        if len(actuated) == lines:
            if begin == end_of_last:
                lengths[-1] += end - begin
            else:
                lengths.append(end - begin)
            end_of_last = end
    return lengths


def instants(gaps: list[float]) -> list[float]:
    """The changes of a line, an even number of them, so that it ends at rest."""
    return list(accumulate(gaps[: len(gaps) // 2 * 2]))


clean_gaps = st.lists(st.floats(0.025, 0.200), max_size=8)
offsets = st.floats(0.0, 0.080)


@given(first=clean_gaps, second=clean_gaps, phase_s=st.floats(0, BEAT_S))
@settings(max_examples=examples(400))
def test_any_order_and_timing_of_the_two_contacts_is_told_right(
    first: list[float], second: list[float], phase_s: float
) -> None:
    """Both actuated for the debounce is a press; apart for longer than it is a fault; nothing else is either."""
    toggles = {OPEN_SIDE: instants(first), CLOSED_SIDE: instants(second)}
    play = changeover_wall()

    play_lines(play, toggles, phase_s=phase_s, lost=False)

    pressed = [event for event in play.logged if event.kind == "pressed"]
    faults = [event for event in play.logged if event.kind == "fault-raised"]
    both, apart = longest(toggles, 2), longest(toggles, 1)
    assert sum(each >= DEBOUNCE_S for each in both) <= len(pressed) <= len(both)
    assert {event.fault for event in faults} <= {"F043"}
    assert len(faults) >= bool([each for each in apart if each > DEBOUNCE_S + SURELY_S])
    assert len(faults) <= sum(each >= DEBOUNCE_S - SURELY_S for each in apart)
    assert play.state.contact_state("button") is ContactState.NORMAL
    assert play.faults() == []


@given(
    opens=offsets,
    closes=offsets,
    held_s=st.floats(0.120, 0.400),
    back=offsets,
    shut=offsets,
    phase_s=st.floats(0, BEAT_S),
    lost=st.booleans(),
)
@settings(max_examples=examples(400))
def test_a_press_is_one_press_however_its_contacts_follow_each_other(
    opens: float, closes: float, held_s: float, back: float, shut: float, phase_s: float, lost: bool
) -> None:
    """Break before make, make before break, slow or quick, with edges or by the sampler alone."""
    down = max(opens, closes)
    toggles = {CLOSED_SIDE: [opens, down + held_s + shut], OPEN_SIDE: [closes, down + held_s + back]}
    play = changeover_wall()

    play_lines(play, toggles, phase_s=phase_s, lost=lost)

    kinds = [event.kind for event in play.logged]
    assert kinds.count(EventKind.PRESSED) == 1
    assert kinds.count(EventKind.RESTORED) == 1
    pressed = next(event for event in play.logged if event.kind == "pressed")
    assert START + down <= pressed.at - DEBOUNCE_S + 1e-6 <= START + down + (UNSEEN_S if lost else 1e-6)
    apart = (abs(opens - closes), abs(back - shut))
    if not lost and max(apart) < DEBOUNCE_S - SURELY_S:
        assert "fault-raised" not in kinds
    if not lost:
        assert kinds.count(EventKind.FAULT_RAISED) >= (max(apart) > DEBOUNCE_S + SURELY_S)


@given(
    bounces=st.lists(st.tuples(st.sampled_from(LINES), st.floats(0.0, 0.003)), max_size=24),
    phase_s=st.floats(0, BEAT_S),
)
@settings(max_examples=examples(200))
def test_chatter_of_3_ms_at_a_press_of_40_ms_counts_once_and_is_no_fault(
    bounces: list[tuple[str, float]], phase_s: float
) -> None:
    """Whatever both contacts do in the first 3 ms, a person has pressed once."""
    toggles = {line: sorted({at for each, at in bounces if each == line}) for line in LINES}
    for line in LINES:
        if len(toggles[line]) % 2 == 0:
            toggles[line].append(0.003)
        toggles[line] += [0.0435]
    play = changeover_wall()

    play_lines(play, toggles, phase_s=phase_s, lost=False)

    assert [event.kind for event in play.logged] == ["started", "pressed", "restored"]


@given(toggles=st.lists(st.tuples(st.sampled_from(LINES), st.floats(0.0001, 0.060), st.booleans()), max_size=60))
@settings(max_examples=examples(200))
def test_chatter_without_end_leaves_an_input_that_still_works(toggles: list[tuple[str, float, bool]]) -> None:
    """Edges and samples in any order; then a press counts, and the input comes back to normal."""
    play = changeover_wall()
    high = {OPEN_SIDE: True, CLOSED_SIDE: False}

    for line, gap, is_edge in toggles:
        play.now += gap
        high[line] = not high[line]
        play >> (EdgeSeen(play.now, line, high[line]) if is_edge else LevelsRead(play.now, dict(high)))
    for is_pressed in (False, True, False):
        for line, released_high in ((OPEN_SIDE, True), (CLOSED_SIDE, False)):
            play.wires[line] = released_high is not is_pressed
        for _ in range(8):
            play.sample().wait(BEAT_S)
        assert play.state.contact_state("button") is (ContactState.ACTIVE if is_pressed else ContactState.NORMAL)

    assert play.state.incident_of("button") is not None


@given(
    opens=st.floats(0.0, 0.015),
    held_s=st.floats(0.025, 0.300),
    back=st.floats(0.0, 0.200),
    late_s=st.floats(0.0, 0.900),
)
@settings(max_examples=examples(200))
def test_edges_that_come_late_in_a_burst_tell_the_same(opens: float, held_s: float, back: float, late_s: float) -> None:
    """The thread that brings them slept through the whole press: by their stamps it is one, dated when it was."""
    edges = [
        (0.0, CLOSED_SIDE, True),
        (opens, OPEN_SIDE, False),
        (opens + held_s, OPEN_SIDE, True),
        (opens + held_s + back, CLOSED_SIDE, False),
    ]
    play = changeover_wall()
    start = play.now

    play.now += opens + held_s + back + late_s
    for at, line, high in edges:
        play >> EdgeSeen(start + at, line, high)
    play.sample().wait(0.2)

    told = [(event.kind, event.fault) for event in play.logged[1:]]
    (pressed,) = [event for event in play.logged if event.kind == "pressed"]
    assert pressed.at == pytest.approx(start + opens + DEBOUNCE_S)
    assert told[0] == ("pressed", None)
    assert ("restored", None) in told
    if back < DEBOUNCE_S - SURELY_S:
        assert len(told) == 2


# Broken wires.


def test_a_cut_cable_is_a_fault_and_no_press(stage: Stage) -> None:
    """Both lines float: told from a press without any converter."""
    play = stage(button(wiring=Wiring.CHANGEOVER))

    play.wire("button", high=True).wait(0.1)

    assert play.faults() == [("F043", "button")]
    assert play.state.incidents == ()
    play.skip()


def test_a_shorted_cable_is_a_fault_and_no_press(stage: Stage) -> None:
    """Both lines are at ground."""
    play = stage(button(wiring=Wiring.CHANGEOVER))

    play.wire("button", high=False).wait(0.1)

    assert play.faults() == [("F043", "button")]
    assert play.state.incidents == ()
    play.skip()


def test_a_mended_cable_is_no_fault_any_more(stage: Stage) -> None:
    """Nobody has to reset it."""
    play = stage(button(wiring=Wiring.CHANGEOVER))

    play.wire("button", high=True).wait(1.0).wire("button", None).wait(0.1)

    assert play.faults() == []
    assert play.kinds() == ["fault-raised", "fault-cleared"]


@pytest.mark.parametrize(
    ("line", "high", "at_rest", "pressed"),
    [
        (OPEN_SIDE, True, ContactState.NORMAL, ContactState.FAULT),
        (OPEN_SIDE, False, ContactState.FAULT, ContactState.ACTIVE),
        (CLOSED_SIDE, True, ContactState.FAULT, ContactState.ACTIVE),
        (CLOSED_SIDE, False, ContactState.NORMAL, ContactState.FAULT),
    ],
    ids=["open side cut", "open side shorted", "closed side cut", "closed side shorted"],
)
def test_with_one_wire_broken_a_press_is_an_alarm_or_a_fault_and_never_nothing(
    stage: Stage, line: str, high: bool, at_rest: ContactState, pressed: ContactState
) -> None:
    """Two of the four faults show at once, and the button still calls; the other two show when it is pressed."""
    play = stage(button(wiring=Wiring.CHANGEOVER))
    play.wires[line] = high
    play.sample().wait(0.2)

    assert play.state.contact_state("button") is at_rest
    play.actuated["button"] = True
    play.sample().wait(0.2)

    assert play.state.contact_state("button") is pressed
    assert bool(play.state.incidents) is (pressed is ContactState.ACTIVE)
    assert ("F043" in {code for code, _ in play.faults()}) is (pressed is ContactState.FAULT)
    play.skip()


def test_a_fault_during_an_alarm_leaves_it_open(stage: Stage) -> None:
    """Cutting the wire of a pressed button ends nothing; what is cut can't be reset either, until it is mended."""
    play = stage(button(wiring=Wiring.CHANGEOVER))
    play.press("button").wire("button", high=True).wait(1.0).skip()
    incident = play.incident

    play.command("reset", incident=incident)
    assert [reply.reason for reply in play.replies()] == ["input-fault"]
    play.release("button").wire("button", None).wait(1.0).command("reset", incident=incident)

    assert play.state.incidents == ()
    assert [kind for kind in play.kinds() if kind in ("restored", "reset")] == ["restored", "reset"]


def test_a_line_that_cannot_be_read_makes_the_input_unknown(stage: Stage) -> None:
    """Half of a contact says nothing that one could rely on."""
    play = stage(button(wiring=Wiring.CHANGEOVER))

    play >> LevelsRead(play.now, {OPEN_SIDE: True, CLOSED_SIDE: None})
    play.wait(5.0)

    for _ in range(2):
        assert play.state.contact_state("button") is ContactState.UNKNOWN
        assert play.faults() == [("F001", "button")]
        play >> LevelsRead(play.now, {OPEN_SIDE: True, CLOSED_SIDE: None})
    play.skip()


def test_a_button_pressed_at_start_is_an_alarm() -> None:
    """As with one line: the first samples count."""
    play = Playbook(make_settings(button(wiring=Wiring.CHANGEOVER), links=()), actuated={"button": True})

    play.begin().wait(0.1)

    assert [event.kind for event in play.logged] == ["started", "pressed"]


def test_a_cable_cut_before_the_start_is_a_fault_at_once() -> None:
    """Nobody has to press first."""
    play = Playbook(make_settings(button(wiring=Wiring.CHANGEOVER), links=()), wires=dict.fromkeys(LINES, True)).begin()

    play.wait(0.2)

    assert play.faults() == [("F043", "button")]


@pytest.mark.parametrize(
    ("highs", "state"),
    [
        ((True, False), ContactState.NORMAL),
        ((False, True), ContactState.ACTIVE),
        ((True, True), ContactState.FAULT),
        ((False, False), ContactState.FAULT),
        ((None, False), ContactState.UNKNOWN),
    ],
)
def test_what_two_levels_say_at_a_glance(highs: tuple[bool | None, bool | None], state: ContactState) -> None:
    """For the doctor, who looks once."""
    assert read(Wiring.CHANGEOVER, highs) is state


@pytest.mark.parametrize("role", [Role.TAMPER, Role.RESET])
def test_switches_are_supervised_in_the_same_way(stage: Stage, role: Role) -> None:
    """A cut cable of any input that has both contacts is a fault that names it."""
    play = stage(button(), switch(role, Wiring.CHANGEOVER))

    play.wire(role.kind, high=True).wait(0.1)

    assert play.faults() == [("F043", role.kind)]
    play.skip()

"""A cable that hums: it picks up the mains or a motor, and its level swings. That is a fault, and no press."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.core.playbook import START, Playbook
from tests.core.wall import BEAT_S, Wave, quiet_wall, tap, train, watch
from tests.support.examples import examples, some

MARGIN_S = 0.0005
PRESSED = 0.060

FREQUENCIES_HZ = some([30, 40, 50, 60, 75, 100, 120, 150, 200, 250, 300, 400])
DUTIES = [0.2, 0.35, 0.5, 0.65, 0.8]

pytestmark = pytest.mark.no_cover  # so many steps take four times as long while coverage watches them


def hum(hertz: float, duty: float, seconds: float) -> Wave:
    """A level that is low for this part of each period."""
    return train(round(seconds * hertz), duty / hertz, 1 / hertz)


def is_a_press(hertz: float, duty: float, debounce_s: float) -> bool:
    """Whether each of its pulses is as long as a press has to be: nobody could tell it from one."""
    return duty / hertz > debounce_s - MARGIN_S


def with_press(wave: Wave, at: float, length_s: float) -> Wave:
    """The wave, while the contact is closed for so long: the cable is at ground then."""
    ends = at + length_s
    level_then = [level for instant, level in wave if instant <= ends][-1]
    outside = [(instant, level) for instant, level in wave if not at <= instant <= ends]
    return sorted([*outside, (at, True), (ends, level_then)])


HUMS = [
    (hertz, duty, debounce_ms)
    for hertz in FREQUENCIES_HZ
    for duty in DUTIES
    for debounce_ms in (6, 20, 39)
    if not is_a_press(hertz, duty, debounce_ms / 1000)
]


@pytest.mark.many
@pytest.mark.parametrize(("hertz", "duty", "debounce_ms"), HUMS)
def test_hum_is_no_press(hertz: float, duty: float, debounce_ms: int) -> None:
    """From 30 to 400 Hz, low for 20 to 80 % of the time, unless one pulse alone is as long as a press."""
    play = quiet_wall(debounce_ms)

    watch(play, hum(hertz, duty, 0.5))

    assert play.kinds() == []


@given(
    hertz=st.floats(30, 400),
    duty=st.floats(0.2, 0.8),
    phase_s=st.floats(0, BEAT_S),
    late_s=st.sampled_from([0.0, 0.001, 0.003]),
)
@settings(max_examples=examples(300))
def test_hum_of_any_kind_is_no_press(hertz: float, duty: float, phase_s: float, late_s: float) -> None:
    """Whatever its frequency, its share and the sampler's phase, and if the edges come a little late."""
    assume(not is_a_press(hertz, duty, 0.020 - late_s))
    wakes = [number * late_s for number in range(1, int(0.6 / late_s))] if late_s else []

    play = watch(quiet_wall(), hum(hertz, duty, 0.4), phase_s=phase_s, wakes_s=wakes)

    assert play.kinds() == []


@given(
    hertz=st.floats(30, 400),
    duty=st.floats(0.2, 0.8),
    phase_s=st.floats(0, BEAT_S),
    kept=st.integers(1, 64),
    dropped=st.integers(1, 300),
)
@settings(max_examples=examples(300))
def test_hum_whose_edges_are_dropped_is_no_press(
    hertz: float, duty: float, phase_s: float, kept: int, dropped: int
) -> None:
    """On a slow board not every edge has room: nobody knows how long the level lasted where some are missing."""
    assume(not is_a_press(hertz, duty, 0.020))
    wave = hum(hertz, duty, 1.0)

    play = watch(quiet_wall(), wave, phase_s=phase_s, dropped=lambda number: number % (kept + dropped) >= kept)

    assert play.kinds() == []


@pytest.mark.parametrize("kept", [1, 2, 7, 64])
@pytest.mark.parametrize("dropped", [1, 2, 50, 299])
def test_a_press_during_hum_whose_edges_are_dropped_counts_once(kept: int, dropped: int) -> None:
    """The cable is at ground while the contact is closed: no edge is missing there."""
    wave = with_press(hum(400, 0.5, 0.6), 0.3, PRESSED)

    play = watch(quiet_wall(), wave, dropped=lambda number: number % (kept + dropped) >= kept)

    assert play.kinds().count("pressed") == 1


@pytest.mark.parametrize("duty", DUTIES)
@pytest.mark.parametrize("hertz", [50, 100, 400])
def test_a_press_during_hum_counts_once(hertz: float, duty: float) -> None:
    """A closed contact holds the cable at ground, whatever it picks up."""
    wave = with_press(hum(hertz, duty, 0.6), 0.3, PRESSED)

    play = watch(quiet_wall(), wave)

    assert play.kinds().count("pressed") == 1


@pytest.mark.parametrize(("hertz", "within_s"), [(30, 60.0), (50, 35.0), (100, 17.0), (400, 5.0)])
def test_hum_becomes_a_fault(hertz: float, within_s: float) -> None:
    """So somebody mends the cable. The fault alarms nobody."""
    play = quiet_wall()

    watch(play, hum(hertz, 0.5, within_s))

    assert play.faults() == [("F042", "button")]
    assert play.kinds() == ["fault-raised"]


def test_a_press_counts_though_hum_is_a_fault() -> None:
    """The chatter withholds no press that begins an alarm, and the alarm is told at once."""
    play = humming_for_17_s()

    watch(play, with_press(hum(100, 0.5, 0.6), 0.3, PRESSED))

    assert play.kinds() == ["fault-raised", "pressed"]


def test_a_worn_contact_that_opens_for_moments_is_still_held() -> None:
    """Once it is a press, openings shorter than the debounce end nothing."""
    openings = [
        each for number in range(10) for each in ((0.1 + number * 0.03, False), (0.1 + number * 0.03 + 0.012, True))
    ]

    play = watch(quiet_wall(), [(0.0, True), *openings, (0.5, False)])

    assert play.kinds() == ["pressed", "restored"]


def test_bounces_delay_a_press_and_lose_none() -> None:
    """A contact that bounces for 8 ms is a press 20 ms after it has settled, or earlier."""
    bounces = [(0.0, True), (0.002, False), (0.004, True), (0.005, False), (0.008, True)]

    play = watch(quiet_wall(), [*bounces, *tap(0.040, at=0.008)[1:]])

    assert play.kinds() == ["pressed", "restored"]
    assert play.logged[0].at - START <= 0.028 + 1e-9


def humming_for_17_s() -> Playbook:
    """A node whose cable hums, which is a fault by now."""
    return watch(quiet_wall(), hum(100, 0.5, 17.0), rest_s=0.0)

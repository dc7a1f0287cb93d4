"""What can be seen and heard: which pattern, and that none of them means *evacuate*."""

from itertools import accumulate, pairwise

import pytest
from msgspec.structs import replace

from node.core import signals
from node.core.model import Incident, Key, Step
from node.core.settings import AlarmClass, Lamp
from node.core.signals import BUZZER_WAVES, LAMP_WAVES, BuzzerPattern, LampPattern, Wave

WAVES = [*LAMP_WAVES.items(), *BUZZER_WAVES.items()]
ALIKE = 0.25
"""How much two durations may differ (as a part of the longer one) and still look or sound the same."""


def shown(step: Step, **changes: object) -> Incident:
    """An open incident of a shown, silent button."""
    made = Incident("b-1", "button", AlarmClass.THREAT, False, Lamp.SHOWN, step, Key("b", 1), 1, 0.0)
    return replace(made, **changes)


def discreet(step: Step, **changes: object) -> Incident:
    """An open incident of a discreet button."""
    return shown(step, lamp=Lamp.DISCREET, **changes)


def pulses(wave: Wave, rounds: int = 8) -> list[tuple[float, float]]:
    """The wave as (on, off) pairs in seconds, played around several times; levels that follow each other are one."""
    merged: list[tuple[bool, float]] = []
    for level, seconds in wave * rounds:
        before = merged.pop()[1] if merged and merged[-1][0] is level else 0.0
        merged.append((level, before + seconds))
    if merged[0][0] is False:
        del merged[0]
    return [(on, off) for (_, on), (_, off) in zip(merged[::2], merged[1::2], strict=False)]


def alike(*durations: float) -> bool:
    """Whether nobody would tell these apart."""
    return max(durations) - min(durations) <= ALIKE * max(durations)


def says_evacuate(wave: Wave) -> bool:
    """Whether the wave has ISO 8201's shape at any tempo: groups of three like pulses, and a pause after each group."""
    pairs = pulses(wave)
    for (_, pause), first, second, third in zip(pairs, pairs[1:], pairs[2:], pairs[3:], strict=False):
        gap = first[1]
        like_pulses = alike(first[0], second[0], third[0]) and alike(gap, second[1])
        if like_pulses and min(pause, third[1]) > 1.5 * gap:
            return True
    return False


THREE = ((True, 0.5), (False, 0.5)) * 3


@pytest.mark.parametrize(
    "wave",
    [
        (*THREE, (False, 1.0)),
        (*THREE, (False, 1.5)),
        ((True, 0.45), (False, 0.55), (True, 0.5), (False, 0.5), (True, 0.55), (False, 1.5)),
        ((False, 1.5), (True, 0.1), (False, 0.1), (True, 0.1), (False, 0.1), (True, 0.1)),
    ],
    ids=["exact", "with a longer pause", "by a careless hand", "fast, pause first"],
)
def test_the_evacuation_pattern_is_known_when_it_is_seen(wave: Wave) -> None:
    """The detector finds what it is for."""
    assert says_evacuate(wave)


@pytest.mark.parametrize(
    "wave",
    [
        ((True, 0.5), (False, 0.5)),
        ((True, 0.5), (False, 0.5)) * 2 + ((False, 1.5),),
        (*THREE, (True, 0.5), (False, 2.0)),
    ],
    ids=["even", "two", "four"],
)
def test_other_groups_are_not_taken_for_it(wave: Wave) -> None:
    """One, two and four pulses mean nothing to anybody."""
    assert not says_evacuate(wave)


@pytest.mark.parametrize(("pattern", "wave"), WAVES, ids=[str(pattern) for pattern, _ in WAVES])
def test_no_pattern_says_evacuate(pattern: str, wave: Wave) -> None:
    """Three pulses and a pause are kept for evacuation (HAZARDS.md H53)."""
    assert not says_evacuate(wave), pattern


@pytest.mark.parametrize(("pattern", "wave"), WAVES, ids=[str(pattern) for pattern, _ in WAVES])
def test_a_wave_lasts(pattern: str, wave: Wave) -> None:
    """Each part of it can be seen or heard."""
    assert all(seconds >= 0.05 for _, seconds in wave), pattern


def test_each_pattern_has_a_wave_of_its_own() -> None:
    """Two patterns that look alike would say two things at once."""
    assert set(LAMP_WAVES) == set(LampPattern)
    assert set(BUZZER_WAVES) == set(BuzzerPattern)
    assert len(set(LAMP_WAVES.values())) == len(LampPattern)
    assert len(set(BUZZER_WAVES.values())) == len(BuzzerPattern)


@pytest.mark.parametrize("pattern", list(LampPattern))
def test_a_living_node_s_lamp_is_never_dark_for_long(pattern: LampPattern) -> None:
    """A dark lamp is a dead node: whoever looks for 10 s sees a light."""
    wave = LAMP_WAVES[pattern] * 3
    starts = accumulate((seconds for _, seconds in wave), initial=0.0)

    lit = [start for start, (level, _) in zip(starts, wave, strict=False) if level]

    assert all(later - earlier <= 10.0 for earlier, later in pairwise(lit))


@pytest.mark.parametrize(
    ("idle", "missed"),
    [(LampPattern.READY, LampPattern.READY_MISSING), (LampPattern.WALK_TEST, LampPattern.WALK_TEST_MISSING)],
)
def test_a_missing_flash_is_every_third_one(idle: LampPattern, missed: LampPattern) -> None:
    """From afar it is the idle pattern; whoever counts knows that somebody is coming."""
    flash = LAMP_WAVES[idle]

    missing = LAMP_WAVES[missed]

    assert missing == (*flash, *flash, (False, sum(seconds for _, seconds in flash)))


def test_a_walk_test_is_the_ready_flash_every_second() -> None:
    """The same flash as ready, five times as often."""
    (on, off), (quick_on, quick_off) = (
        pulses(LAMP_WAVES[LampPattern.READY])[0],
        pulses(LAMP_WAVES[LampPattern.WALK_TEST])[0],
    )

    assert quick_on == on
    assert (on + off, quick_on + quick_off) == (5.0, 1.0)


def test_the_double_flash_comes_every_second() -> None:
    """Whoever looks up for a moment sees that people were told."""
    (first_on, gap), (second_on, pause), *_ = pulses(LAMP_WAVES[LampPattern.RECEIVED])

    assert first_on == second_on < gap < pause
    assert sum(seconds for _, seconds in LAMP_WAVES[LampPattern.RECEIVED]) == 1.0


def test_a_chirp_is_one_short_pulse() -> None:
    """Its pattern ends before a second one could come."""
    (on, off), *_ = pulses(BUZZER_WAVES[BuzzerPattern.CHIRP])

    assert on == 0.1
    assert on < signals.CHIRP_S < on + off


@pytest.mark.parametrize(
    ("incidents", "faulty", "pattern"),
    [
        ([], False, LampPattern.READY),
        ([], True, LampPattern.NOBODY),
        ([shown(Step.PRESSED)], True, LampPattern.CALLING),
        ([shown(Step.STORED)], False, LampPattern.CALLING),
        ([shown(Step.ACCEPTED)], False, LampPattern.CALLING),
        ([shown(Step.TOLD)], True, LampPattern.RECEIVED),
        ([shown(Step.ACKNOWLEDGED)], True, LampPattern.ACKNOWLEDGED),
        ([shown(Step.NOBODY)], False, LampPattern.NOBODY),
        ([shown(Step.ACKNOWLEDGED), shown(Step.PRESSED)], False, LampPattern.CALLING),
        ([shown(Step.PRESSED), shown(Step.ACKNOWLEDGED)], False, LampPattern.ACKNOWLEDGED),
        ([discreet(Step.PRESSED)], False, LampPattern.READY),
        ([discreet(Step.TOLD)], True, LampPattern.READY),
        ([discreet(Step.NOBODY)], False, LampPattern.READY),
        ([discreet(Step.PRESSED, fault_shown=True)], False, LampPattern.NOBODY),
        ([discreet(Step.ACKNOWLEDGED)], True, LampPattern.READY_MISSING),
        ([discreet(Step.ACKNOWLEDGED), discreet(Step.PRESSED)], False, LampPattern.READY),
        ([shown(Step.TOLD), discreet(Step.ACKNOWLEDGED)], False, LampPattern.RECEIVED),
        ([discreet(Step.PRESSED), shown(Step.PRESSED)], False, LampPattern.CALLING),
    ],
)
def test_the_lamp(incidents: list[Incident], faulty: bool, pattern: LampPattern) -> None:
    """The newest press of a shown button; else idle, as a discreet one must look; a fault shows when idle only."""
    assert signals.lamp(incidents, faulty) is pattern


@pytest.mark.parametrize(
    ("incidents", "faulty", "confirmed", "pattern"),
    [
        ([], False, False, LampPattern.WALK_TEST),
        ([], True, False, LampPattern.WALK_TEST),
        ([], True, True, LampPattern.RECEIVED),
        ([shown(Step.PRESSED)], False, True, LampPattern.CALLING),
        ([shown(Step.ACKNOWLEDGED)], False, False, LampPattern.ACKNOWLEDGED),
        ([discreet(Step.PRESSED)], True, False, LampPattern.WALK_TEST),
        ([discreet(Step.NOBODY)], False, True, LampPattern.RECEIVED),
        ([discreet(Step.PRESSED, fault_shown=True)], False, False, LampPattern.WALK_TEST),
        ([discreet(Step.ACKNOWLEDGED)], True, False, LampPattern.WALK_TEST_MISSING),
        ([discreet(Step.ACKNOWLEDGED)], False, True, LampPattern.RECEIVED),
    ],
)
def test_the_lamp_in_a_walk_test(
    incidents: list[Incident], faulty: bool, confirmed: bool, pattern: LampPattern
) -> None:
    """A shown call first, then a test that was received; a discreet one changes nothing but its missing flash."""
    assert signals.lamp(incidents, faulty, walk_test=True, confirmed=confirmed) is pattern


@pytest.mark.parametrize(
    ("incidents", "identifying", "pattern"),
    [
        ([], False, BuzzerPattern.CHIRP),
        ([], True, BuzzerPattern.IDENTIFY),
        ([shown(Step.PRESSED)], False, BuzzerPattern.CHIRP),
        ([shown(Step.PRESSED, sounding_until=9.0)], False, BuzzerPattern.ALARM),
    ],
)
def test_a_chirp_comes_after_all_that_sounds(
    incidents: list[Incident], identifying: bool, pattern: BuzzerPattern
) -> None:
    """Whether it may begin at all is decided where its test is received."""
    assert signals.buzzer(incidents, identifying, chirping=True) is pattern


@pytest.mark.parametrize(
    ("incidents", "identifying", "pattern"),
    [
        ([], False, BuzzerPattern.OFF),
        ([], True, BuzzerPattern.IDENTIFY),
        ([shown(Step.PRESSED)], False, BuzzerPattern.OFF),
        ([shown(Step.NOBODY)], True, BuzzerPattern.IDENTIFY),
        ([shown(Step.PRESSED, sounding_until=9.0)], True, BuzzerPattern.ALARM),
        ([shown(Step.ACKNOWLEDGED, sounding_until=9.0)], False, BuzzerPattern.ALARM),
        ([shown(Step.NOBODY, sounding_until=9.0)], False, BuzzerPattern.NOBODY),
        ([shown(Step.NOBODY), shown(Step.PRESSED, sounding_until=9.0)], False, BuzzerPattern.ALARM),
        (
            [shown(Step.NOBODY, sounding_until=9.0), shown(Step.TOLD, sounding_until=9.0)],
            False,
            BuzzerPattern.NOBODY,
        ),
    ],
)
def test_the_buzzer(incidents: list[Incident], identifying: bool, pattern: BuzzerPattern) -> None:
    """An incident that sounds, and whether anybody has it; else somebody looks for the node; else nothing."""
    assert signals.buzzer(incidents, identifying) is pattern

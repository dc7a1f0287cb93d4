"""An input: what counts as a press."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.core import controller
from node.core.effects import Append
from node.core.events import EdgeSeen, LevelsRead, RecordLoaded, TimePassed
from node.core.line import ContactState
from node.core.model import Restored
from node.core.settings import Wiring
from tests.core.house import button, make_settings
from tests.core.playbook import START, Playbook
from tests.core.wall import BEAT_S, Wave, chattering, quiet_wall, tap, train, watch
from tests.support.examples import examples, some

DEBOUNCES_MS = some(range(6, 40))
GAPS_S = st.lists(st.floats(0.0002, 0.0006), max_size=5)


def presses(play: Playbook) -> list[float]:
    """When presses were decided, in seconds since the play began."""
    return [round(event.at - START, 6) for event in play.logged if event.kind == "pressed"]


@pytest.mark.many
@pytest.mark.parametrize("debounce_ms", DEBOUNCES_MS)
def test_a_clean_press_of_40_ms_counts_once_at_each_debounce(debounce_ms: int) -> None:
    """The integrator is full after the debounce, so the press is decided and dated then."""
    play = watch(quiet_wall(debounce_ms), tap(0.040))

    assert presses(play) == [debounce_ms / 1000]
    assert play.kinds() == ["pressed", "restored"]


@given(closing=GAPS_S, opening=GAPS_S, phase_s=st.floats(0, BEAT_S))
@settings(max_examples=examples(150))
def test_a_press_of_40_ms_with_3_ms_of_chatter_counts_once(
    closing: list[float], opening: list[float], phase_s: float
) -> None:
    """Whatever the contact does in its first and last 3 ms, a person has pressed once."""
    play = watch(quiet_wall(), chattering(0.040, closing, opening), phase_s=phase_s)

    assert len(presses(play)) == 1


@pytest.mark.many
@pytest.mark.parametrize("debounce_ms", DEBOUNCES_MS)
@pytest.mark.parametrize("lost", [False, True])
def test_a_pulse_of_5_ms_is_no_press_at_any_debounce(debounce_ms: int, lost: bool) -> None:
    """A spark on the line calls nobody, at any phase of the sampler."""
    play = quiet_wall(debounce_ms)

    for phase_ms in some(range(0, 50, 3)):
        watch(play, tap(0.005), phase_s=phase_ms / 1000, lost=lost, rest_s=0.1)

    assert play.kinds() == []


@pytest.mark.many
@pytest.mark.parametrize("debounce_ms", [6, 20, 39])
@pytest.mark.parametrize("spacing_ms", [10, 10.5, 12.5, 15, 20, 25, 33, 50])
def test_a_train_of_5_ms_pulses_is_no_press(debounce_ms: int, spacing_ms: float) -> None:
    """Interference doesn't add up: each pause takes away what the pulse before it brought."""
    play = watch(quiet_wall(debounce_ms), train(examples(100, 20), 0.005, spacing_ms / 1000))

    assert play.kinds() == []


@pytest.mark.many
@pytest.mark.parametrize("debounce_ms", [6, 20, 39])
@pytest.mark.parametrize("pause_ms", [10, 10.5, 12.5, 15, 20, 25, 45])
def test_a_train_of_5_ms_pulses_with_edges_lost_is_no_press(debounce_ms: int, pause_ms: float) -> None:
    """The sampler alone can't be fooled by pulses that pause for 10 ms or longer, whatever its phase."""
    play = quiet_wall(debounce_ms)

    for phase_ms in some(range(0, 50, 2)):
        watch(play, train(20, 0.005, 0.005 + pause_ms / 1000), phase_s=phase_ms / 1000, lost=True, rest_s=0.1)

    assert play.kinds() == []


@pytest.mark.many
@pytest.mark.parametrize("phase_ms", some(range(0, 50, 5)))
@pytest.mark.parametrize(
    ("wave", "count"),
    [
        (tap(0.005), 0),
        (train(5, 0.005, 0.017), 0),
        (tap(0.040), 1),
        (chattering(0.040, [0.0007] * 4, [0.0007] * 4), 1),
        ([*tap(0.040), *tap(0.040, at=0.100)], 2),
        (tap(0.150), 1),
    ],
    ids=["pulse", "train", "press", "chattering press", "two presses", "long press"],
)
def test_edges_that_come_late_in_bursts_count_as_if_they_had_come_at_once(
    wave: Wave, count: int, phase_ms: int
) -> None:
    """Edges carry their own time: a burst is still told from a press, also with samples in between."""
    play = quiet_wall()
    wakes_ms = some(range(0, 100, 7))

    for wake_ms in wakes_ms:
        watch(play, wave, wakes_s=(wake_ms / 1000, wake_ms / 1000 + 0.100), phase_s=phase_ms / 1000)

    assert len(presses(play)) == count * len(wakes_ms)


@pytest.mark.many
@pytest.mark.parametrize("debounce_ms", [6, 20, 39])
@pytest.mark.parametrize("phase_ms", some(range(50), 11))
def test_a_press_of_100_ms_counts_without_edges_at_any_phase_of_the_sampler(debounce_ms: int, phase_ms: int) -> None:
    """What an edge lost is still an alarm, decided while the button is held."""
    play = watch(quiet_wall(debounce_ms), tap(0.100), lost=True, phase_s=phase_ms / 1000)

    assert play.kinds() == ["pressed", "restored"]
    assert play.logged[-2].at - START <= 0.100


def test_lost_edges_are_a_fault_within_2_s() -> None:
    """The alarm comes, and so does the fault that says why it came by the sampler."""
    play = watch(quiet_wall(), tap(0.150), lost=True, rest_s=1.85)

    assert play.faults() == [("F002", "button")]
    assert play.kinds() == ["pressed", "restored", "fault-raised"]


def test_the_next_edge_clears_the_fault_of_lost_edges() -> None:
    """The edge path lives again."""
    play = watch(quiet_wall(), tap(0.150), lost=True, rest_s=2.0)

    watch(play, tap(0.150), rest_s=2.0)

    assert play.faults() == []
    assert play.kinds()[-2:] == ["pressed", "restored"]


@pytest.mark.parametrize("wake_s", [0.1, 0.5, 0.9])
def test_edges_that_come_within_a_second_after_all_are_no_fault(wake_s: float) -> None:
    """Late isn't lost; and what the samples have decided isn't decided again."""
    play = watch(quiet_wall(), tap(0.150), wakes_s=[wake_s], rest_s=3.0)

    assert play.kinds() == ["pressed", "restored"]


def test_a_lost_release_is_found_by_the_samples() -> None:
    """The input goes back to normal, so that the incident can be reset."""
    play = quiet_wall()
    play.press()

    play.actuated["button"] = False
    watch(play, [(0.0, False)], lost=True, rest_s=0.2)

    assert play.state.contact_state("button") is ContactState.NORMAL
    assert play.kinds() == ["pressed", "restored"]


def test_nothing_becomes_active_as_long_as_no_sample_agrees() -> None:
    """A held button whose level can't be read is not taken for a press for want of a second edge."""
    play = quiet_wall()
    play >> EdgeSeen(play.now, "button", high=False)

    play >> TimePassed(play.now + 1.0)

    assert play.kinds() == []


def test_the_release_proves_a_press_that_no_sample_saw() -> None:
    """Both edges of a tap say how long it was."""
    play = quiet_wall()

    play >> EdgeSeen(play.now, "button", high=False) >> EdgeSeen(play.now + 0.040, "button", high=True)

    assert play.kinds() == ["pressed"]


def test_a_gap_shorter_than_the_debounce_is_no_second_press() -> None:
    """A loose contact under a thumb presses once."""
    play = watch(quiet_wall(), [(0.0, True), (0.100, False), (0.115, True), (0.300, False)])

    assert play.kinds() == ["pressed", "restored"]


def test_normally_closed_means_that_high_is_actuated() -> None:
    """A contact that opens when it is pressed; a cut wire looks the same, and is an alarm too."""
    state = controller.start(make_settings(button(wiring=Wiring.NORMALLY_CLOSED), links=()), "0000000a", START, 0.0)
    state, _ = controller.handle(state, RecordLoaded(START, Restored()))
    state, _ = controller.handle(state, LevelsRead(START, {"button": False}))

    state, _ = controller.handle(state, EdgeSeen(START + 1.0, "button", high=True))
    state, effects = controller.handle(state, LevelsRead(START + 1.020, {"button": True}))

    assert state.contact_state("button") is ContactState.ACTIVE
    assert [each.event.kind for each in effects if isinstance(each, Append)] == ["pressed"]


@pytest.mark.parametrize("wiring", list(Wiring))
def test_a_button_pressed_at_start_is_an_alarm(wiring: Wiring) -> None:
    """No edge will ever tell of it: the first samples count."""
    settings_ = make_settings(button(wiring=wiring), links=())
    play = Playbook(settings_, actuated={"button": True})

    play.begin().wait(0.1)

    assert play.kinds() == ["started", "pressed"]
    assert presses(play) == [0.020]


def test_a_button_pressed_at_start_is_an_alarm_within_a_second_without_the_record() -> None:
    """A disk that stalls at start holds up nothing: the node begins after half a second."""
    play = Playbook(make_settings(links=()), actuated={"button": True})

    play.until(START + 0.5).sample().wait(0.45)

    assert play.kinds() == ["started", "pressed"]
    assert play.logged[-1].at - START < 1.0


@pytest.mark.parametrize("event", [EdgeSeen(START, "cellar", True), LevelsRead(START, {"cellar": True})])
def test_an_input_that_does_not_exist_changes_nothing(event: EdgeSeen | LevelsRead) -> None:
    """It is recorded, since somebody must have miswired the program."""
    play = quiet_wall()
    contacts = play.state.contacts

    play >> event

    assert play.state.contacts == contacts
    assert play.kinds() == ["unexpected"]

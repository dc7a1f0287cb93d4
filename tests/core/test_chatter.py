"""A contact that moves more often than people move it: limited, a fault, and its first press always an alarm."""

import pytest

from node.core import chatter
from node.core.effects import Append, SampleAt
from node.core.events import EdgesDropped, EdgeSeen
from node.core.settings import InputSettings, Role, Wiring
from tests.core.house import button, door, make_settings, switch
from tests.core.playbook import Playbook, Stage
from tests.core.wall import quiet_wall, train, watch
from tests.support.examples import examples

LIMIT = 10
PACED = examples(100, 2 * LIMIT)
CHATTERS = ("F042", "button")


def chattering(stage: Stage, *inputs: InputSettings) -> Playbook:
    """A node whose first button has been pressed so often that it chatters; nobody looked at what that led to."""
    play = stage(*(inputs or (button(),)), chatter_presses=LIMIT)
    name = play.settings.inputs[0].name
    for _ in range(LIMIT + 1):
        play.tap(name)
    return play


def test_the_first_press_is_an_alarm_and_so_is_each_up_to_the_limit(stage: Stage) -> None:
    """A person who presses again and again is told each time."""
    play = chattering(stage)

    assert [each.event.presses for each in play.take(Append) if each.event.kind == "pressed"] == list(
        range(1, LIMIT + 1)
    )
    assert play.faults() == [CHATTERS]


@pytest.mark.many
def test_beyond_the_limit_nothing_floods_anybody(alone: Stage) -> None:
    """A wire that swings in the wind for ten minutes adds no event of its own."""
    play = alone(button(), links=(), chatter_presses=LIMIT)
    for _ in range(LIMIT + 1):
        play.tap()
    seq = play.state.seq

    for _ in range(examples(600)):
        play.tap().wait(0.960)

    assert [event.kind for event in play.logged if event.key.seq > seq] == ["nobody"]
    assert play.faults() == [CHATTERS]
    play.skip()


def test_while_it_chatters_a_press_that_begins_an_incident_is_an_alarm(stage: Stage) -> None:
    """Nothing may keep back a call for help of which nobody knows."""
    play = chattering(stage)
    play.command("reset", incident=play.incident).skip()

    play.press()

    assert play.kinds() == ["pressed"]
    assert len(play.state.incidents) == 1


def test_another_button_is_not_limited(stage: Stage) -> None:
    """Each input has its own allowance."""
    play = chattering(stage, button("loose"), button("desk")).skip()

    play.tap("desk").tap("desk")

    assert play.kinds() == ["pressed", "restored", "pressed", "restored"]


def test_after_30_s_of_quiet_it_counts_as_calm(alone: Stage) -> None:
    """The fault is cleared, and the next press is told again."""
    play = chattering(alone).skip()

    play.wait(30.0)
    assert play.faults() == []
    play.skip().wait(60.0).skip().press()

    assert play.kinds() == ["pressed"]


def test_a_button_that_is_held_when_it_calms_counts_as_a_press(stage: Stage) -> None:
    """It may be the person's thumb that ended the chatter."""
    play = chattering(stage).press().skip()

    play.wait(30.0)

    assert "pressed" in play.kinds()
    assert play.state.incidents[0].presses == LIMIT + 1


def test_what_was_kept_back_comes_to_how_the_input_is_when_it_calms(stage: Stage) -> None:
    """The last thing that was told mustn't be a press that is long over."""
    play = stage(button(), chatter_presses=LIMIT)
    for _ in range(LIMIT):
        play.tap()
    play.press().release().skip()

    play.wait(30.0)

    assert "restored" in play.kinds()


def test_a_wire_that_is_cut_when_the_chatter_ends_is_told_as_that(alone: Stage) -> None:
    """It was the wire, and now it has come off."""
    play = chattering(alone, button(wiring=Wiring.CHANGEOVER))

    play.wire("button", high=True).wait(1.0).skip()
    assert play.faults() == [CHATTERS]
    play.wait(30.0)

    assert play.faults() == [("F043", "button")]
    assert "pressed" not in play.kinds()


@pytest.mark.many
def test_presses_at_a_person_s_pace_never_chatter(stage: Stage) -> None:
    """Ten within ten minutes, again and again, each told."""
    play = stage(button(), chatter_presses=LIMIT)

    for _ in range(PACED):
        play.tap().wait(60.0)

    assert CHATTERS not in play.faults()
    assert sum(event.kind == "pressed" for event in play.logged) == PACED
    play.skip()


@pytest.mark.many
def test_a_hum_is_a_fault_though_nothing_is_ever_decided(alone: Stage) -> None:
    """A wire that picks up 50 Hz hides every press: with the usual limit it has to be told within a minute."""
    presses = examples(round(make_settings().chatter_presses), LIMIT)
    play = alone(button(), links=(), chatter_presses=presses)

    watch(play, train(presses * chatter.EDGES_PER_PRESS, 0.010, 0.020))

    assert play.faults() == [CHATTERS]
    assert play.state.incidents == ()
    play.skip()


def test_edges_that_were_dropped_count(alone: Stage) -> None:
    """The panel handed over 64 of them and a number. When it is over nothing was kept back, and nothing is told."""
    play = alone(button())

    play >> EdgesDropped(play.now, "button", 100_000)
    assert play.faults() == [CHATTERS]
    play.wait(30.0)

    assert play.faults() == []
    assert play.kinds() == ["fault-raised", "fault-cleared"]


def test_dropped_edges_of_an_unknown_line_change_nothing(stage: Stage) -> None:
    """They are recorded."""
    play = stage()

    play >> EdgesDropped(play.now, "cellar", 5)

    assert play.kinds() == ["unexpected"]


def test_chatter_does_not_flood_the_sampler(stage: Stage) -> None:
    """One reading is asked for at a time."""
    play = quiet_wall()
    before = play.samples

    for number in range(1_000):
        play >> EdgeSeen(play.now, "button", high=number % 2 == 0)

    assert play.samples == before
    assert not play.take(SampleAt)


@pytest.mark.parametrize("role", [Role.DOOR_REPORT, Role.DOOR_INCIDENT_ONLY, Role.DOOR_HELD_OPEN])
def test_people_walk_through_doors_all_day(stage: Stage, role: Role) -> None:
    """A door that tells its state, or how long it stays open, has ten times the allowance."""
    play = stage(button(), door(role), chatter_presses=LIMIT)

    for _ in range(10 * LIMIT):
        play.tap("door")
    assert play.faults() == []
    play.tap("door")

    assert play.faults() == [("F042", "door")]
    play.skip()


def test_a_case_that_rattles_stays_an_open_case(stage: Stage) -> None:
    """It isn't raised and cleared by the second."""
    play = stage(button(), switch(Role.TAMPER), chatter_presses=LIMIT)
    for _ in range(LIMIT + 1):
        play.tap("tamper")
    seq = play.state.seq

    for _ in range(100):
        play.tap("tamper")

    assert play.faults() == [("F042", "tamper"), ("F044", "tamper")]
    assert play.state.seq == seq
    play.skip()


def test_a_chattering_key_resets_nothing(stage: Stage) -> None:
    """A loose wire is no authorised person."""
    play = stage(button(), switch(Role.RESET), chatter_presses=LIMIT)
    for _ in range(LIMIT + 1):
        play.tap("reset")
    play.tap("button").skip()

    play.tap("reset")

    assert len(play.state.incidents) == 1
    assert "key-turned" not in play.kinds()


@pytest.mark.parametrize("role", list(Role))
def test_each_role_has_an_allowance(role: Role) -> None:
    """None is without a limit."""
    assert chatter.allowance(role, 60) in (60, 600)

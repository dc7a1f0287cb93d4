"""The life of an incident, by its table."""

import ast
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from node import core
from node.core import alarm
from node.core.alarm import TRANSITIONS, Happening
from node.core.model import Incident, Key, ListedIncident, Step
from node.core.settings import AlarmClass, InputSettings, Lamp, Sound
from tests.core.house import button
from tests.core.playbook import Playbook, Stage

PRESS = Key("0000000a", 7)
FURTHER = Key("0000000a", 9)
ADOPTIONS = {Happening.ADOPTED, Happening.ADOPTED_ACKNOWLEDGED}


def incident(step: Step = Step.PRESSED, **changes: Any) -> Incident:
    """An open incident that was raised a while ago, and calls since 100 s."""
    made = Incident(
        "0000000a-7", "button", AlarmClass.THREAT, True, Lamp.SHOWN, step, PRESS, 1, 17.0, receipt_due=110.0
    )
    return replace(made, **changes)


def press(before: Incident | None, settings: InputSettings | None = None, **changes: Any) -> Incident:
    """One press at 200 s."""
    how = {"at": 200.0, "at_utc": 1.7e9, "muted": False, "fault_shown": False, "receipt_s": 10.0, "sound_limit_s": 900}
    return alarm.press(before, settings or button(), FURTHER, **{**how, **changes})


@pytest.mark.parametrize("happening", list(Happening))
@pytest.mark.parametrize("step", list(Step))
def test_only_what_the_table_says_leads_anywhere(step: Step, happening: Happening) -> None:
    """Each pair of step and happening leads where the table says, or is refused."""
    expected = TRANSITIONS.get((step, happening))

    assert alarm.follow(step, happening) is expected


@pytest.mark.parametrize("happening", sorted(set(Happening) - {Happening.PRESSED, Happening.RESET} - ADOPTIONS))
@pytest.mark.parametrize("step", sorted(set(Step) - {Step.NORMAL}))
def test_an_incident_moves_by_the_table_or_not_at_all(step: Step, happening: Happening) -> None:
    """Nothing but the step changes, and whether *told* is still awaited."""
    before = incident(step)

    after = alarm.advance(before, happening)

    expected = TRANSITIONS.get((step, happening))
    if expected is None:
        assert after is None
    else:
        calling = (Step.PRESSED, Step.STORED, Step.ACCEPTED, Step.HELD)
        awaited = expected in calling and happening is not Happening.TAKEN
        assert after == replace(before, step=expected, receipt_due=before.receipt_due if awaited else None)


@pytest.mark.parametrize("step", sorted(set(Step) - {Step.NORMAL}))
def test_a_further_press_starts_the_ladder_anew(step: Step) -> None:
    """Whatever had been reached was reached for an older press."""
    before = incident(step, marks=frozenset(Step), receipt_due=None)

    after = press(before)

    assert after == replace(
        before,
        step=Step.PRESSED,
        press=FURTHER,
        presses=2,
        marks=frozenset(),
        sounding_until=1_100.0,
        receipt_due=210.0,
    )


def step_changes(source: str) -> list[int]:
    """The lines on which this source makes an incident, or gives something another step."""
    calls = [part for part in ast.walk(ast.parse(source)) if isinstance(part, ast.Call)]
    named = [(part, ast.unparse(part.func).rpartition(".")[2]) for part in calls]
    return [
        part.lineno
        for part, name in named
        if name == "Incident" or (name == "replace" and "step" in {each.arg for each in part.keywords})
    ]


@pytest.mark.parametrize("path", sorted(Path(core.__path__[0]).parent.rglob("*.py")), ids=lambda path: path.stem)
def test_the_table_is_the_whole_truth(path: Path) -> None:
    """No code but the table's own makes an incident or changes its step."""
    if path.parts[-3:-1] == ("node", "core") and path.name == "alarm.py":
        assert step_changes(path.read_text(encoding="utf-8"))
    elif "monitor" not in path.parts:
        assert step_changes(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("step", sorted(set(Step) - {Step.NORMAL}))
def test_what_the_record_keeps_comes_back_by_the_table(step: Step) -> None:
    """A press whose snapshot was read is stored; whatever else had been reached still is."""
    stored = alarm.for_snapshot(incident(step))

    restored = alarm.restore(stored, 0.0, muted=False, told_due=None)

    assert restored.step is TRANSITIONS.get((stored.step, Happening.RESTORED), stored.step)


@pytest.mark.parametrize("known", [None, *sorted(set(Step) - {Step.NORMAL})])
@pytest.mark.parametrize("listed_step", [Step.PRESSED, Step.TOLD, Step.ACKNOWLEDGED])
def test_what_a_broker_remembers_begins_by_the_table(known: Step | None, listed_step: Step) -> None:
    """Acknowledged stays so; any other call begins anew."""
    (listed,) = alarm.listed((incident(listed_step),))
    before = None if known is None else incident(known, adopted=True)

    adopted = alarm.adopt(before, listed, button(), FURTHER, at=200.0, muted=False, receipt_s=10.0, sound_limit_s=900.0)

    happening = Happening.ADOPTED_ACKNOWLEDGED if listed_step is Step.ACKNOWLEDGED else Happening.ADOPTED
    assert adopted.step is TRANSITIONS[known or Step.NORMAL, happening]
    assert adopted.step is (Step.ACKNOWLEDGED if listed_step is Step.ACKNOWLEDGED else Step.PRESSED)


@pytest.mark.parametrize("step", sorted(set(Step) - {Step.NORMAL}))
def test_every_open_incident_can_be_reset(step: Step) -> None:
    """A person may end it, however far it has got."""
    assert alarm.reset(incident(step)).step is TRANSITIONS[step, Happening.RESET] is Step.NORMAL


@pytest.mark.parametrize("happening", sorted(set(Happening) - {Happening.PRESSED} - ADOPTIONS))
def test_without_a_press_there_is_no_incident(happening: Happening) -> None:
    """Only a press begins one, or a broker that remembers a press."""
    assert alarm.follow(Step.NORMAL, happening) is None


def test_nobody_has_it_is_left_when_people_are_told_or_act_alone() -> None:
    """Neither a broker that takes the alarm after all nor a monitor that only holds it is somebody who has it.

    Where no monitor is awaited, nobody can do more than a broker that takes it.
    """
    leaving = {happening for happening in Happening if alarm.follow(Step.NOBODY, happening)}

    assert leaving == {
        Happening.TOLD,
        Happening.ACKNOWLEDGED,
        Happening.PRESSED,
        Happening.RESET,
        Happening.TAKEN,
        *ADOPTIONS,
    }
    assert TRANSITIONS[Step.NOBODY, Happening.TAKEN] is Step.ACCEPTED


@pytest.mark.parametrize("happening", [Happening.STORED, Happening.ACCEPTED, Happening.UNSUBSCRIBED])
@pytest.mark.parametrize("step", [Step.ACCEPTED, Step.HELD, Step.TOLD, Step.ACKNOWLEDGED])
def test_what_comes_late_takes_nothing_back(step: Step, happening: Happening) -> None:
    """A slow disk or a second broker doesn't make the lamp say less than it did."""
    assert alarm.follow(step, happening) is None


def test_nothing_but_told_makes_a_call_received() -> None:
    """No other happening leads to the lamp's double flash, from wherever."""
    leading = {happening for (_, happening), step in TRANSITIONS.items() if step is Step.TOLD}

    assert leading == {Happening.TOLD}


@pytest.mark.parametrize(
    ("step", "phase"),
    [
        (Step.NORMAL, "normal"),
        (Step.PRESSED, "active"),
        (Step.STORED, "active"),
        (Step.ACCEPTED, "active"),
        (Step.NOBODY, "active"),
        (Step.HELD, "active"),
        (Step.TOLD, "received"),
        (Step.ACKNOWLEDGED, "acknowledged"),
    ],
)
def test_the_building_is_told_three_phases(step: Step, phase: str) -> None:
    """Readers of the alarm topic needn't know the ladder: *received* is told, and what is only held still calls."""
    assert alarm.phase(step) == phase


def test_a_first_press_raises_an_incident_named_after_its_event() -> None:
    """It is what the settings say, and remembers what the lamp showed."""
    settings = button("desk", alarm_class=AlarmClass.AMOK, sound=Sound.SILENT, lamp=Lamp.DISCREET)

    raised = press(None, settings, fault_shown=True)

    assert raised == Incident(
        id="0000000a-9",
        input="desk",
        alarm_class=AlarmClass.AMOK,
        loud=False,
        lamp=Lamp.DISCREET,
        step=Step.PRESSED,
        press=FURTHER,
        presses=1,
        since_utc=1.7e9,
        sounding_until=None,
        receipt_due=210.0,
        fault_shown=True,
    )


@pytest.mark.parametrize("sounding_until", [None, 150.0])
def test_a_muted_press_starts_no_sound_and_ends_none(sounding_until: float | None) -> None:
    """What already sounds goes on: that it ended would betray somebody too."""
    before = incident(sounding_until=sounding_until)

    assert press(before, muted=True).sounding_until == sounding_until


@pytest.mark.parametrize("open_class", list(AlarmClass))
@pytest.mark.parametrize("alarm_class", list(AlarmClass))
@pytest.mark.parametrize("loud", [False, True])
def test_a_silent_incident_hushes_its_class_and_below(
    open_class: AlarmClass, alarm_class: AlarmClass, loud: bool
) -> None:
    """Amok is heard over a silent threat; assistance isn't."""
    opened = incident(alarm_class=open_class, loud=loud)

    assert alarm.muted((opened,), alarm_class) is (not loud and open_class.rank >= alarm_class.rank)


def test_the_list_is_worst_class_first_then_oldest_press_first() -> None:
    """Who reads only the first line reads the worst."""
    opened = tuple(
        incident(id=f"0000000a-{number}", alarm_class=alarm_class)
        for number, alarm_class in enumerate(
            (AlarmClass.ASSIST, AlarmClass.THREAT, AlarmClass.AMOK, AlarmClass.THREAT, AlarmClass.ASSIST)
        )
    )

    assert [each.id[-1] for each in alarm.listed(opened)] == ["2", "1", "3", "0", "4"]


def test_the_list_says_what_another_process_needs_to_take_an_incident_over() -> None:
    """And nothing that only this process understands."""
    opened = incident(Step.TOLD, sounding_until=900.0, test=True)

    assert alarm.listed((opened,)) == (
        ListedIncident(
            "0000000a-7", "button", AlarmClass.THREAT, Step.TOLD, 1, 17.0, PRESS, sounding_until=900.0, test=True
        ),
    )


HAPPENINGS = {
    Happening.STORED: lambda play: play.stored(),
    Happening.ACCEPTED: lambda play: play.accepted(code=0),
    Happening.UNSUBSCRIBED: lambda play: play.accepted(code=0x10),
    Happening.HELD: lambda play: play.receipt(),
    Happening.TOLD: lambda play: play.receipt(kind="told"),
    Happening.TIMED_OUT: lambda play: play.wait(10.0),
    Happening.ACKNOWLEDGED: lambda play: play.command("acknowledge", incident=play.incident),
}

WAYS: dict[Step, list[Happening]] = {
    Step.PRESSED: [],
    Step.STORED: [Happening.STORED],
    Step.ACCEPTED: [Happening.ACCEPTED],
    Step.HELD: [Happening.HELD],
    Step.TOLD: [Happening.TOLD],
    Step.ACKNOWLEDGED: [Happening.ACKNOWLEDGED],
    Step.NOBODY: [Happening.UNSUBSCRIBED],
}


def reach(play: Playbook, step: Step) -> Playbook:
    """A pressed button, and a call for help that got this far."""
    play.stalled = True
    play.monitor().press()
    for happening in WAYS[step]:
        HAPPENINGS[happening](play)
    assert play.state.incidents[0].step is step
    return play.skip()


@pytest.mark.parametrize("happening", list(HAPPENINGS))
@pytest.mark.parametrize("step", list(WAYS))
def test_what_comes_in_moves_an_incident_by_the_table(stage: Stage, step: Step, happening: Happening) -> None:
    """Event by event through the controller: the table's step, or none."""
    play = reach(stage(), step)

    HAPPENINGS[happening](play.monitor()).skip()

    assert play.state.incidents[0].step is TRANSITIONS.get((step, happening), step)

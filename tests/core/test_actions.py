"""What each command does, and for which reason it doesn't."""

import pytest
from msgspec.structs import replace

from node.core.effects import (
    Reply,
    SendAlarm,
    SendEvent,
    SendReply,
    SetBuzzer,
    SetLamp,
    ShowLadder,
)
from node.core.model import Step
from node.core.settings import Sound
from node.core.signals import BuzzerPattern, LampPattern
from tests.core.house import button
from tests.core.playbook import Stage
from tests.core.scenes import Logged, refusal

SILENT = button("silent", sound=Sound.SILENT)


def test_an_acknowledgement_shows_at_the_place_of_the_alarm(stage: Stage) -> None:
    """A steady light: somebody is coming. The building is told, and the record keeps it."""
    play = stage()
    play.tap().skip()

    play.command("acknowledge", incident=play.incident)

    play << [
        SetLamp(LampPattern.ACKNOWLEDGED),
        ShowLadder(play.now, "button", Step.ACKNOWLEDGED, play.pressed),
        Logged("acknowledged", incident=play.incident, by="guard-desk"),
        SendEvent,
        SendAlarm,
        SendReply,
    ]


def test_a_second_acknowledgement_is_refused(stage: Stage) -> None:
    """Somebody is coming already; the first one's name stays."""
    play = stage()
    play.tap().command("acknowledge", incident=play.incident).skip()

    play.command("acknowledge", incident=play.incident)

    assert play.replies() == [refusal("already-acknowledged", 2)]


@pytest.mark.parametrize(("seen", "done"), [(1, False), (2, True), (3, True)])
def test_an_acknowledgement_of_fewer_presses_than_there_are_is_refused(stage: Stage, seen: int, done: bool) -> None:
    """Its author hasn't seen the newest call, so it can't hide it."""
    play = stage()
    play.tap().tap().skip()

    play.command("acknowledge", incident=play.incident, presses=seen)

    assert play.replies() == ([Reply("c1", "done")] if done else [refusal("pressed-again")])


@pytest.mark.parametrize(("seen", "done"), [(1, False), (2, True)])
def test_a_reset_of_fewer_presses_than_there_are_is_refused(stage: Stage, seen: int, done: bool) -> None:
    """Somebody has pressed again since: that call isn't over because an older one is."""
    play = stage()
    play.tap().tap().skip()

    play.command("reset", incident=play.incident, presses=seen)

    assert play.replies() == ([Reply("c1", "done")] if done else [refusal("pressed-again")])
    assert len(play.state.incidents) == (0 if done else 1)


def test_a_press_after_the_acknowledgement_calls_again(stage: Stage) -> None:
    """No command can hide an alarm that is raised after it."""
    play = stage()
    play.tap().command("acknowledge", incident=play.incident).skip()

    play.tap()

    assert play.step() is Step.PRESSED or play.step() is Step.STORED
    play.only(SetLamp) << [SetLamp(LampPattern.CALLING)]


def test_a_reset_ends_the_incident(stage: Stage) -> None:
    """Light and sound end, the building is told, and the record knows it as reset."""
    play = stage()
    play.tap().skip()
    incident = play.incident

    play.command("reset", incident=incident, reason="false-call")

    assert play.state.incidents == ()
    assert play.disk.closed == [incident]
    play << [
        SetBuzzer(BuzzerPattern.OFF),
        SetLamp(LampPattern.READY),
        Logged("reset", incident=incident, by="guard-desk", reason="false-call"),
        SendEvent,
        SendAlarm,
        SendReply,
    ]


def test_a_reset_is_refused_while_the_button_is_held(stage: Stage) -> None:
    """It never ends what is still pressed."""
    play = stage()
    play.press().skip()

    play.command("reset", incident=play.incident)

    assert play.replies() == [refusal("input-active")]


def test_a_reset_is_refused_while_the_input_is_unknown(stage: Stage) -> None:
    """Unknown is never taken for normal."""
    play = stage()
    play.tap()
    play.actuated["button"] = None
    play.sample().wait(5.0).skip()

    play.command("reset", incident=play.incident)

    assert play.replies() == [refusal("input-unknown")]


@pytest.mark.parametrize("stuck", [True, None], ids=["active", "unknown"])
def test_an_inhibited_input_can_be_reset_whatever_it_is(stage: Stage, stuck: bool | None) -> None:
    """A cut wire could never be reset otherwise."""
    play = stage()
    play.press()
    play.actuated["button"] = stuck
    play.sample().wait(5.0).command("inhibit", input="button", for_s=600.0, reason="cut-wire").skip()

    play.command("reset", incident=play.incident)

    assert play.state.incidents == ()
    assert play.replies() == [Reply("c2", "done")]


def test_a_press_after_a_reset_is_another_incident(stage: Stage) -> None:
    """With an id of its own."""
    play = stage()
    play.tap()
    first = play.incident
    play.command("reset", incident=first).skip()

    play.tap().skip()

    assert play.incident != first
    assert play.state.incidents[0].presses == 1


def test_silence_ends_the_sound_and_changes_nothing_else(stage: Stage) -> None:
    """Sounder off, alarm unchanged."""
    play = stage()
    play.tap().skip()
    before = play.state.incidents[0]

    play.command("silence", incident=play.incident)

    assert play.state.incidents[0] == replace(before, sounding_until=None)
    play << [
        SetBuzzer(BuzzerPattern.OFF),
        Logged("silenced", incident=play.incident, by="guard-desk"),
        SendEvent,
        SendAlarm,
        SendReply,
    ]


def test_what_does_not_sound_cannot_be_silenced(stage: Stage) -> None:
    """The second silence is refused, and so is one for a silent incident."""
    play = stage(SILENT)
    play.tap("silent").skip()

    play.command("silence", incident=play.incident)

    assert play.replies() == [refusal("not-sounding")]


def test_identify_chirps_for_a_while(stage: Stage) -> None:
    """So that somebody finds the node."""
    play = stage(heartbeat_s=3_600.0)

    play.command("identify", for_s=10.0).wait(10.0)

    assert [event.for_s for event in play.logged if event.kind == "identified"] == [10.0]
    play.only(SetBuzzer) << [SetBuzzer(BuzzerPattern.IDENTIFY), SetBuzzer(BuzzerPattern.OFF)]


def test_identify_is_refused_while_a_silent_incident_is_open(stage: Stage) -> None:
    """Nothing starts a sound then, chirps included."""
    play = stage(SILENT)
    play.tap("silent").skip()

    play.command("identify", for_s=10.0)

    assert play.replies() == [refusal("silent-incident-open")]


def test_identify_is_refused_without_a_buzzer(stage: Stage) -> None:
    """Nobody would hear it."""
    play = stage(has_buzzer=False)

    play.command("identify", for_s=10.0)

    assert play.replies() == [refusal("no-buzzer")]


def test_an_inhibit_is_a_standing_fault_until_its_end(alone: Stage) -> None:
    """An input out of service is told in every heartbeat, and comes back by itself."""
    play = alone(heartbeat_s=3_600.0)

    play.command("inhibit", input="button", for_s=600.0, reason="painters")
    assert play.faults() == [("F040", "button")]
    play.wait(600.0)

    assert play.faults() == []
    assert play.kinds() == ["inhibited", "fault-raised", "inhibit-ended", "fault-cleared"]


def test_a_press_of_an_inhibited_input_is_recorded_and_raises_nothing(stage: Stage) -> None:
    """That is what it was inhibited for."""
    play = stage()
    play.command("inhibit", input="button", for_s=600.0, reason="painters").skip()

    play.tap()

    assert play.state.incidents == ()
    assert play.kinds() == ["inhibited-press", "restored"]


@pytest.mark.parametrize("held", [True, False])
def test_an_input_still_active_at_the_end_of_its_inhibit_is_an_alarm(stage: Stage, held: bool) -> None:
    """What was pressed while nobody listened isn't forgotten."""
    play = stage()
    play.command("inhibit", input="button", for_s=600.0, reason="painters").press()
    if not held:
        play.release()

    play.wait(600.0).skip()

    assert len(play.state.incidents) == held


def test_a_further_inhibit_takes_the_place_of_the_first(stage: Stage) -> None:
    """Shorter or longer: the last word counts."""
    play = stage()
    play.command("inhibit", input="button", for_s=600.0, reason="painters")

    play.command("inhibit", input="button", for_s=60.0, reason="painters").wait(60.0).skip()

    assert play.state.inhibits == ()


def test_an_input_that_does_not_exist_cannot_be_inhibited(stage: Stage) -> None:
    """A typing mistake must not look like success."""
    play = stage()

    play.command("inhibit", input="buton", for_s=600.0, reason="painters")

    assert play.replies() == [refusal("no-such-input")]

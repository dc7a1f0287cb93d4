"""What a press sounds and shows at the wall, and what it must never betray."""

import pytest

from node.core.effects import SendAlarm, SendEvent, SetBuzzer, SetLamp
from node.core.model import Step
from node.core.settings import AlarmClass, Lamp, Sound
from node.core.signals import BuzzerPattern, LampPattern
from tests.core.house import button
from tests.core.playbook import Stage
from tests.core.scenes import Logged

ASSIST = button("assist", alarm_class=AlarmClass.ASSIST)
THREAT = button("threat", alarm_class=AlarmClass.THREAT)
AMOK = button("amok", alarm_class=AlarmClass.AMOK)
SILENT = button("silent", alarm_class=AlarmClass.THREAT, sound=Sound.SILENT)
DISCREET = button("discreet", sound=Sound.SILENT, lamp=Lamp.DISCREET)


def test_the_sound_ends_at_its_limit_and_the_alarm_does_not(stage: Stage) -> None:
    """15 minutes by default."""
    play = stage(sound_limit_s=15.0)
    play.monitor().press().told().wait(14.999).monitor().skip()

    play.wait(0.001)

    play << [SetBuzzer(BuzzerPattern.OFF), Logged("sound-ended", incident=play.incident), SendEvent, SendAlarm]
    assert play.step() is Step.TOLD


def test_a_further_press_sounds_again_after_silence(stage: Stage) -> None:
    """Who silences the buzzer doesn't silence the next call."""
    play = stage()
    play.press().release().command("silence", incident=play.incident).skip()

    play.press()

    play.only(SetBuzzer) << [SetBuzzer(BuzzerPattern.ALARM)]


@pytest.mark.parametrize(("pressed", "sounds"), [("assist", False), ("threat", False), ("amok", True)])
def test_while_a_silent_incident_is_open_its_class_and_below_start_no_sound(
    stage: Stage, pressed: str, sounds: bool
) -> None:
    """A clerk under threat must not be betrayed by a colleague's call; amok is heard."""
    play = stage(SILENT, ASSIST, THREAT, AMOK)
    play.press("silent").skip()

    play.press(pressed)

    play.only(SetBuzzer) << ([SetBuzzer(BuzzerPattern.ALARM)] if sounds else [])


def test_a_muted_incident_does_not_begin_to_sound_when_the_silent_one_is_reset(stage: Stage) -> None:
    """A sound is started by a press, and by nothing else."""
    play = stage(SILENT, ASSIST)
    play.press("silent").press("assist").release("silent").skip()

    play.command("reset", incident=play.state.incidents[0].id)

    play.only(SetBuzzer) << []


def test_what_sounds_goes_on_when_a_silent_button_is_pressed(stage: Stage) -> None:
    """That a sound ended at this moment would betray somebody too."""
    play = stage(SILENT, ASSIST)
    play.press("assist").skip()

    play.press("silent")

    play.only(SetBuzzer) << []


@pytest.mark.parametrize("faulty", [False, True])
def test_a_discreet_button_shows_nothing(stage: Stage, faulty: bool) -> None:
    """Not even that it stops to tell about a fault: the lamp looks as it did before the press."""
    play = stage(DISCREET, connected=not faulty)
    play.monitor().wait(5.0).monitor().skip()

    play.press("discreet").stored().receipt()

    play.only(SetLamp, SetBuzzer) << []


def test_a_discreet_button_shows_its_acknowledgement_as_a_missing_flash(stage: Stage) -> None:
    """Whoever knows it sees that somebody is coming."""
    play = stage(DISCREET)
    play.press("discreet").skip()

    play.command("acknowledge", incident=play.incident)

    play.only(SetLamp) << [SetLamp(LampPattern.READY_MISSING)]


def test_a_fault_that_comes_after_a_discreet_press_is_not_shown(stage: Stage) -> None:
    """The lamp doesn't move while somebody may be watching it."""
    play = stage(DISCREET)
    play.press("discreet").skip()

    play.link_down().wait(5.0)

    play.only(SetLamp) << []


def test_a_silent_button_that_is_shown_shows_all_and_sounds_nothing(stage: Stage) -> None:
    """Silent is about the buzzer."""
    play = stage(SILENT)

    play.press("silent")

    play.only(SetLamp, SetBuzzer) << [SetLamp(LampPattern.CALLING)]

"""A walk test at the wall: confirmed once a monitor holds it, and by nothing else; it betrays no discreet call."""

import pytest

from node.core.effects import (
    Append,
    MarkReceived,
    SendEvent,
    SetBuzzer,
    SetLamp,
)
from node.core.settings import AlarmClass, Lamp, Receipts, Sound
from node.core.signals import BuzzerPattern, LampPattern
from tests.core.house import button, walking
from tests.core.playbook import Stage
from tests.core.scenes import Logged

OTHER = button("other")
DISCREET = button("discreet", sound=Sound.SILENT, lamp=Lamp.DISCREET)


def test_a_receipt_confirms_the_test_at_the_wall(stage: Stage) -> None:
    """One chirp, and for 3 s the lamp shows received; how long that took from the press is told."""
    play = walking(stage, heartbeat_s=3_600.0)
    play.press()
    pressed = play.now
    play.until(pressed + 0.15).skip()
    key = play.newest("tested")

    play.receipt(key)

    play << [
        SetBuzzer(BuzzerPattern.CHIRP),
        SetLamp(LampPattern.RECEIVED),
        Logged("test-confirmed", input="button", test=True, for_s=0.15, incident=None),
        SendEvent,
        MarkReceived(key, "desk"),
    ]
    play.release().wait(2.99)
    play.only(SetBuzzer, SetLamp) << [SetBuzzer(BuzzerPattern.OFF), SetLamp(LampPattern.WALK_TEST)]


def test_a_test_is_confirmed_once(stage: Stage) -> None:
    """A second monitor's receipt says nothing new."""
    play = walking(stage)
    play.tap().receipt(play.newest("tested")).wait(1.0).skip()

    play.receipt(play.newest("tested"), monitor="gate")

    play.only(SetBuzzer, Append) << []


def test_another_event_s_receipt_confirms_no_test(stage: Stage) -> None:
    """The building must have heard this one."""
    play = walking(stage)
    play.tap().skip()

    play.receipt(play.newest("restored"))

    play.only(SetBuzzer, SetLamp, Append) << []


@pytest.mark.parametrize("receipts", list(Receipts))
@pytest.mark.parametrize("code", [0x00, 0x10])
def test_a_broker_s_answer_confirms_no_test(stage: Stage, receipts: Receipts, code: int) -> None:
    """A PUBACK is never a receipt, in a building without a monitor neither."""
    play = walking(stage, receipts=receipts)
    play.tap().skip()

    play.accepted(play.newest("tested"), code=code)

    assert "test-confirmed" not in play.kinds()


def test_told_confirms_no_test(stage: Stage) -> None:
    """Nobody is told of a test; what confirms it is that it is held."""
    play = walking(stage)
    play.tap().skip()

    play.receipt(play.newest("tested"), kind="told")

    play.only(SetBuzzer, SetLamp, Append) << []


def test_a_test_is_confirmed_though_the_walk_test_is_over(stage: Stage) -> None:
    """Its receipt was late."""
    play = walking(stage, for_s=5.0, heartbeat_s=3_600.0)
    play.tap().wait(7.0).skip()

    play.receipt(play.newest("tested"))

    play.only(SetBuzzer, SetLamp) << [SetBuzzer(BuzzerPattern.CHIRP), SetLamp(LampPattern.RECEIVED)]
    play.wait(3.0)
    play.only(SetBuzzer, SetLamp) << [SetBuzzer(BuzzerPattern.OFF), SetLamp(LampPattern.READY)]


@pytest.mark.parametrize(
    ("opened", "chirps"),
    [(AlarmClass.ASSIST, True), (AlarmClass.THREAT, False), (AlarmClass.AMOK, False)],
)
def test_no_chirp_while_a_silent_incident_hushes_it(stage: Stage, opened: AlarmClass, chirps: bool) -> None:
    """Of the test's class or a worse one; a chirp would say that somebody has pressed."""
    silent = button("silent", sound=Sound.SILENT, lamp=Lamp.DISCREET, alarm_class=opened)
    play = stage(button(), silent)
    play.tap("silent").command("walk-test", for_s=60.0).tap("button").skip()

    play.receipt(play.newest("tested"))

    play.only(SetBuzzer) << ([SetBuzzer(BuzzerPattern.CHIRP)] if chirps else [])


@pytest.mark.parametrize("sounding", ["an alarm", "identify"])
def test_no_chirp_while_anything_sounds(stage: Stage, sounding: str) -> None:
    """It couldn't be told apart, and must not come when that ends."""
    play = walking(stage, button(), OTHER)
    play.tap("other").tap("button")
    if sounding == "identify":
        play.command("identify", for_s=5.0)
    else:
        play.tap("other")
    play.skip()

    play.receipt(play.newest("tested"))

    play.only(SetBuzzer) << []
    assert play.state.chirp_until is None


def test_a_discreet_button_s_test_is_not_seen(stage: Stage) -> None:
    """Its lamp never tells that somebody has pressed; the chirp does, in a walk test."""
    play = walking(stage, DISCREET)
    play.tap("discreet").skip()

    play.receipt(play.newest("tested"))

    play.only(SetBuzzer, SetLamp) << [SetBuzzer(BuzzerPattern.CHIRP)]


def test_the_lamp_confirms_where_there_is_no_buzzer(stage: Stage) -> None:
    """What can't be heard is seen."""
    play = walking(stage, has_buzzer=False)
    play.tap().skip()

    play.receipt(play.newest("tested"))

    play.only(SetLamp) << [SetLamp(LampPattern.RECEIVED)]


def test_a_second_press_ends_the_confirmation(stage: Stage) -> None:
    """The lamp is the alarm's, and so is the buzzer."""
    play = walking(stage)
    play.tap().receipt(play.newest("tested")).skip()

    play.tap()

    play.only(SetBuzzer, SetLamp) << [SetBuzzer(BuzzerPattern.ALARM), SetLamp(LampPattern.CALLING)]
    play.wait(5.0)
    assert play.state.lamp is LampPattern.CALLING
    play.skip()


def test_a_discreet_incident_leaves_the_walk_test_on_the_lamp(stage: Stage) -> None:
    """It looks as it would without it until the end; acknowledged, each third flash is missing."""
    play = walking(stage, DISCREET, for_s=10.0, heartbeat_s=3_600.0)

    play.tap("discreet").tap("discreet")
    play.only(SetLamp) << []
    play.command("acknowledge", incident=play.incident)
    play.only(SetLamp) << [SetLamp(LampPattern.WALK_TEST_MISSING)]
    play.wait(10.0)

    play.only(SetLamp) << [SetLamp(LampPattern.READY_MISSING)]


def test_a_walk_test_shows_where_there_is_a_fault_too(stage: Stage) -> None:
    """Whoever calls for help there with a short first press gets a test: the lamp must have said so."""
    play = walking(stage)

    play.command("inhibit", input="button", for_s=60.0, reason="painters")
    play.only(SetLamp) << []
    play.command("walk-test-end")

    play.only(SetLamp) << [SetLamp(LampPattern.NOBODY)]

"""Who has the alarm: what the brokers and the monitors say, and when nobody has it."""

from typing import get_args

import pytest
from msgspec.structs import replace

from node.core.effects import (
    MarkReceived,
    SendAlarm,
    SendEvent,
    SetBuzzer,
    SetLamp,
    ShowLadder,
    StoreSnapshot,
)
from node.core.model import Step
from node.core.settings import Receipts
from node.core.signals import BuzzerPattern, LampPattern
from node.protocol.monitor_messages import ReceiptKind
from tests.core.playbook import LINK, Stage
from tests.core.scenes import Logged


def test_held_is_noted_and_ends_the_sending_and_moves_no_lamp(stage: Stage) -> None:
    """One from any monitor over any broker suffices; the second changes nothing. The call goes on: nobody was told."""
    play = stage(links=("a", "b"))
    play.monitor(link="a").press().skip()

    play.receipt(monitor="desk", link="b")

    play << [
        ShowLadder(play.now, "button", Step.HELD, play.pressed),
        StoreSnapshot,
        MarkReceived(play.pressed, "desk"),
    ]
    play.receipt(monitor="gate", link="a") << []
    assert play.pressed not in play.state.waiting.events
    assert (play.state.lamp, play.state.incidents[0].receipt_due) == (LampPattern.CALLING, play.now + 10.0)


def test_told_moves_the_lamp_and_ends_the_waiting(stage: Stage) -> None:
    """One from any monitor over any broker suffices; the second changes nothing."""
    play = stage(links=("a", "b"))
    play.monitor(link="a").press().receipt(link="a").skip()

    play.receipt(kind="told", monitor="desk", link="b")

    play << [
        SetLamp(LampPattern.RECEIVED),
        ShowLadder(play.now, "button", Step.TOLD, play.pressed),
        StoreSnapshot,
        SendAlarm,
        SendAlarm,
    ]
    play.receipt(kind="told", monitor="gate", link="a") << []
    assert play.state.incidents[0].receipt_due is None


def test_told_before_held_is_told_and_the_sending_goes_on(stage: Stage) -> None:
    """People are told from memory while the monitor's database is away; held takes nothing back."""
    play = stage()
    play.monitor().press().skip()

    play.receipt(kind="told").skip()

    assert (play.step(), play.state.lamp) == (Step.TOLD, LampPattern.RECEIVED)
    assert play.pressed in play.state.waiting.events
    play.wait(10.0).monitor()
    assert SendEvent(LINK, 1, play.pressed, alarm=True) in play.take(SendEvent)
    play.receipt() << [
        ShowLadder(play.now, "button", Step.HELD, play.pressed),
        MarkReceived(play.pressed, "desk"),
    ]
    assert (play.step(), play.state.lamp) == (Step.TOLD, LampPattern.RECEIVED)


def test_held_and_not_told_in_time_is_nobody_has_it(stage: Stage) -> None:
    """A monitor that has nobody to tell, or whose channels all fail, is as good as none."""
    play = stage(heartbeat_s=60.0)
    play.monitor().press().accepted().receipt().wait(9.999).skip()

    play.wait(0.001)

    play << [
        SetBuzzer(BuzzerPattern.NOBODY),
        SetLamp(LampPattern.NOBODY),
        ShowLadder(play.now, "button", Step.NOBODY, play.pressed),
        Logged("nobody", incident=play.incident, presses=1, reason="nobody was told in time"),
        SendEvent(LINK, 1, play.newest("nobody"), alarm=True),
        SendAlarm,
    ]
    assert play.state.incidents[0].press == play.pressed


def test_held_does_not_end_nobody_has_it(stage: Stage) -> None:
    """It ends the sending of that event, and nothing else."""
    play = stage()
    play.monitor().press().wait(10.0).monitor().skip()

    play.receipt()

    play << [
        ShowLadder(play.now, "button", Step.HELD, play.pressed),
        MarkReceived(play.pressed, "desk"),
    ]
    assert (play.step(), play.state.lamp) == (Step.NOBODY, LampPattern.NOBODY)


def test_nobody_has_it_when_nobody_is_told_in_time(stage: Stage) -> None:
    """The lamp and the buzzer say so, and an event that every other path may carry."""
    play = stage(heartbeat_s=60.0)
    play.monitor().press().accepted().wait(9.999).skip()

    play.wait(0.001)

    play << [
        SetBuzzer(BuzzerPattern.NOBODY),
        SetLamp(LampPattern.NOBODY),
        ShowLadder(play.now, "button", Step.NOBODY, play.pressed),
        Logged("nobody", incident=play.incident, presses=1, reason="nobody was told in time"),
        SendEvent(LINK, 1, play.newest("nobody"), alarm=True),
        SendAlarm,
        SendEvent(LINK, 1, play.pressed, alarm=True),
    ]


@pytest.mark.parametrize("held", [True, False])
def test_told_that_comes_late_ends_nobody_has_it(stage: Stage, held: bool) -> None:
    """A channel took it after all."""
    play = stage()
    play.monitor().press().wait(10.0).monitor()
    if held:
        play.receipt()
    play.skip()

    play.receipt(kind="told")

    play << [
        SetBuzzer(BuzzerPattern.ALARM),
        SetLamp(LampPattern.RECEIVED),
        ShowLadder(play.now, "button", Step.TOLD, play.pressed),
        StoreSnapshot,
        SendAlarm,
    ]


def test_nobody_subscribes_is_nobody_has_it_at_once(stage: Stage) -> None:
    """0x10 escalates early: the broker has it, and knows of nobody to give it to."""
    play = stage()
    play.press().skip()

    play.accepted(code=0x10)

    play << [
        SetBuzzer(BuzzerPattern.NOBODY),
        SetLamp(LampPattern.NOBODY),
        ShowLadder(play.now, "button", Step.ACCEPTED, play.pressed),
        ShowLadder(play.now, "button", Step.NOBODY, play.pressed),
        Logged("nobody", incident=play.incident, reason="accepted, nobody subscribes"),
        SendEvent(LINK, 1, play.newest("nobody"), alarm=True),
        SendAlarm,
    ]


def test_nobody_subscribes_to_an_earlier_press_leaves_the_newest_call_as_it_is(stage: Stage) -> None:
    """Its own answer may come a moment later, and be another."""
    play = stage()
    play.tap()
    first = play.pressed
    play.press().skip()

    play.accepted(first, code=0x10)

    assert play.step() is Step.PRESSED
    assert play.steps() == []


def test_nobody_subscribes_on_one_link_is_no_reason_while_another_carries_it(stage: Stage) -> None:
    """The second broker hasn't answered yet, or has it without a receipt so far."""
    play = stage(links=("a", "b"))
    play.monitor(link="a").press().skip()

    play.accepted(code=0x10, link="a").accepted(code=0, link="b").accepted(code=0x10, link="a")

    assert play.step() is Step.ACCEPTED
    assert play.steps() == ["accepted"]


def test_nobody_subscribes_on_the_last_link_is_nobody_has_it(stage: Stage) -> None:
    """The first one had said so before."""
    play = stage(links=("a", "b"))
    play.monitor(link="a").press().skip()

    play.accepted(code=0x10, link="a").accepted(code=0x10, link="b")

    assert play.steps() == ["accepted", "nobody"]


@pytest.mark.parametrize("kind", get_args(ReceiptKind))
def test_held_and_told_become_nobody_when_no_monitor_is_heard_any_more(stage: Stage, kind: ReceiptKind) -> None:
    """They are worth as much as the monitor that said so; the new event calls for help in the press's place."""
    play = stage(receipt_s=60.0)
    play.monitor().press().stored().receipt(kind=kind).skip()

    play.wait(20.0)

    assert play.step() is Step.NOBODY
    assert play.state.incidents[0].press == play.newest("nobody")
    assert play.steps() == ["nobody"]


def test_the_receipt_of_the_event_that_says_so_counts(stage: Stage) -> None:
    """A monitor is back and holds the alarm anew; late receipts of the old press aren't enough."""
    play = stage()
    play.monitor().press().told().wait(20.0).monitor(boot="m0000002").skip()
    press, nobody = play.pressed, play.newest("nobody")

    play.told(press)
    assert play.step() is Step.NOBODY
    play.told(nobody)

    assert play.step() is Step.TOLD
    assert play.steps() == ["held", "told"]


@pytest.mark.parametrize("kind", get_args(ReceiptKind))
def test_a_receipt_proves_that_its_monitor_is_heard(stage: Stage, kind: ReceiptKind) -> None:
    """A monitor counts as heard for 20 s after each of its messages, so its receipt doesn't call for another one."""
    play = stage()
    play.wait(60.0).press().skip()

    play.receipt(kind=kind)

    assert play.step() is Step(kind)
    assert play.kinds() == ["fault-cleared"]


def test_an_acknowledged_incident_stays_acknowledged_when_the_monitors_fall_silent(stage: Stage) -> None:
    """A person is coming, whatever the machines do."""
    play = stage()
    play.monitor().press().told().command("acknowledge", incident=play.incident)

    play.wait(25.0).skip()

    assert play.step() is Step.ACKNOWLEDGED


def test_without_a_monitor_the_lamp_goes_on_calling(alone: Stage) -> None:
    """PUBACK 0x00 ends the sending and the waiting, and is never a receipt: only a person's word is more."""
    play = alone()
    play.press().skip()

    play.accepted()

    play << [
        ShowLadder(play.now, "button", Step.ACCEPTED, play.pressed),
        StoreSnapshot,
        MarkReceived(play.pressed, "the broker"),
    ]
    play.wait(3_600.0).skip()
    assert (play.step(), play.state.lamp) == (Step.ACCEPTED, LampPattern.CALLING)
    play.command("acknowledge", incident=play.incident).skip()
    assert play.state.lamp is LampPattern.ACKNOWLEDGED


@pytest.mark.parametrize("code", [0x10, 0x87, None])
def test_without_a_monitor_nobody_has_what_no_broker_takes(alone: Stage, code: int | None) -> None:
    """Nobody subscribes, it is refused, or no broker is there; that ends once a broker takes it after all."""
    play = alone()
    play.press()
    if code is not None:
        play.accepted(code=code)
    play.wait(10.0).skip()
    assert (play.step(), play.state.lamp) == (Step.NOBODY, LampPattern.NOBODY)

    play.accepted().skip()

    assert (play.step(), play.state.lamp) == (Step.ACCEPTED, LampPattern.CALLING)
    assert play.pressed not in play.state.waiting.events


@pytest.mark.parametrize("kind", get_args(ReceiptKind))
def test_without_a_monitor_no_receipt_counts(alone: Stage, kind: ReceiptKind) -> None:
    """There *held* and *told* never come, whoever says them."""
    play = alone()
    play.press().skip()

    play.receipt(kind=kind) << []

    assert play.step() is Step.PRESSED


@pytest.mark.parametrize("code", [0x00, 0x10])
def test_a_broker_s_answer_is_never_a_receipt(stage: Stage, code: int) -> None:
    """Mosquitto counts subscribers that its own access list denies: 0x00 proves no one who hears."""
    play = stage()
    play.press().accepted(code=code).wait(10.0).skip()

    assert (play.step(), play.state.lamp) == (Step.NOBODY, LampPattern.NOBODY)
    assert play.pressed in play.state.waiting.events


def test_a_call_that_nobody_was_awaited_for_gets_a_deadline_where_a_monitor_is_awaited_now(alone: Stage) -> None:
    """The configuration was changed while an alarm was open: it must not go on calling for ever."""
    before = alone().tap().accepted().skip()
    settings = replace(before.settings, receipts=Receipts.REQUIRED)

    play = before.next_process(settings=settings).begin().connect().wait(10.0).skip()

    assert (play.step(), play.state.lamp) == (Step.NOBODY, LampPattern.NOBODY)


def test_the_receipt_of_a_stranger_counts_for_nothing_where_monitors_are_named(stage: Stage) -> None:
    """Who isn't named isn't listened to."""
    play = stage(monitors=("desk",))
    play.press().skip()

    play.told(monitor="stranger").monitor("stranger")

    assert play.step() is Step.PRESSED
    play << []

"""Who has the alarm: what the brokers and the monitors say, and when nobody has it."""

import pytest

from node.core.effects import (
    MarkReceived,
    Remember,
    SendAlarm,
    SendEvent,
    SetBuzzer,
    SetLamp,
    ShowLadder,
)
from node.core.memory import Step
from node.core.settings import Receipts
from node.core.signals import BuzzerPattern, LampPattern
from tests.core.playbook import LINK, Stage
from tests.core.scenes import Logged


def test_a_receipt_is_noted_and_ends_the_sending(stage: Stage) -> None:
    """One from any monitor over any broker suffices; the second changes nothing."""
    play = stage(links=("a", "b"))
    play.monitor(link="a").press().skip()

    play.receipt(monitor="desk", link="b")

    play << [
        SetLamp(LampPattern.RECEIVED),
        ShowLadder(play.now, "button", Step.RECEIVED, play.pressed),
        Remember,
        SendAlarm,
        SendAlarm,
        MarkReceived(play.pressed, "desk"),
    ]
    play.receipt(monitor="gate", link="a") << []
    assert play.pressed not in play.state.outbox.waiting


def test_nobody_has_it_when_no_receipt_comes_in_time(stage: Stage) -> None:
    """The lamp and the buzzer say so, and an event that every other path may carry."""
    play = stage(heartbeat_s=60.0)
    play.monitor().press().accepted().wait(9.999).skip()

    play.wait(0.001)

    play << [
        SetBuzzer(BuzzerPattern.NOBODY),
        SetLamp(LampPattern.NOBODY),
        ShowLadder(play.now, "button", Step.NOBODY, play.pressed),
        Logged("nobody", incident=play.incident, presses=1, reason="no receipt in time"),
        SendAlarm,
        SendEvent(LINK, 1, play.newest("nobody"), alarm=True),
        SendEvent(LINK, 1, play.pressed, alarm=True),
    ]


def test_a_receipt_that_comes_late_ends_nobody_has_it(stage: Stage) -> None:
    """Somebody has it after all."""
    play = stage()
    play.monitor().press().wait(10.0).monitor().skip()

    play.receipt()

    play << [
        SetBuzzer(BuzzerPattern.ALARM),
        SetLamp(LampPattern.RECEIVED),
        ShowLadder(play.now, "button", Step.RECEIVED, play.pressed),
        Remember,
        SendAlarm,
        MarkReceived(play.pressed, "desk"),
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
        SendAlarm,
        SendEvent(LINK, 1, play.newest("nobody"), alarm=True),
    ]


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


def test_received_becomes_nobody_when_no_monitor_is_heard_any_more(stage: Stage) -> None:
    """A received alarm is worth as much as the monitor that holds it; the new event calls for help in its place."""
    play = stage()
    play.monitor().press().stored().receipt().skip()

    play.wait(20.0)

    assert play.step() is Step.NOBODY
    assert play.state.incidents[0].press == play.newest("nobody")
    assert play.steps() == ["nobody"]


def test_the_receipt_of_the_event_that_says_so_counts(stage: Stage) -> None:
    """A monitor is back and holds the alarm anew; a late receipt of the old press isn't enough."""
    play = stage()
    play.monitor().press().receipt().wait(20.0).monitor(boot="m0000002").skip()
    press, nobody = play.pressed, play.newest("nobody")

    play.receipt(press)
    assert play.step() is Step.NOBODY
    play.receipt(nobody)

    assert play.step() is Step.RECEIVED
    assert play.steps() == ["received"]


def test_a_receipt_proves_that_its_monitor_is_heard(stage: Stage) -> None:
    """A monitor counts as heard for 20 s after each of its messages, so its receipt doesn't call for another one."""
    play = stage(receipts=Receipts.REQUIRED)
    play.wait(60.0).press().skip()

    play.receipt()

    assert play.step() is Step.RECEIVED
    assert play.kinds() == ["fault-cleared"]
    assert play.state.supervision.monitor_known


def test_an_acknowledged_incident_stays_acknowledged_when_the_monitors_fall_silent(stage: Stage) -> None:
    """A person is coming, whatever the machines do."""
    play = stage()
    play.monitor().press().receipt().command("acknowledge", incident=play.incident)

    play.wait(25.0).skip()

    assert play.step() is Step.ACKNOWLEDGED


def test_without_monitors_the_broker_s_word_is_a_receipt(stage: Stage) -> None:
    """Receipts ``auto``, and no monitor was ever heard: PUBACK 0x00 has to do."""
    play = stage()
    play.press().skip()

    play.accepted()

    play << [
        SetLamp(LampPattern.RECEIVED),
        ShowLadder(play.now, "button", Step.ACCEPTED, play.pressed),
        ShowLadder(play.now, "button", Step.RECEIVED, play.pressed),
        Remember,
        SendAlarm,
        MarkReceived(play.pressed, "broker"),
    ]


@pytest.mark.parametrize(
    ("receipts", "monitors", "known", "received"),
    [
        (Receipts.AUTO, (), False, True),
        (Receipts.AUTO, (), True, False),
        (Receipts.NONE, (), False, True),
        (Receipts.NONE, (), True, True),
        (Receipts.REQUIRED, (), False, False),
        (Receipts.NONE, ("desk",), False, False),
        (Receipts.AUTO, ("desk",), False, False),
    ],
)
def test_what_counts_as_received(
    stage: Stage, receipts: Receipts, monitors: tuple[str, ...], known: bool, received: bool
) -> None:
    """Whether PUBACK 0x00 is a receipt, by the settings and by whether a monitor was ever heard."""
    play = stage(receipts=receipts, monitors=monitors)
    if known:
        play.monitor()
    play.press()

    play.accepted().skip()

    assert (play.step() is Step.RECEIVED) is received


def test_the_receipt_of_a_stranger_counts_for_nothing_where_monitors_are_named(stage: Stage) -> None:
    """Who isn't named isn't listened to."""
    play = stage(monitors=("desk",))
    play.press().skip()

    play.receipt(monitor="stranger").monitor("stranger")

    assert play.step() is Step.PRESSED
    play << []

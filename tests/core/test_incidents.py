"""Presses at the wall: what sounds, what shows, what is told, and how far the call for help gets."""

from node.core.effects import (
    HurryLinks,
    LoggedEvent,
    MarkReceived,
    SendAlarm,
    SendEvent,
    SetBuzzer,
    SetLamp,
    ShowLadder,
)
from node.core.model import EventKind, Key, Step
from node.core.settings import AlarmClass
from node.core.signals import BuzzerPattern, LampPattern
from tests.core.house import button
from tests.core.playbook import BOOT, LINK, UTC_OFFSET, Stage
from tests.core.scenes import Logged

ASSIST = button("assist", alarm_class=AlarmClass.ASSIST)
AMOK = button("amok", alarm_class=AlarmClass.AMOK)


def test_a_press_sounds_first_and_waits_for_nothing(stage: Stage) -> None:
    """Buzzer, lamp and ladder; then the record; then every link is handed the event and the list at once."""
    play = stage(links=("a", "b"))
    at = play.now + 0.020
    key = Key(BOOT, play.state.seq + 1)

    play.press()

    (told,) = play.disk.snapshot.incidents if play.disk.snapshot else ()
    event = LoggedEvent(
        key, EventKind.PRESSED, at, at + UTC_OFFSET, False, "button", "threat", incident=str(key), presses=1
    )
    assert (told.step, told.sounding_until, told.receipt_due) == (Step.PRESSED, at + 900.0, at + 10.0)
    assert play.logged[-1] == event
    play << [
        SetBuzzer(BuzzerPattern.ALARM),
        SetLamp(LampPattern.CALLING),
        ShowLadder(at, "button", Step.PRESSED, key),
        Logged("pressed", key=key, incident=str(key)),
        SendEvent("a", 1, key, alarm=True),
        SendEvent("b", 1, key, alarm=True),
        SendAlarm,
        SendAlarm,
        HurryLinks(),
    ]


def test_a_press_without_any_link_still_sounds_and_is_stored(stage: Stage) -> None:
    """And the links are hurried: one that waits before its next try shall try now."""
    play = stage(connected=False)

    play.press()

    play << [
        SetBuzzer(BuzzerPattern.ALARM),
        SetLamp(LampPattern.CALLING),
        ShowLadder,
        Logged("pressed"),
        HurryLinks(),
    ]


def test_the_ladder_of_a_call_that_is_heard(stage: Stage) -> None:
    """Pressed, stored, accepted, held, told, acknowledged: each shown once, each by its own word."""
    play = stage(links=("a", "b"))
    play.monitor(link="a").press()

    play.stored().accepted(link="a").accepted(link="b").told(link="a").told(link="b")
    play.command("acknowledge", incident=play.incident, link="a")

    assert play.steps() == ["pressed", "stored", "accepted", "held", "told", "acknowledged"]


def test_the_lamp_tells_how_far_the_call_has_got(stage: Stage) -> None:
    """Fast until people were told, held or not; then a double flash, and steady when a person comes."""
    play = stage()
    play.monitor().skip()

    play.press().stored().accepted().told().command("acknowledge", incident=play.incident)

    play.only(SetLamp) << [
        SetLamp(LampPattern.CALLING),
        SetLamp(LampPattern.RECEIVED),
        SetLamp(LampPattern.ACKNOWLEDGED),
    ]


def test_a_press_is_stored_only_when_its_own_event_is(stage: Stage) -> None:
    """The disk may have an older event long before."""
    play = stage()
    play.stalled = True

    play.press().stored().release().press()

    assert play.steps() == ["pressed", "stored", "pressed"]


def test_a_further_press_is_counted_and_starts_the_ladder_anew(stage: Stage) -> None:
    """An event of its own in the same incident; the lamp tells about the newest press."""
    play = stage()
    play.monitor().press().stored().accepted().receipt().release()
    play.command("acknowledge", incident=play.incident).skip()
    incident = play.incident

    play.press()

    play << [
        SetLamp(LampPattern.CALLING),
        ShowLadder(play.now, "button", Step.PRESSED, play.pressed),
        Logged("pressed", incident=incident, presses=2),
        SendEvent(LINK, 1, play.pressed, alarm=True),
        SendAlarm,
        HurryLinks(),
    ]
    play.stored().accepted().told()
    assert play.steps() == ["stored", "accepted", "held", "told"]


def test_what_is_said_of_one_call_says_nothing_of_the_other(stage: Stage) -> None:
    """Two rooms call at one node, and people are told of one of them alone."""
    play = stage(ASSIST, AMOK)
    play.monitor().press("assist").press("amok")

    play.accepted().told().skip()

    assert [incident.step for incident in play.state.incidents] == [Step.STORED, Step.TOLD]


def test_what_was_reached_for_an_older_press_says_nothing_of_the_newest(stage: Stage) -> None:
    """The receipts for the first press arrive after the second."""
    play = stage()
    play.monitor().press().release()
    first = play.pressed
    play.press().skip()

    play.accepted(first).told(first)

    assert play.step() is Step.PRESSED
    play << [MarkReceived(first, "desk")]


def test_the_lamp_tells_about_the_newest_press_of_several_incidents(stage: Stage) -> None:
    """Two buttons, each with an incident of its own; the list holds both."""
    play = stage(ASSIST, AMOK)
    play.monitor().press("amok").accepted().receipt().press("assist").skip()

    play.release("amok").press("amok").told()

    assert [each.input for each in play.state.incidents] == ["assist", "amok"]
    assert [each.input for each in play.state.supervision.link(LINK).alarm_sent or ()] == ["amok", "assist"]
    play.only(SetLamp) << [SetLamp(LampPattern.RECEIVED)]


def test_an_incident_is_latched(stage: Stage) -> None:
    """Restored is about the input; the incident stays until a person resets it."""
    play = stage()
    play.monitor().press().stored().skip()

    play.release()

    play << [Logged("restored", input="button", incident=play.incident), SendEvent]
    assert len(play.state.incidents) == 1


def test_an_incident_survives_all_that_is_not_a_reset(stage: Stage) -> None:
    """Latched: release, answers, receipts, acknowledgement, silence, monitors gone, link lost, an hour."""
    play = stage()
    play.monitor().press().release().accepted().receipt().command("acknowledge", incident=play.incident)
    incident = play.incident

    play.command("silence", incident=incident).link_down().wait(3_600.0).connect().monitor().wait(60.0).skip()

    assert [each.id for each in play.state.incidents] == [incident]

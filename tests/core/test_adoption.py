"""Coming back without a record: what only the broker remembers."""

import pytest

from node.core.effects import (
    SendAlarm,
    SetBuzzer,
    SetLamp,
)
from node.core.events import (
    AlarmHeard,
)
from node.core.memory import Key, ListedIncident, Step
from node.core.settings import AlarmClass, Lamp
from node.core.signals import BuzzerPattern, LampPattern
from tests.core.house import button, make_settings
from tests.core.outside import OLD_BOOT
from tests.core.playbook import BOOT, LINK, UTC_OFFSET, Playbook, Stage

NEXT = "0000000b"


def deleted(play: Playbook) -> Playbook:
    """The next process, whose record was deleted meanwhile: only the brokers remember."""
    return Playbook(play.settings, boot=NEXT, at=play.now, brokers=play.brokers)


def test_an_incident_that_only_the_broker_remembers_is_adopted(pressed: Playbook) -> None:
    """The same incident, in alarm, with what is left of its sound; the event that says so calls for help."""
    listed = pressed.brokers[LINK].incidents[0]
    play = deleted(pressed.wait(5.0).skip()).begin().skip()

    play.connect()

    incident = play.state.incidents[0]
    assert (incident.id, incident.presses, incident.since_utc) == (listed.id, listed.presses, listed.since_utc)
    assert (incident.step, incident.receipt_due) == (Step.PRESSED, play.now + 10.0)
    assert play.state.buzzer is BuzzerPattern.ALARM
    assert [event.kind for event in play.logged if event.incident == listed.id] == ["adopted"]
    assert incident.press == play.newest("adopted")
    play.skip()


def test_told_of_its_adoption_says_that_people_were_told(pressed: Playbook) -> None:
    """The older press can't be sent again, so its receipt may never come."""
    play = deleted(pressed).begin().connect().monitor().skip()

    play.told(play.newest("adopted"))

    assert play.step() is Step.TOLD
    play.only(SetLamp) << [SetLamp(LampPattern.RECEIVED)]


@pytest.mark.parametrize("step", [Step.TOLD, Step.ACKNOWLEDGED])
def test_an_adopted_incident_keeps_its_phase(pressed: Playbook, step: Step) -> None:
    """People were told, or somebody is coming."""
    pressed.told()
    if step is Step.ACKNOWLEDGED:
        pressed.command("acknowledge", incident=pressed.incident)
    pressed.skip()

    play = deleted(pressed).begin().connect().skip()

    assert play.step() is step
    assert play.state.incidents[0].receipt_due is None


def test_an_incident_is_adopted_once(stage: Stage) -> None:
    """Though every broker remembers it."""
    before = stage(links=("a", "b")).tap().skip()

    play = deleted(before).begin().connect("a").connect("b")

    assert [event.kind for event in play.logged].count("adopted") == 1
    assert len(play.state.incidents) == 1
    play.skip()


def test_the_adopted_incident_of_a_strange_input_makes_no_sound(pressed: Playbook) -> None:
    """Nobody knows whether it may; it is shown, and can be reset."""
    play = Playbook(make_settings(button("door")), boot=NEXT, at=pressed.now, brokers=pressed.brokers)

    play.begin().connect()

    play.only(SetBuzzer, SetLamp) << [SetLamp(LampPattern.READY), SetLamp(LampPattern.CALLING)]
    assert [each.lamp for each in play.state.incidents] == [Lamp.SHOWN]


def test_an_incident_that_is_known_as_reset_stays_reset(pressed: Playbook) -> None:
    """The broker was away when it was reset, and still lists it."""
    pressed.link_down().command("reset", incident=pressed.incident).skip()

    play = pressed.next_process().begin().connect()

    assert play.state.incidents == ()
    (sent,) = play.take(SendAlarm)
    assert sent.incidents == ()


def test_an_incident_of_this_boot_is_never_adopted(stage: Stage) -> None:
    """What this process raised, it knows better than any broker."""
    play = stage()
    heard = ListedIncident(f"{BOOT}-99", "button", AlarmClass.AMOK, Step.PRESSED, 1, UTC_OFFSET, Key(BOOT, 99))

    play >> AlarmHeard(play.now, LINK, OLD_BOOT, (heard,), retained=True)

    assert play.state.incidents == ()
    play.only(SendAlarm) << [SendAlarm]


def test_what_is_not_retained_is_not_adopted(stage: Stage) -> None:
    """Somebody speaks under our name; only what was there before us is our memory."""
    play = stage()
    heard = ListedIncident("0000000f-7", "button", AlarmClass.AMOK, Step.PRESSED, 1, UTC_OFFSET, Key(OLD_BOOT, 7))

    play >> AlarmHeard(play.now, LINK, OLD_BOOT, (heard,), retained=False)

    assert play.state.incidents == ()
    play.only(SendAlarm) << [SendAlarm]

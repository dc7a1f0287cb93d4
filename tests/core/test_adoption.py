"""Coming back without a record: what only the broker remembers."""

from typing import Any

import pytest
from msgspec.json import decode
from msgspec.structs import replace

from node.core import alarm
from node.core.alarm import OPEN_LIMIT
from node.core.effects import (
    SendAlarm,
    SetBuzzer,
    SetLamp,
)
from node.core.events import (
    AlarmHeard,
)
from node.core.model import EventKind, Key, ListedIncident, Step
from node.core.settings import AlarmClass, Lamp
from node.core.signals import BuzzerPattern, LampPattern
from node.protocol.codec import Wire
from node.protocol.messages import INCIDENTS_LIMIT, Alarm
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


def test_an_adopted_incident_that_was_acknowledged_stays_so(pressed: Playbook) -> None:
    """Somebody is coming."""
    pressed.told().command("acknowledge", incident=pressed.incident).skip()

    play = deleted(pressed).begin().connect().skip()

    assert play.step() is Step.ACKNOWLEDGED
    assert play.state.incidents[0].receipt_due is None


def test_an_adopted_incident_is_told_by_a_receipt_of_its_own(pressed: Playbook) -> None:
    """A list that says received may be of before the newest press: the lamp calls until a monitor says so again."""
    pressed.told().skip()

    play = deleted(pressed).begin().connect().monitor().skip()
    before = play.step(), play.state.lamp, play.state.incidents[0].receipt_due
    play.told(play.newest("adopted")).skip()

    assert before == (Step.PRESSED, LampPattern.CALLING, play.now + 10.0)
    assert play.step() is Step.TOLD


@pytest.mark.parametrize("step", [Step.TOLD, Step.ACKNOWLEDGED])
def test_a_newer_list_raises_what_was_adopted_from_an_older_one(stage: Stage, step: Step) -> None:
    """The broker that comes first was away at the newest press: the lamp says nothing that was reached before that."""
    before = stage(links=("a", "b")).tap().told(link="a")
    if step is Step.ACKNOWLEDGED:
        before.command("acknowledge", incident=before.incident, link="a")
    before.link_down("a").tap().skip()

    play = deleted(before).begin().connect("a").skip().connect("b")

    (incident,) = play.state.incidents
    assert (incident.presses, incident.step, incident.press) == (2, Step.PRESSED, play.newest("adopted"))
    assert incident.receipt_due == play.now + 10.0
    assert play.state.lamp is LampPattern.CALLING
    assert {sent.link for sent in play.take(SendAlarm) if [each.presses for each in sent.incidents] == [2]} == {
        "a",
        "b",
    }


def test_an_older_list_takes_nothing_back(stage: Stage) -> None:
    """Nor does one about an incident that was pressed here since."""
    before = stage(links=("a", "b")).tap()
    before.link_down("a").tap().skip()

    play = deleted(before).begin().connect("b").monitor(link="b").skip()
    play.told(play.newest("adopted"), link="b").connect("a").skip()
    told = play.step(), play.state.incidents[0].presses
    play.tap()
    kept = ListedIncident(
        before.incident, "button", AlarmClass.AMOK, Step.ACKNOWLEDGED, 9, UTC_OFFSET, Key(OLD_BOOT, 7)
    )
    play.link_down("a").link_up("a") >> AlarmHeard(play.now, "a", OLD_BOOT, (kept,), retained=True)

    assert told == (Step.TOLD, 2)
    assert (play.state.incidents[0].presses, play.state.incidents[0].adopted) == (3, False)
    play.skip()


@pytest.mark.parametrize("fields", [{"test": True, "presses": 3}, {"presses": 100_001}])
def test_what_no_node_lists_raises_no_adopted_incident(stage: Stage, fields: dict[str, Any]) -> None:
    """It is a fault, as at an adoption."""
    play = stage()
    read(play, listed(1))
    read(play.link_down(), listed(1, **fields))

    assert play.state.incidents[0].presses == 1
    assert ("F045", LINK) in play.faults()
    play.skip()


def test_an_incident_is_adopted_once(stage: Stage) -> None:
    """Though every broker remembers it."""
    before = stage(links=("a", "b")).tap().skip()

    play = deleted(before).begin().connect("a").connect("b")

    assert [event.kind for event in play.logged].count(EventKind.ADOPTED) == 1
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


def listed(number: int, **fields: Any) -> ListedIncident:
    """One of the lists that somebody else writes on the node's topic."""
    key = Key("0000000f", number)
    made = ListedIncident(str(key), "button", AlarmClass.ASSIST, Step.PRESSED, 1, UTC_OFFSET, key)
    return replace(made, **fields)


def read(play: Playbook, *incidents: ListedIncident) -> Playbook:
    """The broker has kept this list."""
    return play.connect() >> AlarmHeard(play.now, LINK, OLD_BOOT, incidents, retained=True)


def test_adoption_over_reconnects_is_bounded(stage: Stage) -> None:
    """Whoever writes another list before each connection filled the node with a thousand open alarms."""
    play = stage()
    for turn in range(20):
        read(play.link_down(), *(listed(100 * turn + number) for number in range(48)))

    assert len(play.state.incidents) == OPEN_LIMIT
    assert ("F045", LINK) in play.faults()
    play.skip()


def test_a_press_comes_before_what_was_adopted(stage: Stage) -> None:
    """A list has a limit: it must not be cut off, whatever class the others claim to have."""
    play = stage()
    read(play, *(listed(number, alarm_class=AlarmClass.AMOK, input="other") for number in range(60)))

    play.skip().tap()

    sent = play.take(SendAlarm)[0].incidents
    assert len(sent) == OPEN_LIMIT + 1
    assert (sent[0].input, sent[0].id) == ("button", str(play.newest("pressed")))


def test_what_was_adopted_and_is_pressed_here_is_the_nodes_own(pressed: Playbook) -> None:
    """It comes first, as whatever was raised here."""
    play = deleted(pressed).begin().connect().skip()
    read(play.link_down(), *(listed(number, alarm_class=AlarmClass.AMOK, input="other") for number in range(5)))

    play.skip().tap()

    assert play.take(SendAlarm)[0].incidents[0].input == "button"


@pytest.mark.parametrize("fields", [{"test": True}, {"presses": 2**53}, {"presses": 100_001}, {"presses": 0}])
def test_what_no_node_lists_is_not_adopted(stage: Stage, fields: dict[str, Any]) -> None:
    """It is a fault for a minute; a press is real, and its numbers are sane."""
    play = stage()
    read(play, listed(1, **fields))
    shown = play.faults()

    play.tap()
    play.wait(61.0)

    assert ("F045", LINK) in shown
    assert ("F045", LINK) not in play.faults()
    (incident,) = play.state.incidents
    assert (incident.presses, incident.test, incident.id) == (1, False, str(play.newest("pressed")))
    play.skip()


def test_a_press_on_an_adopted_incident_is_real(stage: Stage) -> None:
    """With the highest count that is believed it can be told, whatever the list said of its sound."""
    play = stage(sound_limit_s=60.0)
    read(play, listed(1, presses=100_000, sounding_until=play.now + 3_600.0, since_utc=253402300799.0))
    (adopted,) = play.state.incidents

    play.tap()

    event = play.logged[-2]
    assert adopted.sounding_until is not None
    assert adopted.sounding_until <= play.now + 60.0
    assert (event.kind, event.presses, event.test) == ("pressed", 100_001, False)
    wire = Wire("alarm/v1", "mitte", "room-214", BOOT)
    told = decode(wire.alarm(alarm.listed(play.state.incidents), play.now, 1, UTC_OFFSET, True), type=Alarm)
    assert [each.presses for each in told.incidents] == [100_001]
    play.skip()


def test_one_list_has_as_many_as_the_wire_tells() -> None:
    """Both sides of the wire have the same limit."""
    assert OPEN_LIMIT == INCIDENTS_LIMIT


def test_the_phase_of_a_list_is_that_of_the_worst_alarm(stage: Stage) -> None:
    """Though the node's own one comes first."""
    play = stage(button(alarm_class=AlarmClass.ASSIST))
    read(play, listed(1, alarm_class=AlarmClass.AMOK, input="other", step=Step.ACKNOWLEDGED))
    play.tap()
    wire = Wire("alarm/v1", "mitte", "room-214", BOOT)

    told = decode(wire.alarm(alarm.listed(play.state.incidents), play.now, 1, UTC_OFFSET, True), type=Alarm)

    assert [each.phase for each in told.incidents] == ["active", "acknowledged"]
    assert told.phase == "acknowledged"
    play.skip()

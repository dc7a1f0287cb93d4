"""Doors, the tamper switch and the reset key: what each may say, and when."""

import pytest

from node.core.effects import (
    Append,
    HurryLinks,
    LoggedEvent,
    SendAlarm,
    SendEvent,
    SendHeartbeat,
    SetBuzzer,
    SetLamp,
    ShowLadder,
)
from node.core.model import Step
from node.core.settings import AlarmClass, InputSettings, Lamp, Role, Sound, Wiring
from node.core.signals import BuzzerPattern, LampPattern
from tests.core.house import button, door, make_settings, switch
from tests.core.playbook import LINK, Playbook, Stage
from tests.core.scenes import Logged

ESCAPE = door(Role.DOOR_ALARM)
HELD = door(Role.DOOR_HELD_OPEN, held_open_s=30.0)
REPORTED = door(Role.DOOR_REPORT)
PRIVATE = door(Role.DOOR_INCIDENT_ONLY)
TAMPER, RESET = switch(Role.TAMPER), switch(Role.RESET)
DOORS = (ESCAPE, HELD, REPORTED, PRIVATE)


def told_inputs(play: Playbook) -> list[str]:
    """The inputs that the next heartbeat tells."""
    play.skip().until(play.state.heartbeat_due)
    return [each.name for each in play.take(SendHeartbeat)[-1].heartbeat.inputs]


def doings(play: Playbook, *names: str) -> list[tuple[str, str | None]]:
    """What these inputs did since the last look: kind, and incident. That nobody has an alarm isn't their doing."""
    events = [each.event for each in play.take(Append)]
    return [(event.kind, event.incident) for event in events if event.input in names and event.kind != "nobody"]


# An alarm door.


def test_an_escape_door_that_opens_is_an_alarm_at_once(stage: Stage) -> None:
    """Buzzer, lamp, ladder, record and every link, as a button's press; only the word is another."""
    play = stage(ESCAPE)

    play.press("door")

    key = play.newest("opened")
    play << [
        SetBuzzer(BuzzerPattern.ALARM),
        SetLamp(LampPattern.CALLING),
        ShowLadder(play.now, "door", Step.PRESSED, key),
        Logged("opened", key=key, incident=str(key), alarm_class="threat", presses=1),
        SendEvent(LINK, 1, key, alarm=True),
        SendAlarm,
        HurryLinks(),
    ]


def test_a_silent_escape_door_makes_no_sound(stage: Stage) -> None:
    """Class, sound and lamp are a door's as they are a button's."""
    play = stage(door(Role.DOOR_ALARM, sound=Sound.SILENT, lamp=Lamp.DISCREET, alarm_class=AlarmClass.AMOK))

    play.press("door")

    assert play.state.incidents[0].alarm_class is AlarmClass.AMOK
    assert not play.take(SetBuzzer)


def test_an_escape_door_must_be_closed_before_its_alarm_can_be_reset(stage: Stage) -> None:
    """As a button must be let go; closing is told, and ends nothing."""
    play = stage(ESCAPE)
    play.press("door").skip()
    incident = play.incident

    play.command("reset", incident=incident)
    assert [reply.reason for reply in play.replies()] == ["input-active"]
    play.release("door")
    assert doings(play, "door") == [("closed", incident)]
    play.command("reset", incident=incident)

    assert play.kinds() == ["reset"]
    assert play.state.incidents == ()


def test_an_escape_door_opened_again_is_counted(stage: Stage) -> None:
    """One incident, and its ladder begins anew."""
    play = stage(ESCAPE)

    play.tap("door").tap("door")

    assert [each.presses for each in play.state.incidents] == [2]
    assert play.kinds() == ["opened", "closed", "opened", "closed"]


def test_an_escape_door_found_open_at_start_is_an_alarm() -> None:
    """It opened while nobody looked."""
    play = Playbook(make_settings(ESCAPE), actuated={"door": True})

    play.begin().wait(0.1)

    assert play.kinds() == ["started", "opened"]


# A door that may not stand open.


@pytest.mark.parametrize(("open_s", "kinds"), [(29.9, []), (30.1, ["held-open", "closed"])])
def test_a_door_held_open_is_an_alarm_after_its_time(stage: Stage, open_s: float, kinds: list[str]) -> None:
    """Whoever just walks through is told to nobody."""
    play = stage(HELD)

    play.press("door").wait(open_s - 0.020).release("door").wait(60.0)

    assert [kind for kind, _ in doings(play, "door")] == kinds
    assert len(play.state.incidents) == bool(kinds)


@pytest.mark.parametrize(("open_s", "kinds"), [(29.9, []), (30.1, ["held-open", "closed"])])
def test_how_long_a_door_was_open_is_told_by_its_edges(stage: Stage, open_s: float, kinds: list[str]) -> None:
    """Those come in a burst, after it was closed again, and a sample agrees."""
    play = stage(HELD)
    opened = play.now
    play.wait(60.0).skip()

    play.edge("door", True, opened).edge("door", False, opened + open_s).sample().wait(0.1)

    assert [kind for kind, _ in doings(play, "door")] == kinds


def test_a_door_held_open_calls_once_until_it_was_closed(stage: Stage) -> None:
    """It isn't told every 30 s; opened and held once more it is a further call of the same incident."""
    play = stage(HELD)

    play.press("door").wait(300.0)
    assert [kind for kind, _ in doings(play, "door")] == ["held-open"]
    play.release("door").press("door").wait(30.0)

    assert [kind for kind, _ in doings(play, "door")] == ["closed", "held-open"]
    assert [each.presses for each in play.state.incidents] == [2]


def test_a_door_that_cannot_be_read_is_not_called_held_open(stage: Stage) -> None:
    """Unknown is never taken for open either; that it can't be read is a fault of its own."""
    play = stage(HELD)
    play.press("door").skip()

    play.actuated["door"] = None
    play.sample().wait(60.0)

    assert doings(play, "door") == []
    assert ("F001", "door") in play.faults()


def test_a_door_held_open_at_start_has_its_time_from_then_on() -> None:
    """Nobody knows since when it stands open."""
    play = Playbook(make_settings(HELD), actuated={"door": True})

    play.begin().wait(30.0)
    assert play.state.incidents == ()
    play.wait(0.1)

    assert len(play.state.incidents) == 1


def test_a_door_that_is_inhibited_while_it_stands_open_calls_nobody_until_that_ends(stage: Stage) -> None:
    """Its time runs out within the inhibit, and begins anew after it."""
    play = stage(HELD)
    play.press("door").wait(10.0).command("inhibit", input="door", for_s=60.0, reason="movers").skip()

    play.wait(30.0)
    assert doings(play, "door") == [("inhibited-press", None)]
    play.wait(59.9)
    assert doings(play, "door") == [("inhibit-ended", None)]
    play.wait(0.2)

    assert [kind for kind, _ in doings(play, "door")] == ["held-open"]


# Doors that tell their state.


def test_a_reported_door_tells_each_change_and_raises_nothing(stage: Stage) -> None:
    """Events and heartbeats, and neither sound nor lamp."""
    play = stage(button(), REPORTED)

    play.tap("door")

    play.only(SetBuzzer, SetLamp, SendAlarm, Append) << [
        Logged("opened", incident=None),
        Logged("closed", incident=None),
    ]
    assert told_inputs(play) == ["button", "door"]
    play.skip()


def test_a_private_door_is_told_while_an_incident_is_open_and_never_else(stage: Stage) -> None:
    """Neither event nor heartbeat nor the doctor's file has it, until somebody calls for help."""
    play = stage(button(), PRIVATE)

    play.tap("door")
    assert (doings(play, "door"), told_inputs(play)) == ([], ["button"])
    play.tap("button").skip().tap("door")
    incident = play.incident
    assert (doings(play, "door"), told_inputs(play)) == (
        [("opened", incident), ("closed", incident)],
        ["button", "door"],
    )
    play.command("reset", incident=incident).skip().tap("door")

    assert (doings(play, "door"), told_inputs(play)) == ([], ["button"])
    play.skip()


@pytest.mark.parametrize("each", DOORS, ids=lambda each: each.role.value)
def test_a_door_that_stands_open_is_not_stuck(alone: Stage, each: InputSettings) -> None:
    """Being open is what doors do."""
    play = alone(button(), each)

    play.press("door").wait(100.0)

    assert play.faults() == []
    play.skip()


@pytest.mark.parametrize("each", DOORS, ids=lambda each: each.role.value)
def test_an_inhibited_door_raises_and_tells_nothing(stage: Stage, each: InputSettings) -> None:
    """Painters walk through all day. That an alarm was held back is in the record."""
    play = stage(button(), each)
    play.command("inhibit", input="door", for_s=600.0, reason="painters").skip()

    play.press("door").wait(100.0).release("door")

    raising = each in (ESCAPE, HELD)
    assert [kind for kind, _ in doings(play, "door")] == (["inhibited-press"] if raising else [])
    assert play.state.incidents == ()


@pytest.mark.parametrize(("each", "kind"), [(ESCAPE, "opened"), (HELD, "held-open"), (REPORTED, "opened")])
def test_a_door_that_stands_open_when_its_inhibit_ends_counts_from_then_on(
    stage: Stage, each: InputSettings, kind: str
) -> None:
    """The painters have gone, and left it open."""
    play = stage(button(), each)
    play.command("inhibit", input="door", for_s=60.0, reason="painters").press("door").skip()

    play.wait(100.0)

    assert [told for told, _ in doings(play, "door")] == ["inhibit-ended", kind]


# The tamper switch.


def test_an_open_case_is_a_fault_as_long_as_it_is_open(stage: Stage) -> None:
    """At once, in a heartbeat of its own; both ends are in the record."""
    play = stage(button(), TAMPER)

    play.press("tamper")
    assert play.faults() == [("F044", "tamper")]
    play.release("tamper")

    assert play.faults() == []
    assert play.kinds() == ["fault-raised", "fault-cleared"]


def test_an_open_case_does_not_hide_a_press(stage: Stage) -> None:
    """Whoever is at the wires can't keep the button next to them from calling."""
    play = stage(button(), TAMPER)

    play.press("tamper").press("button")

    assert play.state.incident_of("button") is not None
    play.skip()


def test_an_inhibited_tamper_switch_is_an_inhibit_and_no_open_case(alone: Stage) -> None:
    """While somebody works in the case, the inhibit is what is told."""
    play = alone(button(), TAMPER)

    play.command("inhibit", input="tamper", for_s=60.0, reason="service").press("tamper")

    assert play.faults() == [("F040", "tamper")]
    play.wait(60.0).skip()
    assert play.faults() == [("F044", "tamper")]


# The reset key.


def test_turning_the_key_ends_what_may_end_and_says_what_may_not(stage: Stage) -> None:
    """One button was let go, the other is still pressed: of that one it is told why."""
    play = stage(button("desk"), button("door-side"), RESET)
    play.tap("desk").press("door-side").skip()
    first, second = (each.id for each in play.state.incidents)

    play.press("reset")

    events: list[LoggedEvent] = [each.event for each in play.take(Append)]
    assert [(each.kind, each.incident, each.by, each.reason) for each in events] == [
        ("key-turned", None, None, None),
        ("reset", first, "key-switch", None),
        ("reset-refused", second, "key-switch", "input-active"),
    ]
    assert [each.id for each in play.state.incidents] == [second]


def test_turning_the_key_silences_and_shows_ready(stage: Stage) -> None:
    """The alarm topic is told in the same breath."""
    play = stage(button(), RESET)
    play.tap("button").skip()

    play.press("reset")

    play.only(SetBuzzer, SetLamp, SendAlarm) << [
        SetBuzzer(BuzzerPattern.OFF),
        SetLamp(LampPattern.READY),
        SendAlarm,
    ]


def test_the_key_ends_nothing_that_is_raised_after_it_was_turned(stage: Stage) -> None:
    """A key that is left turned is no standing reset; it is a fault after a while, as a stuck button is."""
    play = stage(button(), RESET)

    play.press("reset").tap("button").wait(31.0)

    assert len(play.state.incidents) == 1
    assert ("F041", "reset") in play.faults()
    play.skip()


@pytest.mark.parametrize("unread", [False, True], ids=["at the start", "after it couldn't be read"])
def test_a_key_that_is_found_turned_was_turned_by_nobody(unread: bool) -> None:
    """Only a turn that was seen is a person's."""
    play = Playbook(make_settings(button(), RESET), actuated={"button": False, "reset": not unread}).begin()
    play.tap("button")
    if unread:
        play.actuated["reset"] = None
        play.sample().wait(6.0)
        play.actuated["reset"] = True

    play.sample().wait(1.0)

    assert len(play.state.incidents) == 1
    assert "key-turned" not in play.kinds()


def test_an_inhibited_key_resets_nothing(stage: Stage) -> None:
    """Out of service is out of service, and the end of that turns no key."""
    play = stage(button(), RESET)
    play.tap("button").command("inhibit", input="reset", for_s=10.0, reason="lost").skip()

    play.press("reset").wait(20.0)

    assert doings(play, "reset") == [("inhibited-press", None), ("inhibit-ended", None)]
    assert len(play.state.incidents) == 1


def test_a_turned_key_without_an_alarm_is_recorded(stage: Stage) -> None:
    """So the key can be tested."""
    play = stage(button(), RESET)

    play.tap("reset")

    assert play.kinds() == ["key-turned"]


@pytest.mark.parametrize("wiring", list(Wiring))
def test_the_key_may_be_wired_as_any_input(stage: Stage, wiring: Wiring) -> None:
    """Also with both of its contacts."""
    play = stage(button(), switch(Role.RESET, wiring))
    play.tap("button").skip()

    play.tap("reset")

    assert play.state.incidents == ()
    play.skip()

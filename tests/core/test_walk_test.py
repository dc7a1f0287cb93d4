"""A walk test: how it begins and ends, what is a button's test, and what is an alarm all the same."""

import pytest

from node.core.effects import (
    Append,
    HurryLinks,
    Reply,
    SendEvent,
    SendHeartbeat,
    SendReply,
    SetBuzzer,
    SetLamp,
    StoreSnapshot,
)
from node.core.model import Step
from node.core.settings import Role, Wiring
from node.core.signals import BuzzerPattern, LampPattern
from tests.core.house import button, door, make_settings, walking
from tests.core.playbook import LINK, Playbook, Stage
from tests.core.scenes import Logged, refusal

OTHER = button("other")
PAIR = button("button", wiring=Wiring.CHANGEOVER)


def calls(play: Playbook) -> list[str]:
    """What the buttons' presses since the last look were."""
    return [kind for kind in play.kinds() if kind in ("pressed", "tested", "inhibited-press")]


# It begins and ends.


def test_a_walk_test_is_told_by_whom_and_for_how_long(stage: Stage) -> None:
    """The lamp shows it, the building has an event, and each heartbeat says what is left of it."""
    play = stage()

    play.command("walk-test", for_s=60.0)

    play << [
        SetLamp(LampPattern.WALK_TEST),
        Logged("walk-test-started", by="guard-desk", for_s=60.0, test=False),
        SendReply,
        SendEvent,
    ]
    begun = play.now
    play.until(play.state.heartbeat_due)
    assert play.take(SendHeartbeat)[-1].heartbeat.walk_test_s == pytest.approx(begun + 60.0 - play.now)


def test_a_walk_test_ends_by_itself(alone: Stage) -> None:
    """At its time, to the instant; from then on each press is an alarm."""
    play = walking(alone, heartbeat_s=3_600.0)

    play.wait(59.999)
    assert play.kinds() == []
    play.wait(0.001)

    play.only(SetLamp, Append) << [
        SetLamp(LampPattern.READY),
        Logged("walk-test-ended", reason="time", by=None),
    ]
    play.tap()
    assert calls(play) == ["pressed"]
    play.until(play.state.heartbeat_due)
    assert play.take(SendHeartbeat)[-1].heartbeat.walk_test_s is None


def test_a_walk_test_is_ended_by_command(stage: Stage) -> None:
    """And says by whom."""
    play = walking(stage)

    play.command("walk-test-end").tap()

    events = [each.event for each in play.take(Append)]
    assert [(each.kind, each.reason, each.by) for each in events][:2] == [
        ("walk-test-ended", "command", "guard-desk"),
        ("pressed", None, None),
    ]


@pytest.mark.parametrize("before", [False, True], ids=["never begun", "over"])
def test_a_walk_test_that_does_not_hold_cannot_be_ended(stage: Stage, before: bool) -> None:
    """Whoever wants to end it is told."""
    play = stage()
    if before:
        play.command("walk-test", for_s=5.0).wait(5.0).skip()

    play.command("walk-test-end")

    assert play.replies() == [refusal("no-walk-test", 1 + before)]


def test_a_second_command_moves_the_end(stage: Stage) -> None:
    """Be it sooner or later; a button that wasn't pressed yet may still be tested."""
    play = walking(stage)
    play.wait(30.0).skip()

    play.command("walk-test", for_s=60.0)
    assert play.kinds() == ["walk-test-started"]
    play.tap().wait(59.0)
    assert play.kinds() == ["tested", "restored"]
    play.wait(1.0)

    assert play.kinds() == ["walk-test-ended"]


@pytest.mark.parametrize("pause_s", [0.1, 30.0, 400.0])
def test_a_second_start_gives_no_button_its_test_back(stage: Stage, pause_s: float) -> None:
    """Two desks start one each: who presses once more meanwhile means it."""
    play = walking(stage, for_s=600.0)
    play.tap().wait(pause_s).skip()

    play.command("walk-test", for_s=600.0).tap()

    assert calls(play) == ["pressed"]


@pytest.mark.parametrize(("pause_s", "kinds"), [(295.0, ["pressed"]), (301.0, ["tested"])])
@pytest.mark.parametrize("before", ["tested", "pressed", "inhibited-press"])
def test_a_button_that_was_pressed_of_late_has_no_test(
    stage: Stage, before: str, pause_s: float, kinds: list[str]
) -> None:
    """Whoever pressed and sees nobody come presses again, whatever the first press came to."""
    play = stage()
    match before:
        case "tested":
            play.command("walk-test", for_s=30.0).tap().command("walk-test-end")
        case "pressed":
            play.tap().command("reset", incident=play.incident)
        case _:
            play.command("inhibit", input="button", for_s=1.0, reason="painters").tap().wait(1.0)
    assert before in play.kinds()
    play.wait(pause_s).skip()

    play.command("walk-test", for_s=60.0).tap()

    assert calls(play) == kinds


def test_a_button_that_is_held_at_the_start_has_no_test(stage: Stage) -> None:
    """It is pressed at that moment, for however long."""
    play = stage()
    play.command("inhibit", input="button", for_s=3_600.0, reason="painters").press().wait(1_000.0)

    play.command("walk-test", for_s=60.0).command("inhibit", input="button", for_s=1.0, reason="done").release()
    play.wait(2.0).skip()
    play.tap()

    assert calls(play) == ["pressed"]


def test_a_press_that_is_decided_after_the_start_has_used_the_test_up(stage: Stage) -> None:
    """It was before it, and its edge was late."""
    play = stage()
    play.wait(1.0)
    pressed = play.now - 0.5
    play.command("walk-test", for_s=60.0).edge("button", True, pressed).wait(0.05).release()
    play.command("reset", incident=play.incident).skip()

    play.tap()

    assert calls(play) == ["pressed"]


@pytest.mark.parametrize("is_early", [True, False], ids=["before the command", "after it"])
def test_a_restart_remembers_who_pressed_of_late(is_early: bool) -> None:
    """The record may come late."""
    before = Playbook(make_settings()).begin().tap().skip()
    before.command("reset", incident=before.incident).skip()
    play = before.next_process()
    if is_early:
        play.begin()
    else:
        play.wait(0.6)

    play.command("walk-test", for_s=60.0)
    if not is_early:
        play.load()
    play.tap()

    assert calls(play)[-1:] == ["pressed"]


def test_a_button_that_chatters_costs_the_disk_nothing(stage: Stage) -> None:
    """When it was pressed last is stored with the next event."""
    play = stage(chatter_presses=3)
    for _ in range(10):
        play.tap().wait(0.2)
    play.skip()

    play.tap()

    play.only(Append, StoreSnapshot) << []


def test_a_restart_ends_it() -> None:
    """The record doesn't know of it, so the next process takes each press for real."""
    play = Playbook(make_settings()).begin()
    play.command("walk-test", for_s=60.0)

    after = play.next_process().begin().wait(0.1).tap()

    assert calls(after) == ["pressed"]


# What is a test, and what isn't.


def test_a_button_s_first_press_is_its_test(stage: Stage) -> None:
    """Told as one at once, with an alarm's urgency; nothing sounds, shows or is listed: no receipt is no success."""
    play = walking(stage)

    play.press()

    key = play.newest("tested")
    play << [
        Logged("tested", input="button", alarm_class="threat", test=True, incident=None, presses=None),
        SendEvent(LINK, 1, key, alarm=True),
        HurryLinks(),
    ]
    play.release().wait(9.0)
    play.only(SetBuzzer, SetLamp) << []
    assert play.state.incidents == ()


def test_a_test_is_sent_again_as_an_alarm_is(stage: Stage) -> None:
    """After ``receipt_s`` without a receipt."""
    play = walking(stage, heartbeat_s=3_600.0, receipt_s=10.0)
    play.tap().skip()
    key = play.newest("tested")

    play.wait(10.0)

    assert SendEvent(LINK, 1, key, alarm=True) in play.take(SendEvent)


@pytest.mark.parametrize("pause_s", [0.05, 1.0, 30.0])
def test_the_second_press_is_an_alarm(stage: Stage, pause_s: float) -> None:
    """Also within the 2 s of the first one; it calls once."""
    play = walking(stage)

    play.tap().wait(pause_s).tap().wait(5.0)

    assert calls(play) == ["tested", "pressed"]
    assert [each.presses for each in play.state.incidents] == [1]


def test_a_second_press_that_is_held_calls_once(stage: Stage) -> None:
    """The first one's 2 s mustn't count it again."""
    play = walking(stage)

    play.tap().press().wait(5.0)

    assert calls(play) == ["tested", "pressed"]


def test_a_test_that_is_held_for_2_s_is_an_alarm_at_that_instant(stage: Stage) -> None:
    """With all that belongs to one: sound, lamp, ladder, list and event."""
    play = walking(stage)

    play.press()
    pressed = play.now
    play.until(pressed + 1.999)
    assert calls(play) == ["tested"]
    play.until(pressed + 2.0)

    event = next(each.event for each in play.take(Append))
    assert (event.kind, event.at, event.presses, event.test) == ("pressed", pressed + 2.0, 1, False)
    assert event.incident == str(event.key)
    assert (play.state.buzzer, play.state.lamp) == (BuzzerPattern.ALARM, LampPattern.CALLING)
    assert play.step() in (Step.PRESSED, Step.STORED)


@pytest.mark.parametrize(("held_s", "kinds"), [(1.9, ["tested"]), (2.1, ["tested", "pressed"])])
def test_how_long_a_test_was_held_is_told_by_its_edges(stage: Stage, held_s: float, kinds: list[str]) -> None:
    """Those come in a burst, long after it was let go, and a sample agrees."""
    play = walking(stage)
    began = play.now
    play.wait(5.0).skip()

    play.edge("button", True, began).edge("button", False, began + held_s).sample().wait(0.1)

    assert calls(play) == kinds


def test_a_wire_that_breaks_while_a_test_is_held_hides_nothing(stage: Stage) -> None:
    """That it isn't held any more was seen by nobody: the fault is told, and so is the alarm."""
    play = walking(stage, PAIR)

    play.press().wait(1.0).wire("button", True).wait(0.5)
    assert ("F043", "button") in play.faults()
    play.wait(0.5)

    assert calls(play) == ["tested", "pressed"]


def test_a_fault_that_ends_with_a_release_was_none_of_a_held_button(stage: Stage) -> None:
    """Let go in time, however its wires were in between."""
    play = walking(stage, PAIR)

    play.press().wire("button", True).wait(0.5).edge("button", False).wire("button", None).wait(5.0)

    assert calls(play) == ["tested"]


def test_a_press_through_a_contradiction_is_a_test(stage: Stage) -> None:
    """A slow finger keeps both sides open for a while."""
    play = walking(stage, PAIR)

    play.wire("button", True).wait(0.1).edge("button", True).wire("button", None).wait(0.1)

    assert "tested" in play.kinds()


def test_a_test_that_is_held_across_the_end_becomes_an_alarm(stage: Stage) -> None:
    """At its own 2 s."""
    play = walking(stage, for_s=10.0)
    play.wait(9.0).press()
    pressed = play.now

    play.until(pressed + 1.999)
    assert calls(play) == ["tested"]
    play.until(pressed + 2.0)

    assert calls(play) == ["pressed"]


def test_a_test_that_is_released_after_the_end_stays_one(stage: Stage) -> None:
    """It was pressed within the walk test."""
    play = walking(stage, for_s=10.0)

    play.wait(9.0).press().wait(1.5).release().wait(5.0)

    assert calls(play) == ["tested"]


@pytest.mark.parametrize(("before_s", "kinds"), [(0.03, ["tested"]), (0.01, ["pressed"])])
@pytest.mark.parametrize("ended", ["by time", "by command"])
def test_a_press_that_is_decided_after_the_end_counts_by_its_instant(
    stage: Stage, ended: str, before_s: float, kinds: list[str]
) -> None:
    """Its edge was that long before the end, and was late; it is a press 20 ms after its edge."""
    play = walking(stage, for_s=10.0 if ended == "by time" else 60.0)
    play.wait(10.0)
    edge = play.now - before_s
    if ended == "by command":
        play.command("walk-test-end")
    play.skip()

    play.edge("button", True, edge).wait(0.05)

    assert calls(play) == kinds
    play.release().skip()


def test_a_press_from_before_the_start_is_an_alarm(stage: Stage) -> None:
    """No command can hide it, though it overtook the edge."""
    play = stage()
    play.wait(1.0)
    pressed = play.now - 0.5
    play.command("walk-test", for_s=60.0)

    play.edge("button", True, pressed).wait(0.05).release()

    assert calls(play) == ["pressed"]


def test_an_open_incident_s_button_calls_again(stage: Stage) -> None:
    """And has used its test up: what follows a reset is the second press."""
    play = stage()
    play.tap().command("walk-test", for_s=60.0).skip()

    play.tap()
    assert [each.presses for each in play.state.incidents] == [2]
    play.command("reset", incident=play.incident).tap()

    assert calls(play) == ["pressed", "pressed"]


def test_an_inhibited_button_is_not_tested(stage: Stage) -> None:
    """Out of service is out of service; whoever presses again after that means it."""
    play = walking(stage)
    play.command("inhibit", input="button", for_s=10.0, reason="painters").skip()

    play.tap().wait(10.0).tap()

    assert calls(play) == ["inhibited-press", "pressed"]


def test_a_button_that_is_found_pressed_is_no_test(stage: Stage) -> None:
    """Its inhibit has ended, and nobody has just pressed it; the next press isn't the first one either."""
    play = stage()
    play.command("inhibit", input="button", for_s=10.0, reason="painters").press()
    play.command("walk-test", for_s=60.0).skip()

    play.wait(10.0).release()
    assert calls(play) == ["pressed"]
    play.command("reset", incident=play.incident).tap()

    assert calls(play) == ["pressed"]


def test_a_button_that_was_unknown_is_no_test(stage: Stage) -> None:
    """Nobody knows for how long it has been held."""
    play = walking(stage)
    play.actuated["button"] = None
    play.sample().wait(6.0).skip()

    play.actuated["button"] = True
    play.sample().wait(0.1)

    assert calls(play) == ["pressed"]


def test_a_button_that_is_inhibited_while_its_test_is_held_comes_back_once(stage: Stage) -> None:
    """At the end of the inhibit, as an alarm; its 2 s don't count it again."""
    play = walking(stage)

    play.press().command("inhibit", input="button", for_s=1.0, reason="painters").wait(5.0)

    assert calls(play) == ["tested", "pressed"]


def test_each_button_has_a_test_of_its_own(stage: Stage) -> None:
    """One's test is not the other one's."""
    play = walking(stage, button(), OTHER)

    play.tap("button").tap("other").tap("button")

    assert calls(play) == ["tested", "tested", "pressed"]


@pytest.mark.parametrize("role", [Role.DOOR_ALARM, Role.DOOR_HELD_OPEN])
def test_a_door_is_never_tested(stage: Stage, role: Role) -> None:
    """Whoever opens an escape door means it."""
    play = walking(stage, button(), door(role, held_open_s=5.0))

    play.press("door").wait(6.0)

    assert [each.input for each in play.state.incidents] == ["door"]
    play.skip()


def test_the_command_is_answered(stage: Stage) -> None:
    """Both of them are done."""
    play = stage()

    play.command("walk-test", for_s=60.0).command("walk-test-end")

    assert play.replies() == [Reply("c1", "done"), Reply("c2", "done")]

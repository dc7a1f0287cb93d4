"""Coming back: what the record remembers, in time or late, in the same kernel or after a reboot."""

import pytest
from msgspec.structs import replace

from node.core import controller, reconcile
from node.core.effects import (
    Append,
    Begin,
    Connect,
    SendEvent,
    SetBuzzer,
    SetLamp,
    ShowLadder,
    StoreSnapshot,
)
from node.core.model import Step
from node.core.settings import AlarmClass, Lamp, Sound
from node.core.signals import BuzzerPattern, LampPattern
from tests.core.house import button, make_settings
from tests.core.playbook import START, Playbook, Stage
from tests.core.scenes import Logged

NEXT = "0000000b"


def late(play: Playbook) -> Playbook:
    """The next process, which began without the record."""
    return play.next_process().until(play.now + 0.5).sample().skip()


def test_the_same_incident_is_open_after_a_restart(pressed: Playbook) -> None:
    """Still in alarm, before any broker is there; the step says what is known: it is stored."""
    before = pressed.state.incidents[0]

    play = pressed.next_process().begin()

    assert play.state.incidents == (replace(before, step=Step.STORED, marks=frozenset()),)
    play << [
        Begin(),
        SetBuzzer(BuzzerPattern.ALARM),
        SetLamp(LampPattern.CALLING),
        Logged("started"),
        Connect(),
    ]


def test_the_event_arrives_after_a_restart(pressed: Playbook) -> None:
    """What no monitor holds goes out again, and its receipts count."""
    press = pressed.pressed
    play = pressed.next_process().begin().connect()
    assert press in [send.key for send in play.take(SendEvent)]

    play.monitor().accepted(press).told(press)

    assert play.step() is Step.TOLD
    assert play.steps() == ["accepted", "held", "told"]


def test_without_a_press_there_is_no_alarm_after_a_restart(stage: Stage) -> None:
    """Nothing comes from nothing."""
    before = stage()

    play = before.next_process().begin().connect()

    play.only(SetBuzzer, SetLamp) << [SetLamp(LampPattern.READY)]
    assert play.state.incidents == ()


@pytest.mark.parametrize(
    ("action", "step"), [("acknowledge", Step.ACKNOWLEDGED), ("silence", Step.STORED)], ids=["acknowledged", "silenced"]
)
def test_what_a_person_did_is_kept_over_a_restart(pressed: Playbook, action: str, step: Step) -> None:
    """Somebody is still coming; what was silenced stays silent."""
    pressed.command(action, incident=pressed.incident).skip()
    silent = action == "silence"

    play = pressed.next_process().begin()

    assert play.step() is step
    play.only(SetBuzzer) << ([] if silent else [SetBuzzer(BuzzerPattern.ALARM)])


@pytest.mark.parametrize("way", ["held", "told", "nobody"])
def test_held_told_and_nobody_are_kept_over_a_restart(pressed: Playbook, way: str) -> None:
    """As far as the call had got."""
    ways = {"held": pressed.receipt, "told": pressed.told, "nobody": lambda: pressed.wait(10.0)}
    ways[way]().skip()

    play = pressed.next_process().begin().skip()

    assert play.step() is Step(way)


def test_a_button_held_at_a_restart_is_a_press_of_its_open_incident(stage: Stage) -> None:
    """Somebody may have pressed again while the node was away."""
    before = stage().press().command("silence", incident="0000000a-2").skip()

    play = before.next_process().begin().wait(0.1)

    assert [(each.id, each.presses) for each in play.state.incidents] == [("0000000a-2", 2)]
    play.only(ShowLadder, SetBuzzer) << [
        SetBuzzer(BuzzerPattern.ALARM),
        ShowLadder(play.state.contacts["button"].changed_at, "button", Step.PRESSED, play.pressed),
    ]


def test_only_what_is_left_of_the_sound_is_played_in_the_same_kernel(pressed: Playbook) -> None:
    """The monotonic clock went on."""
    pressed.wait(600.0).skip()

    play = pressed.next_process().begin().until(START + 900.019).skip()
    play.until(START + 900.020)

    play.only(SetBuzzer) << [SetBuzzer(BuzzerPattern.OFF)]


def test_a_sound_that_has_ended_meanwhile_does_not_begin_again(pressed: Playbook) -> None:
    """Not even for a moment; its end is told."""
    pressed.now += 3_600.0

    play = pressed.next_process().begin()

    play.only(SetBuzzer, Append) << [Logged("started"), Logged("sound-ended"), Logged("nobody")]


def test_after_a_reboot_every_instant_is_shifted_to_the_new_clock(pressed: Playbook) -> None:
    """The time without power isn't counted: it is unknown."""
    incident, snapshot = pressed.state.incidents[0], pressed.disk.snapshot
    assert snapshot is not None
    assert incident.sounding_until is not None

    play = pressed.next_process(reboot=True).load()
    at = play.now

    assert play.state.incidents[0].sounding_until == pytest.approx(incident.sounding_until - snapshot.at + at)
    assert play.state.incidents[0].receipt_due == pytest.approx(START + 10.020 - snapshot.at + at)
    play.skip()


def test_a_daily_power_cut_does_not_make_an_inhibit_last_for_ever(stage: Stage) -> None:
    """What is left is noted once a minute, so that the end that was given comes."""
    play = stage()
    play.command("inhibit", input="button", for_s=3_600.0, reason="painters")

    for number in range(8):
        play.wait(600.0).skip()
        play = play.next_process(reboot=True, boot=f"1000000{number}").load()

    assert play.skip().state.inhibits == ()


def test_time_that_runs_out_is_noted_once_a_minute(pressed: Playbook) -> None:
    """Not more often: an SD card wears out."""
    pressed.receipt().skip()

    for _ in range(30):
        pressed.wait(10.0).monitor()

    assert 4 <= len(pressed.take(StoreSnapshot)) <= 6


def test_an_inhibit_is_kept_over_a_restart(stage: Stage) -> None:
    """With its end; an input that isn't configured any more can't be inhibited."""
    before = stage().command("inhibit", input="button", for_s=600.0, reason="painters").skip()
    kept = before.next_process()

    kept.load()
    other = Playbook(make_settings(button("door")), boot=NEXT, disk=before.disk)
    other.load()

    assert kept.skip().state.inhibits == before.state.inhibits
    assert other.skip().state.inhibits == ()


def test_a_monitor_that_was_once_heard_is_required_after_a_restart(stage: Stage) -> None:
    """Receipts ``auto`` remember it."""
    before = stage().monitor().skip()

    play = before.next_process().begin().connect()
    play.press().accepted().skip()

    assert play.step() is Step.ACCEPTED


def test_the_incident_of_an_input_that_is_not_configured_any_more_can_be_reset(pressed: Playbook) -> None:
    """It stays in alarm until somebody does."""
    play = Playbook(make_settings(button("door")), boot=NEXT, disk=pressed.disk, brokers=pressed.brokers)
    play.begin().connect().skip()

    play.command("reset", incident=play.incident)

    assert play.state.incidents == ()
    play.skip()


def test_a_late_record_brings_its_incidents_beside_the_new_ones(pressed: Playbook) -> None:
    """The disk stalled at start: nothing that happened since is lost, and nothing that was open before."""
    old = pressed.incident
    play = late(pressed).tap()
    new = play.incident
    play.skip()

    play.load()

    assert [each.id for each in play.state.incidents] == [old, new]
    assert play.incident == new


def test_a_late_record_says_so(pressed: Playbook) -> None:
    """In place of the start's field: what this boot's receiver should have of the one before."""
    play = late(pressed)

    play.load()

    assert play.kinds() == ["record-loaded"]
    assert play.logged[-1].previous == pressed.logged[-1].key


def test_a_late_record_takes_nothing_back(pressed: Playbook) -> None:
    """An incident that was adopted and reset meanwhile stays reset."""
    play = late(pressed).connect()
    play.command("reset", incident=pressed.incident).skip()

    play.load()

    assert play.state.incidents == ()
    play.skip()


def test_a_late_record_does_not_undo_an_inhibit_of_this_boot(stage: Stage) -> None:
    """The newer word counts."""
    before = stage().command("inhibit", input="button", for_s=600.0, reason="painters").skip()
    play = late(before).connect()
    play.command("inhibit", input="button", for_s=60.0, reason="cut-wire").skip()
    inhibits = play.state.inhibits

    play.load()

    assert play.state.inhibits == inhibits
    play.skip()


@pytest.mark.parametrize("memory", ["record", "broker"])
def test_no_memory_starts_a_sound_while_a_silent_incident_is_open(stage: Stage, memory: str) -> None:
    """Somebody presses the silent button just after a power cut: what sounded before stays quiet."""
    loud = button("loud", alarm_class=AlarmClass.ASSIST)
    silent = button("silent", sound=Sound.SILENT, lamp=Lamp.SHOWN)
    before = stage(loud, silent).tap("loud").skip()
    play = late(before).press("silent").skip()

    if memory == "record":
        play.load()
    else:
        play.connect()

    assert {each.input for each in play.state.incidents} == {"loud", "silent"}
    play.only(SetBuzzer) << []


def test_what_is_left_of_a_sound_is_written_each_minute(stage: Stage) -> None:
    """Also if nothing else happens: a power cut makes it at most that much longer."""
    play = stage(heartbeat_s=300.0)
    play.press().wait(30.0).skip()
    due = reconcile.next_snapshot(play.state)
    assert due <= play.now + reconcile.REMEMBER_S

    play.until(due)

    play.only(StoreSnapshot) << [StoreSnapshot]
    assert controller.next_deadline(play.state) > due

"""The machine below: a disk that fails or stalls, a clock that runs free, outputs that can't be driven."""

import pytest

from node.core.effects import (
    ReadClock,
    SendAlarm,
    SendEvent,
)
from node.core.events import (
    ClockRead,
    ConfigurationSeen,
    EventsStored,
    OutputFailed,
    OutputRecovered,
    RecordFailed,
    RecordRecovered,
    WatchdogRead,
)
from node.core.model import Key
from tests.core.playbook import BOOT, LINK, START, UTC_OFFSET, Stage


def test_a_record_that_fails_is_a_fault_until_it_recovers(stage: Stage) -> None:
    """Alarms are sent all the same."""
    play = stage()

    play >> RecordFailed(play.now, "disk full")
    assert play.faults() == [("F020", "")]
    play >> RecordRecovered(play.now)

    assert play.faults() == []
    assert play.kinds() == ["fault-raised", "fault-cleared"]


def test_a_record_of_a_newer_version_is_another_fault(stage: Stage) -> None:
    """What to do is to install that version, not to replace the card. If the disk fails after all, it is the disk's."""
    play = stage()

    play >> RecordFailed(play.now, "has version 3", newer=True)
    assert play.faults() == [("F059", "")]
    play >> RecordFailed(play.now, "disk full")
    assert play.faults() == [("F020", "")]
    play >> RecordFailed(play.now, "has version 3", newer=True)
    play >> RecordRecovered(play.now)

    assert play.faults() == []
    assert play.kinds() == ["fault-raised", *["fault-raised", "fault-cleared"] * 2, "fault-cleared"]


def test_a_press_goes_out_while_the_record_fails(stage: Stage) -> None:
    """The disk is a watched fault, never a precondition of an alarm."""
    play = stage()
    play >> RecordFailed(play.now, "disk full")
    play.skip()

    play.press()

    play.only(SendAlarm, SendEvent) << [SendEvent(LINK, 1, play.pressed, alarm=True), SendAlarm]


def test_a_record_that_recovers_has_all_that_it_ever_will(stage: Stage) -> None:
    """What it let go in the outage isn't waited for, or the fault would stand for ever."""
    play = stage()
    play.stalled = True
    play >> RecordFailed(play.now, "disk full")
    play.link_down().wait(10.0)

    play >> RecordRecovered(play.now)
    play.connect().wait(10.0).skip()

    assert play.state.supervision.unstored.keys().isdisjoint(
        event.key for event in play.logged if event.at < START + 10.0
    )


def test_a_disk_that_stalls_for_3_s_is_a_fault(stage: Stage) -> None:
    """Nobody reports it: events are handed over, and nothing comes back."""
    play = stage()
    play.wait(1.0)
    play.stalled = True
    play.press().skip()

    play.wait(2.999)
    assert play.faults() == []
    play.wait(0.001).skip()

    assert play.faults() == [("F020", "")]


def test_a_disk_that_goes_on_in_time_is_no_fault(stage: Stage) -> None:
    """Everything that was handed over is stored."""
    play = stage()
    play.stalled = True
    play.press().wait(2.9)

    play.stored().skip()

    assert play.faults() == []


def test_what_is_watched_until_it_is_stored_is_limited(stage: Stage) -> None:
    """The oldest tells a stall as well as all would."""
    play = stage(connected=False)
    play.stalled = True

    for _ in range(120):
        play.tap()

    assert len(play.state.supervision.unstored) == 100
    play >> EventsStored(play.now, (Key(BOOT, 9_999),))
    play.skip()


@pytest.mark.parametrize("synchronised", [True, None])
def test_a_clock_that_is_synchronised_or_cannot_tell_is_no_fault(alone: Stage, synchronised: bool | None) -> None:
    """Only a clock that says it runs free is one."""
    play = alone()

    play >> ClockRead(play.now, 5.0, synchronised)
    play.wait(60.0).skip()

    assert play.faults() == []
    assert play.state.supervision.synchronised is synchronised


def test_a_clock_that_runs_free_is_a_fault_a_minute_after_the_start(alone: Stage) -> None:
    """Until then it may just not have been set yet."""
    play = alone()
    play >> ClockRead(play.now, UTC_OFFSET, False)

    play.until(START + 59.9).skip()
    assert play.faults() == []
    play.until(START + 60.0).skip()

    assert play.faults() == [("F030", "")]


def test_a_clock_that_is_set_changes_labels_and_no_decision(stage: Stage) -> None:
    """Wall time is a label: deadlines stay, and new events carry the new time."""
    play = stage()
    play.press().skip()
    due = play.state.incidents[0].receipt_due

    play >> ClockRead(play.now, UTC_OFFSET + 86_400.0, True)
    play.release()

    assert play.state.incidents[0].receipt_due == due
    assert play.logged[-1].at_utc == pytest.approx(play.logged[-1].at + UTC_OFFSET + 86_400.0)
    assert play.logged[-1].synchronised
    play.skip()


def test_the_clock_is_asked_once_a_period(stage: Stage) -> None:
    """Together with the heartbeat."""
    play = stage()

    play.until(START + 20.0)

    assert len(play.take(ReadClock)) == 2


def test_a_watchdog_that_is_not_armed_is_a_fault(stage: Stage) -> None:
    """A machine that hangs would stay hanging, though this installation relies on being restarted."""
    play = stage()

    play >> WatchdogRead(play.now, armed=False)
    assert play.faults() == [("F038", "")]
    play >> WatchdogRead(play.now, armed=True)

    assert play.faults() == []
    assert play.kinds() == ["fault-raised", "fault-cleared"]


def test_an_output_that_fails_is_a_fault_of_its_own(stage: Stage) -> None:
    """Told once, until the same pin can be driven again."""
    play = stage()

    for output in ("buzzer", "lamp", "buzzer"):
        play >> OutputFailed(play.now, output, "EIO")
    assert play.faults() == [("F003", "buzzer"), ("F003", "lamp")]
    play >> OutputRecovered(play.now, "buzzer") >> OutputRecovered(play.now, "buzzer")

    assert play.faults() == [("F003", "lamp")]
    assert play.kinds() == ["fault-raised", "fault-raised", "fault-cleared"]


def test_a_configuration_that_cannot_be_used_any_more_is_a_fault(stage: Stage) -> None:
    """Until it can be used again."""
    play = stage()

    play >> ConfigurationSeen(play.now, "node.toml: isn't TOML")
    assert play.faults() == [("F049", "")]
    play >> ConfigurationSeen(play.now, "")

    assert play.faults() == []
    assert play.kinds() == ["fault-raised", "fault-cleared"]


def test_a_start_with_the_last_good_configuration_is_one_fault(stage: Stage) -> None:
    """It stands whatever becomes of the file meanwhile: the node runs with the old settings."""
    play = stage(refused="node.toml: isn't TOML")

    for problem in ("node.toml: isn't TOML", ""):
        play >> ConfigurationSeen(play.now, problem)

    assert play.faults() == [("F055", "node.toml: isn't TOML")]


def test_safe_mode_is_a_fault_for_as_long_as_it_lasts(stage: Stage) -> None:
    """Nothing that happens ends it: the next start does."""
    play = stage(safe_mode=True)

    play.press().skip()

    assert play.faults() == [("F056", "")]

"""The beginning and the clean end of a process."""

import pytest

from node.core.effects import (
    Begin,
    CloseLinks,
    Connect,
    SendAlarm,
    SendEvent,
    SendState,
    SetBuzzer,
    SetLamp,
)
from node.core.events import (
    ClockRead,
    OutputFailed,
    RecordFailed,
    RecordLoaded,
    StateHeard,
    StopRequested,
    TimePassed,
)
from node.core.model import Key, Restored
from node.core.signals import BuzzerPattern, LampPattern
from tests.core.house import make_settings
from tests.core.outside import OLD_BOOT
from tests.core.playbook import BOOT, LINK, START, UTC_OFFSET, Playbook, Stage
from tests.core.scenes import Logged


def test_a_first_start_begins_with_its_first_event() -> None:
    """The lamp shows ready once the record has answered; then the inputs are read and the brokers are called."""
    play = Playbook(make_settings())

    play >> RecordLoaded(START, Restored())

    play << [Begin(), SetLamp(LampPattern.READY), Logged("started", key=Key(BOOT, 1), previous=None), Connect()]


def test_the_first_event_names_the_newest_one_that_was_stored(pressed: Playbook) -> None:
    """So a receiver knows what it should have."""
    newest = pressed.logged[-1].key

    play = pressed.next_process().begin()

    assert play.logged[0].kind == "started"
    assert play.logged[0].previous == newest
    play.skip()


@pytest.mark.parametrize("late_s", [0.5, 3.0])
def test_a_record_that_says_nothing_holds_up_nothing(late_s: float) -> None:
    """Half a second; then the node begins without it."""
    play = Playbook(make_settings())

    play.until(START + late_s)

    assert play.kinds() == (["started"] if late_s < 1 else ["started", "fault-raised"])


def test_a_deadline_that_comes_too_early_begins_nothing() -> None:
    """A stale TimePassed does nothing."""
    play = Playbook(make_settings())

    play >> TimePassed(START + 0.499) << []

    assert not play.state.begun


def test_a_record_that_fails_at_once_is_waited_for_no_longer() -> None:
    """The node begins, with a fault."""
    play = Playbook(make_settings())

    play >> RecordFailed(START + 0.1, "read-only")

    assert play.kinds() == ["started", "fault-raised"]
    assert play.faults() == [("F020", "")]


def test_whatever_happens_before_the_beginning_the_first_event_is_the_start() -> None:
    """A fault that is older than that is told after it."""
    play = Playbook(make_settings())

    play >> ClockRead(START, UTC_OFFSET, True) >> OutputFailed(START, "lamp", "EIO")
    play >> RecordLoaded(START + 0.1, Restored())

    assert play.kinds() == ["started", "fault-raised"]


@pytest.mark.parametrize("back_in_s", [None, 30.0])
def test_a_clean_stop_says_goodbye_on_every_link(stage: Stage, back_in_s: float | None) -> None:
    """With reason and planned length, because a clean disconnect fires no will; then the links are closed."""
    play = stage(links=("a", "b", "c"), connected=False)
    play.connect("a").connect("b").skip()

    play >> StopRequested(play.now, "update", back_in_s)

    stamp = (play.state.seq, play.now + UTC_OFFSET, False)
    play << [
        Logged("stopped", reason="update", for_s=back_in_s),
        SendState("a", 1, "offline", *stamp, reason="update", back_in_s=back_in_s),
        SendState("b", 1, "offline", *stamp, reason="update", back_in_s=back_in_s),
        SendEvent,
        SendEvent,
        CloseLinks(),
    ]


def test_a_second_request_to_stop_changes_nothing(stage: Stage) -> None:
    """Somebody is impatient."""
    play = stage() >> StopRequested(START, "update")
    play.skip()

    play >> StopRequested(play.now, "again") << []


def test_an_alarm_is_still_an_alarm_while_the_node_stops(stage: Stage) -> None:
    """It sounds, is stored, and goes out if a link still can."""
    play = stage() >> StopRequested(START, "update")
    play.skip()

    play.press()

    play.only(SetBuzzer, SendAlarm, SendEvent) << [
        SetBuzzer(BuzzerPattern.ALARM),
        SendEvent(LINK, 1, play.pressed, alarm=True),
        SendAlarm,
    ]


def test_no_birth_follows_the_goodbye(stage: Stage) -> None:
    """Neither one that was put off, nor one for what is heard now: a node that stops mustn't look alive."""
    play = stage()
    play >> StateHeard(play.now, LINK, OLD_BOOT, 1, "online", retained=False)
    assert play.state.supervision.link(LINK).birth_due is not None

    play >> StopRequested(play.now, "update")
    play.skip().wait(1.5)
    play >> StateHeard(play.now, LINK, OLD_BOOT, 1, "online", retained=False)
    play.wait(1.5)

    play.only(SendState) << []


def test_a_session_that_begins_while_the_node_stops_is_left_alone(stage: Stage) -> None:
    """The link comes up just when everything is closed: nothing is said there that would outlive the process."""
    play = stage(connected=False) >> StopRequested(START, "update")
    play.skip()

    play.link_up() << []


def test_a_node_that_stops_before_it_began_does_not_begin() -> None:
    """It neither reads the inputs nor calls the brokers any more."""
    play = Playbook(make_settings())
    play >> StopRequested(START, "update")

    play.begin()

    play.only(Begin, Connect, CloseLinks) << [CloseLinks()]

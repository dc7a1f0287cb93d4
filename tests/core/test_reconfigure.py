"""New settings while the node runs: what changes at once, and what stays as it was."""

import pytest

from node.core.effects import (
    MarkReceived,
    ReadBacklog,
    ReadConfiguration,
    SendAlarm,
    SendEvent,
    SendHeartbeat,
    SendState,
    TakeNextBroker,
    UseBrokers,
    WriteStatus,
)
from node.core.events import BacklogRead, ConfigurationRead, ReloadRequested, StopRequested
from node.core.model import Step
from node.core.reconfigure import NEXT_BROKER
from node.core.settings import AlarmClass, Receipts
from node.core.supervision import MONITOR_HEARD_S
from tests.core.house import button
from tests.core.playbook import LINK, Playbook, Stage


def test_a_wish_for_a_reload_has_the_file_read(stage: Stage) -> None:
    """By a thread that may wait for the disk."""
    play = stage()

    play >> ReloadRequested(play.now)

    play << [ReadConfiguration()]


def test_who_stops_reads_nothing_any_more(stage: Stage) -> None:
    """And takes no settings either."""
    play = stage()
    play >> StopRequested(play.now, "sigterm")
    play.skip()

    play >> ReloadRequested(play.now)
    play.reload(links=())

    play << []
    assert [link.name for link in play.state.supervision.links] == [LINK]


def test_settings_that_are_the_same_are_told_and_change_nothing(stage: Stage) -> None:
    """Monitors hear the period, links are left to those who know their brokers."""
    play = stage()
    before = play.state

    play.reload()

    play << [SendHeartbeat, UseBrokers(("its brokers",)), WriteStatus]
    assert play.state.supervision.links[0].session == before.supervision.links[0].session


def test_settings_before_the_start_is_over_are_taken(stage: Stage) -> None:
    """A reload may come at any time."""
    play = Playbook(stage().settings)

    play.reload(links=(LINK, "b"))

    play << [UseBrokers(("its brokers",))]
    assert [link.name for link in play.state.supervision.links] == [LINK, "b"]


def test_a_refused_file_is_a_fault_until_it_can_be_used(stage: Stage) -> None:
    """The old settings go on."""
    play = stage()
    before = play.state.settings

    play.reload(problem="node.toml: isn't TOML")
    refused = play.faults()
    play.reload()

    assert refused == [("F049", "")]
    assert play.faults() == []
    assert play.state.settings == before
    play.skip()


def test_a_reload_ends_the_last_good_configuration(stage: Stage) -> None:
    """The file is in force again."""
    play = stage(refused="node.toml: isn't TOML")

    play.reload(problem="node.toml: isn't TOML")
    before = play.faults()
    play.reload(refused="")

    assert before == [("F055", "node.toml: isn't TOML")]
    assert play.faults() == []
    play.skip()


def test_what_wants_a_restart_is_a_fault(stage: Stage) -> None:
    """Until it was restarted, or the file is as it was."""
    play = stage()

    play.reload(restart_due="[lamp], inputs")
    due = play.faults()
    play.reload(restart_due="")

    assert due == [("F057", "[lamp], inputs")]
    assert play.faults() == []
    play.skip()


def test_an_added_link_begins_like_any_other(stage: Stage) -> None:
    """It is a fault while it is down, and gets all that waits when it comes up."""
    play = stage().tap().skip()

    play.reload(links=(LINK, "b")).wait(3.0)
    down = play.faults()
    play.skip().connect("b")

    assert down == [("F010", "b")]
    sent = [each for each in play.take(SendEvent) if each.link == "b"]
    assert play.pressed in {each.key for each in sent}
    assert [link.up for link in play.state.supervision.links] == [True, True]


def test_a_removed_link_is_forgotten_with_its_faults(stage: Stage) -> None:
    """What was on its way there goes out on the others, and nobody is told that the node leaves."""
    play = stage(links=("a", "b"))
    play.link_down("b").wait(3.0)
    down = play.faults()
    play.skip()

    play.reload(links=("a",))

    assert down == [("F010", "b")]
    assert play.faults() == []
    play.only(SendState, SendHeartbeat) << [SendHeartbeat, SendHeartbeat]
    assert [link.name for link in play.state.supervision.links] == ["a"]


def test_an_open_alarm_survives_and_a_further_press_counts(stage: Stage) -> None:
    """Whatever is changed meanwhile."""
    play = stage(button(), links=("a", "b")).press().skip()
    incident = play.incident

    play.reload(
        inputs=(button(alarm_class=AlarmClass.AMOK),), links=("b", "c"), heartbeat_s=20.0, receipt_s=30.0, stuck_s=60.0
    )
    kept = play.incident
    play.skip().release().press()

    assert kept == incident == play.incident
    assert play.state.incidents[0].presses == 2
    assert {each.link for each in play.take(SendAlarm)} == {"b"}


def test_a_new_class_holds_for_the_next_alarm(stage: Stage) -> None:
    """An open one is what it was when it was raised."""
    play = stage(button(alarm_class=AlarmClass.ASSIST)).press()

    play.reload(inputs=(button(alarm_class=AlarmClass.AMOK),))
    opened = play.state.incidents[0].alarm_class
    play.release().command("reset", incident=play.incident)
    play.press().skip()

    assert opened is AlarmClass.ASSIST
    assert play.state.incidents[0].alarm_class is AlarmClass.AMOK


def test_a_longer_period_is_told_before_the_shorter_one_is_over(alone: Stage) -> None:
    """Or a monitor would take the node for late."""
    play = alone(heartbeat_s=10.0).wait(9.0).skip()

    play.reload(heartbeat_s=60.0)
    told = [each.heartbeat.period_s for each in play.take(SendHeartbeat)]
    play.wait(59.0)

    assert told == [60.0]
    assert not play.take(SendHeartbeat)
    play.wait(1.0)
    assert len(play.take(SendHeartbeat)) == 1


def test_monitors_that_do_not_count_any_more_are_forgotten(stage: Stage) -> None:
    """The others have their time to be heard."""
    play = stage().monitor("desk").monitor("porter")

    play.reload(monitors=("porter", "guard"))
    both = set(play.state.supervision.monitors)
    play.reload(monitors=("guard",)).wait(MONITOR_HEARD_S - 1.0)
    in_time = play.faults()
    play.wait(1.0)

    assert both == {"porter"}
    assert in_time == []
    assert play.faults() == [("F014", "")]
    play.skip()


@pytest.mark.parametrize("told", [False, True])
def test_in_a_building_that_gets_a_monitor_an_open_call_awaits_it(alone: Stage, told: bool) -> None:
    """Nobody was heard so far, so each monitor and each call have their time from now on."""
    play = alone().press().stored().accepted()
    assert play.step() is Step.ACCEPTED

    play.reload(receipts=Receipts.REQUIRED).monitor()
    if told:
        play.told()
    play.wait(play.settings.receipt_s)

    assert play.step() is (Step.TOLD if told else Step.NOBODY)
    play.skip()


def test_in_a_building_that_gets_a_monitor_what_only_a_broker_took_is_sent_again(alone: Stage) -> None:
    """No monitor has it, and one that counts events would miss it (M003). A receipt then settles it."""
    play = alone().press().stored().accepted()
    waited = tuple(play.state.waiting.events)
    play.skip()

    play.reload(receipts=Receipts.REQUIRED)
    asked = play.take(ReadBacklog)
    play >> BacklogRead(play.now, ((play.pressed, True),), more=False)
    sent = [send.key for send in play.take(SendEvent)]
    play.receipt(play.pressed)

    assert play.pressed not in waited
    assert asked == [ReadBacklog(waited, taken=True)]
    assert sent == [play.pressed]
    play.only(MarkReceived) << [MarkReceived(play.pressed, "desk")]


def test_a_call_that_somebody_answered_awaits_nobody(alone: Stage) -> None:
    """Help is on its way, whoever has a monitor."""
    play = alone().press().stored().accepted()
    play.command("acknowledge", incident=play.incident)

    play.reload(receipts=Receipts.REQUIRED).monitor().wait(play.settings.receipt_s)

    assert play.step() is Step.ACKNOWLEDGED
    play.skip()


def test_in_a_building_whose_monitor_goes_an_open_call_awaits_none(stage: Stage) -> None:
    """What the broker took goes on calling until somebody acknowledges."""
    play = stage().monitor().press().stored().accepted()

    play.reload(receipts=Receipts.NONE).wait(60.0)

    assert play.step() is Step.ACCEPTED
    assert ("F014", "") not in play.faults()
    play.skip()


def test_safe_mode_takes_the_next_broker_while_none_is_reached(stage: Stage) -> None:
    """At longer and longer times, and not while one is."""
    play = stage(safe_mode=True, connected=False).wait(NEXT_BROKER.first_s - 1.0).skip()

    play.wait(1.0)
    first = len(play.take(TakeNextBroker))
    play.reload(links=("b",)).wait(2 * NEXT_BROKER.first_s - 1.0)
    early = len(play.take(TakeNextBroker))
    play.wait(1.0)
    second = len(play.take(TakeNextBroker))
    play.reload(links=(LINK,)).connect().wait(10 * NEXT_BROKER.first_s)

    assert (first, early, second) == (1, 0, 1)
    assert not play.take(TakeNextBroker)


def test_a_link_that_is_lost_in_safe_mode_has_its_time_to_come_back(stage: Stage) -> None:
    """A broker that is started anew is no reason to leave it."""
    play = stage(safe_mode=True).wait(1_000.0)

    play.link_down().wait(NEXT_BROKER.first_s - 1.0)
    early = len(play.take(TakeNextBroker))
    play.wait(1.0)

    assert early == 0
    assert len(play.take(TakeNextBroker)) == 1


def test_a_reload_with_nothing_to_change_is_no_problem(stage: Stage) -> None:
    """In safe mode an unchanged file changes nothing."""
    play = stage(safe_mode=True)

    play >> ConfigurationRead(play.now, "")

    play << []

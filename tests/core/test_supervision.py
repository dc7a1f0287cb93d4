"""What doesn't work: faults as they stand, their events, and the heartbeat that tells."""

import pytest
from msgspec.structs import replace

from node.core.effects import (
    FaultReport,
    Heartbeat,
    InputReport,
    LinkReport,
    RenewLink,
    SendCanary,
    SendEvent,
    SendHeartbeat,
    SetLamp,
    WriteStatus,
)
from node.core.events import (
    MessagesDropped,
    OutputFailed,
)
from node.core.line import ContactState
from node.core.model import Key
from node.core.settings import AlarmClass, Receipts
from node.core.signals import LampPattern
from node.core.supervision import MONITORS_KEPT
from tests.core.playbook import BOOT, BRANCH, EVENT_TOPIC, HEARTBEAT_TOPIC, LINK, START, UTC_OFFSET, Playbook, Stage
from tests.core.scenes import Logged


def beats(play: Playbook) -> list[float]:
    """When heartbeats were sent since the last look, in seconds since the play began."""
    return [round(send.heartbeat.at - START, 3) for send in play.take(SendHeartbeat)]


def test_a_heartbeat_goes_out_every_period_on_every_link(stage: Stage) -> None:
    """It carries its period, so that the other side knows when the next one is due."""
    play = stage(links=("a", "b"))
    play.monitor(link="a").skip()

    play.wait(10.0)

    sent = play.take(SendHeartbeat)
    assert [(each.link, each.heartbeat.period_s) for each in sent] == [("a", 10.0), ("b", 10.0)]


def test_a_heartbeat_says_how_the_node_is(stage: Stage) -> None:
    """Inputs, faults, links, monitors, what waits, what was refused and dropped."""
    play = stage(links=("a", "b"), connected=False)
    play.connect("a").monitor(link="a").press().command("inhibit", link="a", input="button", for_s=60.0, reason="x")
    play.command("open-door", link="a") >> MessagesDropped(play.now, "a", 3, "flood")
    play.until(START + 3.0).skip()

    play.until(START + 13.0)

    (heartbeat,) = {send.heartbeat for send in play.take(SendHeartbeat)}
    assert heartbeat == Heartbeat(
        period_s=10.0,
        seq=play.state.seq,
        at=START + 13.0,
        at_utc=START + 13.0 + UTC_OFFSET,
        synchronised=False,
        uptime_s=13.0,
        inputs=(
            InputReport(
                "button", "button", ContactState.ACTIVE, False, START + 0.020 + 60.0 - (START + 13.0), AlarmClass.THREAT
            ),
        ),
        faults=(
            FaultReport("F040", "button", START + 0.020 + UTC_OFFSET),
            FaultReport("F010", "b", START + 3.0 + UTC_OFFSET),
        ),
        links=(LinkReport("a", True, 0.0), LinkReport("b", False, None)),
        monitors=("desk",),
        incidents=1,
        waiting=len(play.state.waiting.events),
        refused=1,
        dropped=3,
    )


@pytest.mark.parametrize("answered", ["heartbeat", "event"])
def test_the_answer_to_a_heartbeat_says_how_long_the_way_is(stage: Stage, answered: str) -> None:
    """Only a heartbeat's own answer does; any answer proves that the path lives."""
    play = stage()
    play.until(START + 1.0)
    play.unanswered = True
    play.until(START + 10.0)
    play.now += 0.25

    play.answer(f"{BRANCH}/{answered}").skip()

    assert play.state.supervision.link(LINK).answer_due is None
    assert play.state.supervision.link(LINK).rtt_s == pytest.approx(0.25 if answered == "heartbeat" else 0.0)


def test_a_dead_path_is_known_5_s_after_a_heartbeat(stage: Stage) -> None:
    """So within 15 s at the default period, though nobody closed the connection."""
    play = stage()
    play.until(START + 9.9).skip()
    play.unanswered = True

    play.until(START + 14.999)
    assert play.faults() == []
    play.until(START + 15.0)

    assert play.faults() == [("F010", LINK)]
    assert play.kinds() == ["fault-raised"]


def test_a_path_that_answers_again_is_no_fault(stage: Stage) -> None:
    """Any answer will do."""
    play = stage()
    play.unanswered = True
    play.until(START + 15.0).skip()

    play.answer(EVENT_TOPIC)

    assert play.faults() == []
    assert play.kinds() == ["fault-cleared"]


@pytest.mark.parametrize(("away_s", "faults"), [(2.999, []), (3.0, [("F010", LINK)])])
def test_a_broker_that_is_away_for_3_s_is_a_fault(stage: Stage, away_s: float, faults: list[tuple[str, str]]) -> None:
    """A connection that is only renewed is none."""
    play = stage()

    play.link_down().wait(away_s).skip()

    assert play.faults() == faults


def test_further_failures_to_connect_do_not_put_off_the_fault(stage: Stage) -> None:
    """The link has been away since it went."""
    play = stage()

    play.link_down().wait(2.0).link_down().wait(1.0).skip()

    assert play.faults() == [("F010", LINK)]


def test_a_fault_is_told_at_once_in_a_heartbeat_and_by_the_lamp(stage: Stage) -> None:
    """Raised and cleared as events; the next heartbeat comes a period later."""
    play = stage(links=("a", "b"))
    play.monitor(link="b").link_down("a").skip()

    play.wait(3.0)

    play << [
        SetLamp(LampPattern.NOBODY),
        Logged("fault-raised", fault="F010", subject="a"),
        SendHeartbeat,
        SendEvent,
        WriteStatus,
    ]
    assert play.state.heartbeat_due == play.now + 10.0


def test_a_fault_that_ends_is_told_too(stage: Stage) -> None:
    """The lamp shows ready again."""
    play = stage()
    play.link_down().wait(3.0).skip()

    play.connect()

    play.only(SetLamp) << [SetLamp(LampPattern.READY)]
    assert [event.kind for event in play.logged][-1] == "fault-cleared"


@pytest.mark.parametrize(
    ("code", "fault"), [(0x80, "F011"), (0x87, "F011"), (0x97, "F053"), (0x95, "F052"), (0x9B, "F051")]
)
@pytest.mark.parametrize("topic", ["event", "alarm", "heartbeat", "state", "reply"])
def test_a_refused_publish_is_a_fault_that_names_the_topic(stage: Stage, topic: str, code: int, fault: str) -> None:
    """In an immediate heartbeat, and what was refused: rights, a limit, or what the broker never takes."""
    play = stage()

    play.answer(f"{BRANCH}/{topic}", code=code)

    subject = f"{BRANCH}/{topic} (0x{code:02X})"
    assert play.faults() == [(fault, subject)]
    (sent,) = play.take(SendHeartbeat)
    assert [fault.subject for fault in sent.heartbeat.faults] == [subject]


def test_where_there_are_several_brokers_the_fault_names_the_broker_too(stage: Stage) -> None:
    """One of the two access lists is wrong."""
    play = stage(links=("a", "b"))

    play.answer(EVENT_TOPIC, code=0x87, link="b").skip()

    assert play.faults() == [("F011", f"{EVENT_TOPIC} on b (0x87)")]


def test_a_refusal_stands_until_the_topic_is_accepted(stage: Stage) -> None:
    """Another topic's success says nothing of it, and neither does a new session."""
    play = stage()
    play.answer(EVENT_TOPIC, code=0x87).answer(EVENT_TOPIC, code=0x87).answer(HEARTBEAT_TOPIC).connect().skip()
    assert play.faults() == [("F011", f"{EVENT_TOPIC} (0x87)")]

    play.answer(EVENT_TOPIC)

    assert play.faults() == []
    assert play.kinds() == ["fault-cleared"]


def test_a_message_that_was_too_large_is_told_for_the_session(stage: Stage) -> None:
    """What is taken after it is a shorter one, and the broker's limit is as it was."""
    play = stage()
    play.answer(HEARTBEAT_TOPIC, code=0x95).answer(HEARTBEAT_TOPIC).skip()
    told = play.faults()

    play.connect().skip()

    assert (told, play.faults()) == ([("F052", f"{HEARTBEAT_TOPIC} (0x95)")], [])


def test_without_monitors_there_is_no_fault_where_none_is_required(alone: Stage) -> None:
    """Receipts ``none``: a building without a monitor."""
    play = alone()

    play.wait(60.0).skip()

    assert play.faults() == []


@pytest.mark.parametrize("settings", [{"receipts": Receipts.REQUIRED}, {"monitors": ("desk",)}])
def test_no_monitor_is_a_fault_20_s_after_the_start_where_one_is_required(
    stage: Stage, settings: dict[str, object]
) -> None:
    """Alarms reach the broker, but nobody confirms that the building has them."""
    play = stage(**settings)

    play.until(START + 19.9)
    assert play.faults() == []
    play.until(START + 20.0).skip()

    assert play.faults() == [("F014", "")]


@pytest.mark.parametrize("goodbye", [False, True])
def test_a_monitor_that_falls_silent_is_a_fault_after_20_s(stage: Stage, goodbye: bool) -> None:
    """A goodbye makes it no sooner and no later: it runs out like a silent one."""
    play = stage()
    play.monitor()
    if goodbye:
        play.wait(5.0).monitor(alive=False)

    play.until(START + 19.999).skip()
    assert play.faults() == []
    play.until(START + 20.0).skip()

    assert play.faults() == [("F014", "")]


def test_one_monitor_of_two_is_enough(stage: Stage) -> None:
    """The fault is that none is heard."""
    play = stage()
    play.monitor("desk").monitor("gate")

    play.wait(15.0).monitor("gate").wait(10.0).skip()

    assert play.faults() == []
    assert list(play.state.supervision.monitors) == ["gate"]


def test_a_goodbye_of_a_monitor_that_was_never_heard_changes_nothing(stage: Stage) -> None:
    """A retained will from long ago."""
    play = stage()
    before = play.state

    play.monitor(alive=False) << []

    assert play.state == replace(before, now=play.state.now)


def test_a_heartbeat_after_a_fault_waits_a_whole_period(stage: Stage) -> None:
    """The other side counts from the last one."""
    play = stage()
    play.until(START + 6.0) >> OutputFailed(START + 6.0, "buzzer", "EIO")
    play.skip()

    play.until(START + 16.0)

    assert beats(play) == [16.0]


@pytest.mark.parametrize("way", ["heartbeat", "receipt"])
def test_no_more_monitors_are_remembered_than_a_building_can_have(stage: Stage, way: str) -> None:
    """Whoever invents names fills neither the memory nor the heartbeat."""
    play = stage()

    for number in range(MONITORS_KEPT + 5):
        if way == "heartbeat":
            play.monitor(f"desk-{number}")
        else:
            play.receipt(Key(BOOT, 1), monitor=f"desk-{number}")

    assert len(play.skip().state.supervision.monitors) == MONITORS_KEPT


def test_a_link_or_an_input_that_is_not_configured_is_a_mistake_of_the_program(stage: Stage) -> None:
    """Names are checked before they are looked up."""
    play = stage()

    with pytest.raises(KeyError):
        play.state.supervision.link("cellar")
    with pytest.raises(KeyError):
        play.settings.input("cellar")


def test_a_button_that_stays_pressed_is_a_fault_and_still_an_alarm(stage: Stage) -> None:
    """After ``stuck_s``; it is cleared when the button is let go, and the alarm stays until its reset."""
    play = stage(stuck_s=30.0)
    play.press().skip()
    decided = play.now

    play.until(decided + 29.9)
    assert ("F041", "button") not in play.state.faults
    play.until(decided + 30.0)
    assert ("F041", "button") in play.state.faults
    play.release().skip()

    assert ("F041", "button") not in play.state.faults
    assert len(play.state.incidents) == 1


def test_a_canary_flies_every_15_minutes_and_its_silence_is_a_fault(alone: Stage) -> None:
    """Rights can be taken away while a session lasts: only what comes back proves that it still hears."""
    play = alone()
    begin = play.now

    play.until(begin + 899.0)
    play.only(SendCanary) << []
    play.until(begin + 900.0)
    play.only(SendCanary) << [SendCanary]
    play.canary().until(begin + 1800.0)
    play.only(SendCanary) << [SendCanary]
    assert play.state.faults == {}
    play.until(begin + 1804.0).skip()

    assert ("F012", LINK) in play.state.faults


def test_a_session_whose_canaries_do_not_come_back_any_more_is_renewed_every_10_s(alone: Stage) -> None:
    """Its broker delivers nothing in it. Access rights aren't the cause: the first canary came back."""
    play = alone()
    begin = play.now + 900.0

    play.until(begin + 9.999)
    play.only(RenewLink) << []
    play.until(begin + 10.0)
    play.only(RenewLink, SendCanary) << [RenewLink(LINK, 1)]
    play.until(begin + 20.0)
    play.only(RenewLink, SendCanary) << [RenewLink(LINK, 1)]
    play.link_down().link_up().canary().until(begin + 900.0)
    play.only(RenewLink) << []

    assert play.state.faults == {}


def test_when_the_last_monitor_falls_silent_a_canary_flies_at_once(stage: Stage) -> None:
    """Either no monitor is there, or nothing is delivered in this session."""
    play = stage().monitor()
    heard = play.now

    play.until(heard + 19.999)
    play.only(SendCanary) << []
    play.until(heard + 20.0)
    play.only(SendCanary) << [SendCanary]
    play.canary().until(heard + 800.0)
    play.only(SendCanary, RenewLink) << []


def test_a_canary_flies_when_no_monitor_was_heard_since_the_start(stage: Stage) -> None:
    """The session may deliver nothing since a moment after it began."""
    play = stage()

    play.until(START + 19.999)
    play.only(SendCanary) << []
    play.until(START + 20.0)
    play.only(SendCanary) << [SendCanary]
    play.canary().until(START + 800.0)
    play.only(SendCanary, RenewLink) << []


def test_while_a_canary_is_awaited_another_one_flies_every_10_s(alone: Stage) -> None:
    """Who gives the right back needn't wait for a quarter hour; only one that comes back ends the fault."""
    play = alone(connected=False)
    begin = play.now
    play.link_up().skip()

    play.until(begin + 9.999)
    play.only(SendCanary) << []
    play.until(begin + 10.0)
    play.only(SendCanary) << [SendCanary]
    play.until(begin + 29.999)
    play.only(SendCanary) << [SendCanary]
    assert ("F012", LINK) in play.state.faults
    play.canary().until(begin + 900.0)
    play.only(SendCanary) << []

    assert play.state.faults == {}

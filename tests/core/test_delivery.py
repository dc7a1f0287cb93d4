"""Which event goes out on which link, and when again, as the brokers see it."""

import pytest

from node.core import delivery
from node.core.delivery import KEPT, REFILL, WINDOW, WaitingEvents
from node.core.effects import Append, MarkReceived, ReadBacklog, SendEvent, Spill
from node.core.events import BacklogRead, PublishAnswered
from node.core.model import Key
from node.core.settings import Receipts
from tests.core.outside import OLD_BOOT, backlog
from tests.core.playbook import BOOT, EVENT_TOPIC, LINK, Playbook, Stage
from tests.core.scenes import Logged


def after_outage(stage: Stage, alarms: int, telemetry: int, **settings: object) -> Playbook:
    """A node with a backlog that sees its broker for the first time; receipts are required."""
    play = stage(connected=False, receipts=Receipts.REQUIRED, heartbeat_s=3_600.0, **settings)
    return play >> BacklogRead(play.now, backlog(alarms, telemetry), more=False)


def sent(play: Playbook) -> list[Key]:
    """The events that were sent since the last look, in order; all else counts as looked at."""
    return [send.key for send in play.take(SendEvent)]


def test_alarms_go_out_before_telemetry_and_the_oldest_first(stage: Stage) -> None:
    """After an outage the building hears first who called, then what else happened."""
    play = after_outage(stage, alarms=5, telemetry=5)

    play.link_up()

    mine = [key for key in play.state.waiting.events if key.boot == BOOT and not play.state.waiting.events[key].alarm]
    keys = [key for key, _ in backlog(5, 5)]
    assert sent(play) == [*keys[:5], mine[0], *keys[5:], *mine[1:]]


@pytest.mark.parametrize(("alarms", "telemetry"), [(0, 60), (60, 0), (10, 50)])
def test_at_most_20_unreceipted_events_are_in_flight_on_a_link(stage: Stage, alarms: int, telemetry: int) -> None:
    """A broker drops what a slow subscriber can't take, after answering 0x00."""
    play = after_outage(stage, alarms, telemetry)

    play.link_up()
    first = sent(play)
    for key in first:
        play.accepted(key)

    assert len(first) == WINDOW == 20
    assert sent(play) == []


def test_each_receipt_makes_room_for_the_next_event(stage: Stage) -> None:
    """And nothing is sent twice for it."""
    play = after_outage(stage, alarms=60, telemetry=0)
    play.link_up()
    order = sent(play)

    while len(order) < 60:
        play.receipt(order[len(order) - WINDOW])
        order += sent(play)

    assert order == [key for key, _ in backlog(60)]


def test_a_fresh_alarm_is_sent_on_every_link_over_a_full_window(stage: Stage) -> None:
    """An alarm waits for nothing."""
    play = after_outage(stage, alarms=60, telemetry=0, links=("a", "b"))
    play.link_up("a").link_up("b").skip()

    play.press()

    assert [(send.link, send.key) for send in play.take(SendEvent)] == [("a", play.pressed), ("b", play.pressed)]


def test_telemetry_in_flight_takes_no_alarm_s_place(stage: Stage) -> None:
    """Twenty unreceipted heartbeats' worth of news don't hold back an alarm's second try."""
    play = after_outage(stage, alarms=0, telemetry=60)
    play.link_up().press().skip()

    play.wait(10.0)

    assert play.pressed in sent(play)


@pytest.mark.parametrize("code", [0x80, 0x87, 0x97])
def test_a_refused_event_does_not_block_the_one_behind_it(stage: Stage, code: int) -> None:
    """It is set aside until its next turn."""
    play = after_outage(stage, alarms=30, telemetry=0)
    play.link_up()
    first, *_ = sent(play)

    play.accepted(first, code=code)

    assert backlog(30)[WINDOW][0] in sent(play)
    assert play.state.waiting.events[first].set_aside == {LINK}


def test_what_was_refused_goes_out_again_when_the_right_is_given_back(stage: Stage) -> None:
    """An alarm mustn't wait for its own turn when the next publish on its topic shows that it would be taken now."""
    play = stage(receipts=Receipts.REQUIRED)
    play.press()
    refused = play.pressed
    play.accepted(refused, code=0x87).skip()
    play.release().skip()
    restored = max(play.state.waiting.events)

    play.accepted(restored)

    assert refused in sent(play)


def test_an_event_that_is_refused_for_ever_is_not_sent_for_ever(stage: Stage) -> None:
    """A broker that takes all but one: each of its answers mustn't bring that one, and news of it, once more."""
    play = after_outage(stage, alarms=2, telemetry=0)
    play.link_up()
    bad, _ = backlog(2)[0]

    rounds = 0
    while keys := sent(play):
        rounds += 1
        for key in keys:
            play.accepted(key, code=0x97 if key == bad else 0)
        assert rounds < 10

    assert play.state.waiting.events[bad].set_aside == {LINK}


def test_an_event_that_nobody_subscribes_to_does_not_block_the_one_behind_it(stage: Stage) -> None:
    """0x10 is no receipt, and no reason to stop."""
    play = after_outage(stage, alarms=30, telemetry=0)
    play.link_up()
    first, *_ = sent(play)

    play.accepted(first, code=0x10)

    assert sent(play) == [backlog(30)[WINDOW][0]]


def test_an_unreceipted_alarm_is_sent_again_doubling_to_5_minutes(stage: Stage) -> None:
    """After 10 s, 20 s, 40 s … and at last every 300 s."""
    play = stage(receipts=Receipts.REQUIRED)
    play.press()
    begin = play.now
    times: list[float] = []

    while len(times) < 8:
        play.skip().until(min(play.state.waiting.events[play.pressed].due, play.state.heartbeat_due))
        times += [play.now - begin] * (play.pressed in sent(play))

    assert [round(time, 3) for time in times] == [10, 30, 70, 150, 310, 610, 910, 1210]


@pytest.mark.parametrize("boot", ["m0000001", "m0000002"], ids=["gone for long", "started anew"])
def test_a_monitor_that_is_heard_again_gets_everything_again(stage: Stage, boot: str) -> None:
    """Alarms first, whatever their turn."""
    play = stage(heartbeat_s=3_600.0)
    play.monitor().press().wait(3.0)
    if boot == "m0000001":
        play.wait(20.0)
    unreceipted = {key for key in play.state.waiting.events if not play.state.waiting.events[key].alarm}
    play.skip()

    play.monitor(boot=boot)

    order = sent(play)
    assert order[0] == play.pressed
    assert unreceipted <= set(order)


def test_a_monitor_that_only_goes_on_gets_nothing_again(stage: Stage) -> None:
    """A heartbeat every 5 s mustn't send the backlog every 5 s."""
    play = stage()
    play.monitor().press().skip()

    play.monitor() << []


@pytest.mark.parametrize("alive_before", [True, False])
def test_a_monitor_that_said_goodbye_counts_as_new_when_it_returns(stage: Stage, alive_before: bool) -> None:
    """Also with the same boot: what was sent meanwhile, it can't have."""
    play = stage()
    if alive_before:
        play.monitor()
    play.monitor(alive=False).press().wait(1.0).skip()

    play.monitor()

    assert play.pressed in sent(play)


def test_a_storm_of_births_sends_everything_again_once_a_second(stage: Stage) -> None:
    """Copies of a monitor's birth, or of two starts of it, mustn't bury a fresh alarm; the last one is still heeded."""
    play = stage(receipts=Receipts.REQUIRED, receipt_s=60.0, heartbeat_s=3_600.0)
    play.press().wait(5.0).skip()

    for number in range(25):
        play.monitor(boot=f"m000000{number % 2}").wait(0.1)
    again = sent(play).count(play.pressed)
    play.wait(30.0)

    assert again == 3
    assert sent(play).count(play.pressed) == 1


def test_a_link_that_comes_back_carries_everything_again(stage: Stage) -> None:
    """What was in flight when it went may have arrived or not."""
    play = stage(receipts=Receipts.REQUIRED)
    play.press().link_down().skip()

    play.link_up()

    assert sent(play)[0] == play.pressed


def test_a_link_that_comes_sends_nothing_again_on_another(stage: Stage) -> None:
    """Only its own flight is forgotten."""
    play = stage(links=("a", "b"), receipts=Receipts.REQUIRED)
    play.press().link_down("a").skip()

    play.link_up("a")

    assert {send.link for send in play.take(SendEvent)} == {"a"}


def test_the_broker_s_word_is_enough_where_no_receipt_is_required(stage: Stage) -> None:
    """PUBACK 0x00 ends the sending, also of telemetry."""
    play = stage(receipts=Receipts.NONE, connected=False)
    play.link_up().skip()
    started = Key(BOOT, 1)

    play.accepted(started)

    play << [MarkReceived(started, "the broker")]


def test_an_answer_to_an_event_that_is_gone_changes_nothing(stage: Stage) -> None:
    """The second broker answers what the first one's word has settled."""
    play = stage(receipts=Receipts.NONE)
    play.accepted(Key(BOOT, 1)).skip()
    waiting = play.state.waiting

    play.accepted(Key(BOOT, 1)).accepted(Key(BOOT, 1), code=0x10) << []

    assert play.state.waiting == waiting


def test_an_answer_from_an_older_session_changes_nothing(stage: Stage) -> None:
    """What that session carried is in doubt, and goes out again in this one."""
    play = stage()
    play.press().link_down().link_up().skip()
    state = play.state

    play >> PublishAnswered(play.now, LINK, 1, EVENT_TOPIC, 0, play.pressed)

    assert play.state == state
    play << []


def test_what_was_spilled_is_said_and_asked_back_once_there_is_room(stage: Stage) -> None:
    """The payload goes from memory; when enough was received, the record is asked, once."""
    play = stage(connected=False)
    play >> BacklogRead(play.now, backlog(alarms=KEPT - 1), more=False)
    play.press().release().skip()
    started = Key(BOOT, 1)
    assert started not in play.state.waiting.events

    keys = list(play.state.waiting.events)
    for key in keys[: KEPT - REFILL]:
        play.receipt(key)

    assert [ask.known for ask in play.take(ReadBacklog)] == [tuple(play.state.waiting.events)]
    play.receipt(keys[-1])
    play.only(ReadBacklog) << []


def test_an_event_that_is_spilled_is_handed_to_the_record_first(stage: Stage) -> None:
    """Spilled means: the record has it."""
    play = stage(connected=False)
    play >> BacklogRead(play.now, backlog(alarms=KEPT - 1), more=False)
    play.skip()

    play.link_down().wait(3.0)

    play.only(Append, Spill) << [Logged("fault-raised"), Spill(Key(BOOT, 1))]


def test_what_comes_back_goes_out(stage: Stage) -> None:
    """And what is known already isn't taken twice."""
    play = stage(receipts=Receipts.REQUIRED)
    known = next(iter(play.state.waiting.events))
    read = Key(OLD_BOOT, 1)

    play >> BacklogRead(play.now, ((read, True), (known, False)), more=False)

    assert sent(play) == [read]
    assert list(play.state.waiting.events) == [known, read]


def test_the_receipt_of_a_spilled_event_is_noted(stage: Stage) -> None:
    """Else the record would bring it back, and it would be sent once more."""
    play = stage(connected=False)
    play >> BacklogRead(play.now, backlog(alarms=KEPT), more=True)
    play.skip()

    play.receipt(Key(OLD_BOOT, KEPT + 5))

    play.only(MarkReceived) << [MarkReceived(Key(OLD_BOOT, KEPT + 5), "desk")]


def test_the_receipt_of_an_event_nobody_knows_is_noted_nowhere(stage: Stage) -> None:
    """A monitor answers each birth with a receipt for the newest event it has, which may be an old one."""
    play = stage()

    play.receipt(Key(OLD_BOOT, 77))

    play.only(MarkReceived) << []


def test_fifty_presses_while_the_broker_is_away_arrive_alarms_first(alone: Stage) -> None:
    """Each once for a reader who dedupes, though more than a window's worth."""
    play = alone()
    play.link_down().wait(5.0)
    for _ in range(50):
        play.tap()
    presses = [event.key for event in play.logged if event.kind == "pressed"]
    alarms = [event.key for event in play.logged if event.is_alarm]
    play.skip().connect()

    arrived = sent(play)
    for key in arrived:
        arrived += sent(play.accepted(key))

    assert arrived[: len(alarms)] == alarms
    assert len(presses) == 50
    assert sorted(set(arrived)) == sorted(arrived)
    assert not play.state.waiting.events


def test_a_press_never_overtakes_what_was_acknowledged_before_it() -> None:
    """Though that was tried before: on a link that comes, the oldest of what goes out together is first."""
    acknowledged, pressed = Key(BOOT, 2), Key(BOOT, 3)
    waiting, _ = delivery.add(WaitingEvents(), acknowledged, alarm=True)
    waiting = delivery.make_due_sendable(delivery.send(waiting, "a", acknowledged, 0.0, 10.0), 10.0)
    waiting, _ = delivery.add(waiting, pressed, alarm=True)

    assert delivery.sendable(delivery.forget_link(waiting, "b"), "b") == [acknowledged, pressed]

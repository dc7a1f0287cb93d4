"""The brokers: birth, canary, the retained topics, a stolen id, and what comes from where nobody expects it."""

import pytest
from msgspec.structs import replace

from node.core.effects import (
    SendAlarm,
    SendCanary,
    SendEvent,
    SendHeartbeat,
    SendState,
    SetLamp,
    WriteStatus,
)
from node.core.events import (
    TOO_MANY,
    AlarmHeard,
    CanaryHeard,
    CommandHeard,
    Event,
    LinkDown,
    LinkUp,
    MessagesDropped,
    MonitorHeard,
    PublishAnswered,
    ReceiptHeard,
    StateHeard,
)
from node.core.model import Key
from node.core.signals import LampPattern
from tests.core.playbook import BOOT, EVENT_TOPIC, LINK, START, Playbook, Stage
from tests.core.scenes import Logged

FOREIGN = "0000000f"


def births(play: Playbook) -> list[tuple[str, str]]:
    """(link, state) of the births and goodbyes since the last look; all else counts as looked at."""
    return [(send.link, send.state) for send in play.take(SendState)]


def hear_state(play: Playbook, boot: str, session: int, state: str = "online", link: str = LINK) -> Playbook:
    """Somebody's birth, goodbye or will under our name."""
    return play >> StateHeard(play.now, link, boot, session, state, retained=False)


def test_a_session_begins_with_birth_canary_heartbeat_and_what_waits(stage: Stage) -> None:
    """And without ``alarm``: what is retained there wasn't read yet."""
    play = stage(connected=False)

    play.link_up()

    play << [
        SendState(LINK, 1, "online", 1, play.now + 1.7e9, synchronised=False),
        SendCanary(LINK, 1, 1, play.now + 1.7e9, synchronised=False),
        SendHeartbeat,
        SendEvent(LINK, 1, Key(BOOT, 1), alarm=False),
        WriteStatus,
    ]


def test_normal_is_never_published_over_an_alarm_that_was_not_read_yet(stage: Stage) -> None:
    """Only the canary proves that every retained value has come."""
    play = stage(connected=False)
    play.link_up().wait(4.0)
    play.only(SendAlarm) << []

    play.canary()

    play.only(SendAlarm) << [SendAlarm(LINK, 1, (), play.now, play.state.seq, play.now + 1.7e9, synchronised=False)]


def test_an_open_incident_is_published_at_once(stage: Stage) -> None:
    """An alarm waits for nothing, not even for what the broker remembers."""
    play = stage(connected=False)
    play.press().skip()

    play.link_up()

    (sent,) = play.take(SendAlarm)
    assert [each.id for each in sent.incidents] == [play.state.incidents[0].id]


def test_our_own_retained_alarm_is_replaced_when_it_is_out_of_date(stage: Stage) -> None:
    """The incident was reset while the broker was away."""
    play = stage()
    play.tap().link_down().command("reset", incident=play.incident).wait(1.0).skip()

    play.connect()

    (sent,) = play.take(SendAlarm)
    assert sent.incidents == ()
    assert play.state.incidents == ()


@pytest.mark.parametrize("session", [1, 2])
def test_a_canary_of_another_session_or_boot_proves_nothing(stage: Stage, session: int) -> None:
    """It may come from before the retained values."""
    play = stage()
    play.link_down().link_up().skip()
    before = play.state

    play >> CanaryHeard(play.now, LINK, BOOT if session == 1 else FOREIGN, session)

    assert play.state == before
    play << []


def test_a_canary_that_does_not_come_back_is_a_fault(stage: Stage) -> None:
    """Commands and receipts may not reach the node either."""
    play = stage(connected=False)
    play.link_up().wait(3.999).skip()
    assert play.faults() == []

    play.wait(0.001).skip()
    assert play.faults() == [("F012", LINK)]

    play.canary().skip()
    assert play.faults() == []


def test_the_list_is_published_once_as_long_as_it_says_the_same(stage: Stage) -> None:
    """Stored and accepted look alike to its readers."""
    play = stage()
    play.monitor().press().skip()

    play.stored().accepted()

    play.only(SendAlarm) << []


def test_the_list_is_published_after_the_event_that_changed_it(stage: Stage) -> None:
    """On each link: a broker serves one message after the other, and the call comes first."""
    play = stage(links=("a", "b"))

    play.press()

    sent = [each for each in play.take(object) if isinstance(each, SendEvent | SendAlarm)]
    assert [(type(each), each.link) for each in sent] == [
        (SendEvent, "a"),
        (SendEvent, "b"),
        (SendAlarm, "a"),
        (SendAlarm, "b"),
    ]


def test_the_birth_is_repeated_when_the_state_topic_says_anything_else(stage: Stage) -> None:
    """The last will of the session before arrives after the new birth."""
    play = stage()
    play.link_down().wait(2.0).connect().wait(2.0).skip()

    hear_state(play, BOOT, 1, "lost")

    assert births(play) == [(LINK, "online")]


def test_the_birth_is_repeated_at_most_once_a_second(stage: Stage) -> None:
    """Two who speak under one name mustn't outshout each other; the last word stays ours."""
    play = stage()
    hear_state(play, BOOT, 1).wait(10.0).skip()

    for _ in range(20):
        hear_state(play, FOREIGN, 1).wait(0.1)
    play.wait(2.0)

    assert births(play) == [(LINK, "online")] * 3


def test_our_own_birth_is_not_answered(stage: Stage) -> None:
    """It is what the topic should say."""
    play = stage()
    play.wait(5.0).skip()

    hear_state(play, BOOT, 1) << []

    assert play.state.supervision.link(LINK).confirmed


def test_a_foreign_boot_is_a_stolen_id_for_a_minute(alone: Stage) -> None:
    """Another client speaks as this node while it is connected."""
    play = alone(heartbeat_s=3_600.0)
    hear_state(play, BOOT, 1).skip()

    hear_state(play, FOREIGN, 1)
    play.wait(59.999)
    assert play.faults() == [("F013", LINK)]
    play.wait(0.001)

    assert play.faults() == []
    assert [kind for kind in play.kinds() if kind.startswith("fault")] == ["fault-raised", "fault-cleared"]


def test_the_retained_birth_of_the_process_before_is_no_theft(stage: Stage) -> None:
    """It is what every restart finds."""
    play = stage(connected=False)

    hear_state(play.link_up(), FOREIGN, 3).wait(5.0).canary().skip()

    assert play.faults() == []


def test_a_session_that_was_taken_over_is_a_stolen_id(stage: Stage) -> None:
    """The broker says that somebody else came with our client id."""
    play = stage()

    play.link_down(taken_over=True)

    assert play.faults() == [("F013", LINK)]
    play << [SetLamp(LampPattern.NOBODY), Logged("fault-raised", fault="F013", subject=LINK), WriteStatus]


def test_a_theft_is_still_told_in_the_next_session(stage: Stage) -> None:
    """The one who is thrown off comes back at once, and must be able to say why."""
    play = stage()

    play.link_down(taken_over=True).connect().skip()

    assert play.faults() == [("F013", LINK)]


def test_a_foreign_list_is_overwritten(stage: Stage) -> None:
    """Nothing heard there can end or hide an alarm; it is our topic."""
    play = stage()
    play.press().skip()

    play >> AlarmHeard(play.now, LINK, FOREIGN, (), retained=False)

    (sent,) = play.take(SendAlarm)
    assert [each.id for each in sent.incidents] == [play.incident]


def test_our_own_list_is_not_answered(stage: Stage) -> None:
    """We hear what we said: instants are rounded by then, and the sound has gone on."""
    play = stage()
    play.press()
    (said,) = play.take(SendAlarm)
    heard = tuple(replace(each, since_utc=round(each.since_utc), sounding_until=None) for each in said.incidents)

    play >> AlarmHeard(play.now, LINK, BOOT, heard, retained=False) << []


@pytest.mark.parametrize("boot", [BOOT, FOREIGN])
def test_whatever_overwrites_the_list_is_answered_at_most_once_a_second(stage: Stage, boot: str) -> None:
    """Be it a copy of an old one of our own; a storm of them mustn't bury a fresh alarm, and the last word is ours."""
    play = stage(heartbeat_s=3_600.0)
    play.monitor().press().wait(5.0).skip()

    for _ in range(25):
        play >> AlarmHeard(play.now, LINK, boot, (), retained=False)
        play.wait(0.1)
    answered = play.take(SendAlarm)
    play.wait(1.0)

    assert [[each.id for each in send.incidents] for send in answered] == [[play.incident]] * 3
    play.only(SendAlarm) << [SendAlarm]


def test_what_was_dropped_unseen_is_answered_as_if_it_were_a_foreign_birth_and_list(stage: Stage) -> None:
    """One of too many messages may have been on our own topics, and would stay there; once a second at most."""
    play = stage(heartbeat_s=3_600.0)
    play.press().wait(5.0).skip()

    play >> MessagesDropped(play.now, LINK, 7, TOO_MANY) >> MessagesDropped(play.now, LINK, 7, TOO_MANY)
    at_once = play.only(SendState, SendAlarm)
    play.wait(2.0)

    at_once << [SendAlarm, SendState]
    play.only(SendState, SendAlarm) << [SendAlarm, SendState]
    assert play.state.supervision.dropped == 14


def test_what_was_dropped_unread_was_on_topics_of_others(stage: Stage) -> None:
    """On our own even the unreadable is answered by itself."""
    play = stage(heartbeat_s=3_600.0)
    play.press().wait(5.0).skip()

    play >> MessagesDropped(play.now, LINK, 7, "unreadable") << []

    assert play.state.supervision.dropped == 7


def test_a_list_that_changes_does_not_wait_for_the_answer_to_a_foreign_one(stage: Stage) -> None:
    """And is that answer."""
    play = stage(heartbeat_s=3_600.0)
    for _ in range(2):
        play >> AlarmHeard(play.now, LINK, FOREIGN, (), retained=False)
    play.skip()

    play.press()
    (sent,) = play.take(SendAlarm)
    play.monitor().wait(5.0)

    assert [each.id for each in sent.incidents] == [play.incident]
    play.only(SendAlarm) << []


def test_what_comes_on_a_link_that_is_down_is_late(stage: Stage) -> None:
    """Its session has ended; whatever it proved is over."""
    play = stage()
    play.link_down().skip()
    before = play.state

    play >> StateHeard(play.now, LINK, FOREIGN, 1, "online", retained=False)
    play >> AlarmHeard(play.now, LINK, FOREIGN, (), retained=True)
    play >> CanaryHeard(play.now, LINK, BOOT, 1)
    play >> PublishAnswered(play.now, LINK, 1, EVENT_TOPIC, 0x87)

    assert play.state == before
    play << []


@pytest.mark.parametrize(
    "event",
    [
        LinkUp(START, "cellar", 1),
        LinkDown(START, "cellar", 1, "gone"),
        PublishAnswered(START, "cellar", 1, EVENT_TOPIC, 0x87),
        StateHeard(START, "cellar", FOREIGN, 1, "online", retained=False),
        AlarmHeard(START, "cellar", FOREIGN, (), retained=True),
        CanaryHeard(START, "cellar", BOOT, 1),
        ReceiptHeard(START, "cellar", "desk", Key(BOOT, 1), "held"),
        MonitorHeard(START, "cellar", "desk", "m0000001", alive=True),
        MessagesDropped(START, "cellar", 0, TOO_MANY),
        CommandHeard(START, "cellar", "c1", BOOT, "probe", "guard-desk", 10.0, 10.0, retained=False),
        Event(START),
    ],
    ids=lambda event: type(event).__name__,
)
def test_what_nobody_expects_changes_nothing_and_is_recorded(stage: Stage, event: Event) -> None:
    """A link that isn't configured, an event that has no handler: it never raises."""
    play = stage()
    before = play.state

    play >> event

    play << [Logged("unexpected"), SendEvent]
    assert play.state.supervision.refused == 1
    assert play.state == replace(
        before,
        seq=before.seq + 1,
        waiting=play.state.waiting,
        recent_answers=play.state.recent_answers,
        stored_snapshot=play.state.stored_snapshot,
        supervision=replace(before.supervision, refused=1, unstored=play.state.supervision.unstored),
    )


def test_a_flood_of_the_unexpected_is_counted_and_not_recorded_more_than_ten_times_a_second(stage: Stage) -> None:
    """The record isn't filled with it."""
    play = stage()

    for _ in range(30):
        play >> LinkUp(play.now, "cellar", 1)

    assert play.kinds() == ["unexpected"] * 10
    assert play.state.supervision.refused == 30


def test_what_was_retained_before_the_birth_is_not_answered_again(stage: Stage) -> None:
    """The session's birth came after it, so there is no second one; under a name that was ours, it is a theft."""
    play = stage()
    hear_state(play, BOOT, 1).skip()

    play >> StateHeard(play.now, LINK, FOREIGN, 1, "online", retained=True)
    play.wait(5.0)

    assert births(play) == []
    assert play.state.supervision.link(LINK).stolen_until is not None


def test_a_monitor_that_connects_again_gets_what_waits(stage: Stage) -> None:
    """It may have missed what was published while it was away for a moment, though its boot is the same."""
    play = stage(monitors=("desk",))
    play.monitor().press().wait(1.0).skip()
    play.accepted(code=0x10).skip()

    play >> MonitorHeard(play.now, LINK, "desk", "m0000001", alive=True, birth=True)

    assert play.pressed in [send.key for send in play.take(SendEvent)]


def test_a_state_that_was_deleted_is_put_back_and_is_no_theft(stage: Stage) -> None:
    """Nobody speaks as us: somebody emptied the topic."""
    play = stage()
    hear_state(play, BOOT, 1).wait(2.0).skip()

    play >> StateHeard(play.now, LINK, "", 0, "deleted", retained=False)

    assert births(play) == [(LINK, "online")]
    assert play.state.supervision.link(LINK).stolen_until is None

"""What follows from what is heard: receipts, incidents, who is told, what people ask. In virtual time."""

from msgspec.structs import replace as replaced

from node.monitor.core.decisions.batch import Remembered, Stored
from node.monitor.core.model.monitor_settings import Target
from node.monitor.core.model.records import EventKey, FindingKey, NodeKey, NoticeKind, Tally
from node.monitor.core.model.requests import (
    Answer,
    Reset,
)
from node.protocol.messages import EventId, EventRange
from tests.monitor.core.node_messages import (
    BOOT,
    LATER_BOOT,
    ROOM,
    SITE,
    START,
    about,
    alarm,
    birth,
    event,
    goodbye,
    heartbeat,
    press,
    reply,
    will,
)
from tests.monitor.core.play import ESCALATE_S, INCIDENT, TWO_GROUPS, Play


def test_an_event_gets_its_receipt_once_it_is_stored_and_never_before() -> None:
    """A receipt says that the building holds it."""
    play = Play()
    play.store = False

    play.hear(1.0, press(1))
    before = play.receipts()
    play.stored(1.1, Stored(events=(EventKey(*ROOM, BOOT, 1),)))

    assert before == []
    assert play.receipts() == [(BOOT, 1)]


def test_a_repeated_event_gets_its_receipt_again_and_changes_nothing() -> None:
    """The first one may have been lost on the way."""
    play = Play()
    play.hear(1.0, press(1))

    play.hear(11.0, press(1))

    assert play.receipts() == [(BOOT, 1)] * 2
    assert [each.kind for each in play.all.events] == ["pressed"]
    assert play.told() == [("alarm", 0)]


def test_a_repeated_event_whose_store_is_under_way_gets_none() -> None:
    """It isn't held yet, and isn't handed over twice."""
    play = Play()
    play.store = False
    play.hear(1.0, press(1))

    play.hear(2.0, press(1))

    assert play.receipts() == []
    assert len(play.all.events) == 1


def test_what_the_history_knows_of_before_a_restart_is_held() -> None:
    """A copy of it gets a receipt; what is new is stored first."""
    tally = Tally(node=ROOM, boot=BOOT, ranges=((1, 4),))
    play = Play(Remembered(tallies=(tally,), closed=((INCIDENT, 2),)))
    play.store = False

    play.hear(1.0, press(4, incident=1, presses=2))
    play.hear(1.0, press(5, incident=1, presses=3))

    assert play.receipts() == [(BOOT, 4)]


def test_a_birth_is_answered_with_the_newest_receipt_and_a_probe() -> None:
    """So the node knows that both ways reach it."""
    play = Play()
    play.hear(1.0, birth())
    play.hear(1.1, event(1, "started"))

    play.hear(5.0, birth(session=2, seq=1))

    assert play.receipts() == [(BOOT, 1), (BOOT, 1)]
    assert [each.boot for each in play.commands("probe")] == [BOOT, BOOT]


def test_a_retained_birth_is_not_answered() -> None:
    """The node may be long gone."""
    play = Play()

    play.hear(1.0, birth(), retained=True)

    assert play.commands("probe") == []


def test_an_incident_goes_from_received_to_acknowledged_to_reset() -> None:
    """And people hear of each once."""
    play = Play()

    play.hear(1.0, press(1))
    play.hear(9.0, about(2, "acknowledged", 1, by="guard-desk"))
    play.hear(99.0, about(3, "reset", 1, by="guard-desk", reason="drill"))

    assert play.told() == [("alarm", 0), ("acknowledged", 0), ("reset", 0)]
    assert (play.record().acknowledged_by, play.record().reset_reason) == ("guard-desk", "drill")
    assert play.incidents == {}


def test_an_unacknowledged_incident_is_told_level_by_level() -> None:
    """Each group once, a minute apart."""
    play = Play(targets=tuple(Target(f"t{level}", "json://x", level=level) for level in range(3)))

    play.hear(1.0, press(1))
    play.until(1.0 + ESCALATE_S)
    once = play.told()
    play.until(1000.0)

    assert once == [("alarm", 0), ("alarm", 1)]
    assert play.told() == [("alarm", 0), ("alarm", 1), ("alarm", 2)]


def test_an_acknowledgement_ends_the_levels() -> None:
    """Somebody is coming."""
    play = Play(targets=(Target("t0", "json://x"), Target("t1", "json://x", level=1)))
    play.hear(1.0, press(1))

    play.hear(9.0, about(2, "acknowledged", 1, by="guard-desk"))
    play.until(1000.0)

    assert play.told() == [("alarm", 0), ("acknowledged", 0)]


def test_an_unacknowledged_incident_is_not_forgotten_by_a_restart() -> None:
    """The next group is told a minute after it; what was told isn't again."""
    before = Play(targets=TWO_GROUPS)
    before.hear(1.0, press(1))
    play = Play(Remembered(incidents=(before.record(),)), targets=TWO_GROUPS)

    play.until(ESCALATE_S + 0.5)

    assert play.told() == [("alarm", 1)]


def test_a_press_after_the_acknowledgement_is_told_again() -> None:
    """It may be another person."""
    play = Play()
    play.hear(1.0, press(1))
    play.hear(5.0, about(2, "acknowledged", 1, by="guard-desk"))

    play.hear(9.0, press(3, incident=1, presses=2))

    assert play.told() == [("alarm", 0), ("acknowledged", 0), ("alarm", 0)]
    assert len({each.key for each in play.all.notices}) == 3


def test_a_press_before_the_acknowledgement_is_not_told_after_it() -> None:
    """Both were said while nobody heard them: the retained list comes first, with all presses that it answers."""
    before = Play()
    before.hear(1.0, press(1))
    play = Play(Remembered(incidents=(before.record(),)))
    listed = alarm((1, "acknowledged"))
    answered = replaced(listed.incidents[0], presses=2)

    play.hear(1.0, replaced(listed, incidents=[answered]), retained=True)
    play.hear(2.0, press(2, incident=1, presses=2))
    play.hear(3.0, replaced(about(3, "acknowledged", 1, by="guard-desk"), presses=2))

    assert play.told() == [("acknowledged", 0)]
    assert play.record().presses == 2


def test_a_normal_alone_closes_nothing() -> None:
    """It is a finding; a person who looked may then end it here."""
    play = Play()
    play.hear(0.0, heartbeat())
    play.hear(1.0, press(1))
    play.hear(2.0, alarm())
    for at in range(10, 40, 10):
        play.hear(float(at), heartbeat(seq=1))

    still_open = INCIDENT in play.incidents
    number = play.ask(40.0, Reset(INCIDENT, "guard-desk", "technical"))
    play.hear(40.1, reply(play.commands("reset")[0].id, "no-such-incident"))

    assert still_open
    assert play.answer(number) == Answer("done", "only-here")
    assert play.incidents == {}
    assert "M009" not in play.found()


def test_a_listed_alarm_whose_event_never_comes_is_an_incident() -> None:
    """After 10 s people are told from the list alone."""
    play = Play()

    play.hear(1.0, alarm((1, "active")), retained=True)
    play.until(10.9)
    before = play.told()
    play.until(11.5)
    play.stored(11.5, Stored(incidents=(play.record(),)))

    assert before == []
    assert play.told() == [("alarm", 0)]
    assert "M015" in play.found()


def test_an_event_that_another_monitor_holds_came() -> None:
    """It was just being stored when we started; nobody is sent to look for what the broker drops."""
    play = Play()
    play.hear(1.0, alarm((1, "active")), retained=True)
    play.until(11.5)
    asked = play.record()
    before = play.found()

    play.stored(11.6, Stored(incidents=(replaced(asked, held_utc=START),)))
    play.stored(11.7, Stored(incidents=(asked,)))

    assert asked.key == INCIDENT
    assert "M015" not in [*before, *play.found()]


def test_the_history_is_asked_again_once_somebody_holds_the_event() -> None:
    """Its node lists it as received: another monitor has stored it after we looked."""
    play = Play()
    play.hear(1.0, alarm((1, "active")), retained=True)
    play.until(11.5)
    play.stored(11.5, Stored(incidents=(play.record(),)))
    found, given = play.found(), len(play.all.incidents)

    play.hear(12.0, alarm((1, "received")))
    asked = play.all.incidents[given:]
    play.stored(12.1, Stored(incidents=(replaced(asked[0], held_utc=START),)))
    play.hear(13.0, alarm((1, "received")))

    assert "M015" in found
    assert "M015" not in play.found()
    assert len(play.all.incidents) == given + 1


def test_a_listed_alarm_whose_event_comes_is_told_once() -> None:
    """In either order, and however late."""
    play = Play()
    play.hear(1.0, alarm((1, "active")), retained=True)
    play.until(20.0)

    play.hear(20.0, replaced(press(1), age_ms=19_000))

    assert play.told() == [("alarm", 0)]
    assert "M015" not in play.found()
    assert play.record().held_utc is not None


def test_an_incident_that_was_reset_does_not_come_back() -> None:
    """Not by its own event that another boot sends again, nor by an old list."""
    play = Play()
    play.hear(1.0, about(3, "reset", 1, by="guard-desk", reason="real"))

    play.hear(2.0, press(1))
    play.hear(3.0, alarm((1, "active")), retained=True)
    play.until(60.0)

    assert play.incidents == {}


def test_two_mistaken_calls_are_a_finding_about_the_button() -> None:
    """After a few, nobody runs any more."""
    play = Play()
    for first in (1, 3):
        play.hear(float(first), press(first))
        play.hear(first + 0.5, about(first + 1, "reset", first, by="guard-desk", reason="mistaken"))

    finding = play.findings[FindingKey("M007", *ROOM, "button")]

    assert finding.count == 2
    assert [each for each in play.all.notices if each.finding == finding.key] == []


def test_faults_of_a_heartbeat_are_findings_until_they_are_gone() -> None:
    """Told when they come; those that are critical also when they go."""
    play = Play()

    play.hear(0.0, heartbeat(faults=(("F020", "record"), ("F032", "cpu"))))
    with_faults = play.found()
    play.hear(10.0, heartbeat())

    assert with_faults == ["F020", "F032"]
    assert play.found() == []
    kinds = [(each.kind, each.finding.code) for each in play.all.notices if each.finding]
    assert kinds == [
        (NoticeKind.FINDING, "F020"),
        (NoticeKind.FINDING, "F032"),
        (NoticeKind.CLEARED, "F020"),
    ]


def test_events_that_never_came_are_counted() -> None:
    """3 of them, a minute after a heartbeat has named the newest."""
    play = Play()
    play.hear(0.0, birth())
    play.hear(1.0, event(1, "started"))
    for at in range(10, 90, 10):
        play.hear(float(at), heartbeat(seq=4))

    finding = play.findings[FindingKey("M003", *ROOM, "")]

    assert finding.count == 3


def test_events_that_the_node_evicted_are_not_missed() -> None:
    """It said which ones it let go."""
    play = Play()
    play.hear(0.0, birth())
    play.hear(1.0, event(1, "started"))
    play.hear(2.0, event(5, "evicted", ranges=[EventRange(BOOT, 2, 4)]))

    for at in range(10, 90, 10):
        play.hear(float(at), heartbeat(seq=5))

    assert play.found() == []


def test_the_next_boot_tells_what_the_last_one_had_said() -> None:
    """A missing last event shows too."""
    play = Play()
    play.hear(0.0, birth())
    play.hear(1.0, event(1, "started"))
    play.hear(2.0, birth(boot=LATER_BOOT))
    play.hear(2.1, event(1, "started", boot=LATER_BOOT, previous=EventId(BOOT, 2)))

    for at in range(10, 90, 10):
        play.hear(float(at), heartbeat(boot=LATER_BOOT, seq=1))

    assert play.found() == ["M003"]


def test_a_door_outside_an_incident_leaves_its_number_only() -> None:
    """When people come and go is nobody's business."""
    play = Play()

    play.hear(1.0, event(1, "opened", input="door"))
    play.hear(2.0, event(2, "identified", by="guard-desk"))

    door, other = play.all.events
    assert (door.body, door.input) == ("", None)
    assert other.body
    assert play.receipts() == [(BOOT, 1), (BOOT, 2)]


def test_a_broker_that_is_away_is_one_finding() -> None:
    """And none for each node."""
    play = Play()
    for number in range(20):
        play.hear(0.0, heartbeat(node=NodeKey(SITE, f"n-{number}")), NodeKey(SITE, f"n-{number}"))

    play.link_down(5.0, "refused")
    play.until(65.0)

    assert play.found() == ["M008"]
    assert play.view(65.0).blind


def test_a_planned_stop_is_shown_as_such() -> None:
    """Offline, with the time that is left."""
    play = Play()
    play.hear(0.0, heartbeat())

    play.hear(10.0, goodbye(back_in_s=300.0))

    shown = play.view(20.0).nodes[0]
    assert (shown.status.value, shown.reason, shown.planned_s) == ("down", "goodbye", 290.0)


def test_a_lost_node_is_told_once() -> None:
    """By its will or its deadline, not by both."""
    play = Play()
    play.hear(0.0, birth())
    play.hear(1.0, will())
    play.until(100.0)

    notices = [each for each in play.all.notices if each.finding and each.finding.code == "M001"]

    assert len(notices) == 1


def test_the_times_of_an_event_are_ours_where_the_node_says_how_long_ago() -> None:
    """Its own clock may be ten years off."""
    play = Play()

    play.hear(100.0, replaced(press(1), age_ms=4_000, at_utc="1999-01-01T00:00:00.000Z"))

    assert (play.record().raised_utc - START).total_seconds() == 96.0

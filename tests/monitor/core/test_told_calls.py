"""Which calls people were told of, what their nodes hear of that, and when nobody was told."""

import pytest
from msgspec.structs import replace as replaced

from node.monitor.core.decisions.batch import Remembered, Stored
from node.monitor.core.findings.self_check import SelfCheck
from node.monitor.core.incidents.lifecycle import NORMAL_S
from node.monitor.core.incidents.told_calls import AGAIN_S, ASK_S, ASK_SELDOM_S, ASKED, AT_ONCE, SELDOM_S, UNTOLD_S
from node.monitor.core.model.records import IncidentKey, NodeKey, Tally
from node.protocol.messages import EventId, OpenIncident
from tests.monitor.core.node_messages import (
    BOOT,
    LATER_BOOT,
    ROOM,
    START,
    about,
    alarm,
    birth,
    heartbeat,
    moment,
    press,
)
from tests.monitor.core.play import INCIDENT, Play, record_of

FIRST = (BOOT, 1)


def untold(memory: Remembered | None = None) -> Play:
    """A building whose targets take nothing by themselves."""
    play = Play(memory)
    play.tell = False
    return play


def called() -> Play:
    """Somebody has pressed, and nobody was told yet."""
    play = untold()
    play.hear(1.0, alarm((1, "active")))
    play.hear(1.0, press(1))
    return play


def test_a_call_is_told_once_a_target_has_taken_it_and_never_before() -> None:
    """It is held at once; told is said, and stored, when a target takes the message."""
    play = called()
    play.until(1.5)
    before = play.told_receipts()

    play.accept(1.6)

    assert (play.receipts(), before) == ([FIRST], [])
    assert play.told_receipts() == [FIRST]
    assert (play.record().told_presses, play.record().told_utc) == (1, moment(1.6).utc)
    assert (play.view().counters.told, round(play.view().counters.told_s, 3)) == (1, 0.6)


def test_people_told_while_the_history_is_away_are_told() -> None:
    """The event isn't held, and its node goes on sending it."""
    play = untold()
    play.store = False
    play.hear(1.0, press(1))

    play.accept(5.0)
    play.hear(20.0, press(1))

    assert play.receipts() == []
    assert play.told_receipts()[0] == play.told_receipts()[-1] == FIRST


@pytest.mark.parametrize("comes", [True, False], ids=["its event comes", "only the list has it"])
def test_a_further_press_is_told_by_a_message_of_its_own(comes: bool) -> None:
    """Nobody has answered yet, and the first message says nothing of it."""
    play = called()
    play.accept(1.1)

    play.hear(2.0, replaced(alarm((1, "active"), presses=2), incidents=[listed(2, presses=2)]))
    if comes:
        play.hear(2.0, press(2, incident=1, presses=2))
    play.accept(2.1, presses=1)  # the first message, at another target
    before = play.told_receipts()
    play.accept(2.2, presses=2)

    assert sorted({(each.presses, each.key) for each in play.all.notices if each.is_call}) == [
        (1, f"alarm:{INCIDENT}:0"),
        (2, f"alarm:{INCIDENT}:more:2:0"),
    ]
    assert before == [FIRST]
    assert play.told_receipts() == [FIRST, (BOOT, 2)]


def test_a_press_after_an_acknowledgement_is_told_by_a_new_message_alone() -> None:
    """What people were told before was answered."""
    play = called()
    play.accept(1.1)
    play.hear(2.0, about(2, "acknowledged", 1, by="desk"))

    play.hear(3.0, press(3, incident=1, presses=2))
    play.accept(3.1, presses=1)
    before = play.told_receipts()
    play.accept(3.2, presses=2)

    assert before == [FIRST]
    assert play.told_receipts() == [FIRST, (BOOT, 3)]


def test_a_press_after_an_acknowledgement_that_only_the_list_told_is_called_anew() -> None:
    """The event that says who is coming may be lost: the press is told by its new message, and never by the old one."""
    play = called()
    play.accept(1.1)
    play.hear(5.0, alarm((1, "acknowledged")))

    play.hear(7.0, replaced(alarm((1, "active"), presses=2), incidents=[listed(3, presses=2)]))
    play.hear(7.0, press(3, incident=1, presses=2))
    play.until(30.0)
    before = play.told_receipts()
    calls = [each.presses for each in play.all.notices if each.is_call]
    play.accept(30.1, presses=2)

    assert set(before) == {FIRST}
    assert set(calls) == {1, 2}
    assert play.told_receipts()[-1] == (BOOT, 3)


def test_a_press_is_called_anew_where_its_event_comes_before_its_list() -> None:
    """What the list said of the presses before it stands; the event that says so comes late and changes nothing."""
    play = called()
    play.accept(1.1)
    play.hear(5.0, alarm((1, "acknowledged")))

    play.hear(7.0, press(3, incident=1, presses=2))
    play.hear(7.0, replaced(alarm((1, "active"), presses=2), incidents=[listed(3, presses=2)]))
    play.hear(9.0, about(2, "acknowledged", 1, by="desk"))
    play.until(30.0)

    assert set(play.told_receipts()) == {FIRST}
    assert {each.presses for each in play.all.notices if each.is_call} == {1, 2}
    assert not play.incidents[INCIDENT].is_answered


def test_a_list_that_knows_of_more_answered_presses_counts() -> None:
    """Acknowledged, pressed and acknowledged again, and only the lists came: nobody is called for it."""
    play = called()
    play.accept(1.1)
    play.hear(5.0, alarm((1, "acknowledged")))
    play.hear(6.0, alarm((1, "acknowledged"), presses=2))
    play.until(30.0)

    record = play.incidents[INCIDENT]
    assert (record.answered, record.is_answered) == (2, True)


def test_what_is_said_again_of_a_call_that_the_list_says_answered_is_no_told() -> None:
    """Its node was told before; what people were told of was answered."""
    play = called()
    play.accept(1.1)
    play.hear(5.0, alarm((1, "acknowledged")))
    before = len(play.told_receipts())

    play.hear(6.5, birth(seq=1))
    play.hear(8.0, press(1))

    assert len(play.told_receipts()) == before


def test_a_press_that_only_a_list_has_isnt_told_by_what_the_history_says() -> None:
    """It has stored what we counted, and no channel has taken a message that names it."""
    play = called()
    play.accept(1.1)
    play.hear(60.0, replaced(alarm((1, "active"), presses=2), incidents=[listed(3, presses=2)]))

    play.stored(60.1, Stored(incidents=(play.incidents[INCIDENT],)))
    play.until(300.0)
    before = play.told_receipts()
    play.accept(300.1, presses=2)

    assert set(before) == {FIRST}
    assert play.told_receipts()[-1] == (BOOT, 3)


def test_a_press_that_was_held_before_a_restart_is_told_after_it() -> None:
    """Its receipt may not have gone out; the history has its event."""
    record = record_of(INCIDENT, presses=2, told_presses=1, told_utc=START, held_utc=START)
    play = untold(Remembered(incidents=(record,), tallies=(Tally(node=ROOM, boot=BOOT, ranges=((1, 2),)),)))

    play.hear(1.0, replaced(alarm((1, "active"), presses=2), incidents=[listed(2, presses=2)]), retained=True)

    assert play.told_receipts() == [(BOOT, 2)]


def test_what_was_told_of_a_test_or_after_the_end_is_no_call() -> None:
    """Nor of a call that somebody has answered; nobody is asked to look for whom to tell."""
    play = called()
    play.hear(2.0, about(2, "acknowledged", 1, by="desk"))
    play.accept(3.0)
    play.hear(4.0, about(3, "reset", 1, by="desk", reason="real"))
    play.accept(5.0)
    test = replaced(press(4), test=True)
    play.hear(6.0, test)
    play.until(6.0 + 2 * UNTOLD_S)

    assert play.told_receipts() == []
    assert "M020" not in play.found()


@pytest.mark.parametrize("how", ["birth", "event", "list", "link", "nobody"])
def test_a_told_receipt_that_was_lost_is_said_again(how: str) -> None:
    """At a birth, when the event or what took its place comes again, by a list, and when a link is back."""
    play = called()
    play.accept(1.1)
    play.until(1.1 + AGAIN_S + 60.0)
    before = len(play.told_receipts())
    at = 63.0

    if how == "birth":
        play.hear(at, birth(seq=1))
    elif how == "event":
        play.hear(at, press(1))
    elif how == "nobody":
        play.hear(at, about(2, "nobody", 1, reason="timed-out"))
    elif how == "list":
        play.hear(at, alarm((1, "active")))
    else:
        play.link_up(at)

    assert play.told_receipts()[before:] == [FIRST]


def test_a_node_that_goes_on_listing_its_call_as_active_is_told_again() -> None:
    """Within seconds, then more seldom; and not once it shows it."""
    play = called()
    play.accept(1.1)
    play.until(5.0)
    soon = len(play.told_receipts())
    play.until(700.0)
    late = len(play.told_receipts())
    play.hear(700.0, alarm((1, "received")))
    play.until(2_000.0)

    assert soon == 3
    assert 10 < late < 700 / SELDOM_S + 10
    assert len(play.told_receipts()) == late


def test_a_node_that_says_its_list_again_and_again_is_told_once_a_second() -> None:
    """A mad one brings no flood; nor does one that lists other presses each time."""
    play = called()
    play.accept(1.1)

    for number in range(300):
        play.hear(2.5 + number / 100, alarm((1, "active")))
    mad = len(play.told_receipts())
    for number in range(AT_ONCE + 100):
        play.hear(7.0, replaced(alarm((1, "active")), incidents=[listed(100 + number)]))

    assert mad <= 5
    assert len(play.told_receipts()) - mad <= AT_ONCE + 1


def test_a_list_names_what_the_node_waits_for() -> None:
    """The event that says that no monitor was heard has taken the place of the press."""
    play = called()
    play.accept(1.1)
    play.hear(2.0, alarm((1, "received")))

    play.hear(30.0, replaced(alarm((1, "active")), incidents=[listed(7)]))

    assert play.told_receipts() == [FIRST, (BOOT, 7)]


def kept_lists(play: Play) -> None:
    """A node of a later boot lists its call, for which its event 5 stands now; a broker has kept lists from before."""
    play.hear(1.0, alarm((1, "active"), boot=LATER_BOOT))
    play.hear(1.0, press(1, boot=LATER_BOOT))
    named = replaced(alarm((1, "active"), boot=LATER_BOOT).incidents[0], press=EventId(LATER_BOOT, 5))
    play.hear(30.0, replaced(alarm(boot=LATER_BOOT), incidents=[named]))
    for boot in (BOOT, *(f"0000a00{number}" for number in range(8))):
        play.hear(40.0, alarm(boot=boot), retained=True)
    play.hear(40.0, replaced(alarm((1, "active"), boot=LATER_BOOT), seq=1), retained=True)


def test_a_list_of_an_earlier_boot_takes_no_newer_ones_place() -> None:
    """The told receipt names what the node waits for; and nobody is sent to ask for an end that never came."""
    play, key = untold(), IncidentKey(*ROOM, f"{LATER_BOOT}-1")
    kept_lists(play)

    play.accept(45.0, key)
    for at in range(50, 100, 10):
        play.hear(float(at), heartbeat(boot=LATER_BOOT, seq=5))

    assert set(play.told_receipts()) == {(LATER_BOOT, 5)}
    assert "M009" not in play.found()


def test_a_list_that_a_broker_kept_counts_once_its_boot_speaks() -> None:
    """The node was started again while nobody heard it, and its list came before its first word."""
    play = untold()
    play.hear(1.0, alarm((1, "active")))
    play.hear(1.0, press(1))
    later = replaced(alarm((1, "active")), boot=LATER_BOOT, incidents=[])
    play.hear(40.0, later, retained=True)

    play.hear(41.0, heartbeat(boot=LATER_BOOT))
    play.until(41.0 + NORMAL_S - 0.5)
    before = play.found()
    play.until(41.0 + NORMAL_S)

    assert ("M009" in before, "M009" in play.found()) == (False, True)


def test_what_only_an_older_list_has_is_called_all_the_same() -> None:
    """A node that lost its record doesn't know of it; its newest list takes nothing of that back."""
    play = untold()
    play.hear(1.0, birth(boot=LATER_BOOT))
    play.hear(2.0, alarm((2, "active"), boot=LATER_BOOT))
    play.hear(3.0, alarm((1, "active")), retained=True)
    play.until(20.0)

    assert {each.incident for each in play.all.notices if each.is_call} == {f"{BOOT}-1", f"{LATER_BOOT}-2"}


def test_a_node_whose_list_never_came_is_told_for_its_newest_press() -> None:
    """An earlier one that comes late changes nothing."""
    play = untold()
    play.hear(1.0, press(2, incident=1, presses=2))
    play.hear(1.5, press(1))

    play.accept(2.0, presses=2)

    assert play.told_receipts() == [(BOOT, 2)]


def test_an_alarm_that_was_told_to_nobody_is_a_finding() -> None:
    """Until somebody is; also where it isn't held, and where it comes from a restart."""
    play = called()
    play.until(1.0 + UNTOLD_S - 0.5)
    before = play.found()
    play.until(2.0 + UNTOLD_S)
    found = play.found()
    memory = Remembered(incidents=(play.record(),), findings=tuple(play.findings.values()))
    again = untold(memory)
    again.until(5.0)
    stands = again.found()

    again.accept(6.0)

    assert (before, found, stands, again.found()) == ([], ["M020"], ["M020"], [])


def test_an_alarm_that_is_over_was_told_to_nobody_no_more() -> None:
    """Neither when it ends, nor by a start after its end."""
    play = called()
    play.until(20.0)
    findings = tuple(play.findings.values())

    play.hear(21.0, about(2, "reset", 1, by="key", reason="real"))
    play.until(22.0)

    assert play.found() == []
    assert untold(Remembered(findings=findings)).found() == []


def test_who_is_coming_needs_no_telling() -> None:
    """As the list says, before the event that says who it is."""
    play = called()

    play.hear(9.0, alarm((1, "acknowledged")))
    play.until(16.0)

    assert play.found() == []


def test_what_another_monitor_has_told_is_learnt_from_the_history() -> None:
    """It is asked every few seconds; then the node hears it from here, too: the other one may be dead."""
    play = called()
    play.until(60.0)
    asked = [each for each in play.all.incidents if each.key == INCIDENT][1:]

    told = record_of(INCIDENT, told_presses=1, told_utc=START, held_utc=START)
    play.stored(61.0, Stored(incidents=(told,)))
    play.until(200.0)

    assert 20 <= len(asked) <= 60 / ASK_S
    assert play.told_receipts()[0] == FIRST
    assert "M020" not in play.found()
    assert play.incidents[INCIDENT].told_utc == START


@pytest.mark.parametrize("told_at", [3.0, 35.0, 130.0, 400.0])
def test_what_another_monitor_has_told_is_learnt_within_seconds(told_at: float) -> None:
    """However long nobody was told before."""
    play = called()
    play.until(told_at)
    count = len(play.all.incidents)
    play.until(told_at + ASK_SELDOM_S + 1.0)

    assert len(play.all.incidents) > count


def test_of_very_many_calls_the_history_is_asked_in_turns() -> None:
    """A bounded number each time, and each of them."""
    play = untold()
    for number in range(1, 61):
        room = NodeKey(ROOM.site, f"room-{number}")
        play.hear(1.0, press(1, room), room)
    before = len(play.all.incidents)
    play.until(3.4)
    first = len(play.all.incidents) - before
    play.until(5.4)
    asked = {each.key for each in play.all.incidents[before:]}

    assert first <= ASKED
    assert len(asked) == 60


def test_a_node_that_lists_a_call_as_received_has_heard_it_from_another_monitor() -> None:
    """The history is asked at once, and not while it is away."""
    play = called()
    play.until(1.5)
    count = len(play.all.incidents)

    play.hear(1.6, alarm((1, "received")))
    play.until(1.6 + ASK_S / 2)
    asked = len(play.all.incidents) - count
    play.report(3.0, SelfCheck.history_failed, "away")
    away = len(play.all.incidents)
    play.until(300.0)

    assert asked == 1
    assert len(play.all.incidents) == away


def test_what_the_history_says_of_what_is_over_is_nobodys_business() -> None:
    """And what a target takes of it."""
    play = called()
    play.hear(2.0, about(2, "reset", 1, by="key", reason="real"))

    play.stored(3.0, Stored(incidents=(record_of(INCIDENT, reset_utc=START, told_presses=1),)))
    play.hear(4.0, press(1, boot=LATER_BOOT, incident=1))
    play.hear(5.0, about(9, "silenced", 99, by="key"))

    assert play.told_receipts() == []
    assert IncidentKey(*ROOM, f"{BOOT}-1") not in play.incidents


def listed(number: int, presses: int = 1) -> OpenIncident:
    """The incident as its node lists it, where the event ``number`` calls for help."""
    (each,) = alarm((1, "active"), presses=presses).incidents
    return replaced(each, press=EventId(BOOT, number))

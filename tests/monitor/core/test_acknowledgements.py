"""Who is coming: acknowledgements that come early, late, twice, by a list alone, or from another monitor."""

from typing import Any

import pytest
from msgspec.structs import replace as replaced

from node.monitor.core.decisions.batch import Remembered, Stored
from node.monitor.core.incidents.known.unheard_incidents import LISTED_S
from node.monitor.core.model.records import EventKey, IncidentKey, IncidentRecord, NoticeKind
from node.monitor.core.model.requests import Acknowledge, Reset
from node.protocol.messages import INCIDENTS_LIMIT
from tests.monitor.core.node_messages import (
    BOOT,
    ROOM,
    START,
    about,
    alarm,
    heartbeat,
    press,
)
from tests.monitor.core.play import ESCALATE_S, INCIDENT, TWO_GROUPS, Play, ended_here, record_of


def test_who_acknowledged_is_told_although_the_list_comes_first() -> None:
    """The node says its list before the event that changed it, and the list names nobody."""
    play = Play()
    play.hear(1.0, press(1))

    play.hear(2.0, alarm((1, "acknowledged")))
    play.hear(2.1, about(2, "acknowledged", 1, by="guard-desk"))

    assert play.record().acknowledged_by == "guard-desk"
    assert play.all.notices[-1].by == "guard-desk"


def test_an_acknowledgement_whose_event_never_comes_is_taken_from_the_list() -> None:
    """Meanwhile nobody else is called."""
    play = Play(targets=TWO_GROUPS)
    play.hear(1.0, press(1))

    play.hear(55.0, alarm((1, "acknowledged")))
    play.until(55.0 + LISTED_S - 0.5)
    before = play.told()
    play.until(200.0)

    assert before == [("alarm", 0)]
    assert play.told() == [("alarm", 0), ("acknowledged", 0)]


def test_a_press_after_a_listed_acknowledgement_takes_it_back() -> None:
    """The list says active again: somebody else may stand there."""
    play = Play(targets=TWO_GROUPS)
    play.hear(1.0, press(1))

    play.hear(2.0, alarm((1, "acknowledged")))
    play.hear(3.0, alarm((1, "active")))
    play.until(1.0 + ESCALATE_S)

    assert play.told() == [("alarm", 0), ("alarm", 1)]


@pytest.mark.parametrize("restart", [False, True], ids=["as it is", "after a restart"])
def test_a_press_after_an_acknowledgement_calls_until_somebody_comes_again(restart: bool) -> None:
    """Whoever said to be coming knew nothing of it: the lamp goes back, and the next group is told as of any call."""
    play = Play(targets=TWO_GROUPS)
    play.hear(1.0, press(1))
    play.hear(2.0, about(2, "acknowledged", 1, by="guard-desk"))
    play.hear(300.0, press(3, incident=1, presses=2))
    shown = play.record().is_answered
    if restart:
        play = Play(Remembered(incidents=(play.record(),)), targets=TWO_GROUPS)
    begun = 0.0 if restart else 300.0  # a restart's time begins with it
    play.until(begun + ESCALATE_S - 1.0)
    early = play.told()
    play.until(begun + ESCALATE_S)
    late = play.told()

    play.hear(400.0, replaced(about(4, "acknowledged", 1, by="second"), presses=2))
    play.until(1000.0)

    assert not shown
    assert early == ([] if restart else [("alarm", 0), ("acknowledged", 0)]) + [("alarm", 0)]
    assert late == [*early, ("alarm", 1)]
    assert play.told() == [*late, ("acknowledged", 1)]
    assert play.record().is_answered


@pytest.mark.parametrize("how", ["acknowledged", "ended here"])
def test_no_groups_call_has_the_key_of_one_that_was_answered(how: str) -> None:
    """A further press is told to a group that was told of the first one, whoever of several monitors told it."""
    play = Play(targets=TWO_GROUPS)
    play.hear(1.0, press(1))
    if how == "acknowledged":
        play.hear(2.0, about(2, "acknowledged", 1, by="guard-desk"))
    else:
        play.until(2.0 + ESCALATE_S)
        play.ask(70.0, Reset(INCIDENT, "guard-desk", "real"))
    before = {each.key for each in play.all.notices} | {f"alarm:{INCIDENT}:{level}" for level in (0, 1)}

    play.hear(100.0, press(3, incident=1, presses=2))
    play.until(100.0 + ESCALATE_S)

    called = [each for each in play.all.notices if each.kind is NoticeKind.ALARM and each.key not in before]
    assert [each.level for each in called] == [0, 1]


def test_an_acknowledgement_that_is_heard_again_after_a_further_press_delays_and_says_nothing() -> None:
    """While the history is away it comes again and again: the next group is called all the same."""
    play = Play(targets=TWO_GROUPS)
    play.hear(1.0, press(1))
    play.hear(2.0, press(3, incident=1, presses=2))
    play.store = False
    play.hear(3.0, about(2, "acknowledged", 1, by="guard-desk"))
    told = play.told()
    for at in (20.0, 40.0, 60.0):
        play.unstored(EventKey(*ROOM, BOOT, 2))
        play.hear(at, about(2, "acknowledged", 1, by="guard-desk"))
    before = play.told()

    play.until(3.0 + ESCALATE_S)

    assert told == before == [("alarm", 0), ("alarm", 0), ("acknowledged", 0), ("alarm", 0)]
    assert play.told() == [*told, ("alarm", 1)]


def test_a_late_acknowledgement_is_no_last_word_where_all_were_called_once_more() -> None:
    """It knew of the first press only: whoever hears of it is called again for the second."""
    play = Play()
    play.hear(1.0, press(1))
    play.hear(100.0, press(3, incident=1, presses=2))

    play.hear(101.0, about(2, "acknowledged", 1, by="guard-desk"))

    assert play.told() == [("alarm", 0), ("alarm", 0), ("acknowledged", 0), ("alarm", 0)]


def test_an_acknowledgement_of_before_an_end_that_was_none_is_not_told() -> None:
    """Its event comes late: whoever was called for the press after the end is still to come."""
    play = Play()
    ended_here(play)
    play.hear(100.0, press(3, incident=1, presses=2))
    told = play.told()

    play.hear(101.0, about(2, "acknowledged", 1, by="guard-desk"))

    assert play.told() == told
    assert not play.record().is_answered


def test_an_acknowledgement_that_comes_before_its_press_answers_it() -> None:
    """The node says how often somebody had pressed: the press that comes late calls nobody."""
    play = Play(targets=TWO_GROUPS)
    play.hear(1.0, press(1))
    play.hear(2.0, replaced(about(3, "acknowledged", 1, by="guard-desk"), presses=2))

    play.hear(3.0, press(2, incident=1, presses=2))
    play.until(200.0)

    assert play.told() == [("alarm", 0), ("acknowledged", 0)]
    assert play.record().is_answered


def test_a_press_after_an_acknowledgement_that_comes_late_is_told_again() -> None:
    """The node said it first, but it was lost on the way."""
    play = Play(targets=TWO_GROUPS)
    play.hear(1.0, press(1))
    play.hear(2.0, press(3, incident=1, presses=2))

    play.hear(3.0, about(2, "acknowledged", 1, by="guard-desk"))

    assert play.told() == [("alarm", 0), ("alarm", 0), ("acknowledged", 0), ("alarm", 0)]


def test_an_acknowledgement_that_is_only_listed_answers_no_press_that_came_after_it() -> None:
    """Its event never comes, nor the list of the further press: that one is called for as if both had come."""
    play = Play(targets=TWO_GROUPS)
    play.hear(1.0, press(1))
    play.hear(2.0, alarm((1, "acknowledged")))
    play.hear(3.0, press(3, incident=1, presses=2))

    play.until(2.5 + LISTED_S)

    assert play.told() == [("alarm", 0), ("acknowledged", 0), ("alarm", 0)]
    assert not play.record().is_answered


def test_who_acknowledged_the_newest_press_is_written() -> None:
    """Of a further press somebody else may take care, and all hear it; the press after that is told once more."""
    play = Play()
    play.hear(1.0, press(1))
    play.hear(2.0, about(2, "acknowledged", 1, by="first"))
    play.hear(3.0, press(3, incident=1, presses=2))

    play.hear(4.0, replaced(about(4, "acknowledged", 1, by="second"), presses=2))
    play.hear(5.0, press(5, incident=1, presses=3))

    assert play.record().acknowledged_by == "second"
    assert play.told() == [("alarm", 0), ("acknowledged", 0)] * 2 + [("alarm", 0)]
    assert len({each.key for each in play.all.notices}) == 5


def test_an_acknowledgement_of_a_call_that_another_monitor_took_is_noted() -> None:
    """That one has died since: the history has the call, and who is coming must not be lost with it."""
    play = Play()

    play.hear(2.0, about(2, "acknowledged", 1, by="guard-desk"))

    assert (play.record().key, play.record().acknowledged_by) == (INCIDENT, "guard-desk")
    assert play.told() == [("acknowledged", 0)]
    assert play.incidents == {}


@pytest.mark.parametrize(("full", "known"), [(False, True), (True, False)], ids=["as any", "where there is no room"])
def test_an_acknowledgement_shows_that_an_end_was_none(full: bool, known: bool) -> None:
    """It knew of a further press, whose event comes late: somebody is coming, and nobody is called."""
    others = [record_of(IncidentKey(*ROOM, f"{BOOT}-{seq}")) for seq in range(100, 100 + INCIDENTS_LIMIT * full)]
    play = Play(Remembered(closed=((INCIDENT, 1),), incidents=tuple(others)), targets=TWO_GROUPS)

    play.hear(1.0, replaced(about(3, "acknowledged", 1, by="key"), presses=2))
    shown = INCIDENT in play.incidents
    if not full:
        play.hear(2.0, press(2, incident=1, presses=2))
        play.until(200.0)
        assert play.told() == [("acknowledged", 0)]

    assert shown == known
    assert play.record().is_answered


def test_an_acknowledgement_whose_answer_stays_away_until_the_end_is_told_to_nobody() -> None:
    """It is over before it could be noted here."""
    play = Play()
    play.hear(0.0, heartbeat())
    play.hear(1.0, press(1))
    play.ask(2.0, Acknowledge(INCIDENT, "guard-desk"))
    play.hear(3.0, about(2, "reset", 1, by="key", reason="real"))

    play.until(15.0)

    assert play.told() == [("alarm", 0), ("reset", 0)]
    assert play.incidents == {}


@pytest.mark.parametrize("restart", [False, True], ids=["as it is", "after a restart"])
@pytest.mark.parametrize("presses", [2, None], ids=["counted", "uncounted"])
def test_an_acknowledgement_that_comes_after_the_end_is_stored_and_not_told(restart: bool, presses: int | None) -> None:
    """The node sends both again, in any order. Nobody is told that somebody is coming to what is over."""
    play = Play()
    if restart:
        play = Play(Remembered(closed=((INCIDENT, 2),)))
    else:
        play.hear(1.0, replaced(about(3, "reset", 1, by="key", reason="real"), presses=2))
    told = play.told()

    play.hear(2.0, replaced(about(2, "acknowledged", 1, by="guard-desk"), presses=presses))
    play.until(100.0)

    record = play.record()
    assert (record.key, record.acknowledged_by, record.answered) == (INCIDENT, "guard-desk", 2)
    assert record.acknowledged_utc is not None
    assert play.told() == told
    assert play.incidents == {}
    assert play.receipts()[-1] == (BOOT, 2)


def answered_elsewhere(**fields: Any) -> IncidentRecord:
    """What another monitor was told, and has stored."""
    return record_of(INCIDENT, acknowledged_utc=START, acknowledged_by="other-desk", **fields)


def test_who_is_coming_counts_for_each_monitor_of_a_history() -> None:
    """The node was dead, so that only one of them was told: the other one calls nobody, and shows it."""
    play = Play(targets=TWO_GROUPS)
    play.hear(1.0, press(1))
    play.hear(2.0, alarm((1, "acknowledged")))

    play.stored(10.0, Stored(incidents=(answered_elsewhere(answered=1),)))
    play.until(1000.0)

    assert play.told() == [("alarm", 0)]
    (record,) = play.incidents.values()
    assert (record.is_answered, record.acknowledged_by) == (True, "other-desk")


def test_a_press_is_told_of_which_an_acknowledgement_elsewhere_knew_nothing() -> None:
    """The monitor that took it is gone, and ours heard the press before it heard of the acknowledgement."""
    play = Play(targets=TWO_GROUPS)
    play.hear(1.0, press(1))
    play.hear(2.0, press(2, incident=1, presses=2))

    play.stored(3.0, Stored(incidents=(answered_elsewhere(answered=1, presses=2),)))
    play.until(3.0 + ESCALATE_S)

    assert play.told() == [("alarm", 0), ("alarm", 0), ("alarm", 0), ("alarm", 1)]


def test_a_press_is_told_that_another_monitor_alone_has_heard() -> None:
    """It knew of no acknowledgement."""
    play = Play()
    play.hear(1.0, press(1))
    play.hear(2.0, about(2, "acknowledged", 1, by="guard-desk"))

    play.stored(3.0, Stored(incidents=(record_of(INCIDENT, presses=2),)))
    play.until(4.0)

    assert play.told() == [("alarm", 0), ("acknowledged", 0), ("alarm", 0)]


def test_what_the_history_said_before_a_press_is_old() -> None:
    """The press is still to be stored."""
    play = Play(targets=TWO_GROUPS)
    play.hear(1.0, press(1))
    play.hear(2.0, press(2, incident=1, presses=2))

    for there in (answered_elsewhere(answered=1), record_of(INCIDENT, reset_utc=START)):
        play.stored(3.0, Stored(incidents=(there,)))
    play.until(1.0 + ESCALATE_S)

    assert play.told() == [("alarm", 0), ("alarm", 0), ("alarm", 1)]


@pytest.mark.parametrize("retained", [False, True], ids=["its link stayed", "its link came back"])
def test_a_list_with_more_presses_takes_an_acknowledgement_back(retained: bool) -> None:
    """Another monitor, with a history of its own, had the press alone: its receipt ended the sending."""
    play = Play(targets=TWO_GROUPS)
    play.hear(1.0, press(1))
    play.hear(2.0, about(2, "acknowledged", 1, by="guard-desk"))

    play.hear(300.0, alarm((1, "active"), presses=2), retained=retained)
    before = play.record()
    play.hear(301.0, press(3, incident=1, presses=2))
    play.until(300.0 + ESCALATE_S)

    assert (before.presses, before.is_answered) == (2, False)
    assert play.told() == [("alarm", 0), ("acknowledged", 0), ("alarm", 0), ("alarm", 1)]
    assert play.all.notices[-1].key.endswith(":again:2:1")

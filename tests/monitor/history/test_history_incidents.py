"""What the history makes of incidents, whichever monitor stores first; on SQLite and on PostgreSQL."""

from typing import Any

import pytest
from msgspec import structs

from node.monitor.core.model.records import (
    IncidentRecord,
    NodeKey,
    NoticeKind,
)
from node.monitor.history.history import Batch, History
from node.monitor.history.store import startup
from tests.support.history import ROOM, alarm, at, incident

HALL = NodeKey("nord", "hall")
NOW = at(days=1)


def acknowledged(by: str, answered: int, at_s: float) -> dict[str, Any]:
    """Somebody is coming who knew of so many presses."""
    return {"acknowledged_utc": at(at_s), "acknowledged_by": by, "answered": answered}


def test_of_an_incident_all_is_told_that_the_history_has_of_it(history: History) -> None:
    """Another monitor was told who is coming; each batch of a transaction hears of its own incidents."""
    history.store(Batch(incidents=[incident(presses=2, **acknowledged("desk", 2, 5)), incident(3)]))

    first, second, third = history.store_all(
        (Batch(incidents=[incident(told_level=1), incident()]), Batch(incidents=[incident(2)]), Batch())
    )

    assert first.incidents == (incident(presses=2, told_level=1, **acknowledged("desk", 2, 5)),)
    assert second.incidents == (incident(2),)
    assert third.incidents == ()


def test_an_incident_is_filled_in_and_never_emptied(history: History) -> None:
    """Who raised and reset it first stays, and who acknowledged so many presses; presses and told levels only grow."""
    history.store(Batch(incidents=[incident(presses=2, told_level=1, **acknowledged("first", 2, 5))]))

    history.store(Batch(incidents=[incident(presses=1, held_utc=at(1))]))
    history.store(Batch(incidents=[incident(presses=3, told_level=2, test=True, **acknowledged("second", 2, 6))]))

    (kept,) = history.remember(NOW).incidents
    assert kept == incident(
        presses=3,
        told_level=2,
        held_utc=at(1),
        **acknowledged("first", 2, 5),
    )


def test_an_acknowledgement_that_knows_of_more_presses_takes_the_place_of_one(history: History) -> None:
    """Whichever of two monitors stores it last: who only knew of fewer presses is coming to another call."""
    first = incident(presses=1, **acknowledged("first", 1, 1))
    second = incident(presses=3, **acknowledged("second", 2, 2))

    for each in (first, second, first):
        history.store(Batch(incidents=[each]))

    (kept,) = history.remember(NOW).incidents
    assert (kept.acknowledged_by, kept.answered, kept.presses, kept.is_answered) == ("second", 2, 3, False)


def test_what_people_were_told_only_grows(history: History) -> None:
    """Whichever of two monitors stores it last; when it was goes with how many presses were told."""
    newest = incident(presses=3, told_presses=2, told_utc=at(2))

    for each in (incident(presses=1, told_presses=1, told_utc=at(1)), newest, incident(presses=3)):
        history.store(Batch(incidents=[each]))
    (kept,) = history.store(Batch(incidents=[incident(presses=3, told_presses=2, told_utc=at(9))])).incidents

    assert kept == newest


def test_a_late_record_of_an_incident_does_not_open_it_again(history: History) -> None:
    """A monitor that doesn't know of the reset can't undo it."""
    ended = incident(presses=4, reset_utc=at(9), reset_by="desk", reset_reason="real")
    history.store(Batch(incidents=[ended]))

    history.store(Batch(incidents=[incident(presses=4)]))

    assert history.remember(NOW).incidents == ()


@pytest.mark.parametrize("together", [False, True], ids=["apart", "in one transaction"])
def test_an_acknowledgement_that_is_stored_after_the_end_is_kept_with_it(history: History, together: bool) -> None:
    """The end stays as it is, and the incident stays ended."""
    end: dict[str, Any] = {"reset_utc": at(9), "reset_by": "desk", "reset_reason": "real"}
    batches = [Batch(incidents=[each]) for each in (incident(**end), incident(**acknowledged("guard-desk", 1, 5)))]

    stored = history.store_all(batches) if together else [history.store(each) for each in batches]

    assert stored[-1].incidents == (incident(**end, **acknowledged("guard-desk", 1, 5)),)
    assert history.remember(NOW).incidents == ()


def test_the_calls_of_a_year_that_were_mistaken_are_remembered(history: History) -> None:
    """Only those that were reset as mistaken, no tests, and none from before."""

    def ended(seq: int, reason: str, days: float, **given: Any) -> IncidentRecord:
        return incident(seq, reset_utc=at(days=days), reset_by="desk", reset_reason=reason, **given)

    history.store(
        Batch(
            incidents=[
                ended(1, "mistaken", 0),
                ended(2, "mistaken", 10),
                ended(3, "real", 11),
                ended(4, "mistaken", 12, test=True),
                ended(5, "mistaken", 13, node=HALL),
            ]
        )
    )

    remembered = history.remember(at(days=366))

    assert remembered.mistaken == ((ROOM, "button", at(days=10)), (HALL, "button", at(days=13)))


def test_a_call_that_comes_after_an_end_opens_the_incident_again(history: History) -> None:
    """It wasn't over: a restart knows it as open, with nobody coming, and the next group may be called."""
    history.store(Batch(incidents=[incident(presses=2, told_level=1, **acknowledged("desk", 2, 1))]))
    history.store(Batch(incidents=[incident(presses=2, reset_utc=at(2), reset_by="desk", reset_reason="real")]))

    history.store(Batch(incidents=[incident(presses=3)]))

    (found,) = history.remember(at()).incidents
    assert (found.presses, found.reset_utc, found.acknowledged_utc, found.told_level) == (3, None, None, 0)
    assert found.answered == 2


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (1, 2, 0), (0, 2, 1), (2, 0, 1), (2, 1, 0)], ids=str)
def test_an_end_that_knew_of_fewer_presses_ends_nothing_in_whatever_order(
    history: History, order: tuple[int, ...]
) -> None:
    """One monitor stores the further press, the other one the end at its desk and that it wasn't over."""
    batches = (
        Batch(incidents=[incident(presses=1, reset_utc=at(2), reset_by="desk", reset_reason="real")]),
        Batch(incidents=[incident(presses=2)]),
        Batch(incidents=[incident(presses=2, answered=1)]),
    )
    history.store(Batch(incidents=[incident()]))

    for number in order:
        history.store(batches[number])

    (found,) = history.remember(at()).incidents
    assert (found.presses, found.answered, found.acknowledged_utc, found.reset_utc) == (2, 1, None, None)


@pytest.mark.parametrize(("presses", "told_keys"), [(1, ("reset:1",)), (2, ())], ids=["of all", "of fewer"])
def test_an_end_is_told_where_it_knew_of_all_presses(
    history: History, presses: int, told_keys: tuple[str, ...]
) -> None:
    """Whoever was called by another monitor for a further press isn't to take it for over."""
    history.store(Batch(incidents=[incident(presses=presses)]))
    ended = incident(presses=1, reset_utc=at(2), reset_by="desk", reset_reason="real")
    notice = structs.replace(alarm("reset:1", incident=ended.key.incident), kind=NoticeKind.RESET)

    stored = history.store(Batch(incidents=[ended], notices=[notice]))

    assert (stored.notices, stored.settled) == (told_keys, ("reset:1",))


def test_a_call_that_waited_with_the_end_before_it_opens_the_incident_again(history: History) -> None:
    """The database was away: what was ended at the desk and pressed again is stored in one transaction."""
    ended = incident(presses=1, reset_utc=at(2), reset_by="desk", reset_reason="real")
    called = incident(presses=2)
    next_group = alarm("alarm:1", incident=called.key.incident, level=1, presses=2)

    *_, stored = history.store_all(
        (Batch(incidents=[incident()]), Batch(incidents=[ended]), Batch(incidents=[called], notices=[next_group]))
    )

    (found,) = history.remember(at()).incidents
    assert (found.presses, found.reset_utc, found.is_answered) == (2, None, False)
    assert stored.notices == ("alarm:1",)


def test_the_newest_closed_incidents_are_known_by_name_and_presses(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oldest first, and no more than a monitor keeps."""
    monkeypatch.setattr(startup, "CLOSED_KEPT", 50)
    closed = [incident(number, reset_utc=at(9)) for number in range(1, 50 + 3)]
    history.store(Batch(incidents=closed))

    remembered = history.remember(NOW)

    assert remembered.closed == tuple((each.key, each.presses) for each in closed[2:])


@pytest.mark.parametrize(
    "answer",
    [{"acknowledged_utc": at(20), "answered": 1}, {"reset_utc": at(20), "reset_reason": "drill"}],
    ids=["acknowledged", "ended"],
)
def test_the_next_group_is_not_told_of_what_another_monitor_was_told_of(history: History, answer: Any) -> None:
    """Of a dead node nobody else hears that somebody is coming, or that it is over; those told at once are told."""
    history.store(Batch(incidents=[incident(**answer)]))
    about = incident().key.incident

    held = history.store(Batch(notices=[alarm("alarm:0", incident=about), alarm("alarm:1", incident=about, level=1)]))

    assert held.notices == ("alarm:0",)


def test_the_next_group_is_told_of_a_press_that_nobody_has_answered(history: History) -> None:
    """Somebody is coming to the one before it."""
    history.store(Batch(incidents=[incident(presses=1, **acknowledged("desk", 1, 20))]))
    about = incident().key.incident

    held = history.store(
        Batch(incidents=[incident(presses=2)], notices=[alarm("alarm:1", incident=about, level=1, presses=2)])
    )

    assert held.notices == ("alarm:1",)

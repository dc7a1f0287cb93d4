"""What happened, a page at a time; on SQLite and on PostgreSQL."""

from datetime import UTC, datetime

import pytest
from msgspec import structs

from node.monitor.core.model.records import ButtonTest, NodeKey, PastFinding, Status
from node.monitor.core.model.requests import RecordFilter
from node.monitor.history.history import Batch, History
from tests.support.history import BOOT, at, event, finding, flip, incident

HALL = NodeKey("nord", "hall")


def test_pages_follow_each_other_newest_first(history: History) -> None:
    """What is stored while somebody reads doesn't move the pages that follow."""
    history.store(Batch(events=[event(seq) for seq in range(1, 6)]))

    first, cursor = history.reading.events(RecordFilter(), 2)
    history.store(Batch(events=[event(6)]))
    second, cursor = history.reading.events(RecordFilter(), 2, cursor)
    third, end = history.reading.events(RecordFilter(), 2, cursor)

    assert [each.key.seq for page in (first, second, third) for each in page] == [5, 4, 3, 2, 1]
    assert end is None


@pytest.mark.parametrize(
    ("which", "seqs"),
    [
        (RecordFilter(), [5, 4, 3, 2, 1]),
        (RecordFilter(site="mitte"), [4, 3, 2, 1]),
        (RecordFilter(node="hall"), [5]),
        (RecordFilter(kind="opened"), [2]),
        (RecordFilter(input="door"), [2]),
        (RecordFilter(incident="0a1b2c3d-3"), [3]),
        (RecordFilter(since_utc=at(30), until_utc=at(50)), [4, 3]),
        (RecordFilter(site="mitte", kind="acknowledged"), []),
    ],
)
def test_only_what_is_asked_for_is_read(history: History, which: RecordFilter, seqs: list[int]) -> None:
    """By everything an event has; the end of the time is not in it."""
    history.store(
        Batch(
            events=[
                event(1, heard_utc=at(10)),
                event(2, heard_utc=at(20), kind="opened", input="door"),
                event(3, heard_utc=at(30), incident="0a1b2c3d-3"),
                event(4, heard_utc=at(40)),
                event(5, heard_utc=at(50), node=HALL),
            ]
        )
    )

    found, _ = history.reading.events(which, 10)

    assert [each.key.seq for each in found] == seqs


def test_an_event_without_content_is_not_kept(history: History) -> None:
    """When somebody went through a door is private: the event isn't kept, but it counts, and its receipt is due."""
    door = event(2, kind="opened", input="door", body="")

    stored = history.store(Batch(events=[event(1), door]))

    assert stored.events == (event(1).key, door.key)
    assert history.reading.events(RecordFilter(), 10) == ((event(1),), None)


def test_every_kind_of_record_is_read_as_it_was_stored(history: History) -> None:
    """Incidents, flips, tests and findings; open ones and those that have ended."""
    closed = incident(1, reset_utc=at(9), reset_by="desk", reset_reason="drill")
    test = ButtonTest(event=event(7).key, input="button", at_utc=at(), walk_test="w1", reaction_s=0.31)
    change = flip(Status.NEW, Status.UP, reason="")
    found = finding(count=2, detail="x")
    history.store(Batch(incidents=[closed, incident(2)], flips=[change], tests=[test], raised=[found]))
    history.store(Batch(cleared=[(found.key, at(8))]))
    history.store(Batch(raised=[structs.replace(found, since_utc=at(9))]))
    reading = history.reading

    assert reading.incidents(RecordFilter(), 10) == ((incident(2), closed), None)
    assert reading.flips(RecordFilter(), 10) == ((change,), None)
    assert reading.tests(RecordFilter(input="button"), 10) == ((test,), None)
    assert reading.findings(RecordFilter(kind="M001"), 10)[0] == tuple(
        PastFinding(**structs.asdict(found) | changed) for changed in ({"since_utc": at(9)}, {"cleared_utc": at(8)})
    )


@pytest.mark.parametrize("cursor", ["", "-1", "x", "1 OR 1=1", "9" * 40, "\u0663"])
def test_a_cursor_that_nobody_gave_is_refused(history: History, cursor: str) -> None:
    """Before the database is asked."""
    with pytest.raises(ValueError, match="no cursor"):
        history.reading.events(RecordFilter(), 10, cursor)


@pytest.mark.parametrize(
    ("which", "subjects"),
    [
        (RecordFilter(), ["e", "d", "c", "b", "a"]),
        (RecordFilter(site="mitte"), ["d", "c", "b", "a"]),
        (RecordFilter(node="hall"), ["e"]),
        (RecordFilter(site="mitte", kind="M001"), ["c", "a"]),
        (RecordFilter(kind="F001"), ["b"]),
        (RecordFilter(since_utc=at(20), until_utc=at(40)), ["c", "b", "a"]),
        (RecordFilter(node="room-1", until_utc=at(20)), ["a"]),
    ],
)
def test_findings_are_found_when_they_are_over(history: History, which: RecordFilter, subjects: list[str]) -> None:
    """By code, node, site and when they were raised; whether they are over or not, on one page or on several."""
    raised = [
        finding(subject="a", since_utc=at(10)),
        finding("F001", subject="b", since_utc=at(20)),
        finding(subject="c", since_utc=at(30)),
        finding("M008", NodeKey("mitte", ""), subject="d", since_utc=at(40)),
        finding(subject="e", since_utc=at(50), node=HALL),
    ]
    history.store(Batch(raised=raised))
    history.store(Batch(cleared=[(each.key, at(60)) for each in raised[::2]]))

    first, cursor = history.reading.findings(which, 1)
    others, end = history.reading.findings(which, 10, cursor) if cursor else ((), None)

    found = (*first, *others)
    assert [each.key.subject for each in found] == subjects
    assert [each.cleared_utc for each in found] == [at(60) if each.key.subject in "ace" else None for each in found]
    assert end is None


def test_what_began_by_a_clock_that_was_not_set_is_found_by_what_came_of_it(history: History) -> None:
    """A history that begins in 1970 and jumps to today: an alarm that was ended today is of today."""
    unset = datetime(1970, 1, 1, 0, 1, tzinfo=UTC)
    old = structs.replace(incident(1), raised_utc=unset)
    ended = structs.replace(incident(2), raised_utc=unset, reset_utc=at(60), reset_by="desk", reset_reason="real")
    held = structs.replace(incident(3), raised_utc=unset, held_utc=at(50))
    cleared = finding(subject="a", since_utc=unset)
    history.store(Batch(incidents=[old, ended, held], raised=[cleared, finding(subject="b", since_utc=unset)]))
    history.store(Batch(cleared=[(cleared.key, at(60))]))

    since = RecordFilter(since_utc=at(0))
    incidents, _ = history.reading.incidents(since, 10)
    findings, _ = history.reading.findings(since, 10)
    everything, _ = history.reading.incidents(RecordFilter(since_utc=unset), 10)

    assert [each.key for each in incidents] == [held.key, ended.key]
    assert [each.key.subject for each in findings] == ["a"]
    assert [each.key for each in everything] == [held.key, ended.key, old.key]


def test_what_has_only_labels_of_a_clock_that_was_not_set_is_found_by_when_it_was_heard(history: History) -> None:
    """An alarm of which only the end came, a test: each is of the day on which its event came here."""
    unset = datetime(1970, 1, 1, 0, 1, tzinfo=UTC)
    test = ButtonTest(event=event(7).key, input="button", at_utc=unset, walk_test="w1")
    closed = [
        incident(seq, raised_utc=unset, reset_utc=unset, reset_by="desk", reset_reason="real") for seq in (1, 2, 3)
    ]
    heard = [event(10 + seq, heard_utc=at(seq), incident=f"{BOOT}-{seq}", kind="reset") for seq in (1, 2)]
    others = event(20, heard_utc=at(5), incident=f"{BOOT}-3", node=HALL)
    tests = [test, structs.replace(test, event=event(6).key)]
    history.store(Batch(events=[*heard, others, event(7, heard_utc=at(2))], incidents=closed, tests=tests))

    since = RecordFilter(since_utc=at(2))
    incidents, _ = history.reading.incidents(since, 10)
    found, _ = history.reading.tests(since, 10)
    later, _ = history.reading.incidents(RecordFilter(since_utc=at(3)), 10)

    assert incidents == (closed[1],)
    assert found == (test,)
    assert later == ()

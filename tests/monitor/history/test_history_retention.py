"""What goes when its time has come; on SQLite and on PostgreSQL."""

from msgspec import structs
from sqlalchemy import select

from node.monitor.core.model.monitor_settings import Retention
from node.monitor.core.model.records import ButtonTest, IncidentRecord, NodeRecord, Pause, Status, Tally, WalkTest
from node.monitor.core.model.requests import RecordFilter
from node.monitor.core.nodes.events.sequence import BOOTS_KEPT
from node.monitor.history.database.connection import Database
from node.monitor.history.history import Batch, History
from node.monitor.history.schema.tables import deliveries
from tests.support.history import BOOT, ROOM, alarm, at, event, finding, flip, incident, told

RETENTION = Retention(incidents=100, tests=200, others=10)


def names(history: History) -> set[str]:
    """The kinds of record that are still there."""
    reading = history.reading
    kinds = {
        "events": reading.events,
        "incidents": reading.incidents,
        "flips": reading.flips,
        "tests": reading.tests,
        "findings": reading.findings,
    }
    return {name for name, read in kinds.items() if read(RecordFilter(), 1)[0]}


def closed(seq: int, days: float) -> IncidentRecord:
    """An incident that was reset then."""
    return incident(seq, reset_utc=at(days=days), reset_by="desk", reset_reason="real")


def of(seq: int, days: float = 0.0) -> Batch:
    """An event of the incident of this number."""
    return Batch(events=[event(seq, incident=f"{BOOT}-{seq}", heard_utc=at(days=days))])


def fill(history: History) -> None:
    """Something of each kind, at the START."""
    found = finding()
    history.store(
        Batch(
            events=[event(1)],
            incidents=[closed(2, 0)],
            flips=[flip(Status.NEW, Status.UP)],
            raised=[found],
            pauses=[Pause(node=ROOM, by="desk", reason="", since_utc=at(), until_utc=at(60))],
            walk_tests=[
                WalkTest(id="w", site="mitte", nodes=(), by="desk", started_utc=at(), until_utc=at(1), ended_utc=at(1)),
            ],
            tests=[ButtonTest(event=event(3).key, input="button", at_utc=at())],
            notices=[told(found), alarm(incident=f"{BOOT}-2")],
        )
    )
    history.store(of(2))
    history.store(Batch(cleared=[(found.key, at(1))], pause_ends=[(ROOM, at(1))]))


def test_nothing_goes_before_its_time(history: History) -> None:
    """A day before the first of them."""
    fill(history)

    gone = history.prune(at(days=9), RETENTION)

    assert sum(gone.values()) == 0


def test_each_kind_goes_in_its_time(history: History) -> None:
    """First what else happened, then incidents with their events, then tests."""
    fill(history)

    after = [(history.prune(at(days=days), RETENTION), names(history)) for days in (11, 101, 201)]

    counts = [{name: count for name, count in gone.items() if count} for gone, _ in after]
    assert counts == [
        {"events": 1, "flips": 1, "findings": 1, "pauses": 1, "notices": 2},
        {"events": 1, "incidents": 1},
        {"tests": 1, "walk_tests": 1},
    ]
    assert [left for _, left in after] == [{"events", "incidents", "tests"}, {"tests"}, set()]


def test_an_open_incident_stays_with_all_that_belongs_to_it(history: History) -> None:
    """However old it is: its events, and what people were told, so that nobody tells it again."""
    history.store(Batch(incidents=[incident(1)], notices=[alarm()], raised=[finding()]))
    history.store(of(1))

    gone = history.prune(at(days=3650), RETENTION)

    assert sum(gone.values()) == 0
    assert history.store(Batch(notices=[alarm()])).notices == ()


def test_what_people_were_told_goes_with_its_deliveries(history_url: str) -> None:
    """Nothing is left that says to whom."""
    history = History(history_url, lambda _notice: ("mail", "sms"))
    history.store(Batch(notices=[alarm("alarm:old"), alarm("alarm:new", at_utc=at(days=5))]))

    history.prune(at(days=11), RETENTION)

    history.close()
    database = Database(history_url)
    with database.reading() as connection:
        left = connection.execute(select(deliveries.c.notice, deliveries.c.target).order_by(deliveries.c.id)).all()
    database.close()
    assert [tuple(row) for row in left] == [("alarm:new", "mail"), ("alarm:new", "sms")]


def test_an_incident_is_kept_from_its_end_on(history: History) -> None:
    """One that was open for long isn't old when it is reset; nor are its first events."""
    history.store(Batch(incidents=[closed(1, days=90)]))
    history.store(of(1))

    kept = history.prune(at(days=150), RETENTION)
    gone = history.prune(at(days=191), RETENTION)

    assert sum(kept.values()) == 0
    assert (gone["events"], gone["incidents"]) == (1, 1)


def test_a_clock_that_is_years_ahead_deletes_nothing(history: History) -> None:
    """Where nothing was heard for months, the clock is wrong, and not the building silent."""
    before = history.may_prune(at(days=3650))
    history.store(Batch(events=[event(1, heard_utc=at())]))

    assert before
    assert history.may_prune(at(days=93))
    assert not history.may_prune(at(days=94))


def test_many_rows_go_in_small_transactions(history: History) -> None:
    """More than one of them holds."""
    history.store(Batch(events=[event(seq) for seq in range(1, 2_502)]))

    gone = history.prune(at(days=11), RETENTION)

    assert gone["events"] == 2_501
    assert names(history) == set()


def test_tallies_of_old_boots_go(history: History) -> None:
    """What a start wouldn't remember; the one that a node has now stays."""
    boots = [f"{number:08x}" for number in range(BOOTS_KEPT + 3)]
    tally = Tally(node=ROOM, boot="", ranges=((1, 2),))
    node = NodeRecord(node=ROOM, status=Status.UP, since_utc=at(), boot=boots[0])
    history.store(Batch(nodes=[node], tallies=[structs.replace(tally, boot=boot) for boot in boots]))
    before = history.remember(at())

    gone = history.prune(at(), RETENTION)

    assert gone["tallies"] == 2
    assert history.remember(at()) == before

"""What the history makes of batches, and what it remembers; on SQLite and on PostgreSQL."""

from typing import Any

import pytest
from msgspec import structs

from node.core.settings import AlarmClass
from node.monitor.core.model.records import (
    Button,
    ButtonTest,
    Finding,
    NodeKey,
    NoticeKind,
    Pause,
    Status,
    Tally,
    WalkTest,
)
from node.monitor.core.model.requests import RecordFilter
from node.monitor.core.nodes.events.sequence import BOOTS_KEPT, RANGES_KEPT
from node.monitor.errors import UnstorableError
from node.monitor.history.history import Batch, History, Remembered, Stored
from tests.support.examples import examples
from tests.support.history import BOOT, ROOM, alarm, at, event, finding, flip, incident, record, told

HALL = NodeKey("nord", "hall")
NOW = at(days=1)

TALLY = Tally(node=ROOM, boot=BOOT, ranges=((1, 3),), previous_boot="ffffffff", previous_seq=9)
BUTTON = Button(node=ROOM, input="button", since_utc=at())
PAUSE = Pause(node=ROOM, by="facilities", reason="paint", since_utc=at(), until_utc=at(3600))
WALK = WalkTest(
    id="w1", site="mitte", nodes=("room-1", "room-2"), by="facilities", started_utc=at(), until_utc=at(1800)
)


def test_an_empty_history_remembers_nothing(history: History) -> None:
    """Where nothing was stored there is nothing to know."""
    assert history.remember(NOW) == Remembered()


def test_everything_stored_is_remembered_as_it_was(history: History) -> None:
    """A start knows nodes, open incidents and findings, tallies, buttons, pauses and walk tests, field by field."""
    open_incident = incident(
        2,
        alarm_class=AlarmClass.AMOK,
        presses=3,
        test=True,
        held_utc=at(1.25),
        acknowledged_utc=at(2),
        acknowledged_by="guard-desk",
        told_level=2,
    )
    found = finding(count=3, detail="silent", subject="button")

    history.store(
        Batch(
            tallies=[TALLY],
            nodes=[record(reason="silent", period_s=2.5)],
            incidents=[open_incident],
            raised=[found],
            pauses=[PAUSE],
            walk_tests=[WALK],
            buttons=[BUTTON],
        )
    )

    assert history.remember(NOW) == Remembered(
        nodes=(record(reason="silent", period_s=2.5),),
        incidents=(open_incident,),
        findings=(found,),
        tallies=(TALLY,),
        buttons=(BUTTON,),
        pauses=(PAUSE,),
        walk_tests=(WALK,),
        uncalled=(open_incident.key,),
    )


def test_what_has_ended_is_not_remembered(history: History) -> None:
    """Cleared findings, ended pauses and walk tests aren't a start's business; of a reset incident only its name is."""
    closed = incident(reset_utc=at(9), reset_by="guard-desk", reset_reason="real")
    history.store(Batch(incidents=[closed], raised=[finding()], pauses=[PAUSE], walk_tests=[WALK]))

    history.store(
        Batch(
            cleared=[(finding().key, at(5))],
            pause_ends=[(ROOM, at(5))],
            walk_tests=[structs.replace(WALK, ended_utc=at(5))],
        )
    )

    assert history.remember(NOW) == Remembered(closed=((closed.key, closed.presses),))


def test_an_event_that_comes_again_counts_as_stored(history: History) -> None:
    """A node that sends an event again gets its receipt again."""
    history.store(Batch(events=[event(1)]))

    again = history.store(Batch(events=[event(1), event(2)]))

    assert again == Stored(events=(event(1).key, event(2).key))


def test_tallies_are_joined(history: History) -> None:
    """What two monitors have heard of one boot is the union of both; and a monitor that forgot takes nothing away."""
    history.store(Batch(tallies=[structs.replace(TALLY, ranges=((1, 3), (7, 9)))]))

    history.store(
        Batch(tallies=[structs.replace(TALLY, ranges=((4, 5),)), structs.replace(TALLY, ranges=((8, 12), (20, 20)))])
    )

    (tally,) = history.remember(NOW).tallies
    assert tally.ranges == ((1, 5), (7, 12), (20, 20))


def test_a_tally_stays_bounded(history: History) -> None:
    """Whoever invents numbers doesn't fill the disk: the oldest ranges go."""
    ranges = tuple((4 * number, 4 * number) for number in range(RANGES_KEPT + 10))

    history.store(Batch(tallies=[structs.replace(TALLY, ranges=ranges)]))

    (tally,) = history.remember(NOW).tallies
    assert tally.ranges == ranges[10:]


def test_only_the_newest_boots_are_remembered(history: History) -> None:
    """Of each node the newest boots, oldest first; last the one that it has now, though many were heard after it."""
    boots = [f"{number:08x}" for number in range(BOOTS_KEPT + 3)]
    history.store(Batch(nodes=[record(boot=boots[0])], tallies=[structs.replace(TALLY, boot=b) for b in boots]))

    remembered = history.remember(NOW)

    assert [tally.boot for tally in remembered.tallies] == [*boots[3:], boots[0]]


@pytest.mark.parametrize(
    ("status", "change", "holds"),
    [
        (Status.UP, flip(Status.UP, Status.LATE), True),
        (Status.LATE, flip(Status.LATE, Status.DOWN, reason="silent"), True),
        (Status.DOWN, flip(Status.UP, Status.DOWN, reason="silent"), False),
        (Status.LATE, flip(Status.UP, Status.LATE), False),
        (Status.DOWN, flip(Status.UP, Status.LATE), False),
        (Status.LATE, flip(Status.UP, Status.PAUSED), True),
        (Status.DOWN, flip(Status.DOWN, Status.DOWN, reason="goodbye"), True),
    ],
)
def test_a_flip_holds_only_for_who_comes_first(history: History, status: Status, change: Any, holds: bool) -> None:
    """A node's status changes where it still has the one before; a start took a late one for one that is up."""
    history.store(Batch(nodes=[record(status=status)]))

    stored = history.store(Batch(flips=[change], nodes=[record(status=change.after, boot="99999999")]))

    assert stored.flips == ((change,) if holds else ())
    (node,) = history.remember(NOW).nodes
    assert (node.status, node.boot) == (change.after if holds else status, "99999999")


def test_the_first_flip_of_a_node_holds(history: History) -> None:
    """A node that is new to the history is stored with its flip, whatever it flips to."""
    first = flip(Status.NEW, Status.UP, at_utc=at(3))

    stored = history.store(Batch(nodes=[record(status=Status.UP, since_utc=at(3))], flips=[first]))

    assert stored.flips == (first,)
    assert history.store(Batch(flips=[first])).flips == ()
    assert history.remember(NOW).nodes == (record(status=Status.UP, since_utc=at(3)),)


def test_batches_at_once_end_as_one_after_the_other(history: History) -> None:
    """Flips, and findings that come and go, hold in their order within one transaction."""
    down, up = flip(Status.UP, Status.DOWN), flip(Status.DOWN, Status.UP)
    first, second = finding(since_utc=at(1)), finding(since_utc=at(3))
    history.store(Batch(nodes=[record()]))

    stored = history.store_all(
        (
            Batch(flips=[down], raised=[first], notices=[told(first)]),
            Batch(flips=[down], raised=[first], notices=[told(first, key="another")]),
            Batch(flips=[up], cleared=[(first.key, at(2))]),
            Batch(flips=[down], raised=[second]),
        )
    )

    assert [one.flips for one in stored] == [(down,), (), (up,), (down,)]
    assert [(one.raised, one.cleared) for one in stored] == [
        ((first.key,), ()),
        ((), ()),
        ((), (first.key,)),
        ((first.key,), ()),
    ]
    assert [one.notices for one in stored] == [(told(first).key,), (), (), ()]
    assert history.remember(NOW).findings == (second,)


def test_a_tests_reaction_is_filled_in_once(history: History) -> None:
    """The press comes first, its confirmation later; a second one changes nothing."""
    test = ButtonTest(event=event(4).key, input="button", at_utc=at(), walk_test="w1")
    history.store(Batch(tests=[test]))

    history.store(Batch(tests=[structs.replace(test, reaction_s=0.25)]))
    history.store(Batch(tests=[structs.replace(test, reaction_s=9.0)]))

    assert history.reading.tests(RecordFilter(), 10)[0] == (structs.replace(test, reaction_s=0.25),)


def test_a_buttons_last_test_only_moves_on(history: History) -> None:
    """An older test that comes late isn't the last one; when it was seen first stays."""
    history.store(Batch(buttons=[BUTTON]))
    history.store(Batch(buttons=[structs.replace(BUTTON, last_test_utc=at(9))]))

    history.store(Batch(buttons=[structs.replace(BUTTON, last_test_utc=at(5), since_utc=at(7)), BUTTON]))

    assert history.remember(NOW).buttons == (structs.replace(BUTTON, last_test_utc=at(9)),)


def test_a_finding_is_raised_and_cleared_once(history: History) -> None:
    """The second monitor to find it, or to find it gone, is told that it was known."""
    again = finding(since_utc=at(4))

    first = history.store(Batch(raised=[finding()]))
    second = history.store(Batch(raised=[again]))
    gone = history.store(Batch(cleared=[(finding().key, at(8))]))
    late = history.store(Batch(cleared=[(finding().key, at(9))]))
    back = history.store(Batch(raised=[again]))

    assert [each.raised for each in (first, second, back)] == [(again.key,), (), (again.key,)]
    assert [each.cleared for each in (gone, late)] == [(again.key,), ()]
    assert history.remember(NOW).findings == (again,)


@pytest.mark.parametrize("kind", [NoticeKind.FINDING, NoticeKind.CLEARED])
def test_what_another_monitor_has_told_is_not_told_again(history: History, kind: NoticeKind) -> None:
    """A notice falls with the claim on its finding, although its key is another's."""

    def batch(found: Finding) -> Batch:
        notice = told(found, kind, key=f"{kind}:{found.since_utc}")
        if kind is NoticeKind.FINDING:
            return Batch(raised=[found], notices=[notice])
        return Batch(cleared=[(found.key, at(9))], notices=[notice])

    if kind is NoticeKind.CLEARED:
        history.store(Batch(raised=[finding()]))

    first, second = history.store(batch(finding(since_utc=at(1)))), history.store(batch(finding(since_utc=at(2))))

    assert [len(first.notices), len(second.notices)] == [1, 0]


def test_a_notice_is_told_once_by_its_key(history: History) -> None:
    """An alarm that two monitors hear is told by one of them."""
    first, second = history.store(Batch(notices=[alarm()])), history.store(Batch(notices=[alarm(), alarm("alarm:2")]))

    assert (first.notices, second.notices) == (("alarm:1",), ("alarm:2",))


@pytest.mark.parametrize(
    "bad",
    [
        Batch(events=[event(2**70)]),
        Batch(incidents=[incident(raised_utc=at().replace(tzinfo=None))]),
        Batch(raised=[finding(detail="lone \ud800 surrogate")]),
    ],
    ids=["number", "no zone", "no text"],
)
def test_what_cannot_be_stored_is_told_as_such(history: History, bad: Batch) -> None:
    """No state of the database is at fault; nothing of the transaction stays."""
    with pytest.raises(UnstorableError, match=r"^E029 .*Next: "):
        history.store_all((Batch(raised=[finding("M002")]), bad))

    assert history.remember(NOW) == Remembered()


def test_a_letter_that_postgresql_does_not_have_costs_nothing(history: History) -> None:
    """What a node says in a text can't keep its alarm from being stored."""
    history.store(Batch(incidents=[incident()], raised=[finding(detail="a\0b")]))

    remembered = history.remember(NOW)

    assert remembered.incidents == (incident(),)
    assert remembered.findings == (finding(detail="a\ufffdb"),)


@pytest.mark.many
def test_many_nodes_that_go_at_once_are_stored_in_one_transaction(history: History) -> None:
    """As many flips, findings and notices as there are nodes, whatever the limits of a statement."""
    lost = [NodeKey("mitte", f"room-{number}") for number in range(examples(10_000))]
    down = [finding(node=node) for node in lost]

    stored = history.store(
        Batch(
            nodes=[record(node) for node in lost],
            flips=[flip(Status.UP, Status.DOWN, node) for node in lost],
            raised=down,
            notices=[told(each) for each in down],
        )
    )

    assert [len(stored.flips), len(stored.raised), len(stored.notices)] == [len(lost)] * 3

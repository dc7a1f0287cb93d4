"""Deliveries that are claimed: two monitors, dead ones, and a database that goes away."""

from collections.abc import Collection
from threading import Event

import pytest

from node.monitor.core.decisions.deliveries import LEASE_S, Settled
from node.monitor.notify.teller import Pace
from tests.monitor.notify.telling import RENEWING, all_settled, desk, renewed_at, telling
from tests.support.history import TurnedClock
from tests.support.notices import alarm, finding
from tests.support.outbox import MemoryOutbox
from tests.support.receivers import TIMEOUT_S, HttpReceiver, Record


def test_two_monitors_tell_each_notice_once(outbox: MemoryOutbox, receiver: HttpReceiver) -> None:
    """Claim, then act: both are at work, and nobody hears anything twice."""
    with telling(outbox, desk(receiver), monitor="a"), telling(outbox, desk(receiver), monitor="b"):
        for number in range(200):
            outbox.add("desk", [alarm(f"room-{number}"), finding(f"room-{number}")])
        all_settled(outbox)

    alarms = [posted.title.rpartition("-")[2] for posted in receiver.taken.items if "ALARM" in posted.title]
    assert sorted(alarms, key=int) == [str(number) for number in range(200)]
    assert outbox.outcomes("desk") == [Settled.SENT] * 400


def test_what_an_earlier_process_had_claimed_is_told_as_perhaps_told(
    outbox: MemoryOutbox, receiver: HttpReceiver
) -> None:
    """At once after the start, not only after the lease."""
    outbox.add("desk", [alarm()])
    assert outbox.claim("desk", "monitor-a", gather=False, limit=1) is not None
    with telling(outbox, desk(receiver)):
        [posted] = receiver.taken.first(1)

    assert "Vielleicht haben Sie diese Nachricht schon bekommen." in posted.body


@pytest.mark.parametrize("ago_s", [LEASE_S + 1, -3600.0])
def test_what_a_dead_monitor_had_claimed_is_told_by_another(receiver: HttpReceiver, ago_s: float) -> None:
    """After the lease, or where the clock had been ahead."""
    clock = TurnedClock()
    outbox = MemoryOutbox(clock)
    outbox.add("desk", [alarm()])
    outbox.claim("desk", "monitor-b", gather=False, limit=1)
    clock.turn(ago_s)
    with telling(outbox, desk(receiver)):
        [posted] = receiver.taken.first(1)

    assert "Vielleicht" in posted.body


def test_what_a_living_monitor_has_claimed_is_its_own(outbox: MemoryOutbox, receiver: HttpReceiver) -> None:
    """However often another one looks."""
    outbox.add("desk", [alarm("room-1")])
    outbox.claim("desk", "monitor-b", gather=False, limit=1)
    with telling(outbox, desk(receiver)):
        outbox.add("desk", [alarm("room-2")])
        [posted] = receiver.taken.first(1)

    assert posted.title.endswith("room-2")
    assert outbox.outcomes("desk") == [None, Settled.SENT]


def test_a_claim_is_kept_while_its_try_hangs_for_longer_than_the_lease(receiver: HttpReceiver) -> None:
    """The other monitor looks all the time, and tells what comes meanwhile."""
    clock = TurnedClock()
    outbox = MemoryOutbox(clock)
    receiver.behaviour = "slow"
    outbox.add("desk", [alarm("room-1")])
    with (
        telling(outbox, desk(receiver), monitor="a", pace=RENEWING),
        telling(outbox, desk(receiver), monitor="b", pace=RENEWING),
    ):
        receiver.asked.first(1)
        for _ in range(4):
            clock.turn(LEASE_S)
            renewed_at(outbox, clock())
        receiver.behaviour = "take"
        outbox.add("desk", [alarm("room-2")])
        receiver.taken.first(1)
        receiver.answering.set()
        all_settled(outbox)

    assert [(posted.title[-6:], "Vielleicht" in posted.body) for posted in receiver.asked.items] == [
        ("room-1", False),
        ("room-2", False),
    ]


def test_a_monitor_that_alone_cannot_reach_the_database_is_taken_for_dead_and_settles_nothing(
    receiver: HttpReceiver, logged: Record
) -> None:
    """What it was telling is told by the other one as perhaps told; it learns of that when it renews, and goes on."""
    clock = TurnedClock()
    outbox = MemoryOutbox(clock)
    cut_off = outbox.beside()
    receiver.behaviour = "slow"
    outbox.add("desk", [alarm("room-1")])
    with telling(cut_off, desk(receiver), monitor="a", pace=RENEWING) as (teller, _):
        receiver.asked.first(1)
        cut_off.away = True
        clock.turn(LEASE_S + 1)
        with telling(outbox, desk(receiver), monitor="b", pace=RENEWING):
            receiver.asked.first(2)
            cut_off.away = False
            logged.wait(lambda lines: "another monitor has taken over what desk was being told" in lines)
            receiver.answering.set()
            all_settled(outbox)
        outbox.add("desk", [alarm("room-2")])
        all_settled(outbox)

        assert all(each.is_alive() for each in teller.threads)
    assert [(posted.title[-6:], "Vielleicht" in posted.body) for posted in receiver.asked.items] == [
        ("room-1", False),
        ("room-1", True),
        ("room-2", False),
    ]
    assert [len(row.reasons) for row in outbox.rows] == [1, 1]


class Hampered(MemoryOutbox):
    """The first thing that is settled is held up until ``go_on``, and where it ``stumbles`` ends as nobody expects."""

    def __init__(self, clock: TurnedClock, *, stumbles: bool = False) -> None:
        super().__init__(clock)
        self.stumbles = stumbles
        self.settling = Event()
        self.go_on = Event()

    def settle(self, claim: str, outcome: Settled, reason: str = "", only: Collection[int] | None = None) -> None:
        """As in Outbox."""
        is_first = not self.settling.is_set()
        self.settling.set()
        assert self.go_on.wait(TIMEOUT_S)
        if is_first and self.stumbles:
            raise RuntimeError("nobody has thought of this")
        super().settle(claim, outcome, reason, only)


def test_what_another_took_over_before_it_was_sent_is_not_sent(receiver: HttpReceiver) -> None:
    """What is left out had to be recorded first, and that took longer than the lease."""
    clock = TurnedClock()
    outbox = Hampered(clock)
    outbox.add("desk", [finding("a"), finding("b"), finding("a", over=True)])
    with telling(outbox, desk(receiver), pace=RENEWING):
        assert outbox.settling.wait(TIMEOUT_S)
        clock.turn(LEASE_S + 1)
        taken = outbox.claim("desk", "monitor-b", gather=True, limit=9)
        outbox.add("desk", [finding("c")])
        outbox.go_on.set()
        receiver.taken.first(1)

    assert taken is not None
    assert [posted.title for posted in receiver.asked.items] == ["mitte/c: ein Gerät ist ausgefallen"]


def test_what_a_thread_has_stumbled_over_is_held_no_longer_than_by_a_dead_monitor(
    receiver: HttpReceiver, logged: Record
) -> None:
    """Its monitor lives, but nobody renews that claim."""
    clock = TurnedClock()
    outbox = Hampered(clock, stumbles=True)
    outbox.go_on.set()
    outbox.add("desk", [alarm()])
    with telling(outbox, desk(receiver), pace=RENEWING):
        logged.wait(lambda lines: "telling desk stumbled" in lines)
        clock.turn(LEASE_S + 1)
        all_settled(outbox)

    assert ["Vielleicht" in posted.body for posted in receiver.asked.items] == [False, True]


def test_a_try_whose_end_is_unknown_is_made_again_as_perhaps_told(outbox: MemoryOutbox, receiver: HttpReceiver) -> None:
    """A server that took the message and never ended its answer may have told it."""
    receiver.behaviour = "drip"
    outbox.add("desk", [alarm()])
    with telling(outbox, desk(receiver), pace=Pace(poll_s=0.05, send_s=0.3)):
        receiver.asked.first(1)
        receiver.behaviour = "take"

        [posted] = receiver.taken.first(1)

    assert "Vielleicht" in posted.body


def test_what_was_sent_while_the_database_went_away_is_not_sent_again(
    outbox: MemoryOutbox, receiver: HttpReceiver
) -> None:
    """It is recorded as soon as that can be done."""
    receiver.behaviour = "slow"
    outbox.add("desk", [alarm("room-1")])
    with telling(outbox, desk(receiver)) as (_, put):
        receiver.asked.first(1)
        outbox.away = True
        receiver.answering.set()
        put.first(1)
        outbox.away = False
        outbox.add("desk", [alarm("room-2")])
        all_settled(outbox)

    assert [posted.title[-6:] for posted in receiver.asked.items] == ["room-1", "room-2"]


def test_a_database_that_is_away_ends_nothing(
    outbox: MemoryOutbox, receiver: HttpReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    """As soon as it is back, it goes on; the history has told of it, so here it isn't logged again."""
    with telling(outbox, desk(receiver)) as (teller, _):
        outbox.away = True
        outbox.add("desk", [alarm()])
        outbox.wait_for(lambda _rows: outbox.refused > 3)
        outbox.away = False

        assert len(receiver.taken.first(1)) == 1
        assert all(each.is_alive() for each in teller.threads)
    assert not [record for record in caplog.records if record.name.startswith("node.")]

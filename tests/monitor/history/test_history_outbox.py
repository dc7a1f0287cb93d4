"""Deliveries: who tells what, once; on SQLite and on PostgreSQL, by a clock that the test turns."""

from collections.abc import Iterator

import pytest

from node.monitor.core.decisions.deliveries import (
    LEASE_S,
    RENEW_S,
    RETRY_MAX_S,
    Claim,
    Delivery,
    Outbox,
    Settled,
    Waiting,
)
from node.monitor.core.model.records import NodeKey, Notice, NoticeKind
from node.monitor.history.history import Batch, History
from tests.support.history import TurnedClock, alarm, at, finding, incident, told

MAIL, SMS = "mail", "sms"
A, B = "guard-desk", "control-room"


def targets(notice: Notice) -> tuple[str, ...]:
    """Everybody is told alarms, and facilities the rest."""
    return (MAIL, SMS) if notice.kind is NoticeKind.ALARM else (MAIL,)


@pytest.fixture
def clock() -> TurnedClock:
    """The database's."""
    return TurnedClock()


@pytest.fixture
def history(history_url: str, clock: TurnedClock) -> Iterator[History]:
    """An empty history whose targets are MAIL and SMS."""
    opened = History(history_url, targets, clock, clock.steady)
    yield opened
    opened.close()


@pytest.fixture
def outbox(history: History) -> Outbox:
    """Its outbox."""
    return history.outbox


@pytest.fixture
def other(history_url: str, history: History, clock: TurnedClock) -> Iterator[Outbox]:
    """The outbox of another monitor that shares the database, which ``history`` has made."""
    opened = History(history_url, targets, clock, clock.steady)
    yield opened.outbox
    opened.close()


def looking(outbox: Outbox, clock: TurnedClock, for_s: float) -> None:
    """Time passes while this one looks again and again, as a teller does."""
    for _ in range(round(for_s)):
        clock.turn(1.0)
        outbox.waiting(MAIL)


def claimed(outbox: Outbox, by: str = A, target: str = MAIL, gather: bool = False) -> Claim | None:
    """What this monitor claims."""
    return outbox.claim(target, by, gather=gather, limit=100)


def uncertain(claim: Claim | None) -> list[bool]:
    """Of each of its deliveries; none where there is no claim."""
    return [each.uncertain for each in claim.deliveries] if claim is not None else []


def test_each_target_is_owed_each_notice_once(history: History, outbox: Outbox) -> None:
    """A delivery for each target that wants it, in the transaction of the notice; a second notice adds none."""
    history.store(Batch(notices=[alarm()]))
    history.store(Batch(notices=[alarm()]))

    mail, sms = claimed(outbox), claimed(outbox, target=SMS)

    assert mail is not None
    assert sms is not None
    assert [each.notice for each in (*mail.deliveries, *sms.deliveries)] == [alarm(), alarm()]
    assert not any(each.uncertain or each.attempts for each in mail.deliveries)


def test_what_one_has_claimed_is_no_others(history: History, outbox: Outbox, other: Outbox) -> None:
    """Not even the claimer's own a second time."""
    history.store(Batch(notices=[alarm()]))

    first = claimed(outbox, A)

    assert first is not None
    assert [claimed(other, B), claimed(outbox, A)] == [None, None]


def test_the_claim_of_one_that_died_is_taken_over(
    history: History, outbox: Outbox, other: Outbox, clock: TurnedClock
) -> None:
    """After the lease, and perhaps it was told before; what its claimer says afterwards counts for nothing."""
    history.store(Batch(notices=[alarm()]))
    dead = claimed(outbox, A)
    assert dead is not None

    looking(other, clock, LEASE_S)
    in_time = claimed(other, B)
    looking(other, clock, 1.0)
    taken = claimed(other, B)

    assert in_time is None
    assert uncertain(taken) == [True]
    assert not outbox.renew(dead.id)
    outbox.settle(dead.id, Settled.GIVEN_UP)
    outbox.fail(dead.id, "refused", 99.0, uncertain=False)
    assert taken is not None
    assert other.renew(taken.id)
    assert other.waiting(MAIL).held == 1


def test_a_claim_that_is_renewed_is_kept(history: History, outbox: Outbox, other: Outbox, clock: TurnedClock) -> None:
    """However long its try takes."""
    history.store(Batch(notices=[alarm()]))
    claim = claimed(outbox, A)
    assert claim is not None

    for _ in range(20):
        looking(other, clock, RENEW_S)
        assert outbox.renew(claim.id)

    assert claimed(other, B) is None
    looking(other, clock, LEASE_S + 1.0)
    assert uncertain(claimed(other, B)) == [True]


@pytest.mark.parametrize("jump_s", [-3600.0, -LEASE_S - 1.0, LEASE_S + 1.0, 3600.0])
def test_a_clock_that_is_set_takes_nothing_from_the_living_and_gives_nothing_to_the_dead(
    history: History, outbox: Outbox, other: Outbox, clock: TurnedClock, jump_s: float
) -> None:
    """Whoever lives renews its claim by the new time; a dead one's is taken over soon by the new time."""
    history.store(Batch(notices=[alarm("alarm:1")]))
    living = claimed(outbox, A)
    history.store(Batch(notices=[alarm("alarm:2")]))
    claimed(outbox, "one that dies")
    other.waiting(MAIL)

    clock.set(jump_s)
    taken, waited_s = claimed(other, B), 0.0
    assert taken is None
    assert living is not None
    while taken is None and waited_s < 10 * LEASE_S:
        outbox.renew(living.id)
        looking(other, clock, RENEW_S)
        waited_s += RENEW_S
        taken = claimed(other, B)

    assert taken is not None
    assert [each.notice.key for each in taken.deliveries] == ["alarm:2"]
    assert waited_s <= 3 * LEASE_S


def test_after_the_database_was_away_the_living_have_time_to_say_so(
    history: History, outbox: Outbox, other: Outbox, clock: TurnedClock
) -> None:
    """Nobody could renew meanwhile. A process that begins just then knows nothing of it: what is void is void."""
    history.store(Batch(notices=[alarm()]))
    claim = claimed(outbox, A)
    assert claim is not None
    other.waiting(MAIL)

    clock.turn(600.0)
    before = [other.waiting(MAIL).alone, claimed(other, B)]
    renewed = outbox.renew(claim.id)
    looking(other, clock, LEASE_S)

    assert before == [0, None]
    assert renewed
    assert claimed(other, B) is None
    looking(other, clock, 1.0)
    assert uncertain(claimed(other, B)) == [True]


def test_a_database_that_is_away_again_and_again_holds_no_alarm_of_the_dead_for_long(
    history: History, outbox: Outbox, other: Outbox, clock: TurnedClock
) -> None:
    """It answers once in ten seconds: the alarm is taken over within two leases more."""
    history.store(Batch(notices=[alarm()]))
    claimed(outbox, A)
    other.waiting(MAIL)

    waited_s = 0.0
    while (taken := claimed(other, B)) is None and waited_s < 10 * LEASE_S:
        clock.turn(10.0)
        waited_s += 10.0

    assert uncertain(taken) == [True]
    assert waited_s <= 3 * LEASE_S


def test_by_the_databases_own_clock_a_claim_is_kept_and_what_failed_is_due_later(history_url: str) -> None:
    """Whatever the zone in which this machine or the server lives."""
    history = History(history_url, targets)
    history.store(Batch(notices=[alarm("alarm:1"), alarm("alarm:2")]))
    first = history.outbox.claim(MAIL, A, gather=False, limit=1)
    assert first is not None
    history.outbox.fail(first.id, "refused", RETRY_MAX_S / 2, uncertain=False)
    second = history.outbox.claim(MAIL, A, gather=False, limit=1)
    assert second is not None

    kept = [history.outbox.renew(second.id), claimed(history.outbox, B), history.outbox.waiting(MAIL)]

    history.close()
    assert [each.notice.key for each in second.deliveries] == ["alarm:2"]
    assert kept == [True, None, Waiting(held=2)]


def test_a_restarted_monitor_takes_its_own_claims_back(history: History, outbox: Outbox) -> None:
    """At once, and uncertain; another's stay."""
    history.store(Batch(notices=[alarm("alarm:1")]))
    claimed(outbox, A)
    history.store(Batch(notices=[alarm("alarm:2")]))
    claimed(outbox, B)

    outbox.release(A)

    again = claimed(outbox, A)
    assert again is not None
    assert [(each.notice.key, each.uncertain) for each in again.deliveries] == [("alarm:1", True)]


@pytest.mark.parametrize("outcome", list(Settled))
def test_what_is_settled_is_over(history: History, outbox: Outbox, clock: TurnedClock, outcome: Settled) -> None:
    """Whatever became of it; the other target's is still to be sent."""
    history.store(Batch(notices=[alarm()]))
    claim = claimed(outbox)
    assert claim is not None

    outbox.settle(claim.id, outcome)

    looking(outbox, clock, LEASE_S + 9)
    assert claimed(outbox) is None
    assert not outbox.renew(claim.id)
    assert [outbox.waiting(target).held for target in (MAIL, SMS)] == [0, 1]


def test_part_of_a_claim_can_be_settled(history: History, outbox: Outbox) -> None:
    """The rest is still held."""
    history.store(Batch(notices=[alarm(f"alarm:{number}") for number in range(3)]))
    claim = claimed(outbox)
    assert claim is not None

    outbox.settle(claim.id, Settled.LEFT_OUT, only=[claim.deliveries[1].id])

    outbox.fail(claim.id, "refused", 0.0, uncertain=False)
    again = claimed(outbox)
    assert again is not None
    assert [each.id for each in again.deliveries] == [claim.deliveries[0].id, claim.deliveries[2].id]


def test_what_fails_is_due_again_later(history: History, outbox: Outbox, clock: TurnedClock) -> None:
    """With one attempt more; once it may have been told it stays uncertain."""
    history.store(Batch(notices=[alarm()]))
    first = claimed(outbox)
    assert first is not None

    outbox.fail(first.id, "timed out", 5.0, uncertain=True)

    clock.turn(4.9)
    assert claimed(outbox) is None
    clock.turn(0.1)
    second = claimed(outbox)
    assert second is not None
    assert [(each.attempts, each.uncertain) for each in second.deliveries] == [(1, True)]
    outbox.fail(second.id, "refused", 0.0, uncertain=False)
    third = claimed(outbox)
    assert third is not None
    assert [(each.attempts, each.uncertain) for each in third.deliveries] == [(2, True)]


@pytest.mark.parametrize("jump_s", [-3600.0, -280.0, -3.0, 3.0, 280.0, 3600.0])
def test_a_clock_that_is_set_neither_holds_a_retry_back_nor_hurries_it(
    history: History, outbox: Outbox, clock: TurnedClock, jump_s: float
) -> None:
    """What failed here waits by this process's own clock; another monitor and the next call go by it as well."""
    history.store(Batch(notices=[alarm()]))
    for wait_s in (2.0, 4.0):
        claim = claimed(outbox)
        assert claim is not None
        outbox.fail(claim.id, "refused", wait_s, uncertain=False)

        clock.set(jump_s)
        looking(outbox, clock, wait_s - 1.0)
        early = (outbox.waiting(MAIL).alone, claimed(outbox))
        looking(outbox, clock, 1.0)

        assert early == (0, None)
        assert outbox.waiting(MAIL).alone == 1


def test_what_another_monitor_has_tried_since_waits_by_its_try(
    history: History, outbox: Outbox, other: Outbox, clock: TurnedClock
) -> None:
    """What this process knows of the try before it says nothing any more."""
    history.store(Batch(notices=[alarm()]))
    first = claimed(outbox, A)
    assert first is not None
    outbox.fail(first.id, "refused", 2.0, uncertain=False)
    clock.turn(2.0)
    second = claimed(other, B)
    assert second is not None
    other.fail(second.id, "refused", 4.0, uncertain=False)

    clock.turn(3.0)
    early = claimed(outbox, A)
    clock.turn(1.0)

    assert early is None
    assert claimed(outbox, A) is not None


def test_what_a_dead_monitor_was_trying_again_is_due_at_once(
    history: History, outbox: Outbox, other: Outbox, clock: TurnedClock
) -> None:
    """The wait before its last try is over, whatever the clock says of it since."""
    history.store(Batch(notices=[alarm()]))
    first = claimed(outbox, A)
    assert first is not None
    outbox.fail(first.id, "refused", 60.0, uncertain=False)
    clock.turn(60.0)
    assert claimed(outbox, A) is not None
    clock.set(-60.0)

    looking(other, clock, 2 * LEASE_S)

    assert uncertain(claimed(other, B)) == [True]


def test_a_try_that_lies_too_far_ahead_is_due(history: History, outbox: Outbox, other: Outbox) -> None:
    """The clock was wrong when another monitor wrote it."""
    history.store(Batch(notices=[alarm()]))
    claim = claimed(outbox)
    assert claim is not None

    outbox.fail(claim.id, "refused", 365 * 86_400.0, uncertain=False)

    assert claimed(other, B) is not None


def test_a_target_that_works_again_is_told_at_once(history: History, outbox: Outbox) -> None:
    """Whatever waits for it is due; for others nothing changes."""
    history.store(Batch(notices=[alarm()]))
    for target in (MAIL, SMS):
        claim = claimed(outbox, target=target)
        assert claim is not None
        outbox.fail(claim.id, "refused", RETRY_MAX_S, uncertain=False)

    outbox.hurry(MAIL)

    assert claimed(outbox) is not None
    assert claimed(outbox, target=SMS) is None


def test_what_was_never_tried_comes_first(history: History, outbox: Outbox) -> None:
    """An alarm doesn't stand behind what fails again and again."""
    history.store(Batch(notices=[alarm("alarm:old")]))
    claim = claimed(outbox)
    assert claim is not None
    outbox.fail(claim.id, "refused", 0.0, uncertain=False)
    history.store(Batch(notices=[alarm("alarm:new")]))

    first = outbox.claim(MAIL, A, gather=False, limit=1)

    assert first is not None
    assert [each.notice.key for each in first.deliveries] == ["alarm:new"]


def test_what_waits_is_counted(history: History, outbox: Outbox) -> None:
    """One by one, to be gathered, the nodes that are down, and all that is still to be sent."""
    hall = NodeKey("nord", "hall")
    found = [finding("M001"), finding("M002"), finding("M001", hall), finding("M006", hall)]
    history.store(Batch(notices=[alarm(), *(told(each) for each in found), told(found[3], NoticeKind.CLEARED)]))

    before = outbox.waiting(MAIL)
    claim = claimed(outbox, gather=True)
    after = outbox.waiting(MAIL)

    assert before == Waiting(alone=1, gathered=5, down=2, held=6)
    assert claim is not None
    assert len(claim.deliveries) == 5
    assert after == Waiting(alone=1, gathered=0, down=0, held=6)


def test_a_claim_takes_as_many_as_are_there(history: History, outbox: Outbox) -> None:
    """Ten thousand nodes that go at once are one claim."""
    lost = [finding(node=NodeKey("mitte", f"room-{number}")) for number in range(10_000)]
    history.store(Batch(notices=[told(each) for each in lost]))

    claim = outbox.claim(MAIL, A, gather=True, limit=20_000)

    assert claim is not None
    assert len(claim.deliveries) == 10_000
    outbox.settle(claim.id, Settled.SENT)
    assert outbox.waiting(MAIL) == Waiting()
    assert isinstance(claim.deliveries[0], Delivery)


def test_what_is_sent_is_told_in_the_same_transaction(history: History, outbox: Outbox) -> None:
    """A start, and whoever shares the database, knows it; and how many presses the newest message named."""
    history.store(Batch(incidents=[incident(presses=3)], notices=[alarm("a", presses=1), alarm("b", presses=3)]))
    before = history.remember(at()).incidents[0]
    claim = claimed(outbox)
    assert claim is not None

    outbox.settle(claim.id, Settled.SENT, only=[claim.deliveries[0].id])
    first = history.remember(at()).incidents[0]
    outbox.settle(claim.id, Settled.SENT)
    later = history.remember(at()).incidents[0]

    assert (before.told_presses, before.told_utc, before.is_told) == (0, None, False)
    assert (first.told_presses, first.told_utc, first.is_told) == (1, at(), False)
    assert (later.told_presses, later.presses, later.is_told) == (3, 3, True)


@pytest.mark.parametrize("how", [Settled.LEFT_OUT, Settled.GIVEN_UP, "failed", "released", "a test", "an end"])
def test_what_no_channel_took_is_told_to_nobody(history: History, outbox: Outbox, how: Settled | str) -> None:
    """Nor does a test or an end that was sent make a call told."""
    kind = NoticeKind.RESET if how == "an end" else NoticeKind.ALARM
    call = alarm(kind=kind, presses=1, test=how == "a test")
    history.store(Batch(incidents=[incident(reset_utc=at() if how == "an end" else None)], notices=[call]))
    claim = claimed(outbox)
    assert claim is not None

    if how == "failed":
        outbox.fail(claim.id, "no answer", 2.0, uncertain=True)
    elif how == "released":
        outbox.release(A)
    else:
        outbox.settle(claim.id, how if isinstance(how, Settled) else Settled.SENT)

    (kept,) = history.store(Batch(incidents=[incident()])).incidents
    assert (kept.told_presses, kept.told_utc) == (0, None)


def test_a_claim_that_was_taken_over_tells_nothing(
    history: History, outbox: Outbox, other: Outbox, clock: TurnedClock
) -> None:
    """Its holder says so itself, to its own hub; the outbox goes by what the claim holds."""
    history.store(Batch(incidents=[incident()], notices=[alarm(presses=1)]))
    late = claimed(outbox)
    assert late is not None
    looking(other, clock, LEASE_S + 1.0)
    taken = claimed(other, B)
    assert taken is not None

    outbox.settle(late.id, Settled.SENT)
    lost = history.remember(at()).incidents[0].told_presses
    other.settle(taken.id, Settled.SENT)

    assert (lost, history.remember(at()).incidents[0].told_presses) == (0, 1)


def test_a_start_knows_which_calls_wait_for_no_target(history: History, outbox: Outbox) -> None:
    """Those that no target was there for, and those that were left out: nobody is told of them any more."""
    record = incident()
    key = record.key
    history.store(Batch(incidents=[record]))
    alone = history.remember(at(0)).uncalled
    history.store(Batch(notices=[alarm()]))
    waits = history.remember(at(0)).uncalled
    for target in (MAIL, SMS):
        claim = claimed(outbox, target=target)
        assert claim is not None
        outbox.settle(claim.id, Settled.LEFT_OUT)

    assert (alone, waits, history.remember(at(0)).uncalled) == ((key,), (), (key,))

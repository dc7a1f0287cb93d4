"""Deliveries: who tells what, once; on SQLite and on PostgreSQL."""

from collections.abc import Iterator

import pytest

from node.monitor.history import Batch, History
from node.monitor.model import NodeKey, Notice, NoticeKind
from node.monitor.outbox import LEASE_S, RETRY_MAX_S, Claim, Delivery, Outbox, Settled, Waiting
from tests.support.history import alarm, at, finding, told

MAIL, SMS = "mail", "sms"
A, B = "guard-desk", "control-room"


def targets(notice: Notice) -> tuple[str, ...]:
    """Everybody is told alarms, and facilities the rest."""
    return (MAIL, SMS) if notice.kind is NoticeKind.ALARM else (MAIL,)


@pytest.fixture
def history(history_url: str) -> Iterator[History]:
    """An empty history whose targets are MAIL and SMS."""
    opened = History(history_url, targets)
    yield opened
    opened.close()


@pytest.fixture
def outbox(history: History) -> Outbox:
    """Its outbox."""
    return history.outbox


def claimed(outbox: Outbox, by: str = A, at_s: float = 0.0, target: str = MAIL, gather: bool = False) -> Claim | None:
    """What this monitor claims."""
    return outbox.claim(target, by, at(at_s), gather=gather, limit=100)


def test_each_target_is_owed_each_notice_once(history: History, outbox: Outbox) -> None:
    """A delivery for each target that wants it, in the transaction of the notice; a second notice adds none."""
    history.store(Batch(notices=(alarm(),)))
    history.store(Batch(notices=(alarm(),)))

    mail, sms = claimed(outbox), claimed(outbox, target=SMS)

    assert mail is not None
    assert sms is not None
    assert [each.notice for each in (*mail.deliveries, *sms.deliveries)] == [alarm(), alarm()]
    assert not any(each.uncertain or each.attempts for each in mail.deliveries)


def test_what_one_has_claimed_is_no_others(history: History, outbox: Outbox) -> None:
    """Not even the claimer's own a second time; nor where the other's clock is a little behind."""
    history.store(Batch(notices=(alarm(),)))

    first = claimed(outbox, A, 10.0)

    assert first is not None
    assert [claimed(outbox, B, 10.0), claimed(outbox, B, 9.5), claimed(outbox, A, 11.0)] == [None, None, None]


@pytest.mark.parametrize("at_s", [LEASE_S + 1.0, -LEASE_S - 1.0], ids=["lease is over", "clock jumped back"])
def test_the_claim_of_one_that_died_is_taken_over(history: History, outbox: Outbox, at_s: float) -> None:
    """It is void, and perhaps it was told before; what its claimer says afterwards counts for nothing."""
    history.store(Batch(notices=(alarm(),)))
    dead = claimed(outbox, A, 0.0)

    taken = claimed(outbox, B, at_s)

    assert dead is not None
    assert taken is not None
    assert [each.uncertain for each in taken.deliveries] == [True]
    outbox.settle(dead.id, Settled.GIVEN_UP, at(at_s))
    assert outbox.waiting(MAIL, at(at_s)).held == 1


def test_a_restarted_monitor_takes_its_own_claims_back(history: History, outbox: Outbox) -> None:
    """At once, and uncertain; another's stay."""
    history.store(Batch(notices=(alarm("alarm:1"),)))
    claimed(outbox, A)
    history.store(Batch(notices=(alarm("alarm:2"),)))
    claimed(outbox, B)

    outbox.release(A)

    again = claimed(outbox, A)
    assert again is not None
    assert [(each.notice.key, each.uncertain) for each in again.deliveries] == [("alarm:1", True)]


@pytest.mark.parametrize("outcome", list(Settled))
def test_what_is_settled_is_over(history: History, outbox: Outbox, outcome: Settled) -> None:
    """Whatever became of it; the other target's is still owed."""
    history.store(Batch(notices=(alarm(),)))
    claim = claimed(outbox)
    assert claim is not None

    outbox.settle(claim.id, outcome, at(1))

    assert claimed(outbox, at_s=LEASE_S + 9) is None
    assert [outbox.waiting(target, at(1)).held for target in (MAIL, SMS)] == [0, 1]


def test_part_of_a_claim_can_be_settled(history: History, outbox: Outbox) -> None:
    """The rest is still held."""
    history.store(Batch(notices=tuple(alarm(f"alarm:{number}") for number in range(3))))
    claim = claimed(outbox)
    assert claim is not None

    outbox.settle(claim.id, Settled.LEFT_OUT, at(1), only=[claim.deliveries[1].id])

    outbox.fail(claim.id, at(1), "refused", at(3), uncertain=False)
    again = claimed(outbox, at_s=3)
    assert again is not None
    assert [each.id for each in again.deliveries] == [claim.deliveries[0].id, claim.deliveries[2].id]


def test_what_fails_is_due_again_later(history: History, outbox: Outbox) -> None:
    """With one attempt more; once it may have been told it stays uncertain."""
    history.store(Batch(notices=(alarm(),)))
    first = claimed(outbox)
    assert first is not None

    outbox.fail(first.id, at(1), "timed out", at(5), uncertain=True)

    assert claimed(outbox, at_s=4.9) is None
    second = claimed(outbox, at_s=5)
    assert second is not None
    assert [(each.attempts, each.uncertain) for each in second.deliveries] == [(1, True)]
    outbox.fail(second.id, at(6), "refused", at(7), uncertain=False)
    third = claimed(outbox, at_s=7)
    assert third is not None
    assert [(each.attempts, each.uncertain) for each in third.deliveries] == [(2, True)]


def test_a_try_that_lies_too_far_ahead_is_due(history: History, outbox: Outbox) -> None:
    """The clock was wrong when it was set."""
    history.store(Batch(notices=(alarm(),)))
    claim = claimed(outbox)
    assert claim is not None

    outbox.fail(claim.id, at(1), "refused", at(days=365), uncertain=False)

    assert claimed(outbox, at_s=2) is not None


def test_a_target_that_works_again_is_told_at_once(history: History, outbox: Outbox) -> None:
    """Whatever waits for it is due; for others nothing changes."""
    history.store(Batch(notices=(alarm(),)))
    for target in (MAIL, SMS):
        claim = claimed(outbox, target=target)
        assert claim is not None
        outbox.fail(claim.id, at(1), "refused", at(RETRY_MAX_S), uncertain=False)

    outbox.hurry(MAIL)

    assert claimed(outbox, at_s=2) is not None
    assert claimed(outbox, at_s=2, target=SMS) is None


def test_what_was_never_tried_comes_first(history: History, outbox: Outbox) -> None:
    """An alarm doesn't stand behind what fails again and again."""
    history.store(Batch(notices=(alarm("alarm:old"),)))
    claim = claimed(outbox)
    assert claim is not None
    outbox.fail(claim.id, at(1), "refused", at(2), uncertain=False)
    history.store(Batch(notices=(alarm("alarm:new"),)))

    first = outbox.claim(MAIL, A, at(3), gather=False, limit=1)

    assert first is not None
    assert [each.notice.key for each in first.deliveries] == ["alarm:new"]


def test_what_waits_is_counted(history: History, outbox: Outbox) -> None:
    """One by one, to be gathered, the nodes that are down, and all that is owed."""
    hall = NodeKey("nord", "hall")
    found = [finding("M001"), finding("M002"), finding("M001", hall), finding("M006", hall)]
    history.store(Batch(notices=(alarm(), *(told(each) for each in found), told(found[3], NoticeKind.CLEARED))))

    before = outbox.waiting(MAIL, at())
    claim = claimed(outbox, gather=True)
    after = outbox.waiting(MAIL, at())

    assert before == Waiting(alone=1, gathered=5, down=2, held=6)
    assert claim is not None
    assert len(claim.deliveries) == 5
    assert after == Waiting(alone=1, gathered=0, down=0, held=6)


def test_a_claim_takes_as_many_as_are_there(history: History, outbox: Outbox) -> None:
    """Ten thousand nodes that go at once are one claim."""
    lost = [finding(node=NodeKey("mitte", f"room-{number}")) for number in range(10_000)]
    history.store(Batch(notices=tuple(told(each) for each in lost)))

    claim = outbox.claim(MAIL, A, at(), gather=True, limit=20_000)

    assert claim is not None
    assert len(claim.deliveries) == 10_000
    outbox.settle(claim.id, Settled.SENT, at(1))
    assert outbox.waiting(MAIL, at(1)) == Waiting()
    assert isinstance(claim.deliveries[0], Delivery)

"""People are told of a call while the history is away: from memory, and once."""

import pytest

from node.errors import AlarmNodeError
from node.monitor.core.decisions.deliveries import Settled
from node.monitor.core.model.catalogue import HISTORY_FAILS
from node.monitor.core.model.records import NoticeKind
from node.monitor.notify.fallback import FALLBACK_S, FallbackOutbox
from tests.support.notices import alarm, finding
from tests.support.outbox import MemoryOutbox

TARGETS = ("mail", "sms")


class Time:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        """Now."""
        return self.at


@pytest.fixture
def time() -> Time:
    """Begins at zero."""
    return Time()


@pytest.fixture
def behind() -> MemoryOutbox:
    """The database's outbox."""
    return MemoryOutbox()


@pytest.fixture
def fallback(behind: MemoryOutbox, time: Time) -> FallbackOutbox:
    """Both targets are told everything."""
    return FallbackOutbox(behind, lambda _: TARGETS, clock=time)


def test_while_the_database_answers_nothing_is_told_from_here(fallback: FallbackOutbox, time: Time) -> None:
    """What is held is on its way there."""
    fallback.keep_until_stored([alarm()])
    time.at = 100.0

    assert fallback.waiting("mail").alone == 0
    assert fallback.claim("mail", "guard-desk", gather=False, limit=1) is None


def test_a_call_is_told_from_here_once_the_database_is_away_for_a_while(
    fallback: FallbackOutbox, behind: MemoryOutbox, time: Time
) -> None:
    """Not before: a restart of the database takes a second or two."""
    behind.away = True
    fallback.keep_until_stored([alarm()])
    time.at = FALLBACK_S - 0.1
    with pytest.raises(AlarmNodeError):
        fallback.waiting("mail")

    time.at = FALLBACK_S
    claim = fallback.claim("mail", "guard-desk", gather=False, limit=1)

    assert fallback.waiting("mail").alone == 1
    assert claim is not None
    assert [each.notice.key for each in claim.deliveries] == [alarm().key]


def test_a_database_that_takes_nothing_is_as_good_as_away(fallback: FallbackOutbox, time: Time) -> None:
    """A full disk can still be read."""
    fallback.failing = True
    fallback.keep_until_stored([alarm()])
    time.at = FALLBACK_S

    assert fallback.waiting("mail").alone == 1
    assert fallback.claim("mail", "guard-desk", gather=False, limit=1) is not None


def test_each_target_is_told_once(fallback: FallbackOutbox, behind: MemoryOutbox, time: Time) -> None:
    """From here, and when the database is back by nobody again."""
    behind.away = True
    fallback.keep_until_stored([alarm()])
    time.at = FALLBACK_S
    for target in TARGETS:
        claim = fallback.claim(target, "guard-desk", gather=False, limit=1)
        assert claim is not None
        fallback.settle(claim.id, Settled.SENT)
    with pytest.raises(AlarmNodeError):
        fallback.claim("mail", "guard-desk", gather=False, limit=1)

    behind.away = False
    fallback.drop([alarm().key])
    for target in TARGETS:
        behind.add(target, [alarm()])
    again = [fallback.claim(target, "guard-desk", gather=False, limit=1) for target in TARGETS]

    assert again == [None, None]
    assert [behind.outcomes(target) for target in TARGETS] == [[Settled.SENT], [Settled.SENT]]


@pytest.mark.parametrize("outcome", Settled)
def test_what_ended_from_here_ends_as_that_in_the_history(
    fallback: FallbackOutbox, behind: MemoryOutbox, time: Time, outcome: Settled
) -> None:
    """What an isolated target was spared, or what was given up, is never kept as sent: the lamp would say told."""
    behind.away = True
    fallback.keep_until_stored([alarm()])
    time.at = FALLBACK_S
    claim = fallback.claim("mail", "guard-desk", gather=False, limit=1)
    assert claim is not None
    fallback.settle(claim.id, outcome)

    behind.away = False
    fallback.drop([alarm().key])
    behind.add("mail", [alarm()])

    assert fallback.claim("mail", "guard-desk", gather=False, limit=1) is None
    assert behind.outcomes("mail") == [outcome]


def test_a_try_that_fails_is_made_again_when_it_is_due(
    fallback: FallbackOutbox, behind: MemoryOutbox, time: Time
) -> None:
    """As with the database's own."""
    behind.away = True
    fallback.keep_until_stored([alarm()])
    time.at = FALLBACK_S
    claim = fallback.claim("mail", "guard-desk", gather=False, limit=1)
    assert claim is not None
    fallback.fail(claim.id, "no route", 2.0, uncertain=False)
    with pytest.raises(AlarmNodeError):
        fallback.claim("mail", "guard-desk", gather=False, limit=1)

    time.at += 2.0
    again = fallback.claim("mail", "guard-desk", gather=False, limit=1)

    assert again is not None
    assert again.deliveries[0].attempts == 1


def test_what_is_told_from_here_needs_no_renewal_and_what_is_told_from_there_does(
    fallback: FallbackOutbox, behind: MemoryOutbox, time: Time
) -> None:
    """A claim of the database's is the database's to keep."""
    behind.add("mail", [alarm("elsewhere")])
    stored = fallback.claim("mail", "guard-desk", gather=False, limit=1)
    behind.away = True
    fallback.keep_until_stored([alarm()])
    time.at = FALLBACK_S
    claim = fallback.claim("mail", "guard-desk", gather=False, limit=1)
    assert stored is not None
    assert claim is not None

    assert fallback.renew(claim.id)
    with pytest.raises(AlarmNodeError):
        fallback.renew(stored.id)
    behind.away = False
    behind.release("guard-desk")
    assert not fallback.renew(stored.id)


def test_what_is_gathered_waits_for_the_database(fallback: FallbackOutbox, behind: MemoryOutbox, time: Time) -> None:
    """A finding wakes nobody at night."""
    behind.away = True
    fallback.keep_until_stored([finding()])
    time.at = 100.0

    with pytest.raises(AlarmNodeError):
        fallback.claim("mail", "guard-desk", gather=True, limit=1)
    with pytest.raises(AlarmNodeError):
        fallback.waiting("mail")


def test_what_was_stored_is_not_told_from_here(fallback: FallbackOutbox, behind: MemoryOutbox, time: Time) -> None:
    """It has a delivery there, perhaps one that was told already."""
    fallback.keep_until_stored([alarm(kind=NoticeKind.RESET)])
    fallback.drop([alarm(kind=NoticeKind.RESET).key])
    behind.away = True
    time.at = 100.0

    with pytest.raises(AlarmNodeError):
        fallback.claim("mail", "guard-desk", gather=False, limit=1)


def test_of_what_is_gone_nothing_is_kept(fallback: FallbackOutbox, behind: MemoryOutbox, time: Time) -> None:
    """What was stored, or refused, isn't told in a later outage, nor does its failed try wait for ever."""
    behind.away = True
    fallback.keep_until_stored([alarm()])
    time.at = FALLBACK_S
    for _ in range(2):
        claim = fallback.claim("mail", "guard-desk", gather=False, limit=1)
        assert claim is not None
        fallback.fail(claim.id, "no route", 0.0, uncertain=False)
    last = fallback.claim("mail", "guard-desk", gather=False, limit=1)
    assert last is not None
    fallback.drop([alarm().key])
    fallback.fail(last.id, "no route", 0.0, uncertain=False)

    fallback.keep_until_stored([alarm()])
    time.at += FALLBACK_S
    anew = fallback.claim("mail", "guard-desk", gather=False, limit=1)

    assert anew is not None
    assert anew.deliveries[0].attempts == 0


def test_that_the_history_fails_is_told_from_here(fallback: FallbackOutbox, behind: MemoryOutbox, time: Time) -> None:
    """Nobody would hear of it before it is over."""
    behind.away = True
    fallback.keep_until_stored([finding(code=HISTORY_FAILS.code)])
    time.at = FALLBACK_S

    claim = fallback.claim("mail", "guard-desk", gather=False, limit=1)

    assert claim is not None

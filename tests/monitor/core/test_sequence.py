"""Which events never came, by their numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.monitor.core.nodes.events.sequence import BOOTS_KEPT, GIVEN_UP_S, RANGES_KEPT, Account
from tests.support.examples import examples

MISSING_S = 60.0


def account_of(*ranges: tuple[int, int], expected: int = 0) -> Account:
    """One boot, heard from its beginning, with these numbers accounted for."""
    account = Account()
    account.expect("b", 0, whole=True)
    for first, last in ranges:
        account.account("b", first, last)
    account.expect("b", expected)
    return account


def missing_at(account: Account, at: float) -> int:
    """How many are missing, with a history that has what is accounted for here."""
    for name in account.ask(at, MISSING_S):
        account.boots[name].answered(account.boots[name].ranges)
    return account.missing(at, MISSING_S)


@pytest.mark.parametrize(
    ("ranges", "expected", "missing"),
    [
        ([], 0, 0),
        ([(1, 5)], 5, 0),
        ([(1, 5)], 8, 3),
        ([(1, 5), (7, 8)], 8, 1),
        ([(3, 5)], 5, 2),
        ([], 3, 3),
    ],
)
def test_what_a_node_has_named_and_nobody_holds_is_missing(
    ranges: list[tuple[int, int]], expected: int, missing: int
) -> None:
    """Holes, and the end of what it has said."""
    account = account_of(*ranges, expected=expected)

    missing_at(account, 0.0)

    assert missing_at(account, MISSING_S) == missing


def test_a_gap_has_its_time_to_close() -> None:
    """What is on its way isn't missing yet, and what comes is missing no more."""
    account = account_of((1, 5), expected=8)

    missing_at(account, 100.0)
    soon = missing_at(account, 100.0 + MISSING_S - 0.1)
    then = missing_at(account, 100.0 + MISSING_S)
    account.account("b", 6, 8)

    assert (soon, then, missing_at(account, 200.0)) == (0, 3, 0)


def test_what_was_before_we_came_is_not_claimed() -> None:
    """Another monitor may hold it."""
    account = Account()
    account.expect("b", 57)

    account.account("b", 58, 58)
    missing_at(account, 0.0)

    assert missing_at(account, MISSING_S) == 0


def test_a_gap_is_given_up_after_a_day() -> None:
    """Whoever cares has read it at the node."""
    account = account_of((1, 5), expected=8)
    missing_at(account, 0.0)

    given_up = missing_at(account, GIVEN_UP_S)

    assert given_up == 0


@pytest.mark.many
def test_nothing_grows_with_numbers_that_somebody_invents() -> None:
    """Boots and ranges are bounded, and no number that never came is taken for held."""
    account = Account()
    for boot in range(examples(100)):
        for seq in range(2, 4 * RANGES_KEPT, 2):
            account.account(f"{boot:08x}", seq, seq)

    boots = account.boots

    assert len(boots) == BOOTS_KEPT
    assert all(len(boot.ranges) <= RANGES_KEPT for boot in boots.values())
    assert not any(boot.holds(seq) for boot in boots.values() for seq in range(1, 4 * RANGES_KEPT, 2))


def test_what_goes_missing_after_a_gap_was_given_up_is_found() -> None:
    """A boot may last for months."""
    account = account_of((1, 5), expected=8)
    missing_at(account, 0.0)
    missing_at(account, GIVEN_UP_S)
    account.expect("b", 10)
    missing_at(account, GIVEN_UP_S + 1.0)

    missing = missing_at(account, GIVEN_UP_S + 1.0 + MISSING_S)

    assert missing == 2


def test_what_was_evicted_is_neither_missing_nor_held() -> None:
    """It is told as gone; nobody has it."""
    account = account_of((1, 2), expected=5)

    account.evict("b", 3, 5)
    missing_at(account, 0.0)

    assert missing_at(account, MISSING_S) == 0
    assert [account.boots["b"].holds(number) for number in (2, 3, 5)] == [True, False, False]


def test_of_a_boot_that_nobody_knows_only_what_it_names_is_evicted() -> None:
    """What was before that isn't claimed; and whoever invents ranges fills no memory."""
    account = Account()

    for first in range(10, 10 + 4 * RANGES_KEPT, 2):
        account.evict("b", first, first)

    boot = account.boots["b"]
    assert len(boot.evicted) == RANGES_KEPT
    assert boot.missing == RANGES_KEPT


@given(st.lists(st.integers(1, 40), max_size=60))
def test_a_number_is_held_exactly_when_it_was_accounted_for(numbers: list[int]) -> None:
    """In whatever order and however often they come."""
    account = Account()
    account.expect("b", 40, whole=True)

    for number in numbers:
        account.account("b", number, number)

    boot = account.boots["b"]
    assert [number for number in range(1, 41) if boot.holds(number)] == sorted(set(numbers))
    assert boot.missing == 40 - len(set(numbers))


def test_the_boot_that_a_node_has_now_is_never_forgotten() -> None:
    """A record with many earlier boots is drained after the birth; the one that is named longest ago goes."""
    account = Account()
    account.now = "now"
    account.expect("now", 3, whole=True)

    for boot in ("a", "b", "c", "d", "a", "e"):
        account.account(boot, 1, 1)

    assert list(account.boots) == ["now", "c", "d", "a", "e"]


def test_a_number_is_missing_only_once_the_history_was_asked() -> None:
    """Another monitor may have stored it; while nobody answers nothing is known."""
    account = account_of((1, 2), expected=5)

    early = [account.ask(at, MISSING_S) for at in (0.0, MISSING_S - 0.1)]
    asked = account.ask(MISSING_S, MISSING_S)
    unanswered = account.missing(MISSING_S, MISSING_S)
    account.boots["b"].answered([(1, 4)])

    assert (early, asked, unanswered) == ([[], []], ["b"], 0)
    assert account.missing(MISSING_S, MISSING_S) == 1
    assert not account.boots["b"].holds(3)


def test_the_history_is_asked_again_while_something_is_missing() -> None:
    """What another monitor has stored since is missing no more; and what is named since has its own question."""
    account = account_of((1, 2), expected=3)
    account.ask(0.0, MISSING_S)
    account.ask(MISSING_S, MISSING_S)
    account.boots["b"].answered([(1, 2)])
    account.expect("b", 9)

    soon = account.ask(MISSING_S + 1.0, MISSING_S)
    counted = account.missing(MISSING_S + 1.0, MISSING_S)
    again = account.ask(2 * MISSING_S, MISSING_S)
    account.boots["b"].answered([(1, 8)])

    assert (soon, counted, again) == ([], 1, ["b"])
    assert account.missing(2 * MISSING_S, MISSING_S) == 1


def test_a_boot_that_the_history_has_pruned_claims_nothing_any_more() -> None:
    """Nobody can say of it what is missing."""
    account = account_of((1, 2), expected=5)
    account.ask(0.0, MISSING_S)
    account.ask(MISSING_S, MISSING_S)

    account.boots["b"].answered([])

    assert account.missing(2 * MISSING_S, MISSING_S) == 0


def test_what_the_history_has_dropped_of_a_boots_ranges_is_not_claimed() -> None:
    """It keeps the newest ones only."""
    account = account_of((1, 1), expected=10_000)
    account.ask(0.0, MISSING_S)
    account.ask(MISSING_S, MISSING_S)

    account.boots["b"].answered([(first, first) for first in range(5_000, 5_000 + 2 * RANGES_KEPT, 2)])

    assert account.boots["b"].claimed == 5_000

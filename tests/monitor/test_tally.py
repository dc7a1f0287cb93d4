"""Which events never came, by their numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.monitor.tally import BOOTS_KEPT, GIVEN_UP_S, RANGES_KEPT, Account

MISSING_S = 60.0


def account_of(*ranges: tuple[int, int], expected: int = 0) -> Account:
    """One boot, heard from its beginning, with these numbers accounted for."""
    account = Account()
    account.expect("b", 0, whole=True)
    for first, last in ranges:
        account.account("b", first, last)
    account.expect("b", expected)
    return account


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

    account.missing(0.0, MISSING_S)

    assert account.missing(MISSING_S, MISSING_S) == missing


def test_a_gap_has_its_time_to_close() -> None:
    """What is on its way isn't missing yet, and what comes is missing no more."""
    account = account_of((1, 5), expected=8)

    account.missing(100.0, MISSING_S)
    soon = account.missing(100.0 + MISSING_S - 0.1, MISSING_S)
    then = account.missing(100.0 + MISSING_S, MISSING_S)
    account.account("b", 6, 8)

    assert (soon, then, account.missing(200.0, MISSING_S)) == (0, 3, 0)


def test_what_was_before_we_came_is_not_claimed() -> None:
    """Another monitor may hold it."""
    account = Account()
    account.expect("b", 57)

    account.account("b", 58, 58)
    account.missing(0.0, MISSING_S)

    assert account.missing(MISSING_S, MISSING_S) == 0


def test_a_gap_is_given_up_after_a_day() -> None:
    """Whoever cares has read it at the node."""
    account = account_of((1, 5), expected=8)
    account.missing(0.0, MISSING_S)

    given_up = account.missing(GIVEN_UP_S, MISSING_S)

    assert given_up == 0


def test_nothing_grows_with_numbers_that_somebody_invents() -> None:
    """Boots and ranges are bounded, and no number that never came is taken for held."""
    account = Account()
    for boot in range(100):
        for seq in range(2, 4 * RANGES_KEPT, 2):
            account.account(f"{boot:08x}", seq, seq)

    boots = account.boots

    assert len(boots) == BOOTS_KEPT
    assert all(len(boot.ranges) <= RANGES_KEPT for boot in boots.values())
    assert not any(boot.holds(seq) for boot in boots.values() for seq in range(1, 4 * RANGES_KEPT, 2))


def test_what_goes_missing_after_a_gap_was_given_up_is_found() -> None:
    """A boot may last for months."""
    account = account_of((1, 5), expected=8)
    account.missing(0.0, MISSING_S)
    account.missing(GIVEN_UP_S, MISSING_S)
    account.expect("b", 10)
    account.missing(GIVEN_UP_S + 1.0, MISSING_S)

    missing = account.missing(GIVEN_UP_S + 1.0 + MISSING_S, MISSING_S)

    assert missing == 2


def test_what_was_evicted_is_neither_missing_nor_held() -> None:
    """It is told as gone; nobody has it."""
    account = account_of((1, 2), expected=5)

    account.evict("b", 3, 5)
    account.missing(0.0, MISSING_S)

    assert account.missing(MISSING_S, MISSING_S) == 0
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

"""The one back-off: it begins with its first wait, doubles, and never exceeds its limit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.back_off import BackOff


@pytest.mark.parametrize(
    ("failures", "wait_s"),
    [(1, 0.25), (2, 0.5), (3, 1.0), (5, 4.0), (6, 5.0), (7, 5.0), (10_000, 5.0)],
)
def test_each_wait_is_twice_the_last_one_up_to_the_limit(failures: int, wait_s: float) -> None:
    """However often it failed."""
    assert BackOff(0.25, 5.0).wait_s(failures) == wait_s


def test_a_limit_below_the_first_wait_counts() -> None:
    """So a test, or whoever configures it, can make all waits short by one figure."""
    back_off = BackOff(5.0, 0.1)

    assert (back_off.wait_s(1), back_off.longer_s(0.0), back_off.longer_s(0.1)) == (0.1, 0.1, 0.1)


@given(first_s=st.floats(0.001, 60.0), factor=st.floats(1.0, 1e6), failures=st.integers(1, 200))
def test_counting_failures_and_doubling_the_last_wait_are_the_same(
    first_s: float, factor: float, failures: int
) -> None:
    """Whoever knows only how long it waited last waits as long as whoever counts."""
    back_off = BackOff(first_s, first_s * factor)
    last_s = 0.0
    for _ in range(failures):
        last_s = back_off.longer_s(last_s)

    assert last_s == back_off.wait_s(failures)

"""The clock campaign finds what it is for."""

import pytest

from tests.campaigns.__main__ import SEED
from tests.campaigns.campaign import run
from tests.campaigns.clock import CLOCK, KINDS


@pytest.mark.parametrize("kind", ["forth", "back"])
def test_deadlines_by_the_wall_clock_are_found(kind: str) -> None:
    """A node that counts by the wall clock is early after a jump forth, and late after one back."""
    first = [*KINDS].index(kind)

    result = run(CLOCK, SEED, numbers=range(first, 3 * len(KINDS), len(KINDS)), defect="wall-deadlines", stop_at=1)

    assert {each.kind for each in result.broken} == {kind}

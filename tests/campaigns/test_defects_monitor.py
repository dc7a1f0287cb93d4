"""The monitor's campaign finds what it is for."""

import re

import pytest

from tests.campaigns.__main__ import SEED
from tests.campaigns.campaign import run
from tests.campaigns.monitor import MONITOR

TRIES = 4


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("defect", "first", "reason"),
    [
        ("receipt-before-the-store", 24, "a receipt, but not in the history: "),
        ("tell-before-the-claim", 14, "was told more than once: |everything that people are still to be told"),
        ("told-before-a-target-took-it", 18, "but nobody took it: "),
        ("memory-not-loaded", 18, "the next group of "),
    ],
)
def test_a_monitor_that_promises_too_much_is_found(defect: str, first: int, reason: str) -> None:
    """Each defect breaks a rule of its own within a few tries of one kind; ``first`` is one in which it did."""
    numbers = range(first, first + TRIES * len(MONITOR.kinds), len(MONITOR.kinds))

    result = run(MONITOR, SEED, numbers=numbers, defect=defect, short=True, stop_at=1)

    if result.skipped:
        pytest.skip(result.skipped)
    (broken,) = result.broken
    assert re.search(reason, broken.reason), broken.reason

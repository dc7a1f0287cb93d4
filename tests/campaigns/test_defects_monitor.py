"""The monitor's campaign finds what it is for."""

import pytest

from tests.campaigns.__main__ import SEED
from tests.campaigns.campaign import run
from tests.campaigns.monitor import MONITOR, SCENES


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("defect", "kind", "tries"),
    [
        ("receipt-before-the-store", "SQLite", 6),
        ("tell-before-the-claim", "two on one PostgreSQL", 3),
        ("memory-not-loaded", "SQLite", 6),
        ("told-when-held", "PostgreSQL", 6),
        ("told-before-a-target-took-it", "SQLite", 6),
    ],
)
def test_a_monitor_that_promises_too_much_is_found(defect: str, kind: str, tries: int) -> None:
    """Each defect breaks the invariant within a few tries of the kind that it concerns."""
    first = [*SCENES].index(kind)
    numbers = range(first, tries * len(SCENES), len(SCENES))

    result = run(MONITOR, SEED, numbers=numbers, defect=defect, stop_at=1)

    assert {each.kind for each in result.broken} == {kind}

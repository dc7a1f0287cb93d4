"""The kill campaign finds what it is for."""

import pytest

from tests.campaigns.__main__ import SEED
from tests.campaigns.campaign import run
from tests.campaigns.kill import KILL

TRIES = 5


@pytest.mark.parametrize(
    ("defect", "kind", "first"),
    [
        ("birth-before-retained", "broker away after a press, record deleted", 4),
        ("mark-on-puback", "broker there, desk confirms nothing", 49),
    ],
)
def test_a_node_that_forgets_is_found(defect: str, kind: str, first: int) -> None:
    """Each defect breaks the invariant within a few tries of its kind; ``first`` is one in which it did."""
    numbers = range(first, first + TRIES * len(KILL.kinds), len(KILL.kinds))

    result = run(KILL, SEED, numbers=numbers, defect=defect, stop_at=1)

    assert {each.kind for each in result.broken} == {kind}

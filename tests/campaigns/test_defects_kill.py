"""The kill campaign finds what it is for."""

import pytest

from tests.campaigns.__main__ import SEED
from tests.campaigns.campaign import run
from tests.campaigns.kill import KILL, SCENES


@pytest.mark.parametrize(
    ("defect", "kind", "tries"),
    [
        ("birth-before-retained", "broker away after a press, record deleted", 3),
        ("mark-on-puback", "broker there, desk confirms nothing", 15),
    ],
)
def test_a_node_that_forgets_is_found(defect: str, kind: str, tries: int) -> None:
    """Each defect breaks the invariant within a few tries of the kind that it concerns."""
    first = [*SCENES].index(kind)
    numbers = range(first, tries * len(SCENES), len(SCENES))

    result = run(KILL, SEED, numbers=numbers, defect=defect, stop_at=1)

    assert {each.kind for each in result.broken} == {kind}

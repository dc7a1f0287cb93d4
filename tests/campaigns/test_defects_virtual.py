"""The campaign in virtual time finds what it is for."""

import pytest

from tests.campaigns.__main__ import SEED
from tests.campaigns.campaign import run
from tests.campaigns.virtual import VIRTUAL


@pytest.mark.parametrize(
    ("defect", "first", "reason"),
    [
        ("older-receipt", 0, "told, and nobody said so of the newest press"),
        ("held-is-enough", 0, "told, and nobody said so of the newest press"),
        ("further-press-unsent", 0, "an accepted press isn't sent"),
        ("nobody-unsaid", 77, "received by nobody heard"),
    ],
)
def test_a_call_that_is_undelivered_is_found(defect: str, first: int, reason: str) -> None:
    """Each defect breaks the invariant within some tries, and for its own reason; ``first`` spares those that hold."""
    result = run(VIRTUAL, SEED, numbers=range(first, 150), defect=defect, stop_at=1)

    assert result.broken
    assert reason in result.broken[0].reason

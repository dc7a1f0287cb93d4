"""The kill campaign in its short form."""

import pytest

from tests.campaigns.__main__ import SEED
from tests.campaigns.campaign import run
from tests.campaigns.kill import KILL


@pytest.mark.timeout(300)
def test_nothing_stored_is_lost_by_a_kill() -> None:
    """Killed at random moments around a press, the node brings back what it had stored, or the broker retained."""
    result = run(KILL, SEED, numbers=range(KILL.short))

    assert result.broken == []
    assert result.tried == KILL.short

"""The campaign ``disk``, each kind once."""

import pytest

from tests.campaigns.__main__ import SEED
from tests.campaigns.campaign import run
from tests.campaigns.disk import DISK


@pytest.mark.timeout(240)  # a stall is held against the disk for a minute
def test_a_card_that_fails_delays_and_loses_nothing() -> None:
    """Full, read-only, stalled, garbled, with half its log, without power: the campaign's invariant holds."""
    result = run(DISK, SEED, numbers=range(DISK.short))

    if result.skipped:
        pytest.skip(result.skipped)
    assert result.broken == []
    assert result.tried == DISK.short

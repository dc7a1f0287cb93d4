"""The campaign ``disk`` finds what it is there to find."""

import pytest

from tests.campaigns.__main__ import SEED
from tests.campaigns.campaign import run
from tests.campaigns.disk import DISK

POWER_CUT = DISK.kinds.index("power-cut")


def test_a_record_that_is_not_synced_is_found() -> None:
    """What was shown as stored is gone after a power cut, in each of the tries that had got so far."""
    tries = [POWER_CUT, POWER_CUT + len(DISK.kinds)]

    result = run(DISK, SEED, numbers=tries, defect="synchronous-off")

    if result.skipped:
        pytest.skip(result.skipped)
    assert result.broken
    assert all("after the power cut the record has" in each.reason for each in result.broken)

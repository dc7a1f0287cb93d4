"""The endurance campaign finds what it is for."""

import pytest

from tests.campaigns.__main__ import SEED
from tests.campaigns.campaign import run
from tests.campaigns.endurance import ENDURANCE


@pytest.mark.parametrize(("defect", "measure"), [("kept-outcomes", "objects"), ("kept-heartbeats", "RSS")])
def test_a_leak_is_found_within_hours(defect: str, measure: str) -> None:
    """Whatever is kept for ever shows against the noise, small objects and large bytes alike."""
    result = run(ENDURANCE, SEED, numbers=[0], defect=defect, short=True)

    assert [each.reason.partition(",")[0].partition(":")[0] for each in result.broken] == [measure]

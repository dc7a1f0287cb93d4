"""The refusals campaign, which is as short as it can be."""

import pytest

from tests.campaigns.__main__ import SEED
from tests.campaigns.campaign import run
from tests.campaigns.refusals import REFUSALS


@pytest.mark.timeout(300)
def test_each_refusal_is_told_as_what_it_is_and_mended() -> None:
    """Each way to be refused, at the start and on a running node: its own fault, a press meanwhile, and well again."""
    result = run(REFUSALS, SEED, numbers=range(REFUSALS.short))

    assert result.broken == []
    assert result.tried == REFUSALS.short

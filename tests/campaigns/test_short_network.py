"""The network campaign in its short form."""

import pytest

from tests.campaigns.__main__ import SEED
from tests.campaigns.campaign import run
from tests.campaigns.network import NETWORK


def test_no_broken_path_hides_a_press() -> None:
    """A black hole, one way dead, 2 s each way: told in time, and in the end the building has all of it."""
    result = run(NETWORK, SEED, numbers=range(NETWORK.short), short=True)
    if result.skipped:
        pytest.skip(result.skipped)

    assert result.broken == []
    assert result.tried == NETWORK.short

"""The network campaign finds what it is for."""

import pytest

from tests.campaigns.__main__ import SEED
from tests.campaigns.campaign import run
from tests.campaigns.network import DELAY, KINDS, NETWORK


def test_a_deadline_that_does_not_grow_is_found() -> None:
    """Over a path of 2 s each way a node that always waits 3 s gets nothing through."""
    if lacks := NETWORK.missing():
        pytest.skip(lacks)

    result = run(NETWORK, SEED, numbers=[[*KINDS].index(DELAY)], defect="fixed-deadline")

    assert [each.kind for each in result.broken] == [DELAY]
    assert "livelock" in result.broken[0].reason

"""The broker campaign in its short form."""

import pytest

from tests.campaigns.__main__ import SEED
from tests.campaigns.broker import BROKER
from tests.campaigns.campaign import run


@pytest.mark.timeout(300)
def test_no_number_is_missing_whatever_the_broker_does() -> None:
    """One try of each kind: killed, stopped, slow, away, behind by 5,000 events, drowned."""
    result = run(BROKER, SEED, numbers=range(BROKER.short))

    assert result.broken == []
    assert result.tried == BROKER.short

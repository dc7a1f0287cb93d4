"""Every campaign in its short form: each kind at least once."""

import pytest

from tests.campaigns.__main__ import SEED
from tests.campaigns.all import CAMPAIGNS
from tests.campaigns.campaign import Campaign, run


@pytest.mark.timeout(900)
@pytest.mark.parametrize("campaign", CAMPAIGNS.values(), ids=list(CAMPAIGNS))
def test_the_invariant_holds_for_a_few_tries(campaign: Campaign) -> None:
    """What breaks it is told with its number, by which it can be tried again; what can't be tried here is skipped."""
    result = run(campaign, SEED, numbers=range(campaign.short), short=True)

    if result.skipped:
        pytest.skip(result.skipped)
    assert result.broken == []
    assert result.tried == campaign.short


@pytest.mark.parametrize("campaign", CAMPAIGNS.values(), ids=list(CAMPAIGNS))
def test_each_kind_is_tried(campaign: Campaign) -> None:
    """A short form that leaves a kind out would say nothing of it."""
    assert campaign.short >= len(campaign.kinds)


def test_there_are_campaigns() -> None:
    """The test above has something to try."""
    assert {
        "kill",
        "monitor",
        "broker",
        "network",
        "disk",
        "clock",
        "refusals",
        "virtual",
        "endurance",
    } == CAMPAIGNS.keys()

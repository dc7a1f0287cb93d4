"""Every campaign there is, by its name, in the order in which they are run."""

from tests.campaigns.campaign import Campaign

_LISTED: tuple[Campaign, ...] = ()

CAMPAIGNS = {each.name: each for each in _LISTED}

"""Every campaign there is, by its name, in the order in which they are run."""

from tests.campaigns.campaign import Campaign
from tests.campaigns.kill import KILL

_LISTED: tuple[Campaign, ...] = (KILL,)

CAMPAIGNS = {each.name: each for each in _LISTED}

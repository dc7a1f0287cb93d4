"""Every campaign there is, by its name, in the order in which they are begun: what takes longest first."""

from tests.campaigns.broker import BROKER
from tests.campaigns.campaign import Campaign
from tests.campaigns.clock import CLOCK
from tests.campaigns.disk import DISK
from tests.campaigns.endurance import ENDURANCE
from tests.campaigns.kill import KILL
from tests.campaigns.monitor import MONITOR
from tests.campaigns.network import NETWORK
from tests.campaigns.refusals import REFUSALS
from tests.campaigns.virtual import VIRTUAL

_LISTED: tuple[Campaign, ...] = (KILL, MONITOR, DISK, ENDURANCE, VIRTUAL, BROKER, NETWORK, CLOCK, REFUSALS)

CAMPAIGNS = {each.name: each for each in _LISTED}

"""The endurance campaign in its short form."""

from tests.campaigns.__main__ import SEED
from tests.campaigns.campaign import run
from tests.campaigns.endurance import ENDURANCE


def test_nothing_grows_over_a_day() -> None:
    """A whole day of heartbeats, presses, doors, reconnects and commands leaves nothing behind but its record."""
    result = run(ENDURANCE, SEED, numbers=[0], short=True)

    assert result.broken == []
    assert result.worst["simulated days"] == 1

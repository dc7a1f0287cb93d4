"""The clock campaign in its short form."""

from tests.campaigns.__main__ import SEED
from tests.campaigns.campaign import run
from tests.campaigns.clock import CLOCK


def test_no_wall_clock_changes_more_than_labels() -> None:
    """It jumps forth and back by years, or is set late, or never: all that has its time keeps it."""
    result = run(CLOCK, SEED, numbers=range(CLOCK.short), short=True)

    assert result.broken == []
    assert result.tried == CLOCK.short

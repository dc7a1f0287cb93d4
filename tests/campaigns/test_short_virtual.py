"""The campaign in virtual time in its short form."""

from tests.campaigns.__main__ import SEED
from tests.campaigns.campaign import run
from tests.campaigns.virtual import VIRTUAL


def test_no_press_is_silently_undelivered() -> None:
    """Whatever fails around it, in any order: each press is received in the end, and meanwhile said to be nobody's."""
    result = run(VIRTUAL, SEED, numbers=range(VIRTUAL.short), short=True)

    assert result.broken == []
    assert result.tried == VIRTUAL.short

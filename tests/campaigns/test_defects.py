"""Every deliberate defect can be switched on: one that can't would make its campaign fail for nothing."""

import pytest

from tests.campaigns.campaign import apart
from tests.campaigns.defects import DEFECTS, switch_on


@pytest.mark.parametrize("defect", DEFECTS)
def test_it_finds_what_it_replaces(defect: str) -> None:
    """A function that has moved since is missed here, and not only by a campaign that breaks in another way."""
    with apart(1) as process:
        process.submit(switch_on, defect).result()


def test_there_are_defects() -> None:
    """The test above has something to switch on."""
    named = {"mark-on-puback", "synchronous-off", "birth-before-retained", "fixed-deadline", "fifo-backlog"}

    assert named | {"unbounded-queue"} <= DEFECTS.keys()

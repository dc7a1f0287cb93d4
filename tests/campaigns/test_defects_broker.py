"""The broker campaign finds what it is for."""

import re

import pytest

from tests.campaigns.__main__ import SEED
from tests.campaigns.broker import BROKER, KINDS
from tests.campaigns.campaign import run


@pytest.mark.parametrize(
    ("defect", "kind", "reason"),
    [
        ("fifo-backlog", "away", "telemetry came before alarms"),
        ("unbounded-queue", "backlog of 5,000", "events? .*are on their way"),
    ],
)
def test_a_node_that_sends_as_it_comes_is_found(defect: str, kind: str, reason: str) -> None:
    """Oldest first, or all at once: one try of the kind that it concerns is enough."""
    result = run(BROKER, SEED, numbers=[[*KINDS].index(kind)], defect=defect, short=True)

    (broken,) = result.broken
    assert broken.kind == kind
    assert re.search(reason, broken.reason)

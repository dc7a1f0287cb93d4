"""The refusals campaign finds what it is for."""

from tests.campaigns.__main__ import SEED
from tests.campaigns.campaign import run
from tests.campaigns.refusals import AT_START, KINDS, REFUSALS


def test_a_node_that_says_the_same_of_every_refusal_is_found() -> None:
    """Whatever keeps a session from beginning would be told as F010; what is refused later has its own code still."""
    causes = ("wrong authority", "expired certificate", "wrong password")
    kinds = {f"{cause}, {AT_START}" for cause in causes}
    numbers = [number for number, kind in enumerate(KINDS) if kind in kinds]

    result = run(REFUSALS, SEED, numbers=numbers, defect="one-code-for-all")

    assert {each.kind for each in result.broken} == kinds

"""Every deliberate defect can be switched on: one that can't would make its campaign fail for nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.campaigns.defects import DEFECTS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("defect", DEFECTS)
def test_it_finds_what_it_replaces(defect: str) -> None:
    """A function that has moved since is missed here, and not only by a campaign that breaks in another way."""
    code = f"from tests.campaigns.defects import switch_on; switch_on({defect!r})"

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_there_are_defects() -> None:
    """The test above has something to switch on."""
    named = {"mark-on-puback", "synchronous-off", "birth-before-retained", "fixed-deadline", "fifo-backlog"}

    assert named | {"unbounded-queue"} <= DEFECTS.keys()

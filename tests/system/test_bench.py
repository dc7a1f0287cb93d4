"""The bench works; how fast a machine is, no test asks."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_bench_prints_its_three_distributions() -> None:
    """A few taps are enough for a line each, with its verdict; 1 says that a target was missed, and no more."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.press", "--taps", "3", "--starts", "2"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    lines = done.stdout.splitlines()
    assert [line[:3] for line in lines[1:]] == ["(a)", "(b)", "(c)"], done.stderr
    assert done.returncode == any(line.endswith("MISSED") for line in lines)

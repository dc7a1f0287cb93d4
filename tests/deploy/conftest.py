"""What the tests of packages need of the world outside."""

import subprocess
import sys

import pytest

NEEDED = "paho-mqtt"
"""A small package that both programs have."""


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The package index; where it can't be reached nothing can be packed."""
    command = ["-m", "pip", "--quiet", "download", "--no-deps", "--dest", str(tmp_path_factory.mktemp("index")), NEEDED]
    tried = subprocess.run([sys.executable, *command], capture_output=True, timeout=120, check=False)
    if tried.returncode != 0:
        pytest.skip("the package index can't be reached")

"""Each test reads its file from a directory of its own."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty directory, so that a path can be given as a person gives it."""
    monkeypatch.chdir(tmp_path)

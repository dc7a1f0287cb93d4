"""What many tests need."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.broker import Broker
from tests.support.examples import register_profiles
from tests.support.inherited import forget_inherited

forget_inherited()
register_profiles()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A started mosquitto that allows everything."""
    with Broker(tmp_path / "broker") as started:
        yield started

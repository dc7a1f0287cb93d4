"""What many tests need."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.broker import Broker

# How fast examples are made says how busy the machine is, and nothing about the program. The gate tries the same ones
# each time: what it finds was in the change. `make search` tries others at every run.
_UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("gate", _UNHURRIED, derandomize=True)
settings.register_profile("search", _UNHURRIED)
settings.load_profile("gate")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A started mosquitto that allows everything."""
    with Broker(tmp_path / "broker") as started:
        yield started

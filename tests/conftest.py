"""What many tests need."""

import signal
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


# Who starts the tests in the background may have these ignored, and every program that a test starts would inherit it.
for _ignored in (signal.SIGHUP, signal.SIGINT):
    if signal.getsignal(_ignored) is signal.SIG_IGN:
        signal.signal(_ignored, signal.SIG_DFL if _ignored == signal.SIGHUP else signal.default_int_handler)

"""What the tests of TLS share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.broker import Broker
from tests.support.certificates import Authority
from tests.support.secure import secure_broker


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """The building's own."""
    return Authority(tmp_path / "ca.pem")


@pytest.fixture
def secure(tmp_path: Path, authority: Authority) -> Iterator[Broker]:
    """A started mosquitto with a good certificate."""
    with secure_broker(tmp_path, authority) as started:
        yield started

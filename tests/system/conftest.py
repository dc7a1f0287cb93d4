"""A node that runs, and a desk that was there before it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.broker import Broker
from tests.support.desk import Desk
from tests.support.node import SimulatedNode, write_config


@pytest.fixture
def config(tmp_path: Path, broker: Broker) -> Path:
    """A node.toml with one loud button and the test's broker."""
    return write_config(tmp_path, broker.port)


@pytest.fixture
def desk(broker: Broker) -> Iterator[Desk]:
    """A desk that listens; it says nothing by itself."""
    with Desk(broker.port) as connected:
        yield connected


@pytest.fixture
def node(config: Path, desk: Desk) -> Iterator[SimulatedNode]:
    """A node that is ready: the lamp says so, and its first heartbeat was heard."""
    with SimulatedNode(config) as started:
        started.expect(output="lamp", pattern="ready")
        desk.receive("heartbeat")
        yield started

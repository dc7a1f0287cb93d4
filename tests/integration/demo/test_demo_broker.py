"""The demo's private mosquitto, and what it says when it can't start."""

import socket
from pathlib import Path

import pytest

from node.demo.processes.broker import Broker, BrokerStartError
from tests.support.broker import free_port


def test_a_port_that_another_program_has_taken_is_reported(tmp_path: Path) -> None:
    """Whoever answers there isn't taken for the broker; once the port is free, it starts."""
    broker = Broker(tmp_path, free_port())
    with socket.create_server(("127.0.0.1", broker.port)):
        with pytest.raises(BrokerStartError, match=f"another program uses port {broker.port}"):
            broker.start()
        running = broker.running

    broker.start()
    broker.stop()

    assert not running

"""What the loop does with a decision: the network first, then whatever wakes another thread."""

import threading
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from node import config
from node.io.mqtt.session.paho_client import PahoClient
from node.io.panel import Panel
from node.io.record.record import Record
from node.service.loop import Service
from node.simulate.wall import Wall
from tests.support.broker import Broker
from tests.support.desk import Desk
from tests.support.node import write_config

WAIT_LIMIT_S = 20.0
TRIES = 5


def test_an_alarm_is_written_to_the_socket_before_any_other_thread_is_woken(
    tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that is woken, the player's or the record's, takes the interpreter from the one that sends."""
    settings = config.load(write_config(tmp_path, broker.port))
    wall = Wall(settings.settings.inputs, settings.line_pins)
    service = Service(settings, lambda: wall.factory, config.state_directory(settings, {}), environ={})
    thread = threading.Thread(target=service.run)
    done: list[str] = []

    def note(kind: type, name: str, word: str) -> None:
        original: Callable[..., Any] = getattr(kind, name)

        def noted(*arguments: Any, **more: Any) -> Any:
            if threading.current_thread() is thread:
                done.append(word)
            return original(*arguments, **more)

        monkeypatch.setattr(kind, name, noted)

    with Desk(broker.port) as desk:
        thread.start()
        try:
            desk.expect("heartbeat")
            note(Panel, "set_buzzer", "buzzer")
            note(PahoClient, "flush", "network")
            note(Panel, "flush", "player")
            note(Record, "append", "record")
            for presses in range(1, TRIES + 1):  # one at which the link's thread sleeps, so that the loop sends itself
                wall.press("button")
                desk.expect("event", kind="pressed", presses=presses)
                wall.release("button")
                desk.expect("event", kind="restored", presses=presses)
        finally:
            service.stop("the test has ended")
            thread.join(WAIT_LIMIT_S)

    order = " ".join(word for word, _ in groupby(done))
    assert "buzzer network player record" in order
    assert "buzzer player network" not in order
    assert "buzzer record" not in order

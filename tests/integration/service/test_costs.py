"""What a quiet turn of the loop and a press cost, in calls of Python's functions on the loop's thread.

These numbers depend on no machine. `make bench` measures the time (deploy/design/PERFORMANCE.md).
"""

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from node import config
from node.io.mqtt.session.paho_client import PahoClient
from node.io.panel import Panel
from node.service.loop import Service
from node.simulate.wall import Wall
from tests.support.broker import Broker
from tests.support.desk import Desk
from tests.support.node import wait_until, write_config

WAIT_LIMIT_S = 20.0

QUIET_CALLS = 19
"""From one reading to the next, while nothing happens. One that goes through the controller takes 197."""

PRESS_CALLS = 80
"""From the reading that decides a press until event and alarm are handed to the kernel (74), if the press was decided
ahead of that. Otherwise it takes 317: on a busy machine the loop may wake up too late."""

PRESSES = 30
READINGS = 20


class Costs:
    """Counts the calls of the loop's thread. ``readings``: the count at each reading; ``sends``: at each send."""

    def __init__(self) -> None:
        self.calls = 0
        self.readings: list[int] = []
        self.sends: list[int] = []

    def profile(self, _frame: FrameType, event: str, _argument: Any) -> None:
        """As a profile function."""
        self.calls += event == "call"

    def note(self, monkeypatch: pytest.MonkeyPatch, kind: type, name: str, counts: list[int]) -> None:
        """Note the count whenever the loop's thread calls this."""
        original: Callable[..., Any] = getattr(kind, name)

        def noted(*arguments: Any, **more: Any) -> Any:
            if threading.current_thread().name == "loop":
                counts.append(self.calls)
            return original(*arguments, **more)

        monkeypatch.setattr(kind, name, noted)

    def of_the_first_send(self) -> int | None:
        """The calls from the last reading to the first send; None if the loop's thread didn't send."""
        if not self.sends:
            return None
        return self.sends[0] - max(each for each in self.readings if each <= self.sends[0])


@contextmanager
def running(settings: config.Config, wall: Wall, costs: Costs) -> Iterator[None]:
    """A service on this wall, whose loop is counted."""
    service = Service(settings, lambda: wall.factory, config.state_directory(settings, {}), environ={})

    def run() -> None:
        sys.setprofile(costs.profile)
        service.run()

    thread = threading.Thread(target=run, name="loop")
    thread.start()
    try:
        yield
    finally:
        service.stop("the test has ended")
        thread.join(WAIT_LIMIT_S)


def test_a_quiet_turn_and_a_press_cost_few_calls(
    tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of several the cheapest: others have to be decided, too, the link's thread may send, and the loop may be late."""
    settings = config.load(write_config(tmp_path, broker.port))
    wall, costs = Wall(settings.settings.inputs, settings.line_pins), Costs()
    costs.note(monkeypatch, Panel, "read", costs.readings)
    costs.note(monkeypatch, PahoClient, "_sock_send", costs.sends)
    with Desk(broker.port) as desk, running(settings, wall, costs):
        desk.expect("heartbeat")
        begun = len(costs.readings)
        wait_until(lambda: len(costs.readings) > begun + READINGS, what="quiet readings")
        quiet = Counter(later - earlier for earlier, later in pairwise(costs.readings[begun:]))
        least, presses = sys.maxsize, 0
        while least > PRESS_CALLS and presses < PRESSES:
            presses += 1
            costs.sends.clear()
            wall.press("button")
            desk.expect("event", kind="pressed", presses=presses)
            least = min(least, costs.of_the_first_send() or sys.maxsize)
            wall.release("button")
            desk.expect("event", kind="restored", presses=presses)

    assert quiet.most_common(1)[0][0] <= QUIET_CALLS
    assert least <= PRESS_CALLS

"""What a story of the demo prints of what was observed."""

import time
from io import StringIO
from types import SimpleNamespace
from typing import Any

from node.demo.observe.inbox import Inbox
from node.demo.observe.observations import NodeOutput
from node.demo.story.steps import Steps


class Story(Steps):
    """The lamp, then the buzzer."""

    def play(self) -> None:
        """Wait for both."""
        self._output("the lamp is lit", output="lamp")
        self._output("the buzzer sounds", output="buzzer")


def test_times_never_run_backwards() -> None:
    """What was observed before the step above it is printed with that step's time."""
    running = SimpleNamespace(running=True)
    installation: Any = SimpleNamespace(nodes={"room-214": running}, broker=running, monitor=running)
    printed = StringIO()
    with Inbox() as inbox:
        story = Story(installation, inbox, printed)
        began = time.monotonic()
        inbox.put(NodeOutput(began + 3.0, "room-214", {"output": "buzzer"}))
        inbox.put(NodeOutput(began + 5.0, "room-214", {"output": "lamp"}))

        story.play()

    first, second = (float(line.split()[1]) for line in printed.getvalue().splitlines())
    assert first == second > 4.0

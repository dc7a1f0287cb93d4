"""What a story of the demo tells of what was seen."""

import time
from io import StringIO
from types import SimpleNamespace
from typing import Any

from node.demo.observe.observations import Inbox, Shown
from node.demo.story.steps import Play


class Story(Play):
    """The lamp, then the buzzer."""

    def play(self) -> None:
        """Wait for both."""
        self._shown("the lamp shines", output="lamp")
        self._shown("the buzzer sounds", output="buzzer")


def test_times_never_run_backwards() -> None:
    """What was seen before the step above it is told with that one's time."""
    running = SimpleNamespace(running=True)
    stage: Any = SimpleNamespace(nodes={"room-214": running}, broker=running, monitor=running)
    told = StringIO()
    with Inbox() as inbox:
        story = Story(stage, inbox, told)
        began = time.monotonic()
        inbox.put(Shown(began + 3.0, "room-214", {"output": "buzzer"}))
        inbox.put(Shown(began + 5.0, "room-214", {"output": "lamp"}))

        story.play()

    first, second = (float(line.split()[1]) for line in told.getvalue().splitlines())
    assert first == second > 4.0

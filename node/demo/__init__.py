"""``alarm-node demo``: a private broker, three simulated nodes and their monitor on this machine."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from node.demo.installation import installed
from node.demo.observe.inbox import Inbox
from node.demo.observe.observations import StopRequested
from node.demo.screen.interactive import InteractiveDemo
from node.demo.screen.terminal import Terminal
from node.demo.story.scenes import Story

__all__ = ["at_terminal", "headless"]


def at_terminal() -> int:
    """Let a person press and watch; 0 once they quit. Raises ToolMissingError."""
    with Inbox() as inbox, _stopped_by_signals(inbox), installed(inbox.put) as installation, Terminal() as terminal:
        InteractiveDemo(installation, inbox).run(terminal)
    return 0


def headless(stream: TextIO) -> int:
    """Play the story without a person; 0 if all of its steps were observed. Raises ToolMissingError."""
    with Inbox() as inbox, _stopped_by_signals(inbox), installed(inbox.put) as installation:
        return Story(installation, inbox, stream).play()


@contextmanager
def _stopped_by_signals(inbox: Inbox) -> Iterator[None]:
    """Let signals only ask for the end, so that every process is ended in order."""

    def ask(_number: int, _frame: object) -> None:
        inbox.put(StopRequested(time.monotonic()))

    before = {each: signal.signal(each, ask) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

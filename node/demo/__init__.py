"""``alarm-node demo``: a private broker, simulated nodes and their monitor on this machine: press one and watch."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from node.demo.installation import build
from node.demo.observe.observations import Inbox, StopWanted
from node.demo.screen.terminal import Show, Terminal
from node.demo.story.scenes import Story

__all__ = ["at_terminal", "headless"]


def at_terminal() -> int:
    """Let a person press, and watch; 0 when they have seen enough. Raises ToolMissingError."""
    with Inbox() as inbox, _asked_by_signals(inbox), build(inbox.put) as stage, Terminal() as terminal:
        Show(stage, inbox).run(terminal)
    return 0


def headless(stream: TextIO) -> int:
    """Play the story without a person; 0 when all of its steps were seen. Raises ToolMissingError."""
    with Inbox() as inbox, _asked_by_signals(inbox), build(inbox.put) as stage:
        return Story(stage, inbox, stream).play()


@contextmanager
def _asked_by_signals(inbox: Inbox) -> Iterator[None]:
    """Let signals ask for the end instead of forcing it: what was started is always ended in order."""

    def ask(_number: int, _frame: object) -> None:
        inbox.put(StopWanted(time.monotonic()))

    before = {each: signal.signal(each, ask) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

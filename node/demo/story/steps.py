"""The steps of a story: each waits until something was really observed, and prints when that was.

What counts is what a subscriber gets from the broker, what a simulated node shows, and what the monitor shows; never
what was asked for. The first thing that doesn't come within ``WAIT_LIMIT_S`` raises StepMissingError.
"""

import time
from collections.abc import Callable
from typing import TextIO, TypeVar

from node.core.signals import BUZZER_WAVES, BuzzerPattern
from node.demo.installation import Installation
from node.demo.observe.inbox import Inbox
from node.demo.observe.observations import (
    BrokerMessage,
    MonitorView,
    NodeOutput,
    Observation,
    ProtocolMessage,
    StopRequested,
    Subscribed,
)
from node.protocol.messages import ReplyMessage
from node.protocol.monitor_messages import Command

WAIT_LIMIT_S = 15.0
MONITOR_WAIT_LIMIT_S = 30.0
"""For a start of the monitor: it imports much, and makes its database."""

_LOOK_S = 0.1
_QUIET_S = 3 * max(seconds for level, seconds in BUZZER_WAVES[BuzzerPattern.ALARM] if not level)

M = TypeVar("M", bound=ProtocolMessage)
R = TypeVar("R")


class StepMissingError(Exception):
    """A step wasn't observed: which one, and why the wait ended."""


class StoppedError(Exception):
    """Somebody asked for the end."""


class Steps:
    """Observations come through ``inbox``; each step is a line on ``stream``.

    ``_node_name``: the node that the scene is about. ``_needed``: the processes that have to be running. Only what is
    observed from ``_scene_start`` on counts for a step.
    """

    def __init__(self, installation: Installation, inbox: Inbox, stream: TextIO) -> None:
        self._installation = installation
        self._node_name = next(iter(installation.nodes))
        self._needed: set[str] = set()
        self._count = 0
        self._inbox = inbox
        self._stream = stream
        self._observed: list[Observation] = []
        self._scene_start = 0
        self._view: MonitorView | None = None
        self._began_at = self._printed_at = time.monotonic()

    def _subscribed(self, text: str) -> None:
        """Wait for the connection of the demo's subscriber."""

        def found() -> tuple[float, None] | None:
            return next(((each.at, None) for each in self._of_scene() if isinstance(each, Subscribed)), None)

        at, _ = self._wait(text, found)
        self._ok(text, at)

    def _reply(self, action: str, outcome: str, text: str) -> None:
        """Wait for the node's reply to a command of this scene."""
        asked: set[str] = set()

        def wanted(reply: ReplyMessage) -> bool:
            asked.update(
                each.message.id
                for each in self._of_scene()
                if isinstance(each, BrokerMessage)
                and isinstance(each.message, Command)
                and each.message.action == action
            )
            return reply.id in asked and reply.outcome == outcome

        self._message(text, ReplyMessage, wanted, lambda reply: reply.reason or "")

    def _message(
        self,
        text: str,
        kind: type[M],
        wanted: Callable[[M], bool] = lambda message: True,
        detail: Callable[[M], str] = lambda message: "",
    ) -> M:
        """Wait for a message of this scene's node."""

        def found() -> tuple[float, M] | None:
            for each in self._of_scene():
                if not (isinstance(each, BrokerMessage) and each.node == self._node_name):
                    continue
                if isinstance(each.message, kind) and wanted(each.message):
                    return each.at, each.message
            return None

        at, message = self._wait(text, found)
        self._ok(text, at, detail(message))
        return message

    def _output(self, text: str, **fields: object) -> None:
        """Wait for an output of this scene's node."""

        def found() -> tuple[float, None] | None:
            for each in self._of_scene():
                if not (isinstance(each, NodeOutput) and each.node == self._node_name):
                    continue
                if fields.items() <= each.fields.items():
                    return each.at, None
            return None

        at, _ = self._wait(text, found)
        self._ok(text, at)

    def _silence(self, text: str) -> None:
        """Wait until the buzzer has been off for longer than any pause of its pattern."""

        def found() -> tuple[float, None] | None:
            levels = [
                each
                for each in self._observed
                if isinstance(each, NodeOutput)
                and each.node == self._node_name
                and each.fields.get("output") == "buzzer"
            ]
            quiet = levels and not levels[-1].fields["level"] and time.monotonic() > levels[-1].at + _QUIET_S
            return (levels[-1].at, None) if quiet else None

        at, _ = self._wait(text, found)
        self._ok(text, at)

    def _monitor(
        self,
        text: str,
        wanted: Callable[[MonitorView], bool],
        detail: Callable[[MonitorView], str] = lambda view: "",
        wait_limit_s: float = WAIT_LIMIT_S,
    ) -> None:
        """Wait until the monitor shows this."""

        def found() -> tuple[float, MonitorView] | None:
            view = self._view
            return (view.at, view) if view is not None and wanted(view) else None

        at, view = self._wait(text, found, wait_limit_s)
        self._ok(text, at, detail(view))

    def _wait(self, text: str, found: Callable[[], R | None], wait_limit_s: float = WAIT_LIMIT_S) -> R:
        """Read observations until ``found`` returns something. Raises StepMissingError and StoppedError."""
        deadline = time.monotonic() + wait_limit_s
        while True:
            ended = self._ended_process()
            self._read()
            what = found()
            if what is not None:
                return what
            if ended:
                raise StepMissingError(f"{text}: {ended} has ended by itself")
            if time.monotonic() > deadline:
                raise StepMissingError(f"{text}: waited {wait_limit_s:g} s for it")

    def _ended_process(self) -> str:
        """A process that has ended but has to be running; "" if there is none."""
        processes = {
            "broker": self._installation.broker,
            "monitor": self._installation.monitor,
            **self._installation.nodes,
        }
        return next((name for name in sorted(self._needed) if not processes[name].running), "")

    def _read(self, timeout_s: float = _LOOK_S) -> None:
        taken = self._inbox.take(timeout_s)
        if any(isinstance(each, StopRequested) for each in taken):
            raise StoppedError
        self._observed += taken
        self._view = next((each for each in reversed(taken) if isinstance(each, MonitorView)), self._view)

    def _of_scene(self) -> list[Observation]:
        return self._observed[self._scene_start :]

    def _begin(self, title: str = "") -> None:
        """Begin a scene: only what is observed from now on counts."""
        self._read(0.0)
        self._scene_start = len(self._observed)
        if title:
            self._print(f"   {title}")

    def _ok(self, text: str, at: float, detail: str = "") -> None:
        """Print a step that was observed at this instant. The printed times never run backwards.

        Of two things that a story waits for one after the other, the second may have come first.
        """
        self._count += 1
        self._printed_at = max(self._printed_at, at)
        printed = f"{text}: {detail}" if detail else text
        self._print(f"ok {self._printed_at - self._began_at:5.1f} s  {printed}")

    def _elapsed_s(self) -> float:
        return time.monotonic() - self._began_at

    def _print(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()

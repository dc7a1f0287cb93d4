"""What a story is made of: each step waits for what really has to be seen, and tells when it was.

What counts as seen is what a subscriber gets from the broker, what a node's simulated wall shows, and what the monitor
shows; never what was asked for. The first thing that doesn't come within ``PATIENCE_S`` is a MissingError.
"""

import time
from collections.abc import Callable
from typing import TextIO, TypeVar

from node.core.signals import BUZZER_WAVES, BuzzerPattern
from node.demo.installation import Stage
from node.demo.observe.observations import Fleet, Heard, Inbox, Said, Seen, Shown, StopWanted, Watching
from node.protocol.messages import ReplyMessage
from node.protocol.monitor_messages import Command

PATIENCE_S = 15.0
MONITOR_PATIENCE_S = 30.0
"""For a start of the monitor: it imports much, and makes its history."""

_LOOK_S = 0.1
_QUIET_S = 3 * max(seconds for level, seconds in BUZZER_WAVES[BuzzerPattern.ALARM] if not level)

M = TypeVar("M", bound=Said)
R = TypeVar("R")


class MissingError(Exception):
    """A step wasn't seen: what was waited for, and why the waiting ended."""


class StoppedError(Exception):
    """Somebody asked for the end."""


class Play:
    """Plays on ``stage``; what is seen comes through ``inbox``, and each step is a line on ``stream``.

    ``_at`` is the name of the node that a scene is about; ``_wanted`` names whatever has to be running.
    """

    def __init__(self, stage: Stage, inbox: Inbox, stream: TextIO) -> None:
        self._stage = stage
        self._at = next(iter(stage.nodes))
        self._wanted: set[str] = set()
        self._steps = 0
        self._inbox = inbox
        self._stream = stream
        self._seen: list[Seen] = []
        self._scene = 0
        self._fleet: Fleet | None = None
        self._began_at = self._told_at = time.monotonic()

    def _watching(self, text: str) -> None:
        """Wait for the onlooker."""

        def found() -> tuple[float, None] | None:
            return next(((each.at, None) for each in self._of_scene() if isinstance(each, Watching)), None)

        at, _ = self._wait(text, found)
        self._ok(text, at)

    def _reply(self, action: str, outcome: str, text: str) -> None:
        """Wait for the node's answer to a command of this scene."""
        asked: set[str] = set()

        def wanted(reply: ReplyMessage) -> bool:
            asked.update(
                each.message.id
                for each in self._of_scene()
                if isinstance(each, Heard) and isinstance(each.message, Command) and each.message.action == action
            )
            return reply.id in asked and reply.outcome == outcome

        self._heard(text, ReplyMessage, wanted, lambda reply: reply.reason or "")

    def _heard(
        self,
        text: str,
        kind: type[M],
        wanted: Callable[[M], bool] = lambda message: True,
        detail: Callable[[M], str] = lambda message: "",
    ) -> M:
        """Wait for a message of this scene, of this node, at the subscriber."""

        def found() -> tuple[float, M] | None:
            for each in self._of_scene():
                if not (isinstance(each, Heard) and each.node == self._at):
                    continue
                if isinstance(each.message, kind) and wanted(each.message):
                    return each.at, each.message
            return None

        at, message = self._wait(text, found)
        self._ok(text, at, detail(message))
        return message

    def _shown(self, text: str, **fields: object) -> None:
        """Wait for a line of this scene from this node's wall."""

        def found() -> tuple[float, None] | None:
            for each in self._of_scene():
                if isinstance(each, Shown) and each.node == self._at and fields.items() <= each.fields.items():
                    return each.at, None
            return None

        at, _ = self._wait(text, found)
        self._ok(text, at)

    def _silence(self, text: str) -> None:
        """Wait until the buzzer has been off for longer than its pattern ever is."""

        def found() -> tuple[float, None] | None:
            levels = [
                each
                for each in self._seen
                if isinstance(each, Shown) and each.node == self._at and each.fields.get("output") == "buzzer"
            ]
            quiet = levels and not levels[-1].fields["level"] and time.monotonic() > levels[-1].at + _QUIET_S
            return (levels[-1].at, None) if quiet else None

        at, _ = self._wait(text, found)
        self._ok(text, at)

    def _building(
        self,
        text: str,
        wanted: Callable[[Fleet], bool],
        detail: Callable[[Fleet], str] = lambda fleet: "",
        patience_s: float = PATIENCE_S,
    ) -> None:
        """Wait until the monitor shows this."""

        def found() -> tuple[float, Fleet] | None:
            fleet = self._fleet
            return (fleet.at, fleet) if fleet is not None and wanted(fleet) else None

        at, fleet = self._wait(text, found, patience_s)
        self._ok(text, at, detail(fleet))

    def _wait(self, text: str, found: Callable[[], R | None], patience_s: float = PATIENCE_S) -> R:
        """Take what is seen until ``found`` is content; MissingError when it never is, or can't be any more."""
        deadline = time.monotonic() + patience_s
        while True:
            lost = self._lost()
            self._take()
            what = found()
            if what is not None:
                return what
            if lost:
                raise MissingError(f"{text}: {lost}")
            if time.monotonic() > deadline:
                raise MissingError(f"{text}: waited {patience_s:g} s for it")

    def _lost(self) -> str:
        """What has ended that should be running."""
        running = {"broker": self._stage.broker.running, "monitor": self._stage.monitor.running}
        running.update((name, each.running) for name, each in self._stage.nodes.items())
        for name in sorted(self._wanted):
            if not running[name]:
                return f"{name} has ended by itself"
        return ""

    def _take(self, timeout_s: float = _LOOK_S) -> None:
        taken = self._inbox.take(timeout_s)
        if any(isinstance(each, StopWanted) for each in taken):
            raise StoppedError
        self._seen += taken
        self._fleet = next((each for each in reversed(taken) if isinstance(each, Fleet)), self._fleet)

    def _of_scene(self) -> list[Seen]:
        return self._seen[self._scene :]

    def _begin(self, title: str = "") -> None:
        """From here on only what is seen from now on counts."""
        self._take(0.0)
        self._scene = len(self._seen)
        if title:
            self._tell(f"   {title}")

    def _ok(self, text: str, at: float, detail: str = "") -> None:
        """Tell a step that was seen at this instant, or before: the times that are told never run backwards.

        Of two things that a story waits for in turn, the second may have been there first.
        """
        self._steps += 1
        self._told_at = max(self._told_at, at)
        told = f"{text}: {detail}" if detail else text
        self._tell(f"ok {self._told_at - self._began_at:5.1f} s  {told}")

    def _elapsed(self) -> float:
        return time.monotonic() - self._began_at

    def _tell(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()

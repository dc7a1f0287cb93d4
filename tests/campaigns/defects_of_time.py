"""Deliberate defects that show only after a while, or when a clock jumps or a path is slow."""

import time
from collections.abc import Callable
from typing import Any

from node.core import commands
from node.core.effects import Heartbeat, Reply
from node.core.events import CommandHeard
from node.core.state import Outcome
from node.core.turn import Turn
from node.io.mqtt import answer_timeout
from node.service import loop, publisher

KEPT: list[bytes] = []


def fixed_deadline() -> None:
    """However slow the path is, the broker has to answer within 3 s."""

    def stay(_timeouts: answer_timeout.AnswerTimeouts) -> None:
        """No deadline grows."""

    _put(answer_timeout.AnswerTimeouts, "lengthen", stay)


def wall_deadlines() -> None:
    """Deadlines are counted by the wall clock; without a jump nobody sees it."""
    made = loop.Service.__init__

    def counting(self: loop.Service, *args: Any, clocks: loop.Clocks | None = None, **kwargs: Any) -> None:
        wall = (clocks or loop.Clocks()).wall
        offset = time.monotonic() - wall()
        made(self, *args, clocks=loop.Clocks(lambda: wall() + offset, wall), **kwargs)

    _put(loop.Service, "__init__", counting)


def kept_outcomes() -> None:
    """The outcome of each command is kept for ever."""

    def settle(turn: Turn, command: CommandHeard, reply: Reply) -> None:
        turn.change(outcomes={**turn.state.outcomes, command.id: Outcome(turn.now, reply, (command.action, "", ""))})
        getattr(commands, "_reply")(turn, command, reply)  # noqa: B009 - private

    _put(commands, "_answer", settle)


def kept_heartbeats() -> None:
    """The payload of each heartbeat is kept for ever."""
    encoded = publisher.Publisher.heartbeat

    def keep(self: publisher.Publisher, heartbeat: Heartbeat) -> bytes:
        KEPT.append(encoded(self, heartbeat))
        return KEPT[-1]

    _put(publisher.Publisher, "heartbeat", keep)


DEFECTS: dict[str, Callable[[], None]] = {
    "fixed-deadline": fixed_deadline,
    "wall-deadlines": wall_deadlines,
    "kept-outcomes": kept_outcomes,
    "kept-heartbeats": kept_heartbeats,
}


def _put(owner: object, name: str, function: Callable[..., object]) -> None:
    assert hasattr(owner, name), f"{name} has moved"
    setattr(owner, name, function)

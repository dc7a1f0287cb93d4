"""Parses a line of text into an instruction for a simulated wall, and carries it out."""

from collections.abc import Mapping
from enum import StrEnum
from typing import assert_never, get_args

from msgspec import Struct

from node.core.settings import InputKind
from node.simulate.wall import TURN_MS, Cable, Wall

MS_MAX = 60_000


class Action(StrEnum):
    """What an instruction does."""

    PRESS = "press"
    RELEASE = "release"
    TAP = "tap"
    BOUNCE = "bounce"
    OPEN = "open"
    CLOSE = "close"
    TURN = "turn"
    CUT = "cut"
    SHORT = "short"
    MEND = "mend"
    EDGES_OFF = "edges off"
    EDGES_ON = "edges on"
    QUIT = "quit"


_CABLE = (Action.CUT, Action.SHORT, Action.MEND)
_TIMED = (Action.TAP, Action.BOUNCE)


def moves(kind: InputKind) -> tuple[str, tuple[Action, ...]]:
    """The word that reports a moved contact of this kind, and what moves it."""
    match kind:
        case "button":
            return "pressed", (Action.PRESS, Action.RELEASE, Action.TAP, Action.BOUNCE)
        case "door" | "tamper":
            return "open", (Action.OPEN, Action.CLOSE)
        case "reset":
            return "turned", (Action.TURN,)
        case _:
            assert_never(kind)


ACTIONS: Mapping[str, tuple[Action, ...]] = {kind: (*moves(kind)[1], *_CABLE) for kind in get_args(InputKind)}
"""What can be done to a thing of each kind, and to its cable."""

_ALLOWED = ", ".join(
    [f"{kind} {action}" + (" MS" if action in _TIMED else "") for kind in ACTIONS for action in ACTIONS[kind]]
    + [Action.EDGES_OFF, Action.EDGES_ON, Action.QUIT]
)


class Instruction(Struct, frozen=True):
    """One line of text. ``input`` is "" and ``ms`` (milliseconds) is 0 if the instruction has none."""

    action: Action
    input: str = ""
    ms: int = 0


def parse(line: str, kinds: Mapping[str, str]) -> Instruction | None:
    """The instruction on this line, for a wall with these inputs (kinds by name).

    None for a blank line or a comment (``#``). Capitals and spaces don't matter. Raises ValueError with a text that
    says what is allowed.
    """
    words = line.partition("#")[0].lower().split()
    match words:
        case []:
            return None
        case ["quit"]:
            return Instruction(Action.QUIT)
        case ["edges", "off" | "on" as state]:
            return Instruction(Action(f"edges {state}"))
        case [target, "tap" | "bounce" as action, ms] if _kind(target) == "button":
            return Instruction(Action(action), _input(target, kinds), _ms(ms))
        case [target, action] if action not in _TIMED and action in ACTIONS.get(_kind(target), ()):
            return Instruction(Action(action), _input(target, kinds))
    raise ValueError(f'"{" ".join(words)}" is no instruction; allowed are: {_ALLOWED}')


def carry_out(instruction: Instruction, wall: Wall) -> None:
    """Carry out the instruction, and return when it is done. ``quit`` is left to the caller."""
    name = instruction.input
    match instruction.action:
        case Action.PRESS | Action.OPEN:
            wall.press(name)
        case Action.RELEASE | Action.CLOSE:
            wall.release(name)
        case Action.TAP:
            wall.tap(name, instruction.ms)
        case Action.BOUNCE:
            wall.bounce(name, instruction.ms)
        case Action.TURN:
            wall.tap(name, TURN_MS)
        case Action.CUT:
            wall.set_cable(name, Cable.CUT)
        case Action.SHORT:
            wall.set_cable(name, Cable.SHORTED)
        case Action.MEND:
            wall.set_cable(name, Cable.INTACT)
        case Action.EDGES_OFF | Action.EDGES_ON:
            wall.edges(instruction.action is Action.EDGES_ON)
        case Action.QUIT:
            pass


def _kind(target: str) -> str:
    return target.partition(":")[0]


def _input(target: str, kinds: Mapping[str, str]) -> str:
    kind, colon, name = target.partition(":")
    names = [each for each in kinds if kinds[each] == kind]
    if name in names:
        return name
    if not colon and len(names) == 1:
        return names[0]
    if not names:
        raise ValueError(f"this wall has no {kind}; it has: {', '.join(kinds)}")
    allowed = ", ".join(f"{kind}:{each}" for each in names)
    raise ValueError(f'"{target}" is {"no input" if colon else "one of several"} of this wall; allowed are: {allowed}')


def _ms(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= len(str(MS_MAX)) and 1 <= int(text) <= MS_MAX:
        return int(text)
    raise ValueError(f'"{text}" is no length; allowed are whole milliseconds from 1 to {MS_MAX}')

"""What a scene is compared with."""

from node.core.effects import Append, Effect, Reply


class Logged:
    """Expects an ``Append`` of an event of this kind, with these fields."""

    def __init__(self, kind: str, **fields: object) -> None:
        self.fields = {"kind": kind, **fields}

    def matches(self, effect: Effect) -> bool:
        """Whether this effect appends such an event."""
        if not isinstance(effect, Append):
            return False
        return all(getattr(effect.event, name) == value for name, value in self.fields.items())

    def __repr__(self) -> str:
        return "Logged(" + ", ".join(f"{name}={value!r}" for name, value in self.fields.items()) + ")"


Expected = Effect | type[Effect] | Logged
"""An effect as itself, as its type, or as what it logs."""


def _matches(expected: Expected, effect: Effect) -> bool:
    if isinstance(expected, Logged):
        return expected.matches(effect)
    return isinstance(effect, expected) if isinstance(expected, type) else effect == expected


def compare(expected: list[Expected], effects: list[Effect]) -> None:
    """Fail, with both lists, unless these effects were expected, in this order."""
    same = len(expected) == len(effects) and all(map(_matches, expected, effects))
    assert same, "\n".join(["expected:", *map(repr, expected), "", "came:", *map(repr, effects)])


class View:
    """The effects of some types, to be compared once."""

    def __init__(self, effects: list[Effect]) -> None:
        self._effects = effects

    def __lshift__(self, expected: list[Expected]) -> None:
        compare(expected, self._effects)


def refusal(reason: str, number: int = 1) -> Reply:
    """The answer to a play's command of this number."""
    return Reply(f"c{number}", "refused", reason)

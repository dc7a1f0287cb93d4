"""The doctor's findings, one line each."""

from dataclasses import dataclass

from node.sanitize import plain


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the answer. ``ok`` is None if it can't be told; ``next_step`` is empty if there is nothing to do."""

    ok: bool | None
    text: str
    next_step: str = ""

    def __str__(self) -> str:
        mark = {True: "ok     ", False: "FINDING", None: "UNKNOWN"}[self.ok]
        return plain(f"{mark} {self.text}" + (f". Next: {self.next_step}." if self.next_step else ""))


def called(kind: str, name: str) -> str:
    """An input as people call it: an input without a name of its own is called by its kind."""
    return kind if name == kind else f"{kind} {name}"

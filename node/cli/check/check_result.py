"""What the doctor says: a line each."""

from dataclasses import dataclass

from node.sanitize import plain


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the answer. ``ok`` None: it can't be told. ``next_step`` is empty where nothing has to be done."""

    ok: bool | None
    text: str
    next_step: str = ""

    def __str__(self) -> str:
        mark = {True: "ok     ", False: "FINDING", None: "UNKNOWN"}[self.ok]
        return plain(f"{mark} {self.text}" + (f". Next: {self.next_step}." if self.next_step else ""))


def called(kind: str, name: str) -> str:
    """An input as people call it: one that wasn't given a name is called by what it is."""
    return kind if name == kind else f"{kind} {name}"

"""What the doctor of either program found, one line each."""

import shutil
import sys
from collections.abc import Callable, Iterable

from msgspec import Struct

from node.io.terminal.paragraph import wrapped
from node.sanitize import plain

_INDENT = " " * 8
"""As wide as the mark before a result."""


class CheckResult(Struct, frozen=True):
    """One line of the answer. ``ok`` is None if it can't be told; ``next_step`` is empty if there is nothing to do.

    ``alarm``: it is about an open alarm, which is no failure of the node, and comes first.
    """

    ok: bool | None
    text: str
    next_step: str = ""
    alarm: bool = False

    def __str__(self) -> str:
        mark = "ALARM  " if self.alarm else {True: "ok     ", False: "FINDING", None: "UNKNOWN"}[self.ok]
        return plain(f"{mark} {self.text}" + (f". Next: {self.next_step}." if self.next_step else ""))


def print_results(results: Iterable[CheckResult], shown: Callable[[CheckResult], str] = str) -> int:
    """Print each result as soon as it is known; the exit code: 0 all is well, 1 a finding, 2 it can't be told.

    A result is one line; at a terminal several, which break no command.
    """
    outcomes = set()
    for result in results:
        line = plain(shown(result))
        if sys.stdout.isatty():
            line = "\n".join(wrapped(line, shutil.get_terminal_size().columns, _INDENT))
        print(line, flush=True)
        outcomes.add(result.ok)
    return 1 if False in outcomes else 2 if None in outcomes else 0

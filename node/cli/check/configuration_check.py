"""The doctor at node.toml: what is wrong with it, and what the node uses instead."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from node.io.terminal.check_result import CheckResult

_RELOAD = "sudo systemctl reload alarm-node"


def look_at_file(path: Path, problems: Sequence[str], copy: Path | None, *, installed: bool) -> Iterator[CheckResult]:
    """What is wrong with the file, a finding each. ``copy``: the last good one, which the node uses meanwhile.

    ``installed``: it is the file of the installed service.
    """
    if not problems:
        yield CheckResult(True, f"{path} is complete and consistent")
        return
    if not os.path.lexists(path) and os.access(path.parent, os.X_OK):
        yield _about_missing(path, copy, installed=installed)
    else:
        yield from (CheckResult(False, problem, _next_step(problem, installed=installed)) for problem in problems)
    if copy is not None:
        yield CheckResult(
            False,
            f"the node uses the last good configuration instead, {copy}: what was changed since then has no effect",
            f"put {path} in order, then: {_RELOAD}",
        )


def _about_missing(path: Path, copy: Path | None, *, installed: bool) -> CheckResult:
    if copy is not None:
        # Not by cp: the copy is its account's alone, and the service must be able to read the file.
        return CheckResult(False, f"{path} isn't there", f"copy it back: sudo install -m 644 {copy} {path}")
    make = "sudo alarm-node init" if installed else f"alarm-node init --config {path}"
    return CheckResult(False, f"{path} isn't there", f"write it: {make}")


def _next_step(problem: str, *, installed: bool) -> str:
    if "can't be opened (Permission denied)" in problem and installed:
        return "run this as root: sudo alarm-node check"
    return "correct the file" if "can't be opened" in problem else "correct this line"

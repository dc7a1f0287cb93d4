"""``alarm-node log``: the record's events, one a line, newest last."""

import time
from functools import partial
from pathlib import Path
from typing import Any

from node.core.model import Key, KeyRange
from node.io.record.record import read_log
from node.io.terminal.output import as_utf8
from node.protocol.record_codec import describe, is_event
from node.sanitize import as_json, plain

FOLLOW_S = 0.5


def show(directory: Path, *, follow: bool, as_lines_of_json: bool) -> int:
    """Print the events of the record in this directory; the exit code. ``follow`` goes on until Ctrl-C."""
    wait = partial(time.sleep, FOLLOW_S) if follow else None
    if as_lines_of_json:
        as_utf8()
    try:
        for row in read_log(directory, wait):
            if is_event(row.key, row.body):
                told = describe(row.body, row.received_by, row.received_at_utc, row.steps)
            else:
                told = _unreadable(row.key)
            print(as_json(told) if as_lines_of_json else plain(line_of(told, following=follow)), flush=follow)
    except KeyboardInterrupt:
        return 0
    return 0


def _unreadable(key: Key) -> dict[str, Any]:
    """What can still be said of an event that a bad card has garbled."""
    known = {"at_utc": "-" * 24, "boot": str(key.boot), "seq": str(key.seq), "kind": "unreadable"}
    return {**known, "held_by": None, "held_at_utc": None, "accepted_at_utc": None, "steps_ms": {}}


def line_of(told: dict[str, Any], *, following: bool) -> str:
    """One event as people read it."""
    shown = ("input", "class", "incident", "presses", "fault", "subject", "command", "reason", "by", "for_s")
    details = "  ".join(f"{name}={told[name]}" for name in shown if told.get(name) is not None)
    details += "  ".join(_range(each) for each in told.get("ranges", ()))
    if told["held_by"]:
        holder = f"  [held by {told['held_by']}]"
    elif told["accepted_at_utc"]:
        holder = "  [accepted by the broker]"
    else:
        # A follower reads an event as soon as it is stored, when nobody can hold it yet: "not held" would mislead.
        holder = "" if following else "  [not held]"
    details += _steps(told["steps_ms"])
    return f"{told['at_utc']}  {told['boot']}-{told['seq']:<5}  {told['kind']:<17}  {details}{holder}"


def _range(told: dict[str, Any]) -> str:
    return str(KeyRange(**told))


def _steps(steps_ms: dict[str, float | None]) -> str:
    """How long the call took to reach each step: ``stored 4 ms, held 31 ms, told 60 ms``."""
    reached = [f"{step} {_after(ms)}" for step, ms in steps_ms.items()]
    return f"  {', '.join(reached)}" if reached else ""


def _after(ms: float | None) -> str:
    if ms is None:
        return "after a restart of the machine"
    return f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:.1f} s"

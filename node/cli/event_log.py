"""``alarm-node log``: the record's events, one a line, newest last."""

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from node.core.model import Key, KeyRange, Step
from node.io.record.record import read_log
from node.io.terminal.output import as_utf8
from node.protocol.record_codec import describe, is_event
from node.sanitize import as_json, plain

FOLLOW_S = 0.5

_STEPS: Mapping[str, str] = {
    Step.ACCEPTED: "accepted by a broker",
    Step.HELD: "confirmed by a monitor",
    Step.TOLD: "people notified",
    Step.NOBODY: "nobody has it",
}
"""Words for steps that their own word doesn't explain."""


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
        holder = f"  [confirmed by monitor {told['held_by']}]"
    elif told["accepted_at_utc"]:
        holder = "  [accepted by a broker; no monitor was awaited]"
    else:
        # A follower reads an event as soon as it is stored, when no monitor can have confirmed it: this would mislead.
        holder = "" if following else "  [no monitor has confirmed it yet]"
    details += _steps(told["steps_ms"])
    return f"{told['at_utc']}  {told['boot']}-{told['seq']:<5}  {told['kind']:<17}  {details}{holder}"


def _range(told: dict[str, Any]) -> str:
    return str(KeyRange(**told))


def _steps(steps_ms: dict[str, float | None]) -> str:
    """How long the call took to reach each step: ``stored after 4 ms, people notified after 60 ms``."""
    reached = [f"{_STEPS.get(step, step)} {_after(ms)}" for step, ms in steps_ms.items()]
    return f"  {', '.join(reached)}" if reached else ""


def _after(ms: float | None) -> str:
    if ms is None:
        return "after a restart of the machine"
    return f"after {ms:.0f} ms" if ms < 1000 else f"after {ms / 1000:.1f} s"

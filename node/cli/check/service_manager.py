"""The doctor asks systemd whether a service runs, and with what it last ended.

stopped --start--> starting --READY--> running --its end--> restarting --2 s--> starting
"""

import shutil
import subprocess
import time
from collections.abc import Mapping
from enum import Enum, auto

from msgspec import Struct

_ASKED = ("LoadState", "ActiveState", "SubState", "StatusText", "Result", "ExecMainStatus", "NRestarts")
_ASK_S = 5.0
_LOOK_AGAIN_S = 0.2

START_S = 15.0
"""A start takes a few seconds; READY comes within 6 s after that (TimeoutStartSec= of the unit)."""

_PREPARING = {
    "200": "CHDIR",
    "203": "EXEC",
    "216": "GROUP",
    "217": "USER",
    "226": "NAMESPACE",
    "233": "RUNTIME_DIRECTORY",
    "238": "STATE_DIRECTORY",
    "243": "CREDENTIALS",
}
"""Statuses with which systemd itself ends before it starts the program (systemd.exec(5), "Process Exit Codes")."""

_CREDENTIALS = "243"

_ERRORS = ("E0", "ended by ")
"""How the status begins with which the service tells that an error ended it (node/io/systemd.py)."""


class State(Enum):
    """What the service manager does with the service; ``STOPPED`` also where there is no manager to ask."""

    STOPPED = auto()
    STARTING = auto()
    RUNNING = auto()
    RESTARTING = auto()


class Told(Struct, frozen=True):
    """What systemd knows. ``last_end``: with what the service ended, and ``next_step`` what to do about that."""

    state: State
    last_end: str = ""
    next_step: str = ""


def ask(unit: str | None) -> Told:
    """What systemd knows of this unit (None: the node isn't systemd's), once it doesn't start it any more."""
    until = time.monotonic() + START_S
    while (told := _look(unit)).state is State.STARTING and time.monotonic() < until:
        time.sleep(_LOOK_AGAIN_S)
    return told


def _look(unit: str | None) -> Told:
    known = {} if unit is None else _show(unit)
    match known.get("ActiveState"), known.get("SubState"):
        case (("active" | "reloading" | "deactivating"), _):
            return Told(State.RUNNING)
        case ("activating", "auto-restart") | ("failed", _):
            end = f"{_last_end(known)} (restarts: {known.get('NRestarts')})"
            return Told(State.RESTARTING, end, _next_step(known, str(unit)))
        case "activating", _:
            return Told(State.STARTING)
        case _:
            return Told(State.STOPPED)


def _last_end(known: Mapping[str, str]) -> str:
    status = known.get("ExecMainStatus", "")
    if status in _PREPARING:
        return f"systemd couldn't prepare it: {status}/{_PREPARING[status]}"
    text = known.get("StatusText", "")
    # A service that was killed leaves how it was before, perhaps "ready".
    return text if text.startswith(_ERRORS) else f"{known.get('Result')}, status {status}"


def _next_step(known: Mapping[str, str], unit: str) -> str:
    if known.get("ExecMainStatus") == _CREDENTIALS:
        return (
            f"write what LoadCredential= names, and a SetCredential= beside it (INSTALL.md): sudo systemctl edit {unit}"
        )
    return f"correct that; its log says more: journalctl -u {unit}"


def _show(unit: str) -> Mapping[str, str]:
    """The properties of the unit; empty where there is no systemd to ask."""
    program = shutil.which("systemctl")
    if program is None:
        return {}
    try:
        told = subprocess.run(
            [program, "show", unit, f"--property={','.join(_ASKED)}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_ASK_S,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    return dict(line.split("=", 1) for line in told.stdout.splitlines() if "=" in line)

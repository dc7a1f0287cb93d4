"""``alarm-node demo`` as a process of its own, in a directory that shows whether anything of it outlives it."""

import os
import subprocess
import sys
from pathlib import Path

import node

ROOT = Path(node.__file__).resolve().parent.parent
TIMEOUT_S = 40.0
DEMO = (sys.executable, "-m", "node", "demo")


def environment(directory: Path, **changes: str) -> dict[str, str]:
    """Ours, with this package to be imported and this directory for what is temporary."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(directory), "TERM": "xterm", **changes}


def processes(directory: Path) -> dict[int, str]:
    """The ids and command lines of all processes that were started with something of this directory."""
    found = {}
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = each.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if f"{directory}/alarm-node-demo-" in line:
            found[int(each.parent.name)] = line
    return found


def left_behind(directory: Path) -> list[str]:
    """Processes and files that outlived a demo."""
    return [*processes(directory).values(), *(str(each) for each in directory.iterdir())]


def play(directory: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    """The whole of ``alarm-node demo --headless``."""
    return subprocess.run(
        [*DEMO, "--headless"],
        cwd=directory.parent,
        env=environment(directory, **changes),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=2 * TIMEOUT_S,
    )

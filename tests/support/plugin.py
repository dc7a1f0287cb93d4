"""check_alarm_node as Nagios runs it: a real process."""

import os
import re
import subprocess
from pathlib import Path
from typing import IO

from tests.support import prepared

LINE = re.compile(r"ALARM (OK|WARNING|CRITICAL|UNKNOWN) - ([^|]+?)(?: \| ([^|]+))?\n")


def run(
    *arguments: str | Path, environ: dict[str, str] | None = None, into: int | IO[bytes] = subprocess.PIPE
) -> tuple[int, str]:
    """The exit code, and what is printed; never a traceback."""
    done = prepared.run(
        prepared.PLUGIN,
        *map(str, arguments),
        cwd=Path.cwd(),
        environ={**os.environ, "PYTHONPATH": str(prepared.ROOT), **(environ or {})},
        timeout_s=60.0,
        into=into,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout

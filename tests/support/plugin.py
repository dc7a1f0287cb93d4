"""check_alarm_node as Nagios runs it: a real process."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import IO

PLUGIN = Path(sys.executable).with_name("check_alarm_node")
LINE = re.compile(r"ALARM (OK|WARNING|CRITICAL|UNKNOWN) - ([^|]+?)(?: \| ([^|]+))?\n")


def run(
    *arguments: str | Path, environ: dict[str, str] | None = None, into: int | IO[bytes] = subprocess.PIPE
) -> tuple[int, str]:
    """The exit code, and what is printed; never a traceback."""
    done = subprocess.run(
        [PLUGIN, *arguments],
        env=os.environ | (environ or {}),
        stdout=into,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout

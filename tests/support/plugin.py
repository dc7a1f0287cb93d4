"""check_alarm_node as Nagios runs it: a real process."""

import os
import re
import subprocess
import sys
from pathlib import Path

PLUGIN = Path(sys.executable).with_name("check_alarm_node")
LINE = re.compile(r"ALARM (OK|WARNING|CRITICAL|UNKNOWN) - ([^|]+?)(?: \| ([^|]+))?\n")


def run(*arguments: str | Path, environ: dict[str, str] | None = None) -> tuple[int, str]:
    """The exit code, and what is printed; never a traceback."""
    done = subprocess.run(
        [PLUGIN, *arguments],
        env=os.environ | (environ or {}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout

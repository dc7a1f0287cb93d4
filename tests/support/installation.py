"""``make install`` and ``make install-monitor`` into trees of their own: each once in a run of the tests."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from fcntl import LOCK_EX, flock
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = shutil.which("python3", path="/usr/bin") or sys.executable
"""The one of the machine, with which the tree also runs in a Debian of its own."""

OPTIONS: Mapping[str, Mapping[str, str]] = {"install": {"HARDWARE_WATCHDOG": "yes"}, "install-monitor": {}}


def make(target: str, destination: Path, **variables: str) -> str:
    """Run a target of the Makefile into this tree; what it says."""
    settings = [f"{name}={value}" for name, value in {"DESTDIR": str(destination), **variables}.items()]
    environ = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    done = subprocess.run(
        ["make", target, f"PYTHON={PYTHON}", *settings],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def installed(target: str, factory: pytest.TempPathFactory) -> Path:
    """The tree into which all tests of this run install: not to be changed. It takes a minute, for whoever is first."""
    base = factory.getbasetemp()
    # Each worker has a directory of its own in the run's: that one is shared.
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    destination, complete = shared / target, shared / f"{target}.complete"
    with (shared / f"{target}.lock").open("w") as lock:
        flock(lock, LOCK_EX)
        if not complete.exists():
            shutil.rmtree(destination, ignore_errors=True)
            make(target, destination, **OPTIONS[target])
            complete.touch()
    return destination


def copy(tree: Path, to: Path) -> None:
    """Put what was installed into another tree, beside what is there."""
    shutil.copytree(tree, to, symlinks=True, dirs_exist_ok=True)

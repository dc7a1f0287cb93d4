"""A small file system of a test's own, which can fill up and become read-only; only root may have one."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted(directory: Path, size: str = "2m") -> Iterator[Path]:
    """The file system at ``directory``, which is made; the test is skipped where none may be mounted."""
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", str(directory)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root, and not in every container, may mount a file system")
    try:
        yield directory
    finally:
        subprocess.run(["umount", str(directory)], check=True)


def make_read_only(directory: Path) -> None:
    """As a card that protects itself, or a kernel that saw an error; nobody may have a file there open to write."""
    subprocess.run(["mount", "-o", "remount,ro", str(directory)], check=True)


def make_writable(directory: Path) -> None:
    """Somebody has mended it."""
    subprocess.run(["mount", "-o", "remount,rw", str(directory)], check=True)

"""A program that was forked is as one that was started: files, environment, zone, signals, exit code."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support import prepared
from tests.support.node import write_config

ENVIRON = {**os.environ, "PYTHONPATH": str(prepared.ROOT)}


def run(*command: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """A command that was forked, unless its environment forbids that."""
    return prepared.run(*command, cwd=cwd, environ={**ENVIRON, **environ}, timeout_s=60.0)


def test_both_ways_to_start_a_program_come_to_the_same(tmp_path: Path) -> None:
    """What it prints and complains of, and its exit code: of one that ends well, and of one that doesn't."""
    usual = {"PYTHONHASHSEED": "1"}  # with which nothing is forked

    for command in (("alarm-node", "--version"), ("alarm-node", "check", "--config", "nowhere.toml"), ("alarm-node",)):
        forked, started = run(*command, cwd=tmp_path), run(*command, cwd=tmp_path, **usual)
        assert (forked.returncode, forked.stdout, forked.stderr) == (
            started.returncode,
            started.stdout,
            started.stderr,
        )
        assert forked.stdout + forked.stderr


def test_a_program_has_its_own_files_and_end(tmp_path: Path) -> None:
    """It holds nothing that belongs to another one, and a signal ends it alone."""
    pipe = subprocess.PIPE

    def start(name: str) -> prepared.Running:
        directory = tmp_path / name
        directory.mkdir()
        command = ("simulate", "--config", str(write_config(directory, 1)))
        return prepared.start(
            prepared.NODE, *command, cwd=directory, environ=ENVIRON, stdin=pipe, stdout=pipe, stderr=pipe
        )

    with start("first") as first, start("second") as second:
        for each in (first, second):
            assert each.stdout is not None
            assert each.stdout.readline().startswith("{")
        ours = [each.fileno() for each in (second.stdin, second.stdout, second.stderr) if each is not None]
        pipes = {str(each) for each in _open_files(second.pid) if str(each).startswith("pipe:")}
        first.kill()

        assert pipes == {str(Path(f"/proc/self/fd/{each}").readlink()) for each in ours}
        assert first.wait(20.0) == -signal.SIGKILL
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(0.0)
        second.terminate()
        assert second.wait(20.0) == 0


def _open_files(pid: int) -> list[Path]:
    return [each.readlink() for each in Path(f"/proc/{pid}/fd").iterdir()]

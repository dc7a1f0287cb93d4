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


@pytest.mark.parametrize(
    ("environ", "prefix", "forked"),
    [
        ({}, (), True),
        ({"LANGUAGE": "de", "COLUMNS": "50"}, (), True),
        ({"LANG": "de_DE.UTF-8"}, (), False),
        ({"LD_PRELOAD": ""}, (), False),
        ({}, ("env",), False),
    ],
    ids=["the same", "for the program", "another locale", "a library", "a prefix"],
)
def test_what_an_interpreter_reads_at_its_start_is_not_forked(
    environ: dict[str, str], prefix: tuple[str, ...], forked: bool, tmp_path: Path
) -> None:
    """All else is: whoever sets a language for the program alone needn't wait for what it imports."""
    nothing = subprocess.DEVNULL
    process = prepared.start(
        prepared.NODE, "--version", cwd=tmp_path, environ={**ENVIRON, **environ}, stdout=nothing, prefix=prefix
    )

    assert process.wait(60.0) == 0
    assert isinstance(process, prepared.Prepared) is forked


def test_a_module_is_forked_as_python_starts_it(tmp_path: Path) -> None:
    """With its arguments and its exit code."""
    command = (prepared.MODULE, "tests.campaigns.defects", "mark-on-puback", "check", "--config", "nowhere.toml")

    forked, started = run(*command, cwd=tmp_path), run(*command, cwd=tmp_path, PYTHONHASHSEED="1")

    assert (forked.returncode, forked.stdout, forked.stderr) == (started.returncode, started.stdout, started.stderr)
    assert forked.returncode != 0


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

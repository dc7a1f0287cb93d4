"""A text in the lines of a terminal: commands stay whole."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from node.errors.faults import FAULTS
from node.io.terminal.paragraph import wrapped

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("restart it: sudo systemctl restart me; then", ["restart it:", "  sudo systemctl restart me;", "  then"]),
        ("now sudo systemctl restart alarm-node.", ["now", "  sudo systemctl restart alarm-node."]),
        ("a word-with-hyphens  stays whole", ["a word-with-hyphens  stays", "  whole"]),
        ("read alarm-node log (all of it)", ["read alarm-node log (all of", "  it)"]),
        ("short", ["short"]),
    ],
)  # fmt: skip
def test_a_line_is_broken_between_words_and_not_in_a_command(text: str, lines: list[str]) -> None:
    """A command that is longer than a line stands whole on its own."""
    assert wrapped(text, 28, "  ") == lines


@pytest.mark.parametrize("code", FAULTS)
def test_nothing_is_lost_or_added(code: str) -> None:
    """But the breaks."""
    step = FAULTS[code].next_step

    assert " ".join(wrapped(step, 40)) == step


def test_the_doctor_breaks_its_lines_at_a_terminal_alone(tmp_path: Path) -> None:
    """There each line fits, or is a command; a program reads one line for each result."""
    command = [sys.executable, "-m", "node", "check", "--config", str(tmp_path / "node.toml")]
    environ = {**os.environ, "COLUMNS": "60"}
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        subprocess.run(command, cwd=ROOT, env=environ, stdout=theirs, timeout=100, check=False)
        os.close(theirs)
        shown = terminal.read(8192).decode().splitlines()
    piped = subprocess.run(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True, timeout=100, check=False)

    (line,) = piped.stdout.splitlines()
    assert [each.strip() for each in shown if "alarm-node init" in each] == [
        f"alarm-node init --config {tmp_path / 'node.toml'}."
    ]
    assert all(each.startswith(" " * 8) for each in shown[1:])
    assert " ".join(each.strip() for each in shown) == line

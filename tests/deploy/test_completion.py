"""What Tab makes of a line: the committed scripts in real shells. Where one isn't installed it is skipped."""

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "deploy" / "completion"
BASH = """\
source "$1"; shift
found=$(complete -p "$1"); found=${found##*-F }
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
"${found%% *}"
printf '%s\\n' "${COMPREPLY[@]}"
"""
FISH = 'source $argv[1]; complete -C "$argv[2..]"'
PROGRAMS = {
    "alarm-node": ["check", "demo", "init", "log", "outputs-off", "run", "simulate"],
    "alarm-monitor": [
        "acknowledge",
        "check",
        "forget",
        "history",
        "identify",
        "init",
        "isolate",
        "pause",
        "report",
        "reset",
        "restore-target",
        "resume",
        "run",
        "silence",
        "status",
        "tell",
        "token",
        "walk-test",
    ],
}
LINES = [
    (["ch"], ["check"]),
    (["init", "--button-so"], ["--button-sound"]),
    (["init", "--button-sound", ""], ["loud", "silent"]),
    (["init", "--broker-insecure", ""], ["false", "true"]),
    (["init", "--config", "no"], ["node.toml"]),
    (["init", "--broker-ca-file", "c"], ["ca.pem"]),
    (["check", "--config", "n"], ["node.toml"]),
    (["log", "--config", "node.toml", "--fo"], ["--follow"]),
    (["demo", "--config"], []),
]


def needs(shell: str) -> pytest.MarkDecorator:
    """Skips a test on a machine without this shell."""
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"there is no {shell} here")


def said(cwd: Path, *command: str) -> list[str]:
    """The lines that a shell prints, in the order of the alphabet, each without its description."""
    ran = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=30, check=True)
    assert ran.stderr == ""
    return sorted(line.partition("\t")[0] for line in ran.stdout.splitlines() if line)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where the line is typed."""
    (tmp_path / "node.toml").touch()
    (tmp_path / "ca.pem").touch()
    return tmp_path


@pytest.mark.parametrize(("words", "completed"), LINES, ids=" ".join)
def test_bash_completes(directory: Path, words: list[str], completed: list[str]) -> None:
    """By the function that the script has registered for the command."""
    script = str(SCRIPTS / "alarm-node.bash")

    found = said(directory, "bash", "-c", BASH, "bash", script, "alarm-node", *words)

    assert found == completed


@needs("fish")
@pytest.mark.parametrize(("words", "completed"), LINES, ids=" ".join)
def test_fish_completes(directory: Path, words: list[str], completed: list[str]) -> None:
    """As it would at its prompt."""
    script = str(SCRIPTS / "alarm-node.fish")

    found = said(directory, "fish", "--no-config", "-c", FISH, script, "alarm-node", *words)

    assert found == completed


@needs("zsh")
@pytest.mark.parametrize("program", PROGRAMS)
def test_zsh_reads_its_script(program: str) -> None:
    """It is free of mistakes for the shell; whether it completes was tried by hand."""
    script = str(SCRIPTS / f"_{program}")

    assert said(SCRIPTS, "zsh", "-f", "-n", script) == []


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_command_is_completed(program: str) -> None:
    """At the first word nothing but the commands."""
    script = str(SCRIPTS / f"{program}.bash")

    found = said(SCRIPTS, "bash", "-c", BASH, "bash", script, program, "")

    assert found == PROGRAMS[program]


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["reset", "x", "--reason", ""], ["drill", "mistaken", "real", "technical"]),
        (["walk-test", "s"], ["start"]),
        (["history", "f"], ["findings", "flips"]),
        (["history", "findings", "--s"], ["--since", "--site"]),
        (["token", "create", "board", "--role", "r"], ["responder"]),
    ],
)
def test_the_monitors_choices_are_completed(words: list[str], completed: list[str]) -> None:
    """As the node's."""
    script = str(SCRIPTS / "alarm-monitor.bash")

    found = said(SCRIPTS, "bash", "-c", BASH, "bash", script, "alarm-monitor", *words)

    assert found == completed


ASKED = """\
#!/bin/sh
echo "$*" >>asked
case "$2" in nodes) echo mitte/room-214; echo room-214;; incidents) echo mitte/room-214/0badcafe-7;; *) exit 1;; esac
"""
NAMED = [
    (["identify", "ro"], ["room-214"], "complete nodes "),
    (["acknowledge", "--url", "http://x", "mi"], ["mitte/room-214/0badcafe-7"], "complete incidents "),
    (["pause", "--reason", "x", "mitte/"], ["mitte/room-214"], "complete nodes "),
    (["walk-test", "end", "w"], [], "complete walk-tests "),
]


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What an alarm-monitor was asked that knows one node and one alarm."""
    program = tmp_path / "alarm-monitor"
    program.write_text(ASKED, encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return tmp_path / "asked"


@pytest.mark.parametrize(("words", "completed", "question"), NAMED, ids=lambda each: " ".join(each)[:40])
def test_bash_completes_what_the_monitor_knows(
    tmp_path: Path, asked: Path, words: list[str], completed: list[str], question: str
) -> None:
    """With what was typed so far, where another address is named; where it knows nothing, nothing."""
    found = said(tmp_path, "bash", "-c", BASH, "bash", str(SCRIPTS / "alarm-monitor.bash"), "alarm-monitor", *words)

    assert found == completed
    assert asked.read_text(encoding="utf-8").startswith(f"{question}alarm-monitor {words[0]} ")


@needs("fish")
@pytest.mark.parametrize(("words", "completed", "question"), NAMED, ids=lambda each: " ".join(each)[:40])
def test_fish_completes_what_the_monitor_knows(
    tmp_path: Path, asked: Path, words: list[str], completed: list[str], question: str
) -> None:
    """As bash."""
    script = str(SCRIPTS / "alarm-monitor.fish")

    found = said(tmp_path, "fish", "--no-config", "-c", FISH, script, "alarm-monitor", *words)

    assert found == completed
    assert asked.read_text(encoding="utf-8").startswith(f"{question}alarm-monitor {words[0]}")

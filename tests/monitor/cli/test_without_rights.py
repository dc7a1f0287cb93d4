"""Every command of alarm-monitor as an account that may read none of the monitor's files: never a Python trace."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from node.monitor.cli.doctor.own_account import hidden, is_outsider
from node.monitor.cli.main import COMMANDS
from tests.support.broker import Broker
from tests.support.monitor import RunningMonitor, write_monitor
from tests.support.prepared import ROOT

OTHER = 65534
ACCOUNT = f"""
import codecs, json, os, sys, traceback
import tests.support.fork_server  # all that the programs import: the account may not read the interpreter's files
import rich.console, rich.table
from node.monitor.cli.main import main

def ended(arguments):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writer, 1)
        os.dup2(writer, 2)
        os.setgroups([])
        os.setgid({OTHER})
        os.setuid({OTHER})
        try:
            code = main(arguments)
        except SystemExit as end:
            code = end.code
        except BaseException:
            traceback.print_exc()
            code = 99
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    os.close(writer)
    with open(reader, encoding="utf-8") as said:
        words = said.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), words

for name in ("utf-8-sig", "idna"):
    codecs.lookup(name)
print(json.dumps([ended(each) for each in json.loads(sys.argv[1])]))
"""
"""Each command in a process of its own that has become another account; its exit code, and what it printed."""

NEEDED = {
    "reset": ("mitte/room-214/x", "--reason", "real"),
    "acknowledge": ("mitte/room-214/x",),
    "silence": ("mitte/room-214/x",),
    "identify": ("room-214",),
    "pause": ("room-214", "--for", "2h", "--reason", "x"),
    "resume": ("room-214",),
    "forget": ("room-214",),
    "walk-test": ("list",),
    "report": ("tests",),
    "token": ("list",),
    "tell": ("--test",),
    "isolate": ("guards-mail", "--for", "2h", "--reason", "x"),
    "restore-target": ("guards-mail",),
    "init": ("--monitor-id", "desk", "--monitor-sites", "mitte", "--broker-host", "127.0.0.1"),
}

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")


def as_other(config: Path, *commands: Sequence[str]) -> list[tuple[int, str]]:
    """How these commands of another account end: exit code, and all that is printed."""
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": "/nonexistent", "LANGUAGE": "en"}
    typed = [[name, "--config", str(config), *arguments] for name, *arguments in commands]
    done = subprocess.run(
        [sys.executable, "-c", ACCOUNT, json.dumps(typed)],
        cwd="/",
        env={**environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=110.0,
        check=True,
    )
    return [(code, words) for code, words in json.loads(done.stdout)]


def installed(directory: Path, port: int) -> Path:
    """monitor.toml as an installation has it: everybody may read it, and what is secret only root."""
    for name in ("guards.url", "password"):
        secret = directory / name
        secret.touch(mode=0o600)
        secret.write_text("json://127.0.0.1:9/x\n", encoding="utf-8")
    config = write_monitor(
        directory,
        targets=[{"name": "guards-mail", "url_file": str(directory / "guards.url")}],
        brokers=[
            {
                "host": "127.0.0.1",
                "port": port,
                "username": "guard-desk",
                "password_file": str(directory / "password"),
            }
        ],
    )
    (directory / "state").mkdir(mode=0o700, exist_ok=True)
    return config


@pytest.fixture(scope="module")
def open_directory() -> Iterator[Path]:
    """A directory that every account may enter."""
    made = Path(tempfile.mkdtemp(prefix="without-rights-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def running(open_directory: Path) -> Iterator[Path]:
    """The configuration of a monitor that runs."""
    (open_directory / "broker").mkdir()
    with Broker(open_directory / "broker") as broker:
        (open_directory / "running").mkdir()
        config = installed(open_directory / "running", broker.port)
        with RunningMonitor(config):
            yield config


@pytest.fixture(scope="module")
def fresh(open_directory: Path) -> Path:
    """The configuration of one that never ran."""
    (open_directory / "fresh").mkdir()
    return installed(open_directory / "fresh", 1)


@pytest.mark.parametrize("which", ["fresh", "running"])
def test_no_command_ends_in_a_trace(which: str, request: pytest.FixtureRequest) -> None:
    """Each of them fails, and says what to do."""
    config: Path = request.getfixturevalue(which)
    names = sorted(COMMANDS)

    ended = dict(zip(names, as_other(config, *((name, *NEEDED.get(name, ())) for name in names)), strict=True))

    assert {name: words for name, (_, words) in ended.items() if "Traceback" in words} == {}
    assert {name: code for name, (code, _) in ended.items() if code not in {1, 2}} == {}
    assert {name: words for name, (_, words) in ended.items() if "Next: " not in words} == {}


@pytest.mark.parametrize("which", ["fresh", "running"])
def test_check_calls_nothing_wrong_that_it_may_not_read(which: str, request: pytest.FixtureRequest) -> None:
    """Whoever believed it would overwrite a good file."""
    config: Path = request.getfixturevalue(which)
    secret = config.parent / "guards.url"

    ((code, words),) = as_other(config, ["check"])

    lines = words.splitlines()
    step = "Next: run this as root: sudo alarm-monitor check."
    assert f"UNKNOWN target guards-mail: this account may not read {secret}. {step}" in lines
    assert f"UNKNOWN the history: this account may not read it. {step}" in lines
    assert f"UNKNOWN the service: this account may not ask it. {step}" in lines
    assert [line for line in lines if line.startswith("FINDING")] == []
    assert code == 2


def test_a_command_about_tokens_names_sudo(fresh: Path) -> None:
    """And the file that it can't read."""
    told = as_other(fresh, ["token", "list"], ["token", "create", "board"], ["token", "revoke", "board"])

    text = f"E058 this account may not read {fresh.parent / 'state' / 'history.db'}. Next: run this as root: "
    steps = [f"{text}sudo alarm-monitor token {each}.\n" for each in ("list", "create", "revoke")]
    assert told == [(1, step) for step in steps]


def test_a_file_that_is_missing_is_hidden_from_nobody(tmp_path: Path) -> None:
    """It is missing for the service, too; and root is no outsider."""
    assert hidden([None, tmp_path / "none"]) is None
    assert not is_outsider(tmp_path)

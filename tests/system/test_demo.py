"""The demo without a person, as it is started: a process of its own, with a real mosquitto and a real monitor."""

import os
import re
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from node.demo import installation
from tests.support.demo import DEMO, ROOT, TIMEOUT_S, environment, left_behind, play, processes

STEPS = (
    "a private broker answers",
    "the node is online",
    "its canary came back",
    "its heartbeat came",
    "the buzzer sounds",
    "the call is pressed",
    "the lamp shows: calling",
    "the broker has the alarm",
    "the call is stored",
    "the call is accepted",
    "the call is told",
    "the lamp shows: received",
    "the acknowledgement is done",
    "the lamp shows: acknowledged, somebody is coming",
    "a reset is refused while the button is pressed: input-active",
    "the button is released",
    "the reset is done",
    "the broker has no alarm any more",
    "the buzzer is silent",
    "the lamp shows: a fault",
    "the buzzer sounds all the same",
    "the call is stored",
    "a private broker answers",
    "the broker has the alarm",
    "the call is told",
    "the broker publishes the node's will: lost",
    "the buzzer sounds again",
    "the node is online again",
    "the same incident is still open",
    "the acknowledgement is done",
    "the reset is done",
    "the walk test is running",
    "the first press is a test",
    "the monitor has confirmed it",
    "the buzzer chirps",
    "the second press is an alarm",
    "the call is told",
    "the acknowledgement is done",
    "the reset is done",
    "the walk test has ended",
    "it says goodbye: offline",
)

OF_THE_MONITOR = (
    "the monitor hears the broker",
    "the monitor probed it: done",
    "the same of desk-012 (class assist, silent)",
    "the same of room-310 (class amok, silent and discreet)",
    "the monitor shows all nodes as up: desk-012 up, room-214 up, room-310 up",
    "the call is held by the monitor",
    "the call is told: people were notified",
    "the monitor has one finding, not one for each node: M008",
    "the monitor has no finding any more: desk-012 up, room-214 up, room-310 up",
    "the monitor has a finding: M001",
    "the monitor has no finding any more: desk-012 up, room-214 up, room-310 up",
    "the monitor has confirmed it",
    "without a finding, because the stop was planned: desk-012 up, room-214 down, room-310 up",
)


def missing_of(steps: tuple[str, ...], told: str) -> list[str]:
    """Those that the story didn't tell in this order."""
    lines = iter(re.findall(r"^ok +\d+\.\d s  (.*)$", told, re.MULTILINE))
    return [step for step in steps if not any(step in line for line in lines)]


def put_on_path(directory: Path, script: str) -> str:
    """A PATH on which this shell script is found before the real mosquitto."""
    directory.mkdir()
    program = directory / "mosquitto"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    return os.pathsep.join([str(directory), os.environ["PATH"]])


@pytest.fixture
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For what the demo needs while it runs; a test's own would be too long for the monitor's socket."""
    made = tmp_path_factory.mktemp("demo") / "tmp"
    made.mkdir()
    return made


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """A story that was played to its end, and the directory that it had."""
    made = tmp_path_factory.mktemp("demo") / "tmp"
    made.mkdir()
    return play(made), made


def test_the_story_ends_well_and_says_how_many_steps_were_seen(
    played: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    """Exit code 0, nothing missing, and the last line counts the lines before it."""
    done, _ = played

    lines = done.stdout.splitlines()

    seen = [line for line in lines if line.startswith("ok ")]
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.fullmatch(rf"{len(seen)} steps seen in \d+\.\d s", lines[-1])
    assert "MISSING" not in done.stdout
    times = [float(line.split()[1]) for line in seen]
    assert times == sorted(times)
    assert done.stderr == ""


@pytest.mark.parametrize("steps", [STEPS, OF_THE_MONITOR], ids=["the node", "the monitor"])
def test_the_story_tells_every_step_in_order(
    played: tuple[subprocess.CompletedProcess[str], Path], steps: tuple[str, ...]
) -> None:
    """Start, press, receipt, acknowledgement, reset, broker away and back, kill and restart, a walk test."""
    done, _ = played

    missing = missing_of(steps, done.stdout)

    assert missing == []


def test_the_incident_after_the_kill_is_the_one_from_before_it(
    played: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    """What was raised without a broker reaches it, and comes back, under the same id; the first incident is another."""
    done, _ = played

    reached = re.findall(r"the broker has the alarm: incident (\S+), class threat", done.stdout)
    still = re.findall(r"the same incident is still open: incident (\S+), class threat", done.stdout)

    assert len(reached) == 2
    assert reached[0] != reached[1]
    assert still == reached[1:]


def test_the_story_leaves_nothing_behind(played: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    """Neither a process nor a file of the demo outlives it."""
    _, directory = played

    left = left_behind(directory)

    assert left == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_story_that_is_stopped_leaves_nothing_behind(directory: Path, number: signal.Signals) -> None:
    """Ctrl-C and its like end broker, nodes and monitor in order, and the exit code doesn't claim the whole story."""
    process = subprocess.Popen([*DEMO, "--headless"], env=environment(directory), stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            if "the monitor shows all nodes as up" in line:
                break
        running = processes(directory)

        process.send_signal(number)
        told = process.stdout.read()

    assert len(running) == 5
    assert process.returncode == 1
    assert re.search(r"^stopped after \d+ steps$", told, re.MULTILINE)
    assert left_behind(directory) == []


def demo_after(preparation: str, directory: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    """The demo in an interpreter that has run this line first."""
    return subprocess.run(
        [sys.executable, "-c", f"{preparation}; from node.cli.main import main; raise SystemExit(main())", "demo"],
        env=environment(directory, **changes),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )


def test_missing_packages_of_the_monitor_are_told_with_what_installs_them(directory: Path) -> None:
    """Where only the node's own packages are installed nothing is started, and the next step is told."""
    done = demo_after("import sys; sys.modules.update(apprise=None, rich=None)", directory)

    assert done.returncode == 1
    assert done.stderr == (
        "E005 the demo needs alarm-monitor, whose packages aren't here (apprise, rich)."
        " Next: make run, in a copy of this project: it installs them.\n"
    )
    assert done.stdout == ""
    assert left_behind(directory) == []


def test_the_demo_looks_for_what_the_monitor_is_installed_with() -> None:
    """The packages of the extra in pyproject.toml, by the names under which they are imported."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    extra = [re.split(r"[\[>=]", each)[0].replace("-", "_") for each in project["optional-dependencies"]["monitor"]]

    assert sorted(installation.MONITOR_NEEDS) == sorted(extra)


def test_a_missing_mosquitto_is_told_with_the_command_that_installs_it(directory: Path) -> None:
    """Without the broker's program the demo doesn't begin, and says what to do."""
    nowhere = "from node.demo.processes import broker; broker.SBIN = ()"

    done = demo_after(nowhere, directory, PATH=str(directory))

    assert done.returncode == 1
    assert done.stderr == (
        "E005 the demo needs a broker, and mosquitto isn't here. Next: sudo apt-get install mosquitto.\n"
    )
    assert done.stdout == ""
    assert left_behind(directory) == []


def test_a_broker_that_does_not_start_is_a_missing_step(directory: Path, tmp_path: Path) -> None:
    """The story ends at its first line, with what the broker said."""
    path = put_on_path(tmp_path / "bin", "echo 'Error: no broker today'; exit 3")

    done = play(directory, PATH=path)

    lines = done.stdout.splitlines()
    assert done.returncode == 1
    assert re.match(r"MISSING +\d+\.\d s  a private broker answers: it doesn't start", lines[1])
    assert "  broker: Error: no broker today" in lines
    assert lines[-1] == "0 steps seen, then one was missing"
    assert left_behind(directory) == []


def test_a_node_that_is_not_heard_is_a_missing_step(directory: Path, tmp_path: Path) -> None:
    """Where the broker refuses the node's replies, no reply counts as seen, and the node's own log says why."""
    path = put_on_path(
        tmp_path / "bin",
        """\
acl="$(dirname "$2")/acl"
printf 'topic deny +/v1/+/node/+/reply\\ntopic readwrite #\\n' >"$acl"
chmod 600 "$acl"
grep -q acl_file "$2" || echo "acl_file $acl" >>"$2"
PATH=${PATH#*:}:/usr/sbin exec mosquitto "$@"
""",
    )

    done = play(directory, PATH=path)

    assert done.returncode == 1
    assert re.search(r"^MISSING .* the monitor probed it: .*: waited 15 s for it$", done.stdout, re.MULTILINE)
    assert re.search(r"^  room-214: .* F011 .*/reply", done.stdout, re.MULTILINE)
    assert left_behind(directory) == []


@pytest.mark.parametrize(("file", "name"), [("room-214.toml", "room-214"), ("monitor.toml", "monitor")])
def test_whatever_ends_by_itself_is_a_missing_step(directory: Path, tmp_path: Path, file: str, name: str) -> None:
    """A node or a monitor that refuses its configuration isn't waited for, and its last log lines are shown."""
    path = put_on_path(
        tmp_path / "bin",
        f'echo "[surprise]" >>"$(dirname "$2")/{file}"\nPATH=${{PATH#*:}}:/usr/sbin exec mosquitto "$@"',
    )

    done = play(directory, PATH=path)

    assert done.returncode == 1
    assert re.search(rf"^MISSING .*: {name} has ended by itself$", done.stdout, re.MULTILINE)
    assert "surprise is unknown" in done.stdout
    assert left_behind(directory) == []

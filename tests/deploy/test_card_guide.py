"""CARD.md: the record lies on a partition of its own, and what else is written is gone at the next start.

A booted Debian 13 whose root is a layer in memory, as overlayroot makes it; each start has a new one. The partition is
a loop device with a real ext4. There are no udev, no raspi-config and no card: those commands of the guide aren't run.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.booted import SIMULATED, WALL, architecture, boot, install, install_story, new_roots
from tests.support.installation import package
from tests.support.node import write_config
from tests.support.recipe import Command, recipe
from tests.vm.debian import run

SUITE = "trixie"
UNIT = Path(__file__).parents[2] / "deploy/card/alarm-node-data.service"

CARD = """
[Unit]
Before=alarm-node-data.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=mknod /dev/card b {} {}
ExecStart=mkdir -p /dev/disk/by-label
ExecStart=ln -s /dev/card /dev/disk/by-label/alarm-data
"""
"""What the kernel and udev make of a partition."""

STORY = """#!/bin/sh
show() {{ systemctl show alarm-node --property="$1" --value; }}
until_is() {{ for turn in $(seq 300); do case "$(show StatusText)" in $1) return ;; esac; sleep 0.1; done; }}
until_is '*1 of 1 brokers*'
show StatusText >/told/began
( set -e
{}
) >/told/done 2>&1
echo $? >/told/code
until_is '*1 of 1 brokers*'
echo 'button tap 300' >/run/wall
until_is 'ALARM*'
systemctl restart alarm-node
until_is 'ALARM*'
show StatusText >/told/restarted
sudo alarm-node check >/told/check 2>&1
alarm-node log --json >/told/log
"""

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def partition(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A block device with the file system that the guide makes."""
    if os.geteuid() != 0 or shutil.which("losetup") is None:
        pytest.skip("a loop device needs root and losetup")
    image = tmp_path_factory.mktemp("card") / "partition"
    with image.open("wb") as file:
        file.truncate(64 * 2**20)
    run(["mkfs.ext4", "-q", "-L", "alarm-data", image])
    made = subprocess.run(["losetup", "--find", "--show", image], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"no loop device can be made here: {made.stderr}")
    yield made.stdout.strip()
    run(["losetup", "--detach", made.stdout.strip()])


@pytest.fixture(scope="module")
def starts(index: None, partition: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Path]]:
    """What each start of the node left: while the guide was followed, later, and without the partition."""
    commands = [each.text for each in recipe("CARD.md") if isinstance(each, Command) and each.section == "the-node"]
    doing = {"followed": commands, "lost": ["until_is '*F058*'", "show StatusText"]}
    with ExitStack() as stack:
        roots = {}
        for name in ("followed", "kept", "lost"):
            root = stack.enter_context(new_roots([SUITE], tmp_path_factory))[SUITE]
            furnish(root, tmp_path_factory, None if name == "lost" else partition)
            if name != "followed":
                shutil.copy(root / "usr/share/doc/alarm-node/card" / UNIT.name, root / "etc/systemd/system")
                run(["systemctl", f"--root={root}", "enable", UNIT.name])
            install_story(root, STORY.format("\n".join(doing.get(name, ["true"]))))
            roots[name] = root
        boot({"followed": roots["followed"]}, layers_shown=True)
        boot({name: roots[name] for name in ("kept", "lost")}, layers_shown=True)
        yield {name: root / "told" for name, root in roots.items()}


def furnish(root: Path, factory: pytest.TempPathFactory, partition: str | None) -> None:
    """The read-only root: an installed and configured node; the partition is there or isn't."""
    install(root, package("alarm-node", SUITE, architecture(), factory))
    config = write_config(factory.mktemp("config"), 1883).read_text(encoding="utf-8")
    lines = (line for line in config.splitlines(keepends=True) if not line.startswith("state_directory"))
    units = root / "etc/systemd/system"
    files = {
        root / "etc/alarm-node/node.toml": "".join(lines),
        units / "wall.service": WALL,
        units / "alarm-node.service.d/simulated.conf": f"{SIMULATED}BindReadOnlyPaths={root.parent}\n",
    }
    if partition is not None:
        number = Path(partition).stat().st_rdev
        files[units / "card.service"] = CARD.format(os.major(number), os.minor(number))
    for path, text in files.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    if partition is not None:
        run(["systemctl", f"--root={root}", "add-wants", "multi-user.target", "card.service"])
    run(["systemctl", f"--root={root}", "enable", "alarm-node.service"])
    (root / "told").mkdir()


def text(told: Path, name: str) -> str:
    """What the story noted."""
    return (told / name).read_text(encoding="utf-8").strip()


def incidents(told: Path) -> set[str]:
    """Those in the record. There is one after a press, and only that one after further presses."""
    found = {json.loads(line).get("incident") for line in text(told, "log").splitlines()} - {None}
    assert found
    return found


def test_the_commands_of_the_guide_work(starts: Mapping[str, Path]) -> None:
    """On the Pi: the record is copied, and the node starts again on the partition."""
    told = starts["followed"]

    assert (text(told, "code"), text(told, "began")[:6]) == ("0", "ready,"), text(told, "done")
    assert "a power cut loses nothing that the node has stored: /var/lib/alarm-node is on " in text(told, "done")


def test_an_alarm_outlives_all_that_the_system_forgets(starts: Mapping[str, Path]) -> None:
    """The next start has a new layer in memory. The node begins in the same alarm, and stores nothing in the layer."""
    told = starts["kept"]
    written = told.parents[1] / "upper/var/lib/alarm-node"

    assert text(told, "began").startswith("ALARM button: ")
    assert incidents(told) == incidents(starts["followed"])
    assert "a power cut loses nothing that the node has stored: /var/lib/alarm-node is on " in text(told, "check")
    assert [path for path in written.rglob("*") if path.is_file()] == []


def test_without_the_partition_the_button_works_and_people_are_told(starts: Mapping[str, Path]) -> None:
    """It isn't dead, and is in alarm again after a restart of the service. F058 says what a power cut costs."""
    told = starts["lost"]

    assert text(told, "began").startswith("ready,")
    assert text(told, "restarted").startswith("ALARM button: ")
    assert text(told, "done") == "ready, 1 of 1 brokers connected, fault F058"
    assert "the record is only in the machine's memory: a power cut loses all" in text(told, "check")


def test_no_line_of_the_unit_can_keep_the_node_from_starting() -> None:
    """Each may fail, and is over within a minute."""
    lines = UNIT.read_text(encoding="utf-8").splitlines()

    assert {line[:11] for line in lines if line.startswith("ExecStart")} == {"ExecStart=-"}
    assert "TimeoutStartSec=60" in lines
    assert "WantedBy=alarm-node.service" in lines


def test_systemd_finds_no_mistake_in_the_unit() -> None:
    """Every setting is one that it knows."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is missing; next: apt-get install systemd")

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", UNIT], capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")

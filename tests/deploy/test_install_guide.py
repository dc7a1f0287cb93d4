"""INSTALL.md, followed to the letter: every command that it has people type, in its order, in a booted Debian 13.

One machine is the PC, the broker's machine and the Pi. What a container can't have is stood in for: `ssh` and `scp` (a
copy), the restart (the machine is switched off and on), the editor (it makes the change that the guide asks for),
Debian's archive (what apt wants of it is there already), and the pins, which are simulated.
"""

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from node import __version__
from tests.support import typist
from tests.support.booted import SIMULATED, WALL, architecture, boot, install_story, new_roots
from tests.support.installation import next_revision, package
from tests.support.recipe import Command, Part, answers, recipe
from tests.vm.debian import run

GUIDE = "INSTALL.md"
SUITE = "trixie"
PASSWORDS = {"room-214": "correct horse", "guard-desk": "battery staple", "door-desk": "tool's own"}
PLACES = {"the-broker": "/broker", "the-memory-card": "/pc"}
"""Where commands of a section are typed; all others at the Pi. It has no package before `scp` has copied it."""

ON_TIME = "ExecStartPre=touch /run/systemd/timesync/synchronized\n"
"""In the unit of the wall: a time server has answered."""

STAND_INS = {
    "nano": 'exec python3 /typist.py edit "$@"',
    "scp": 'test "$2" = admin@room-214.local: && cp "$1" /pi/',
    "ssh": 'test "$*" = admin@room-214.local',
    "reboot": "exec systemctl poweroff",
}
UNTIL = "for turn in $(seq 300); do {} && exit; sleep 0.1; done; exit 1"
HEARD = "grep --quiet '{}' /told/heard"
TAP = "echo 'button tap 300' >/run/wall; sleep 0.4"
STATUS = 'case "$(systemctl show alarm-node --property=StatusText --value)" in {}) true ;; *) false ;; esac'


def by_hand(script: str) -> dict[str, str]:
    """A step that no command of the guide is: something is pressed, or people look until something has happened."""
    return {"by_hand": script}


def status_is(pattern: str) -> dict[str, str]:
    """A person looks until the node's status is like this pattern of the shell."""
    return by_hand(UNTIL.format(STATUS.format(pattern)))


def heard_is(pattern: str) -> dict[str, str]:
    """A person looks until `mosquitto_sub` shows a line of this pattern."""
    return by_hand(UNTIL.format(HEARD.format(pattern)))


PRESSED = [
    heard_is("/state "),
    by_hand(TAP),
    heard_is('/event .*"kind":"pressed"'),
    status_is("ALARM*"),
    # Again and again: a press right after the release is the same one for the node.
    by_hand(UNTIL.format("{ " + TAP + "; " + HEARD.format('/event .*"presses":[2-9]') + "; }")),
]
AROUND: dict[str, tuple[Sequence[dict[str, str]], Sequence[dict[str, str]]]] = {
    "systemctl status alarm-node": ([status_is("ready,*1' 'of' '1*")], []),
    "sudo alarm-node check": ([by_hand(UNTIL.format("alarm-node check | grep --quiet 'broker .* is connected'"))], []),
    "mosquitto_sub": ([], PRESSED),
    "mosquitto_pub": ([], [status_is("ready,*")]),
    "sudo systemctl restart alarm-node": (
        [],
        [status_is("ready,*1' 'of' '1*")],
    ),
    "sudo apt remove": ([by_hand("systemctl is-active alarm-node >/told/last-state")], []),
}
"""What happens at the wall before and after a command that begins so."""


def steps() -> list[dict[str, Any]]:
    """The guide as the typist's plan."""
    planned: list[dict[str, Any]] = []
    for each in recipe(GUIDE):
        if isinstance(each, Command):
            before, after = next((AROUND[begin] for begin in AROUND if each.text.startswith(begin)), ([], []))
            planned += [*before, typed(each), *after]
    return planned


def typed(command: Command) -> dict[str, Any]:
    """A command as this machine's kind needs it, and what is answered where it asks."""
    text = command.text.replace("arm64", architecture())
    login = re.search(r" -u (\S+) -P PASSWORD ", text)
    if login:
        text = text.replace("-P PASSWORD", f'-P "{PASSWORDS[login[1]]}"')
    at_the_pi = not text.startswith(("scp alarm-node", "ssh "))
    place = PLACES.get(command.section, "/pi")
    return {
        "typed": text,
        "directory": "/pi" if place == "/pc" and at_the_pi else place,
        "codes": [0, 1, 2] if text == "sudo alarm-node check" else [0],  # this machine's disk is memory, which it finds
        "answers": asked_by(text),
        "hidden": text.startswith("sudo mosquitto_passwd"),
        "stays": text.startswith("mosquitto_sub"),
        "ends": text == "sudo reboot",
        "filled": text.startswith("mosquitto_pub"),
    }


def asked_by(text: str) -> list[tuple[str, str]]:
    """What this command asks, as patterns, each with the answer."""
    if text.startswith("sudo alarm-node init"):
        keys = ((question.rpartition(" ")[2], answer) for question, answer in answers(GUIDE, "[node] id"))
        return [(rf"(?m)^{key}(?: \[[^]\n]*\])? = $", answer) for key, answer in keys]
    if text.startswith("sudo mosquitto_passwd"):
        return [("assword: $", PASSWORDS[text.rpartition(" ")[2]])] * 2
    if text.startswith(("sudo apt remove", "sudo apt purge", "sudo apt install --allow-downgrades")):
        return [(r"\[Y/n\] ?$", "y")]
    return []


def edits() -> list[dict[str, Any]]:
    """What is written in the editor, at each command that opens it."""
    parts = {
        kind: [each.text for each in recipe(GUIDE) if isinstance(each, Part) and each.kind == kind]
        for kind in ("toml", "ini")
    }
    made = []
    for each in recipe(GUIDE):
        if isinstance(each, Part) or not re.match("sudo (nano|systemctl edit) ", each.text):
            continue
        file = each.text.split()[-1]
        if file.endswith(".acl"):
            lines = [(r"(?s)^user branch-mitte\n.*", "")]
        elif file.endswith(".password"):
            lines = [(r"\A\Z", f"{PASSWORDS['room-214']}\n")]
        elif file.endswith(".toml"):
            line = parts["toml"].pop(0)
            key = line.strip("#").partition(" ")[0]
            lines = [(rf"^#?{key} = .*\n", line)]
        else:
            file = f"/etc/systemd/system/{file}.service.d/"
            lines = [(r"(?<=contents of the drop-in file\n)", parts["ini"].pop(0))]
        made.append({"file": file, "lines": lines})
    assert parts == {"toml": [], "ini": []}
    return made


@pytest.fixture(scope="module")
def told(index: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What the machine left after the whole guide."""
    built = package("alarm-node", SUITE, architecture(), tmp_path_factory)
    newer = next_revision(built, tmp_path_factory.mktemp("newer"))
    with new_roots([SUITE], tmp_path_factory) as roots:
        root = roots[SUITE]
        for name in ("broker", "pc", "pi", "told", "boot/firmware"):
            (root / name).mkdir(parents=True)
        for place in ("broker", "pc"):
            shutil.copy(built, root / place / f"alarm-node_{__version__}-1~deb13_{architecture()}.deb")
        shutil.copy(newer, root / f"pi/alarm-node_1.0.1-1~deb13_{architecture()}.deb")
        for name, script in STAND_INS.items():
            write(root / "usr/local/bin" / name, f"#!/bin/sh\n{script}\n", 0o755)
        units = root / "etc/systemd/system"
        for path, text in {
            root / "plan.json": json.dumps({"user": "admin", "steps": steps(), "edits": edits()}),
            root / "boot/firmware/config.txt": "[cm4]\notg_mode=1\n",
            root / "etc/hosts": "127.0.0.1 localhost broker.example.org room-214\n",
            root / "etc/hostname": "room-214\n",
            root / "etc/sudoers.d/admin": "admin ALL=(ALL) NOPASSWD: ALL\n",
            root / "etc/apt/sources.list": "",
            units / "wall.service": WALL + ON_TIME,
            units / "alarm-node.service.d/simulated.conf": SIMULATED,
        }.items():
            write(path, text)
        shutil.copy(typist.__file__, root)
        run(["chroot", root, "useradd", "--create-home", "--shell=/bin/bash", "admin"])
        run(["chroot", root, "chown", "admin:", "/broker", "/pc", "/pi"])
        install_story(root, "#!/bin/sh\nexec </dev/null >/told/typist 2>&1\npython3 /typist.py follow")
        for _ in range(2):  # the guide restarts the Pi once
            boot(roots)
        yield root / "told"


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """A file of the machine, with the directory it is in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


pytestmark = pytest.mark.timeout(900)


def said(told: Path, command: str) -> str:
    """What the terminal showed after the only command that begins so."""
    lines = [json.loads(line) for line in (told / "said.jsonl").read_text(encoding="utf-8").splitlines()]
    (found,) = (line["said"] for line in lines if line["command"].startswith(command))
    return str(found)


def test_both_languages_have_people_type_the_same_in_the_same_order() -> None:
    """So what is shown of one holds for the other."""
    assert recipe("INSTALL.de.md") == recipe(GUIDE)
    assert [question for question, _ in answers("INSTALL.de.md", "[node] id")] == [
        question for question, _ in answers(GUIDE, "[node] id")
    ]


def test_the_guide_installs_this_version() -> None:
    """The package is called by its name."""
    assert set(re.findall(r"alarm-node_([\d.]+)-", " ".join(each.text for each in recipe(GUIDE)))) == {
        __version__,
        "1.0.1",
    }


def test_every_command_of_the_guide_works(told: Path) -> None:
    """None fails, or asks what the guide doesn't say."""
    lines = [json.loads(line) for line in (told / "said.jsonl").read_text(encoding="utf-8").splitlines()]

    assert (told / "finished").exists(), (lines[-1], (told / "typist").read_text(encoding="utf-8"))
    assert [line["command"] for line in lines if line["typed"]] == [
        step["typed"] for step in steps() if "typed" in step and not step["stays"]
    ]


def test_the_node_is_ready_as_the_guide_shows_it(told: Path) -> None:
    """The doctor sees the broker that the guide has set up. Else only the disk and the monitor are missing (F014)."""
    checked = said(told, "sudo alarm-node check").splitlines()

    assert 'Status: "ready, 1 of 1 brokers connected"' in said(told, "systemctl status alarm-node")
    assert [line for line in checked if "broker broker.example.org:8883 is connected" in line]
    findings = [line for line in checked if line.startswith("FINDING")]
    assert [line for line in findings if "/var/lib/alarm-node" not in line and "F014" not in line] == []


def test_a_press_arrives_where_the_guide_has_people_look(told: Path) -> None:
    """At the monitor's login: both presses in one incident, and its end by the message of the guide."""
    heard = (told / "heard").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line.partition(" ")[2]) for line in heard if "/event " in line]

    (incident,) = {event["incident"] for event in events if event["kind"] == "pressed"}
    assert max(event.get("presses", 0) for event in events) >= 2
    # Until a monitor holds it, an event is sent again.
    assert {(event["incident"], event.get("by")) for event in events if event["kind"] == "reset"} == {
        (incident, "door-desk")
    }


def test_the_pins_are_off_without_a_program_on_every_board(told: Path) -> None:
    """config.txt may end within a part for one kind of board: the line stands in the part for all."""
    lines = (told.parent / "boot/firmware/config.txt").read_text(encoding="utf-8").split()

    assert lines == ["[cm4]", "otg_mode=1", "[all]", "dtparam=strict_gpiod"]


def test_other_versions_and_secrets_of_root_leave_the_node_running(told: Path) -> None:
    """It ran until its removal, and knew its password from systemd alone."""
    assert (told / "last-state").read_text(encoding="utf-8") == "active\n"
    assert "Upgrading" in said(told, "sudo apt install ./alarm-node_1.0.1")
    assert "Downgrading" in said(told, "sudo apt install --allow-downgrades")

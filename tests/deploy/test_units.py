"""The units that make a node of a machine: systemd finds nothing wrong with them, and little left to take away."""

import json
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from deploy.package.programs import NODE
from deploy.package.targets import SUITES

SYSTEMD = Path(__file__).parents[2] / "deploy" / "systemd"
UNIT = SYSTEMD / "alarm-node.service"
MONITOR = SYSTEMD / "alarm-monitor.service"
UNITS = [UNIT, MONITOR]
EXPOSURE_MAX = 1.0
CHECK_FIRST = "/usr/lib/alarm-node/bin/alarm-node check --file-only"
PROGRAMS = re.compile(r"/usr/lib/alarm-(node|monitor)/bin/alarm-\1")


def systemd_tool(name: str) -> str:
    """The path of one of systemd's programs; the test is skipped where it is missing."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is missing; next: apt-get install systemd")
    return found


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60, check=False)


def settings(path: Path) -> dict[str, list[str]]:
    """What a unit sets, by name."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE):
        found.setdefault(name, []).append(value)
    return found


@pytest.mark.parametrize("given", UNITS, ids=lambda given: given.stem)
def test_systemd_finds_nothing_wrong_with_a_unit(given: Path, tmp_path: Path) -> None:
    """`systemd-analyze verify` says nothing at all."""
    verify = systemd_tool("systemd-analyze")
    unit = tmp_path / given.name
    unit.write_text(PROGRAMS.sub(sys.executable, given.read_text(encoding="utf-8")), encoding="utf-8")

    outcome = run(verify, "verify", "--man=no", unit)

    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "", "")


def test_a_reload_is_a_hangup_where_there_is_one() -> None:
    """The node reads node.toml again. The monitor has no reload, and `systemctl reload` says so."""
    node, monitor = settings(UNIT), settings(MONITOR)

    assert node["ExecReload"] == [CHECK_FIRST, """/bin/sh -c 'kill -HUP "$$MAINPID"'"""]
    assert not monitor.keys() & {"ExecReload", "ReloadSignal", "SendSIGHUP", "KillSignal"}
    assert (node["Type"], monitor["Type"]) == (["notify"], ["notify"])


def test_a_systemd_that_can_waits_for_the_end_of_a_reload() -> None:
    """It sends the hangup by itself, so the unit's own is taken back; Debian 12 has an older one."""
    place = "usr/lib/systemd/system/alarm-node.service.d/20-notify-reload.conf"
    has_it = [name for name, suite in SUITES.items() if place in NODE.files_for(suite.systemd).values()]

    assert settings(SYSTEMD / "alarm-node.service.d/20-notify-reload.conf") == {
        "Type": ["notify-reload"],
        "ExecReload": ["", CHECK_FIRST],
    }
    assert has_it == ["trixie"]


@pytest.mark.parametrize("given", [*UNITS, SYSTEMD.parent / "guides/INSTALL.md"], ids=lambda given: given.stem)
def test_a_secret_that_systemd_hands_over_never_keeps_a_program_from_starting(given: Path) -> None:
    """Without a SetCredential of its name systemd starts nothing while the file is missing."""
    lines = [line.strip("# ") for line in given.read_text(encoding="utf-8").splitlines()]

    handed = [(line, behind) for line, behind in pairwise(lines) if line.startswith("LoadCredential=")]

    assert handed
    for line, behind in handed:
        name = line.removeprefix("LoadCredential=").partition(":")[0]
        assert behind == f"SetCredential={name}:\\n"


def test_a_mistake_in_the_unit_would_be_found(tmp_path: Path) -> None:
    """The test above can fail: a setting with a typing mistake is told."""
    verify = systemd_tool("systemd-analyze")
    unit = tmp_path / UNIT.name
    text = PROGRAMS.sub("/bin/true", UNIT.read_text(encoding="utf-8"))
    unit.write_text(text.replace("ProtectHome=", "ProtectHouse="), encoding="utf-8")

    outcome = run(verify, "verify", "--man=no", unit)

    assert "ProtectHouse" in outcome.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_little_is_exposed(unit: Path) -> None:
    """`systemd-analyze security` gives at most 1.0 (0 is the best, 10 the worst)."""
    analyze = systemd_tool("systemd-analyze")

    outcome = run(analyze, "security", "--no-pager", "--offline=true", f"--threshold={round(EXPOSURE_MAX * 10)}", unit)

    assert outcome.returncode == 0, outcome.stdout


def test_what_the_monitor_leaves_open_is_needed() -> None:
    """The network, where brokers, databases and people's targets are; systemd; and nothing of the machine."""
    analyze = systemd_tool("systemd-analyze")

    outcome = run(analyze, "security", "--offline=true", "--json=short", MONITOR)

    left = {each["json_field"] for each in json.loads(outcome.stdout) if float(each.get("exposure") or 0) > 0}
    assert left == {
        "DeviceAllow",  # nothing but the likes of /dev/null
        "IPAddressDeny",
        "PrivateNetwork",
        "RestrictAddressFamilies_AF_INET_INET6",
        "RestrictAddressFamilies_AF_UNIX",
        "RootDirectoryOrRootImage",
    }


def test_what_is_left_open_is_needed() -> None:
    """Each thing that isn't taken away is one that the node uses: a new one has to be thought about."""
    analyze = systemd_tool("systemd-analyze")

    outcome = run(analyze, "security", "--offline=true", "--json=short", UNIT)

    left = {each["json_field"] for each in json.loads(outcome.stdout) if float(each.get("exposure") or 0) > 0}
    assert left == {
        "DeviceAllow",  # the pins
        "SupplementaryGroups",  # who may open them
        "ProcSubset",  # which board it is
        "IPAddressDeny",  # the brokers, wherever they are
        "PrivateNetwork",
        "RestrictAddressFamilies_AF_INET_INET6",
        "RestrictAddressFamilies_AF_UNIX",  # systemd and its journal
        "RootDirectoryOrRootImage",
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Type", "notify"),
        ("Restart", "always"),
        ("StartLimitIntervalSec", "0"),
        ("DevicePolicy", "closed"),
        ("DeviceAllow", "char-gpiochip rw"),
        ("ProtectSystem", "strict"),
        ("StateDirectory", "alarm-node"),
        ("StateDirectoryMode", "0700"),
        ("RuntimeDirectory", "alarm-node"),
        ("RuntimeDirectoryPreserve", "restart"),
        ("CapabilityBoundingSet", ""),
        ("ProcSubset", "all"),
        ("User", "alarm-node"),
    ],
)
def test_the_unit_keeps_what_the_node_relies_on(name: str, value: str) -> None:
    """What no score tells: the pins by their kind, no limit that ends in silence, a directory of one's own."""
    assert settings(UNIT)[name] == [value]


def test_buzzer_and_lamp_are_off_after_each_end() -> None:
    """Its failure fails nothing: the service is started again all the same."""
    assert settings(UNIT)["ExecStopPost"] == ["-/usr/lib/alarm-node/bin/alarm-node outputs-off"]


def test_the_pins_may_be_on_a_chip_of_any_number() -> None:
    """A chip of a Raspberry Pi has a number up to 13, and a driver that is loaded anew the next free one."""
    bound = {path for line in settings(UNIT)["BindPaths"] for path in line.split()}

    assert bound == {f"-/dev/gpiochip{number}" for number in range(16)}


def test_lgpio_writes_where_it_may() -> None:
    """Its pipes go into the runtime directory (HAZARDS.md H6)."""
    assert "LG_WD=%t/alarm-node" in settings(UNIT)["Environment"]


def test_the_watchdogs_leave_time_for_each_other() -> None:
    """The service is restarted before the hardware gives the machine up, and a Pi can count to 15 s at most."""
    service = float(settings(UNIT)["WatchdogSec"][0])
    hardware = float(settings(SYSTEMD / "10-alarm-node-watchdog.conf")["RuntimeWatchdogSec"][0])

    assert service < hardware <= 14


def test_the_account_is_made(tmp_path: Path) -> None:
    """Sysusers makes the account without a shell, its group, and its place in the group of the pins; again, nothing."""
    sysusers = systemd_tool("systemd-sysusers")
    (tmp_path / "etc").mkdir()
    account = SYSTEMD / "alarm-node.sysusers.conf"

    first = run(sysusers, f"--root={tmp_path}", account)
    passwd = (tmp_path / "etc/passwd").read_text(encoding="utf-8")
    second = run(sysusers, f"--root={tmp_path}", account)

    assert (first.returncode, second.returncode) == (0, 0)
    assert re.search(r"^alarm-node:x:\d+:\d+:alarm-node:/var/lib/alarm-node:/usr/sbin/nologin$", passwd, re.MULTILINE)
    assert re.search(r"^gpio:x:\d+:alarm-node$", (tmp_path / "etc/group").read_text(encoding="utf-8"), re.MULTILINE)
    assert (tmp_path / "etc/passwd").read_text(encoding="utf-8") == passwd

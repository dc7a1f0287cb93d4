"""The life of an installed package in a Debian of each suite: apt installs, upgrades, downgrades, removes, purges it.

The node runs on simulated pins, with a real broker. All is done by one story in each machine, which notes what it sees.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.booted import SIMULATED, SUITES, WALL, architecture, boot, install_story, new_roots
from tests.support.installation import next_revision, package
from tests.support.node import write_config

MONITOR = """
[monitor]
id = "guard-desk"
sites = ["mitte"]
[[broker]]
host = "127.0.0.1"
port = 1883
"""

STORY = r"""#!/bin/sh
set -u
export DEBIAN_FRONTEND=noninteractive
apt() { apt-get --yes --no-install-recommends --allow-downgrades "$@"; }
of() { systemctl show "$1" --property="$2" --value; }
until_is() { for turn in $(seq 300); do case "$(of "$1" "$2")" in $3) return ;; esac; sleep 0.1; done; }
note() {
    {
        of alarm-node ActiveState
        systemctl is-enabled alarm-node
        of alarm-node StatusText
        dpkg-query --show --showformat '${Version}\n' alarm-node
    } >"/told/$1" 2>&1
}
left() {
    find /etc /usr /var/lib -xdev \( -name '*alarm*node*' -o -name '*alarm*monitor*' \) ! -path '/var/lib/dpkg/*' | sort
}
left >/told/before

apt install /packages/1/alarm-node_*.deb /packages/1/alarm-monitor_*.deb >/told/installed 2>&1
note unconfigured
{ of alarm-monitor ActiveState; systemctl is-enabled alarm-monitor; } >/told/unconfigured-monitor
echo 'nothing = "is right"' >/etc/alarm-node/node.toml
apt install --reinstall /packages/1/alarm-node_*.deb >/told/installed-again 2>&1
note wrong
cp /config/node.toml /etc/alarm-node/
cp /config/monitor.toml /etc/alarm-monitor/
systemctl enable --now alarm-node alarm-monitor
until_is alarm-node ActiveState active
until_is alarm-node StatusText 'ready*'
note ready
/usr/lib/alarm-node/bin/python -c 'import sys; print(*sys.path[1:], sep="\n")' >/told/path
echo 'button press' >/run/wall
until_is alarm-node StatusText 'ALARM*'
until_is alarm-monitor StatusText 'ALARM*'
echo 'button release' >/run/wall
note pressed
of alarm-node MainPID >/told/process-before

apt install /packages/2/*.deb >/told/upgrade 2>&1
until_is alarm-node StatusText 'ALARM*'
until_is alarm-monitor StatusText 'ALARM*'
note upgraded
of alarm-node MainPID >/told/process-after
of alarm-monitor StatusText >/told/upgraded-monitor
apt install /packages/1/alarm-node_*.deb >/told/downgrade 2>&1
until_is alarm-node StatusText 'ALARM*'
note downgraded
alarm-node log --json >/told/log

# What people change: a whole unit of their own, a limit, another target.
SYSTEMD_EDITOR='sed -i s/^Nice=.*/Nice=-9/' script -qec 'systemctl edit --full alarm-node' /dev/null >/told/edit
systemctl set-property alarm-node CPUWeight=200
systemctl add-wants graphical.target alarm-node
find /etc/systemd -name '*alarm-node*' | sort >/told/edited
apt remove alarm-node alarm-monitor >/told/removal 2>&1
{ pgrep --full 'alarm-(node|monitor)'; left; } >/told/removed
apt install /packages/2/alarm-node_*.deb >/told/reinstalled 2>&1
until_is alarm-node StatusText 'ALARM*'
note back
systemctl disable --now alarm-node
apt install --reinstall /packages/2/alarm-node_*.deb >/told/disabled 2>&1
note off
rm -r /usr/lib/alarm-node
apt install --reinstall /packages/2/alarm-node_*.deb >/told/repaired 2>&1 && alarm-node --version >>/told/repaired
# The state is a partition of its own, and an account is a person's.
find /var/lib/alarm-node -mindepth 1 -delete
mount -t tmpfs tmpfs /var/lib/alarm-node && touch /var/lib/alarm-node/record
usermod --uid 1500 alarm-monitor
cp /var/lib/dpkg/info/alarm-monitor.postrm /
apt purge alarm-node alarm-monitor >/told/purge 2>&1
echo $? >/told/purge-ends
ls -A /var/lib/alarm-node >/told/on-the-partition
umount /var/lib/alarm-node && rmdir /var/lib/alarm-node
{ left; getent passwd alarm-node; } >/told/purged
getent passwd alarm-monitor >/told/person
of alarm-node LoadState >/told/unit-after
export DPKG_MAINTSCRIPT_PACKAGE=alarm-monitor
systemctl mask alarm-monitor
/alarm-monitor.postrm purge >/told/masked-purge 2>&1
of alarm-monitor LoadState >/told/unmasked
printf '[Service]\nExecStart=/opt/mine\n' >/etc/systemd/system/alarm-monitor.service
/alarm-monitor.postrm purge >/told/foreign-purge 2>&1
left >/told/foreign-left
journalctl --boot --output=cat >/told/journal
"""

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def machines(index: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Path]]:
    """What the machine of each suite noted."""
    config = write_config(tmp_path_factory.mktemp("config"), 1883).read_text(encoding="utf-8")
    with new_roots(SUITES, tmp_path_factory) as roots:
        for suite, root in roots.items():
            (root / "packages/1").mkdir(parents=True)
            for program in ("alarm-node", "alarm-monitor"):
                built = package(program, suite, architecture(), tmp_path_factory)
                shutil.copy(built, root / "packages/1")
                if (program, suite) != ("alarm-monitor", "trixie"):  # to compile a monitor takes long
                    next_revision(built, root / "packages/2")
            units = root / "etc/systemd/system"
            for place, text in {
                root / "config/node.toml": "".join(
                    line for line in config.splitlines(keepends=True) if not line.startswith("state_directory")
                ),
                root / "config/monitor.toml": MONITOR,
                units / "wall.service": WALL,
                units / "alarm-node.service.d/simulated.conf": SIMULATED,
            }.items():
                place.parent.mkdir(exist_ok=True)
                place.write_text(text, encoding="utf-8")
            (root / "told").mkdir()
            install_story(root, STORY)
        boot(roots)
        yield {suite: root / "told" for suite, root in roots.items()}


@pytest.fixture(params=SUITES)
def told(request: pytest.FixtureRequest, machines: Mapping[str, Path]) -> Path:
    """What the machine of this suite noted."""
    return machines[request.param]


def text(told: Path, name: str) -> str:
    """What the story noted under this name."""
    return (told / name).read_text(encoding="utf-8").strip()


def noted(told: Path, name: str) -> dict[str, str]:
    """How the node was: its state, whether it starts with the machine, its status, and the package's version."""
    return dict(zip(("is", "starts", "status", "version"), (told / name).read_text("utf-8").splitlines(), strict=True))


def log(told: Path) -> list[dict[str, Any]]:
    """The record's events, as `alarm-node log --json` shows them after upgrade and downgrade."""
    return [json.loads(line) for line in text(told, "log").splitlines()]


def test_nothing_is_started_that_nobody_has_configured(told: Path) -> None:
    """Apt asks nothing. What was installed says what to do next; with a wrong configuration it does so, too."""
    assert (noted(told, "unconfigured")["is"], noted(told, "unconfigured")["starts"]) == ("inactive", "disabled")
    assert text(told, "unconfigured-monitor").splitlines() == ["inactive", "disabled"]
    assert (noted(told, "wrong")["is"], noted(told, "wrong")["starts"]) == ("inactive", "disabled")
    for program in ("alarm-node", "alarm-monitor"):
        assert f"{program} isn't configured yet. Next: sudo {program} init" in text(told, "installed")
    assert "/etc/alarm-node/node.toml can't be used. Next: sudo alarm-node check" in text(told, "installed-again")
    assert "Failed" not in text(told, "installed") + text(told, "installed-again")


def test_a_configured_node_is_ready_and_raises_an_alarm(told: Path) -> None:
    """As people begin: a configuration, then `systemctl enable --now`."""
    assert noted(told, "ready")["is"] == "active"
    assert noted(told, "ready")["status"].startswith("ready, ")
    assert noted(told, "pressed")["status"].startswith("ALARM button: ")


def test_the_program_sees_its_own_packages_and_pythons(told: Path) -> None:
    """No directory of Debian's packages is on its path."""
    path = text(told, "path").splitlines()

    assert [place for place in path if "dist-packages" in place] == []
    assert [place for place in path if place.startswith("/usr/lib/alarm-node/lib/python3.")]


@pytest.mark.parametrize(("name", "revision"), [("upgraded", 2), ("downgraded", 1)])
def test_an_open_alarm_outlives_another_version(told: Path, name: str, revision: int) -> None:
    """The new version runs without anybody's doing, and is in the same alarm."""
    after = noted(told, name)

    assert (after["is"], after["starts"]) == ("active", "enabled")
    assert after["status"].startswith("ALARM button: ")
    assert f"-{revision}~deb" in after["version"]


def test_an_upgrade_restarts_what_runs(told: Path) -> None:
    """Both programs: the node's process is another one, and the monitor has the alarm."""
    assert text(told, "process-before") != text(told, "process-after")
    assert text(told, "upgraded-monitor").startswith("ALARM mitte/room-214 button")


def test_the_record_outlives_other_versions(told: Path) -> None:
    """One press, of the first process; every later one continued its incident."""
    events = log(told)
    pressed = [event for event in events if event["kind"] == "pressed"]

    assert len(pressed) == 1
    assert len([event for event in events if event["kind"] == "started"]) == 3
    assert {event["incident"] for event in events if event.get("incident")} == {pressed[0]["incident"]}


def test_a_removal_leaves_what_people_and_the_program_wrote(told: Path) -> None:
    """And says so, with the way to remove that, too; nothing runs, and nothing else is there."""
    left = text(told, "removed").splitlines()

    assert {"/etc/alarm-node", "/etc/alarm-monitor", "/var/lib/alarm-node", "/var/lib/alarm-monitor"} <= {*left}
    assert [path for path in left if path.startswith("/usr") or path.isdigit()] == []
    assert "apt purge alarm-node" in text(told, "removal")


def test_what_was_removed_comes_back_as_it_was(told: Path) -> None:
    """It is configured and was enabled: it starts by itself, in alarm."""
    assert noted(told, "back")["is"] == "active"
    assert noted(told, "back")["status"].startswith("ALARM button: ")


def test_a_service_that_people_have_stopped_stays_stopped(told: Path) -> None:
    """An upgrade doesn't decide over them."""
    assert (noted(told, "off")["is"], noted(told, "off")["starts"]) == ("inactive", "disabled")


def test_a_purge_leaves_nothing(told: Path) -> None:
    """No file, no directory, no account, and nothing that `systemctl edit` wrote."""
    assert text(told, "before") == "/etc/systemd/system/alarm-node.service.d"
    assert (text(told, "purge-ends"), text(told, "purged")) == ("0", ""), text(told, "purge")


def test_a_unit_that_people_edited_goes_with_the_purge(told: Path) -> None:
    """All of it: systemd would start a program that isn't there. A removal leaves it, and says what to do."""
    assert [each.removeprefix("/etc/systemd/") for each in text(told, "edited").splitlines()] == [
        "system.control/alarm-node.service.d",
        "system/alarm-node.service",
        "system/alarm-node.service.d",
        "system/graphical.target.wants/alarm-node.service",
        "system/multi-user.target.wants/alarm-node.service",
    ]
    assert "sudo systemctl disable alarm-node " in text(told, "removal")
    assert text(told, "unit-after") == "not-found"


def test_a_mask_goes_with_the_purge_and_a_unit_of_another_program_stays(told: Path) -> None:
    """The next installation isn't hidden; what isn't about this package is named, with what to do."""
    assert text(told, "unmasked") == "not-found"
    assert text(told, "foreign-left") == "/etc/systemd/system/alarm-monitor.service"
    assert "sudo rm /etc/systemd/system/alarm-monitor.service" in text(told, "foreign-purge")
    assert text(told, "masked-purge") == ""


def test_a_damaged_installation_can_be_repaired(told: Path) -> None:
    """By the same package: what its scripts look for need not be there."""
    assert text(told, "repaired").splitlines()[-1].startswith("alarm-node 1.")


def test_a_purge_empties_a_partition_and_spares_a_person(told: Path) -> None:
    """Neither is the package's to take away."""
    assert text(told, "on-the-partition") == ""
    assert text(told, "person").startswith("alarm-monitor:x:1500:")

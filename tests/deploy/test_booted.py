"""The installed units under a real systemd: a Debian of each suite, booted by systemd-nspawn, with the pins simulated.

READY, STATUS, the watchdog, the hardening and the journal's fields are real; there is no network and no GPIO.
"""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.booted import SIMULATED, SUITES, WALL, architecture, boot, install, install_story, new_roots
from tests.support.installation import package
from tests.support.node import write_config
from tests.vm.debian import run

CONNECTED = """
[Unit]
Requires=mosquitto.service
[Service]
LoadCredential=broker.password:/etc/alarm-node/broker.password
SetCredential=broker.password:\\n
RestartSec=100ms
ExecStartPre=/usr/lib/alarm-node/bin/python /probe.py
"""

NO_PASSWORD = {"host": "127.0.0.1", "port": 1884, "username": "room-214", "password_file": "broker.password"}
"""A second broker. Nobody has written its password's file, which systemd has to hand over."""

MONITOR = """
[monitor]
id = "guard-desk"
sites = ["mitte"]
[[broker]]
host = "127.0.0.1"
port = 1883
[[target]]
name = "switchboard"
url = "mqtt://127.0.0.1:1883/switchboard?qos=1"
"""

PROBE = """
import sys
from node.io import health
from node.io.panel import gpiod_factory
print("gpiod", gpiod_factory.gpiod.api_version, file=sys.stderr)
print("clock", health.clock_synchronised(), file=sys.stderr)
"""

STORY = """#!/bin/sh
set -u
show() { systemctl show alarm-node --property="$1" --value; }
until_is() { for turn in $(seq 300); do case "$(show "$1")" in $2) return ;; esac; sleep 0.1; done; }
until_is ActiveState active
until_is StatusText 'ready*'
show StatusText >/told/ready
for turn in $(seq 30); do
    # A container has a boot id of its own, but not where the unit has a /proc of its own: ask from there.
    nsenter --mount --target=$(show MainPID) alarm-node check >/told/check 2>&1
    if grep 'last word' /told/check >/dev/null; then break; fi
    sleep 1
done
echo 'button press' >/run/wall
until_is StatusText 'ALARM*'
show StatusText >/told/alarm
printf '[[broker]]\\nhost = "127.0.0.1"\\nport = 1885\\n' >>/etc/alarm-node/node.toml
before=$(show MainPID)
systemctl reload alarm-node && until_is StatusText '*of 3 brokers*'
show StatusText >/told/reloaded
cp /etc/alarm-node/node.toml /tmp/good.toml
sed -i 's/pin = 17/pin = 99/' /etc/alarm-node/node.toml
systemctl reload alarm-node >/told/refused-reload 2>&1
echo $? $(show ActiveState) $(show StatusText) >>/told/refused-reload
cp /tmp/good.toml /etc/alarm-node/node.toml
systemctl reload alarm-node && touch /told/reloaded-again
test $before = $(show MainPID) && touch /told/same-process
cat /proc/$(show MainPID)/status >/told/process
kill -STOP $(show MainPID)
until_is NRestarts 1
until_is ActiveState active
until_is StatusText 'ALARM*'
show StatusText >/told/restarted
systemctl start alarm-monitor
of_monitor() { systemctl show alarm-monitor --property="$1" --value; }
until_shows() { for turn in $(seq 300); do case "$(of_monitor "$1")" in $2) return ;; esac; sleep 0.1; done; }
until_shows StatusText 'ALARM*'
of_monitor StatusText >/told/monitor
until_is StatusText '*told*'
show StatusText >/told/people
cat /proc/$(of_monitor MainPID)/status >/told/monitor-process
alarm-monitor status --json >/told/monitor-status 2>&1
kill -STOP $(of_monitor MainPID)
until_shows NRestarts 1
until_shows ActiveState active
until_shows StatusText 'ALARM*'
of_monitor StatusText >/told/monitor-restarted
systemctl stop alarm-monitor
of_monitor Result >/told/monitor-result
systemd-analyze security --no-pager --threshold=10 alarm-monitor >/told/security && touch /told/monitor-secure
journalctl --unit=alarm-monitor >/told/monitor-journal
for turn in 1 2 3 4 5; do
    until_is ActiveState active
    case "$(show StatusText)" in *F056*) break ;; esac
    before=$(show NRestarts)
    kill -KILL $(show MainPID)
    until_is NRestarts $((before + 1))
done
until_is StatusText '*F056*'
show StatusText >/told/safe
touch /run/systemd/timesync/synchronized
systemctl restart alarm-node || journalctl --unit=alarm-node --lines=60 >/told/restart-failed
show StatusText >/told/after-safe
systemctl stop alarm-node
show Result >/told/result
show StatusText >/told/stopped
systemctl show --property=RuntimeWatchdogUSec --value >/told/hardware
systemd-analyze security --no-pager --threshold=10 alarm-node >/told/security && touch /told/secure
journalctl --unit=alarm-node --output=json >/told/journal
ends_again() {
    # The time between two tries is long enough to look at it, however slow this machine is.
    printf '[Service]\\nRestartSec=600\\n' >zz-later.conf
    systemctl daemon-reload
    systemctl start --no-block alarm-node
    until_is SubState auto-restart
    systemctl status --no-pager alarm-node >/told/$1-status
    alarm-node check >/told/$1-check
    systemctl stop alarm-node
}
cd /etc/systemd/system/alarm-node.service.d
printf '[Service]\\nExecStartPre=\\nLoadCredential=lost:/nowhere\\n' >zz-lost.conf
chmod 600 /etc/alarm-node/node.toml
ends_again secret
rm zz-lost.conf /var/lib/alarm-node/last-good.toml
chmod 644 /etc/alarm-node/node.toml
sed -i 's/pin = 17/pin = 99/' /etc/alarm-node/node.toml
ends_again refused
"""


@pytest.fixture(scope="module")
def machines(index: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Path]]:
    """What the machine of each suite left: it was installed, booted, pressed, frozen, and switched off."""
    config = write_config(tmp_path_factory.mktemp("config"), 1883, brokers=[NO_PASSWORD]).read_text(encoding="utf-8")
    files = {
        "etc/alarm-node/node.toml": re.sub("^state_directory.*\n", "", config, flags=re.MULTILINE),
        "etc/alarm-monitor/monitor.toml": MONITOR,
        "etc/systemd/system/wall.service": WALL,
        "etc/systemd/system/alarm-node.service.d/simulated.conf": SIMULATED + CONNECTED,
        "probe.py": PROBE,
    }
    with new_roots(SUITES, tmp_path_factory) as roots:
        for suite, root in roots.items():
            for program in ("alarm-node", "alarm-monitor"):
                install(root, package(program, suite, architecture(), tmp_path_factory))
            shutil.copytree(
                root / "usr/share/doc/alarm-node/examples/systemd", root / "etc/systemd", dirs_exist_ok=True
            )
            for name, content in files.items():
                (root / name).write_text(content, encoding="utf-8")
            (root / "told").mkdir()
            run(["systemctl", f"--root={root}", "enable", "alarm-node.service"])
            install_story(root, STORY)
        boot(roots)
        yield {suite: root / "told" for suite, root in roots.items()}


@pytest.fixture(params=SUITES)
def told(request: pytest.FixtureRequest, machines: Mapping[str, Path]) -> Path:
    """What the machine of this suite left."""
    return machines[request.param]


pytestmark = pytest.mark.timeout(900)


def text(told: Path, name: str) -> str:
    """What the story noted."""
    return (told / name).read_text(encoding="utf-8").strip()


def journal(told: Path) -> list[dict[str, Any]]:
    """The service's lines in the journal."""
    return [json.loads(line) for line in text(told, "journal").splitlines()]


def test_systemd_knows_how_the_node_is(told: Path) -> None:
    """READY arrives, and the status is told: ready, in alarm, and in alarm again after the restart."""
    assert text(told, "ready").startswith("ready, ")
    assert text(told, "alarm").startswith("ALARM button: ")
    assert text(told, "restarted").startswith("ALARM button: ")


def test_a_reload_takes_a_broker_and_keeps_the_alarm(told: Path) -> None:
    """By `systemctl reload`, under all the hardening, in the same process."""
    assert text(told, "reloaded").startswith("ALARM button: ")
    assert "of 3 brokers connected" in text(told, "reloaded")
    assert (told / "same-process").exists()


def test_a_reload_of_a_file_with_a_mistake_fails_and_changes_nothing(told: Path) -> None:
    """`systemctl reload` says so, the journal says what is wrong, the service goes on, and the next reload works."""
    code, state, status = text(told, "refused-reload").splitlines()[-1].split(" ", 2)

    assert (code, state) == ("1", "active")
    assert status.startswith("ALARM button: ")
    assert any("[[button]] 1 pin = 99" in str(line["MESSAGE"]) for line in journal(told))
    assert (told / "reloaded-again").exists()


def test_a_frozen_node_is_restarted_by_its_watchdog(told: Path) -> None:
    """Nobody fed: systemd ended it, started it anew, and the alarm is the same one."""
    lines = journal(told)
    pressed = [line for line in lines if line.get("ALARM_EVENT") == "pressed"]

    assert any("Watchdog timeout" in str(line["MESSAGE"]) for line in lines)
    assert len(pressed) == 1
    assert pressed[0]["ALARM_INPUT"] == "button"
    assert pressed[0]["ALARM_INCIDENT"] == pressed[0]["ALARM_KEY"]
    assert text(told, "result") == "success"
    assert text(told, "stopped") == "stopped with an open alarm: a press does nothing"


def test_a_node_that_crashes_again_and_again_comes_up_in_safe_mode(told: Path) -> None:
    """Still in alarm, with one broker, and says so; a restart leaves it."""
    assert text(told, "safe").startswith("ALARM button: ")
    assert " of 1 brokers connected" in text(told, "safe")
    assert not (told / "restart-failed").exists(), text(told, "restart-failed")
    assert "F056" not in text(told, "after-safe")
    assert " of 3 brokers connected" in text(told, "after-safe")


def test_the_journal_has_fields(told: Path) -> None:
    """A fault is found by its code, with its priority; a container has no hardware watchdog, and the unit wants one."""
    (fault,) = [line for line in journal(told) if line.get("ALARM_FAULT") == "F038"][:1]

    assert fault["PRIORITY"] == "4"
    assert fault["SYSLOG_IDENTIFIER"] == "alarm-node"
    assert fault["ALARM_EVENT"] == "fault-raised"


def test_a_secret_that_systemd_finds_nowhere_is_a_fault_of_its_broker(told: Path) -> None:
    """As INSTALL.md writes it, the node starts all the same, and says whose file it is."""
    (fault,) = {line["ALARM_SUBJECT"] for line in journal(told) if line.get("ALARM_FAULT") == "F026"}

    assert fault == "127.0.0.1:1884"


def test_a_node_that_systemd_cannot_prepare_is_explained(told: Path) -> None:
    """By the doctor: nobody else knows of it. It also looks with the account's eyes, though root calls it."""
    check = text(told, "secret-check")

    assert "a press does nothing; it ended, and will again: systemd couldn't prepare it: 243/CREDENTIALS" in check
    assert "/etc/alarm-node/node.toml can't be read by the service's account, alarm-node" in check
    assert "start it:" not in check


def test_a_first_configuration_that_is_refused_is_explained(told: Path) -> None:
    """`systemctl status` tells the first problem itself, and so does the doctor."""
    problem = "/etc/alarm-node/node.toml: [[button]] 1 pin = 99: must be a BCM number"

    assert f'Status: "E001 /etc/alarm-node/node.toml has 1 problem: {problem}' in text(told, "refused-status")
    assert f"FINDING {problem}" in text(told, "refused-check")
    assert "it ended, and will again: E001 /etc/alarm-node/node.toml has 1 problem" in text(told, "refused-check")


def test_the_hardening_lets_the_node_work(told: Path) -> None:
    """Gpiod loads, the clock is told by timesyncd, and no capability is left."""
    said = [str(line["MESSAGE"]) for line in journal(told)]
    process = dict(line.split(":\t", 1) for line in text(told, "process").splitlines() if ":\t" in line)

    assert [line for line in said if line.startswith("gpiod ")]
    assert {line for line in said if line.startswith("clock ")} == {"clock False", "clock True"}
    assert int(process["CapBnd"], 16) == 0
    assert (process["NoNewPrivs"], process["Seccomp"]) == ("1", "2")
    assert (told / "secure").exists(), text(told, "security")


def test_the_hardware_watchdog_would_be_armed(told: Path) -> None:
    """The manager's drop-in is read where it was installed."""
    assert text(told, "hardware") == "14s"


def test_the_doctor_asks_the_service(told: Path) -> None:
    """`alarm-node check`, as people call it, reads what the service left, though nobody told it where."""
    assert "the service runs, its last word is " in text(told, "check")
    assert "FINDING F038 the hardware watchdog isn't active" in text(told, "check")


def test_the_monitor_runs_under_its_hardened_unit(told: Path) -> None:
    """It hears the node's open alarm and tells people, which the node shows; its commands reach it."""
    assert text(told, "monitor").startswith("ALARM mitte/room-214 button")
    assert text(told, "people").startswith("ALARM button: told")
    status = json.loads(text(told, "monitor-status"))
    assert [(each["node"], each["status"]) for each in status["nodes"]] == [("room-214", "up")]
    assert "Traceback" not in text(told, "monitor-journal")


def test_a_frozen_monitor_is_restarted_by_its_watchdog(told: Path) -> None:
    """And forgets nothing."""
    assert "Watchdog timeout" in text(told, "monitor-journal")
    assert text(told, "monitor-restarted").startswith("ALARM mitte/room-214 button")
    assert text(told, "monitor-result") == "success"


def test_the_running_monitor_has_nothing_to_spare(told: Path) -> None:
    """No capability, no new privileges, system calls filtered; its score is at most 1.0."""
    process = dict(line.split(":\t", 1) for line in text(told, "monitor-process").splitlines() if ":\t" in line)

    assert (process["CapEff"], process["NoNewPrivs"], process["Seccomp"]) == ("0000000000000000", "1", "2")
    assert (told / "monitor-secure").exists()

"""The two programs that are packed, and what each has of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"

_OF_DEBIAN = frozenset({"systemd-python"})
"""Debian's python3-systemd is used instead: there is no wheel, and it belongs to the libsystemd of the machine."""

_GPIO = frozenset({"colorzero", "gpiod", "gpiozero", "lgpio"})


@dataclass(frozen=True, slots=True)
class Program:
    """A program, as people get it.

    ``lock``: the versions it runs with. ``without``: what of these isn't asked for. ``commands``: what goes into
    /usr/bin. ``config`` and ``reader``: its configuration, and the module whose ``load`` reads it. ``guide``: how to
    begin. ``files``: further files, from below deploy/ to their place; ``files_since``: those for this version of
    systemd and later ones.
    """

    name: str
    summary: str
    description: str
    lock: Path
    without: frozenset[str]
    commands: tuple[str, ...]
    config: str
    reader: str
    guide: str
    files: Mapping[str, str]
    files_since: Mapping[int, Mapping[str, str]]
    files_of_a_pi: Mapping[str, str]

    def files_for(self, systemd: int) -> Mapping[str, str]:
        """The further files where systemd has this version, from below deploy/ to their place."""
        since = [files for least, files in self.files_since.items() if systemd >= least]
        return {source: place for files in (self.files, *since) for source, place in files.items()}

    @property
    def home(self) -> str:
        """Where its private environment lies, as a path from the root without the leading slash."""
        return f"usr/lib/{self.name}"

    @property
    def documents(self) -> str:
        """Where its guides lie, as a path from the root without the leading slash."""
        return f"usr/share/doc/{self.name}"


NODE = Program(
    name="alarm-node",
    summary="panic button on a Raspberry Pi that is never silently dead",
    description="""\
alarm-node reads a panic button (and doors, a case switch, a reset key) on GPIO
pins, drives a buzzer and a lamp, and sends each press to the building's MQTT
brokers until somebody has it. It stores every press, and it reports whatever
of it doesn't work.
.
The service isn't started before there is a configuration: see alarm-node init.
Removing the package keeps the record and the configuration; purging it removes
both, and the account.""",
    lock=DEPLOY / "requirements.lock",
    without=_OF_DEBIAN,
    commands=("alarm-node",),
    config="/etc/alarm-node/node.toml",
    reader="node.config",
    guide="INSTALL.md",
    files={"systemd/60-alarm-node.rules": "usr/lib/udev/rules.d/60-alarm-node.rules"},
    files_since={
        253: {
            "systemd/alarm-node.service.d/20-notify-reload.conf": (
                "usr/lib/systemd/system/alarm-node.service.d/20-notify-reload.conf"
            ),
        },
    },
    files_of_a_pi={
        "systemd/10-alarm-node-watchdog.conf": "usr/lib/systemd/system.conf.d/10-alarm-node-watchdog.conf",
        "systemd/alarm-node.service.d/10-hardware-watchdog.conf": (
            "usr/lib/systemd/system/alarm-node.service.d/10-hardware-watchdog.conf"
        ),
    },
)
MONITOR = Program(
    name="alarm-monitor",
    summary="supervises a building's panic buttons and tells people of alarms",
    description="""\
alarm-monitor hears all nodes (alarm-node) of a building over MQTT, stores what
they say, tells people by mail, SMS or chat, and reports within seconds that a
node has failed. It offers an HTTP API, metrics and a check plugin.
.
The service isn't started before there is a configuration: see alarm-monitor
init. Removing the package keeps the history and the configuration; purging it
removes both, and the account.""",
    lock=DEPLOY / "monitor-requirements.lock",
    without=_OF_DEBIAN | _GPIO,
    commands=("alarm-monitor", "check_alarm_node"),
    config="/etc/alarm-monitor/monitor.toml",
    reader="node.monitor.config.monitor_file",
    guide="MONITOR.md",
    files={},
    files_since={},
    files_of_a_pi={},
)
PROGRAMS = {program.name: program for program in (NODE, MONITOR)}

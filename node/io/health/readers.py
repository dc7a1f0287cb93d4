"""Readers of the machine: functions of the root of its file system, or of a directory on the disk in question.

None is "no data"; HealthError says that the value is there but can't be read. Formats: the kernel's Documentation/ABI
and Documentation/filesystems/proc.rst, or as the docstring says.
"""

import os
from pathlib import Path

from node.io.health.mounts import lies_on, mounts_of
from node.io.health.proc_files import HealthError, entries, is_there, number, text
from node.protocol.messages import DiskHealth, MemoryHealth, NetworkHealth, StartedBy

CPU_ZONE = "cpu-thermal"
"""The thermal zone of the processor on every Raspberry Pi, by its device tree. A PC's zones are named otherwise."""

PLAUSIBLE_C = range(-40, 151)
BOOT_S = 180.0
"""A process that began this soon after the kernel came with the machine's start: file checks can take long."""

_RTF_UP, _RTF_REJECT = 0x0001, 0x0200
_WDIOF_CARDRESET = 0x20
_WORKING = ("up", "unknown")
_START_TIME = 19


def started_by(root: Path) -> StartedBy | None:
    """What started this process, as far as the machine reports it.

    proc_pid_stat(5): field 22 is the start in clock ticks since the kernel's start. sysfs-class-watchdog:
    ``bootstatus`` is that of WDIOC_GETBOOTSTATUS, with WDIOF_CARDRESET if the watchdog reset the machine (a Pi never
    reports that).
    """
    stat = text(root / "proc/self/stat")
    if stat is None:
        return None
    try:
        # The name, in parentheses, may itself contain spaces and parentheses.
        began_s = int(stat.rpartition(")")[2].split()[_START_TIME]) / os.sysconf("SC_CLK_TCK")
    except (IndexError, ValueError):
        raise HealthError(f"{root / 'proc/self/stat'} has no start time") from None
    if began_s > BOOT_S:
        return "restart"
    statuses = [number(each / "bootstatus") or 0 for each in entries(root / "sys/class/watchdog") or ()]
    return "watchdog" if any(status & _WDIOF_CARDRESET for status in statuses) else "boot"


def cpu_c(root: Path) -> float | None:
    """The processor's temperature in °C; sysfs has thousandths of it."""
    hottest = None
    for zone in entries(root / "sys/class/thermal") or ():
        if text(zone / "type") != CPU_ZONE:
            continue
        millis = number(zone / "temp")
        if millis is None:
            continue
        if millis // 1000 not in PLAUSIBLE_C:
            raise HealthError(f"{zone / 'temp'} says {millis / 1000:g} °C")
        hottest = millis / 1000 if hottest is None else max(hottest, millis / 1000)
    return hottest


def memory(root: Path) -> MemoryHealth | None:
    """The machine's memory, from /proc/meminfo (its kB are KiB)."""
    path = root / "proc/meminfo"
    content = text(path)
    if content is None:
        return None
    lines = {name: rest.split() for name, _, rest in (line.partition(":") for line in content.splitlines())}
    try:
        available, total = (int(lines[name][0]) * 1024 for name in ("MemAvailable", "MemTotal"))
    except (KeyError, IndexError, ValueError):
        raise HealthError(f"{path} lacks MemAvailable or MemTotal") from None
    return MemoryHealth(available_bytes=available, total_bytes=total)


def disk(directory: Path) -> DiskHealth | None:
    """The file system of this directory, or where it would lie; None if it has no size. May hang as long as the disk.

    Read-only is the state of the mount: the kernel also mounts it so when the card fails.
    """
    for place in (directory, *directory.parents):
        try:
            found = os.statvfs(place)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise HealthError(f"{place}: {error.strerror}") from error
        if found.f_blocks == 0:
            return None
        return DiskHealth(
            free_bytes=found.f_bavail * found.f_frsize,
            total_bytes=found.f_blocks * found.f_frsize,
            read_only=bool(found.f_flag & os.ST_RDONLY),
        )
    return None


def is_in_memory(root: Path, directory: Path) -> bool | None:
    """Whether this directory, or where it would lie, is lost with the power; None if the machine doesn't tell.

    May hang as long as the disk.
    """
    mountinfo = text(root / "proc/self/mountinfo")
    if mountinfo is None:
        return None
    where = lies_on(directory, mounts_of(mountinfo))
    return None if where is None else where.is_in_memory


def network(root: Path, before: str | None = None) -> NetworkHealth | None:
    """The interface that leads to the network; None if there is none.

    The choice: the interface of the default route; else ``before``, because a pulled cable also removes the route; else
    a device that is up, because an isolated network needs no route; else any device.
    """
    name = _default_route(root)
    if name is None:
        devices = [each.name for each in entries(root / "sys/class/net") or () if is_there(each / "device")]
        known = [each for each in devices if each == before]
        working = [each for each in devices if _is_up(root, each)]
        name = next(iter([*known, *working, *devices]), None)
    if name is None:
        return None
    return NetworkHealth(interface=name, up=_is_up(root, name), signal_dbm=_signal_dbm(root, name))


def threads(root: Path) -> int | None:
    """How many threads this process has."""
    return _count(root / "proc/self/task")


def files(root: Path) -> int | None:
    """How many files this process has open, including the directory that is open to count them."""
    return _count(root / "proc/self/fd")


def _count(directory: Path) -> int | None:
    found = entries(directory)
    return None if found is None else len(found)


def _default_route(root: Path) -> str | None:
    """The interface of the best IPv4 default route. In /proc/net/route numbers are hex, except the metric."""
    path = root / "proc/net/route"
    best: tuple[int, str] | None = None
    for line in (text(path) or "").splitlines()[1:]:
        try:
            name, destination, _gateway, flags, _, _, metric, mask = line.split()[:8]
            usable = int(flags, 16) & (_RTF_UP | _RTF_REJECT) == _RTF_UP
            candidate = (int(metric), name)
            everywhere = int(destination, 16) == int(mask, 16) == 0
        except ValueError:
            raise HealthError(f"{path} says {line[:80]!r}") from None
        if usable and everywhere and (best is None or candidate < best):
            best = candidate
    return None if best is None else best[1]


def _is_up(root: Path, name: str) -> bool | None:
    """Documentation/networking/operstates.rst: drivers that don't report it say "unknown", which counts as usable."""
    state = text(root / "sys/class/net" / name / "operstate")
    return None if state is None else state in _WORKING


def _signal_dbm(root: Path, name: str) -> float | None:
    """The level in /proc/net/wireless (net/wireless/wext-proc.c); -256 and values that aren't negative are no dBm.

    A line: ``wlan0: 0000   54.  -56.  -256 …``: status, quality, level, noise; the dot marks a value as fresh.
    """
    path = root / "proc/net/wireless"
    for line in (text(path) or "").splitlines()[2:]:
        interface, _, values = line.strip().partition(":")
        if interface != name:
            continue
        try:
            level = float(values.split()[2])
        except (IndexError, ValueError):
            raise HealthError(f"{path} says {line[:80]!r}") from None
        return level if -256 < level < 0 else None
    return None

"""What a process and this machine use, from /proc (proc(5))."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_ESTABLISHED = "01"

NAP_S = 0.005
"""A sleep after which it is measured how late a thread wakes up."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one process, since its start: CPU seconds, voluntary switches of each thread, and bytes sent to a disk."""

    at: float
    cpu_s: float
    switches: dict[str, int]
    written: int

    @classmethod
    def of(cls, pid: int) -> "Usage":
        """As it is now."""
        process = Path(f"/proc/{pid}")
        user, system = (process / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[11:13]
        switches = {
            task.name: _number(task / "status", "voluntary_ctxt_switches:") for task in (process / "task").iterdir()
        }
        written = _number(process / "io", "write_bytes:")
        return cls(time.monotonic(), (int(user) + int(system)) / _TICKS, switches, written)


def wakeups(before: Usage, after: Usage) -> int:
    """How often its threads have waited and gone on."""
    return sum(count - before.switches.get(task, 0) for task, count in after.switches.items())


def memory_mib(pid: int) -> tuple[float, float]:
    """RSS and PSS."""
    rollup = Path(f"/proc/{pid}/smaps_rollup")
    return _number(rollup, "Rss:") / 1024, _number(rollup, "Pss:") / 1024


def is_counted(directory: Path) -> bool:
    """Whether the kernel counts what is written below this directory: not where that is memory."""
    before = _number(Path("/proc/self/io"), "write_bytes:")
    probe = directory / "probe"
    probe.write_bytes(bytes(65_536))
    probe.unlink()
    return _number(Path("/proc/self/io"), "write_bytes:") > before


def connections(pid: int, port: int) -> set[str]:
    """This process's established connections to a port of this machine."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="utf-8").splitlines()[1:]]
    there = {
        f"socket:[{fields[9]}]"
        for fields in lines
        if fields[3] == _ESTABLISHED and int(fields[2].partition(":")[2], 16) == port
    }
    return there & set(_files(pid))


def _files(pid: int) -> Iterator[str]:
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            yield str(each.readlink())


def idle_share(seconds: float) -> float:
    """Of all processors, during so many seconds."""
    before = _processors()
    time.sleep(seconds)
    spent = [now - then for now, then in zip(_processors(), before, strict=True)]
    return (spent[3] + spent[4]) / sum(spent)


def wake_up_late_s(seconds: float) -> float:
    """How late a thread wakes up from a short sleep, in seconds: 99 of 100 times it is less, watched for so long.

    A virtual machine whose host has other work looks idle, and yet its processors come late.
    """
    late, until = [], time.monotonic() + seconds
    while (began := time.monotonic()) < until:
        time.sleep(NAP_S)
        late.append(time.monotonic() - began - NAP_S)
    return sorted(late)[len(late) * 99 // 100]


def _processors() -> list[int]:
    """Ticks in user, nice, system, idle, iowait, irq, softirq, steal."""
    line = Path("/proc/stat").read_text(encoding="utf-8").splitlines()[0]
    return [int(each) for each in line.split()[1:9]]


def _number(path: Path, name: str) -> int:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    raise LookupError(f"{path} has no {name}")

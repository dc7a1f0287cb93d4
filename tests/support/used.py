"""What a process takes of its machine, as the kernel tells it."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Used:
    """What a process has (memory, threads, open files), and has used: seconds of CPU."""

    kib: int
    threads: int
    files: int
    cpu_s: float

    @classmethod
    def by(cls, pid: int) -> "Used":
        """This process, now."""
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        user, system = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[11:13]
        cpu_s = (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
        return cls(int(fields["VmRSS"].split()[0]), int(fields["Threads"]), files, cpu_s)

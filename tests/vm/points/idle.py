"""What a node costs that has nothing to do, on a processor that carries out 1,000 million instructions a second.

On machines with counted time: so the figures are of the program, and the same on any machine that runs the tests.
"""

from tests.campaigns.campaign import Figures, Try
from tests.vm.point import Point
from tests.vm.room import Room

MEASURED_S = 60.0
WAKE_UPS_AT_MOST = 30.0
"""A second, by the factory that waits for the kernel: the 20 readings, and some for the rest."""

TOLD = 1.0
"""Threads with fewer wake-ups a second aren't told."""

_LOOK = """
cat /proc/{pid}/stat
cd /proc/{pid}/task
for each in *; do
    echo "$(cat $each/comm):$(sed -n 's/^voluntary_ctxt_switches:\\s*//p' $each/status)"
done
"""


def idle(room: Room, one: Try) -> Figures:
    """Wake-ups a second, by thread; CPU seconds a minute; memory."""
    pid = room.show("MainPID")
    before_cpu, before = _look(room, pid)
    room.agent.do("wait", seconds=MEASURED_S)
    after_cpu, after = _look(room, pid)
    rates = {name: (count - before.get(name, 0)) / MEASURED_S for name, count in after.items()}
    memory = dict(
        line.split()[:2]
        for line in room.agent.do("read", path=f"/proc/{pid}/smaps_rollup").splitlines()
        if " kB" in line
    )
    figures = {f"wake-ups a second, {name}": rate for name, rate in rates.items() if rate >= TOLD}
    figures["wake-ups a second"] = sum(rates.values())
    figures["CPU seconds a minute"] = (after_cpu - before_cpu) * 60.0 / MEASURED_S
    figures["RSS MiB"], figures["PSS MiB"] = (int(memory[name]) / 1024 for name in ("Rss:", "Pss:"))
    if room.factory == "gpiod":
        assert figures["wake-ups a second"] <= WAKE_UPS_AT_MOST, figures
    return figures


def _look(room: Room, pid: str) -> tuple[float, dict[str, int]]:
    """The CPU seconds so far, and the wake-ups of all threads of each name."""
    first, *threads = room.run("sh", "-c", _LOOK.format(pid=pid)).splitlines()
    fields = first.rpartition(")")[2].split()
    wake_ups: dict[str, int] = {}
    for line in threads:
        name, _, count = line.rpartition(":")
        wake_ups[name] = wake_ups.get(name, 0) + int(count)
    return (int(fields[11]) + int(fields[12])) / 100.0, wake_ups


POINTS = (Point("idle", "a node at rest sleeps: what it costs by each pin factory", idle, tries=1, mips=1_000),)

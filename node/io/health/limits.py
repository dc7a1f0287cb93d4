"""The limits from which a reading is a fault. Pure.

Clearing a fault needs a little more than raising it (hysteresis). Otherwise a value that wavers around a limit would
raise and clear the fault every minute, and each time is an event that the record keeps for ever.
"""

from collections.abc import Collection, Iterator

from node.errors.faults import (
    DISK_FULL,
    DISK_READ_ONLY,
    HEALTH_UNREADABLE,
    MEMORY_LOW,
    NETWORK_DOWN,
    RECORD_IN_MEMORY,
    TOO_HOT,
    UNDER_VOLTAGE,
    FaultKind,
)
from node.protocol.messages import DiskHealth, Health

HOT_C, COOL_C = 80.0, 75.0
"""A Raspberry Pi slows its processor down from 80 °C on (its documentation, "Frequency management")."""

LEAST_SHARE = 0.05
LEAST_DISK_BYTES = 50_000_000
AMPLE_DISK_BYTES = 1_000_000_000
"""This much free space is enough for the record, even if it is a small share of a large disk."""

RELIEF = 1.2
"""Free space must be this many times the limit before the fault is cleared."""

Fault = tuple[FaultKind, str]
"""A fault's kind and its subject."""


def faults(
    health: Health,
    *,
    low: bool,
    in_memory: bool,
    broken: Collection[str],
    networked: bool,
    standing: Collection[Fault],
) -> tuple[Fault, ...]:
    """What is wrong with this machine.

    ``low``: the supply voltage is too low. ``in_memory``: the record lies in memory, and must not. ``broken`` names
    the readings that failed. ``networked``: a broker is on another machine, so that the network matters. ``standing``:
    the faults that stand so far.
    """
    return tuple(_faults(health, low, in_memory, broken, networked, standing))


def _faults(
    health: Health,
    low: bool,
    in_memory: bool,
    broken: Collection[str],
    networked: bool,
    standing: Collection[Fault],
) -> Iterator[Fault]:
    if low:
        yield UNDER_VOLTAGE, ""
    if health.cpu_c is not None and health.cpu_c >= (COOL_C if (TOO_HOT, "") in standing else HOT_C):
        yield TOO_HOT, ""
    memory = health.memory
    wanted = RELIEF if (MEMORY_LOW, "") in standing else 1.0
    if memory is not None and memory.available_bytes < memory.total_bytes * LEAST_SHARE * wanted:
        yield MEMORY_LOW, ""
    disk = health.disk
    if disk is not None and _is_full(disk, RELIEF if (DISK_FULL, "") in standing else 1.0):
        yield DISK_FULL, ""
    if disk is not None and disk.read_only:
        yield DISK_READ_ONLY, ""
    if in_memory:
        yield RECORD_IN_MEMORY, ""
    if networked and health.network is not None and health.network.up is False:
        yield NETWORK_DOWN, health.network.interface
    for name in sorted(broken):
        yield HEALTH_UNREADABLE, name


def _is_full(disk: DiskHealth, wanted: float) -> bool:
    share = min(disk.total_bytes * LEAST_SHARE, AMPLE_DISK_BYTES)
    return disk.free_bytes < max(share, LEAST_DISK_BYTES) * wanted

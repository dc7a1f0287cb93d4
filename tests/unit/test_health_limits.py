"""From which value on a reading is a fault, and until which it stays one."""

from collections.abc import Collection

import pytest

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
from node.io.health import limits
from node.protocol.messages import UNREAD, DiskHealth, Health, MemoryHealth, NetworkHealth, Throttling, UnderVoltage

MB, GB = 10**6, 10**9

WELL = Health(
    under_voltage=UnderVoltage(now=False, seen=True),
    throttling=Throttling(now=("soft-limit",), seen=("capped", "throttled")),
    cpu_c=60.0,
    memory=MemoryHealth(available_bytes=600 * MB, total_bytes=GB),
    disk=DiskHealth(free_bytes=20 * GB, total_bytes=32 * GB, read_only=False),
    network=NetworkHealth(interface="eth0", up=True, signal_dbm=None),
    threads=12,
    files=30,
)
ILL = Health(
    cpu_c=85.0,
    memory=MemoryHealth(available_bytes=0, total_bytes=GB),
    disk=DiskHealth(free_bytes=0, total_bytes=GB, read_only=True),
    network=NetworkHealth(interface="wlan0", up=False, signal_dbm=None),
)


def found(
    health: Health,
    *,
    low: bool = False,
    in_memory: bool = False,
    broken: Collection[str] = (),
    networked: bool = True,
    standing: Collection[limits.Fault] = (),
) -> tuple[limits.Fault, ...]:
    """What is wrong, where nothing was said that differs from a machine in order."""
    return limits.faults(health, low=low, in_memory=in_memory, broken=broken, networked=networked, standing=standing)


@pytest.mark.parametrize("health", [WELL, UNREAD], ids=["well", "no-data"])
def test_a_machine_in_order_has_no_fault(health: Health) -> None:
    """Neither has one that tells nothing: no data isn't a fault."""
    assert found(health) == ()


def test_all_that_is_wrong_is_told() -> None:
    """Each with what it is about."""
    told = found(ILL, low=True, in_memory=True, broken=["power", "files"])

    assert told == (
        (UNDER_VOLTAGE, ""),
        (TOO_HOT, ""),
        (MEMORY_LOW, ""),
        (DISK_FULL, ""),
        (DISK_READ_ONLY, ""),
        (RECORD_IN_MEMORY, ""),
        (NETWORK_DOWN, "wlan0"),
        (HEALTH_UNREADABLE, "files"),
        (HEALTH_UNREADABLE, "power"),
    )


def hot(cpu_c: float) -> Health:
    """A processor of this temperature."""
    return Health(cpu_c=cpu_c)


def memory(available_bytes: int) -> Health:
    """1 GB of memory, of which this is left."""
    return Health(memory=MemoryHealth(available_bytes=available_bytes, total_bytes=GB))


def tiny(free_bytes: int) -> Health:
    """A disk of 500 MB, of which this is free."""
    return Health(disk=DiskHealth(free_bytes=free_bytes, total_bytes=GB // 2, read_only=False))


def card(free_bytes: int) -> Health:
    """A card of 8 GB, of which this is free."""
    return Health(disk=DiskHealth(free_bytes=free_bytes, total_bytes=8 * GB, read_only=False))


def large(free_bytes: int) -> Health:
    """A disk of 500 GB, of which this is free."""
    return Health(disk=DiskHealth(free_bytes=free_bytes, total_bytes=500 * GB, read_only=False))


@pytest.mark.parametrize(
    ("kind", "last_good", "first_bad", "still_bad", "good_again"),
    [
        (TOO_HOT, hot(79.999), hot(80.0), hot(75.0), hot(74.999)),
        (MEMORY_LOW, memory(50 * MB), memory(50 * MB - 1), memory(60 * MB - 1), memory(60 * MB)),
        (DISK_FULL, tiny(50 * MB), tiny(50 * MB - 1), tiny(60 * MB - 1), tiny(60 * MB)),
        (DISK_FULL, card(400 * MB), card(400 * MB - 1), card(480 * MB - 1), card(480 * MB)),
        (DISK_FULL, large(GB), large(GB - 1), large(1200 * MB - 1), large(1200 * MB)),
    ],
    ids=["hot", "memory", "tiny-disk", "card", "large-disk"],
)
def test_a_fault_begins_at_its_limit_and_ends_beyond_it(
    kind: FaultKind, last_good: Health, first_bad: Health, still_bad: Health, good_again: Health
) -> None:
    """What wavers about the limit is raised once, and cleared once."""
    standing = [(kind, "")]

    assert found(last_good) == ()
    assert found(first_bad) == ((kind, ""),)
    assert found(still_bad, standing=standing) == ((kind, ""),)
    assert found(still_bad) == ()
    assert found(good_again, standing=standing) == ()


@pytest.mark.parametrize("up", [True, None])
def test_a_network_that_is_not_known_to_be_down_is_no_fault(up: bool | None) -> None:
    """A machine that doesn't tell is believed; the links find out."""
    health = Health(network=NetworkHealth(interface="eth0", up=up, signal_dbm=-85.0))

    assert found(health) == ()


def test_a_node_that_needs_no_network_has_no_fault_of_it() -> None:
    """Where every broker is on this machine, a pulled cable holds up no alarm."""
    health = Health(network=NetworkHealth(interface="eth0", up=False, signal_dbm=None))

    assert found(health, networked=False) == ()

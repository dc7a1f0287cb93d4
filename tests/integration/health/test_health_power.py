"""The supply voltage and the throttling: two sources that forget or stick, and a memory of our own."""

import re
from pathlib import Path

import pytest

from node.io.health.power import LOW_SHOWN_S, HighWater, Power, Strain, power
from node.io.health.proc_files import HealthError
from node.protocol.messages import Throttling, UnderVoltage
from tests.support.machine import EMPTY, GET_THROTTLED, PC, PI_3, PI_5, VOLTAGE, Tree, make_tree

NONE, LOW = Strain(0), Strain.UNDER_VOLTAGE
NOON = 1_000.0


@pytest.mark.parametrize(
    ("tree", "told"),
    [
        (PI_3, Power(NONE, NONE, complete=True)),
        ({**PI_3, GET_THROTTLED: "50005\n"}, Power(LOW | Strain.THROTTLED, LOW | Strain.THROTTLED, complete=True)),
        ({**PI_3, GET_THROTTLED: "e0002\n"}, Power(Strain.CAPPED, Strain(0xE), complete=True)),
        ({**PI_3, GET_THROTTLED: "80008\n"}, Power(Strain.SOFT_LIMIT, Strain.SOFT_LIMIT, complete=True)),
        ({**PI_3, GET_THROTTLED: "0x10000\n"}, Power(NONE, LOW, complete=True)),
        ({**PI_3, GET_THROTTLED: "fff0fff0\n"}, Power(NONE, NONE, complete=True)),
        ({**PI_3, VOLTAGE: "1\n"}, Power(LOW, NONE, complete=True)),
        ({GET_THROTTLED: "1\n"}, Power(LOW, NONE, complete=True)),
        (PI_5, Power(NONE)),
        ({**PI_5, VOLTAGE: "1\n"}, Power(LOW)),
        ({"sys/class/hwmon/hwmon0/name": "rpi_volt"}, None),
        (PC, None),
        (EMPTY, None),
    ],
)
def test_a_machine_tells_of_its_power(tree: Tree, told: Power | None, tmp_path: Path) -> None:
    """Either source suffices; bits that nobody has given a meaning have none."""
    assert power(make_tree(tmp_path, tree)) == told


@pytest.mark.parametrize(
    ("path", "content"),
    [
        (GET_THROTTLED, ""),
        (GET_THROTTLED, "throttled=0x0"),
        (GET_THROTTLED, "-1"),
        (GET_THROTTLED, "100000000"),
        (VOLTAGE, "low"),
    ],
)
def test_power_that_makes_no_sense_is_broken(path: str, content: str, tmp_path: Path) -> None:
    """It isn't taken for a supply in order, and not for no data."""
    root = make_tree(tmp_path, PI_3, {path: content})

    with pytest.raises(HealthError, match=re.escape(path)):
        power(root)


def remembered(*readings: Power) -> HighWater:
    """What is remembered of readings that came a second apart."""
    memory = HighWater()
    for number, reading in enumerate(readings):
        memory.note(reading, NOON + number)
    return memory


def test_what_was_seen_once_is_never_forgotten() -> None:
    """The firmware forgets as soon as somebody asks it; a heartbeat goes on telling."""
    quiet = Power(NONE, NONE, complete=True)

    memory = remembered(Power(LOW | Strain.CAPPED, NONE, complete=True), quiet, quiet)

    assert memory.under_voltage(quiet) == UnderVoltage(now=False, seen=True)
    assert memory.throttling(quiet) == Throttling(now=(), seen=("capped",))


def test_what_the_firmware_remembers_has_been_seen_too() -> None:
    """Between two looks, or before the first of them."""
    stuck = Power(Strain.SOFT_LIMIT, LOW | Strain.THROTTLED, complete=True)

    memory = remembered(stuck)

    assert memory.under_voltage(stuck) == UnderVoltage(now=False, seen=True)
    assert memory.throttling(stuck) == Throttling(now=("soft-limit",), seen=("throttled", "soft-limit"))


def test_a_machine_that_tells_of_volts_alone_has_no_throttling() -> None:
    """No data isn't the same as no throttling."""
    low = Power(LOW)

    memory = remembered(low)

    assert memory.under_voltage(low) == UnderVoltage(now=True, seen=True)
    assert memory.throttling(low) is None


@pytest.mark.parametrize(
    ("readings", "low_at"),
    [
        ([Power(NONE)], None),
        ([Power(NONE), Power(LOW), Power(NONE)], NOON + 1.0),
        ([Power(LOW), Power(NONE), Power(LOW)], NOON + 2.0),
        ([Power(NONE, LOW), Power(NONE, LOW)], None),
        ([Power(NONE, NONE), Power(NONE, LOW), Power(NONE, LOW)], NOON + 1.0),
        ([Power(NONE, LOW), Power(NONE, NONE), Power(NONE, LOW)], NOON + 2.0),
        ([Power(Strain.CAPPED, Strain.CAPPED)], None),
    ],
    ids=["never", "dip", "two", "stuck", "between", "cleared", "others"],
)
def test_a_dip_is_when_it_is_seen_or_newly_remembered(readings: list[Power], low_at: float | None) -> None:
    """What the firmware remembered before the first look may be ages old, and is no fault of today."""
    assert remembered(*readings).low_at == low_at


def test_a_dip_stays_a_fault_for_ten_minutes() -> None:
    """A weak supply dips for seconds and again and again; it is told once."""
    memory = remembered(Power(LOW), Power(NONE))

    assert memory.is_low(NOON + LOW_SHOWN_S - 0.001)
    assert not memory.is_low(NOON + LOW_SHOWN_S)


def test_a_supply_in_order_is_no_fault() -> None:
    """Neither one that was read, nor one that never was."""
    assert not HighWater().is_low(NOON)
    assert not remembered(Power(NONE)).is_low(NOON)

"""The supply voltage and what the firmware does to the processor, with a memory of our own.

There are two sources, and neither is enough. ``rpi_volt`` (the kernel's Documentation/hwmon/raspberrypi-hwmon.rst)
reports only the voltage. ``get_throttled`` reports everything, in hex without 0x: bits 0 to 3 are now, 16 to 19 "has
occurred". But newer kernels don't have it any more, and older ones log a warning when it is first read.

The rpi_volt driver asks the firmware every 2 s and thereby clears "has occurred"; if the driver isn't loaded, the bit
stays set. So a dip is visible for 2 s or for ever. To notice each dip, this module has to look more often than that,
and to remember what it saw.
"""

from enum import IntFlag
from pathlib import Path

from msgspec import Struct

from node.io.health.proc_files import HealthError, entries, number, text
from node.protocol.messages import Throttle, Throttling, UnderVoltage

LOW_SHOWN_S = 600.0
"""How long the fault stands after a dip of the voltage: a weak supply dips again and again, for seconds each time."""

_GET_THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"


class Strain(IntFlag):
    """What the power suffers from: the bits of ``get_throttled``."""

    UNDER_VOLTAGE = 1
    CAPPED = 2
    THROTTLED = 4
    SOFT_LIMIT = 8


_NONE = Strain(0)
_ALL = 0xF
_THROTTLES: dict[Strain, Throttle] = {
    Strain.CAPPED: "capped",
    Strain.THROTTLED: "throttled",
    Strain.SOFT_LIMIT: "soft-limit",
}


class Power(Struct, frozen=True):
    """What the machine reports: ``now``, and what has ``occurred``; ``complete``: it reports more than the voltage."""

    now: Strain
    occurred: Strain = _NONE
    complete: bool = False


def power(root: Path) -> Power | None:
    """Both sources combined; None on a machine that has neither."""
    low = _is_low(root)
    path = root / _GET_THROTTLED
    bits = number(path, base=16)
    if bits is None:
        return None if low is None else Power(Strain.UNDER_VOLTAGE if low else _NONE)
    if not 0 <= bits < 2**32:
        raise HealthError(f"{path} says {bits:x}")
    now = Strain(bits & _ALL) | (Strain.UNDER_VOLTAGE if low else _NONE)
    return Power(now, Strain(bits >> 16 & _ALL), complete=True)


def _is_low(root: Path) -> bool | None:
    for monitor in entries(root / "sys/class/hwmon") or ():
        if text(monitor / "name") == "rpi_volt":
            alarm = number(monitor / "in0_lcrit_alarm")
            return None if alarm is None else alarm != 0
    return None


class HighWater:
    """The power problems since the start; ``low_at``: when the voltage was last too low."""

    def __init__(self) -> None:
        self.seen = _NONE
        self.low_at: float | None = None
        self._occurred: Strain | None = None

    def note(self, power: Power, at: float) -> None:
        """Take in a reading of this instant.

        A problem that has newly "occurred" since the last reading counts as now. In the first reading it may be very
        old.
        """
        fresh = _NONE if self._occurred is None else power.occurred & ~self._occurred
        self._occurred = power.occurred
        self.seen |= power.now | power.occurred
        if (power.now | fresh) & Strain.UNDER_VOLTAGE:
            self.low_at = at

    def is_low(self, at: float) -> bool:
        """Whether the voltage is too low, or was so recently enough that the fault still stands."""
        return self.low_at is not None and at < self.low_at + LOW_SHOWN_S

    def under_voltage(self, power: Power) -> UnderVoltage:
        """The voltage, as a heartbeat reports it."""
        return UnderVoltage(now=Strain.UNDER_VOLTAGE in power.now, seen=Strain.UNDER_VOLTAGE in self.seen)

    def throttling(self, power: Power) -> Throttling | None:
        """The other problems, as a heartbeat reports them; None if this machine doesn't report them."""
        if not power.complete:
            return None
        return Throttling(now=_throttles(power.now), seen=_throttles(self.seen))


def _throttles(strain: Strain) -> tuple[Throttle, ...]:
    return tuple(name for each, name in _THROTTLES.items() if each in strain)

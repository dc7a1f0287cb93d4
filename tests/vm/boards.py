"""The machines that QEMU plays: a PC for amd64, and a board for arm64 whose GPIO chip QEMU has itself.

"virt" has a PL061 with eight lines. Its driver is part of Debian's stock kernel, and QEMU sets and sees the lines from
outside of the guest (tests/vm/wires.py). Line 3 is the board's power button.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

CHIP = "9030000.pl061"
"""How the kernel labels the chip of "virt": by its address."""


@dataclass(frozen=True, slots=True)
class Board:
    """``program`` plays it, with these options; its kernel's console is ``console``.

    ``has_wires``: QEMU has its GPIO chip. Else the guest's kernel simulates one.
    """

    program: str
    options: Sequence[str]
    console: str
    has_wires: bool = False


BOARDS: Mapping[str, Board] = {
    "amd64": Board(
        "qemu-system-x86_64",
        # A hardware watchdog, which resets the machine.
        ("-machine", "q35", "-cpu", "Nehalem", "-device", "i6300esb", "-action", "watchdog=reset"),
        "ttyS0",
    ),
    "arm64": Board("qemu-system-aarch64", ("-machine", "virt", "-cpu", "cortex-a72"), "ttyAMA0", has_wires=True),
}
"""By Debian's names of their architectures."""

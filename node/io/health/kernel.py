"""The kernel's boot id, and whether its clock is synchronised. Neither call blocks."""

import ctypes
from pathlib import Path

_TIME_ERROR = 5
TIMEX_ROOM = 512
"""struct timex takes 208 bytes on 64-bit Linux and less on 32-bit; adjtimex(2) never writes more."""


def kernel_boot(root: Path = Path("/")) -> str:
    """The kernel's boot id, empty if it can't be read. Monotonic instants of another boot mean nothing now."""
    try:
        return (root / "proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (OSError, UnicodeError):
        return ""


def clock_synchronised() -> bool | None:
    """Whether the kernel considers the wall clock synchronised; None if it doesn't say.

    Uses adjtimex(2) in its reading mode (modes = 0): the result is TIME_ERROR while no time service steers the clock.
    """
    timex = ctypes.create_string_buffer(TIMEX_ROOM)
    try:
        status: int = ctypes.CDLL(None).adjtimex(timex)
    except (OSError, AttributeError):
        return None
    return None if status < 0 else status != _TIME_ERROR

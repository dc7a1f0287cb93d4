"""What the kernel says of its boot and of its clock. Neither waits for anything."""

import ctypes
from pathlib import Path

_TIME_ERROR = 5
_TIMEX_ROOM = 512
"""struct timex takes 208 bytes on 64-bit Linux and less on 32-bit; adjtimex(2) never writes more."""


def kernel_boot(root: Path = Path("/")) -> str:
    """The kernel's boot id: monotonic instants of another one mean nothing now. Empty where it can't be read."""
    try:
        return (root / "proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (OSError, UnicodeError):
        return ""


def clock_synchronised() -> bool | None:
    """Whether the kernel takes the wall clock for synchronised; None where it doesn't say.

    By adjtimex(2) in its reading mode (modes = 0), whose result is TIME_ERROR while no time service steers the clock.
    """
    timex = ctypes.create_string_buffer(_TIMEX_ROOM)
    try:
        status: int = ctypes.CDLL(None).adjtimex(timex)
    except (OSError, AttributeError):
        return None
    return None if status < 0 else status != _TIME_ERROR

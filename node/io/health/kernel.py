"""The kernel's boot id, and whether the clock is synchronised. Neither call blocks."""

import time
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


_TIMESYNCD = "run/systemd/timesync"
_AGED_S = 86_400.0
"""systemd-timesyncd asks its server at least every 34 minutes (PollIntervalMaxSec= in timesyncd.conf(5))."""


def clock_synchronised(root: Path = Path("/")) -> bool | None:
    """Whether the wall clock is synchronised; None if that can't be told.

    systemd-timesyncd tells it by the file that it touches at each synchronisation (systemd-timesyncd.service(8)).
    Without it the kernel knows, whoever steers the clock: adjtimex(2) in its reading mode (modes = 0) gives TIME_ERROR
    while nobody does. A service mayn't ask unless it is allowed to: the same call can set the clock.
    """
    told = _by_timesyncd(root)
    return _by_kernel() if told is None else told


def _by_kernel() -> bool | None:
    import ctypes  # noqa: PLC0415 -- a Raspberry Pi has timesyncd, and a node is smaller without it

    timex = ctypes.create_string_buffer(TIMEX_ROOM)
    try:
        status: int = ctypes.CDLL(None).adjtimex(timex)
    except (OSError, AttributeError):
        return None
    return None if status < 0 else status != _TIME_ERROR


def _by_timesyncd(root: Path) -> bool | None:
    try:
        return time.time() - (root / _TIMESYNCD / "synchronized").stat().st_mtime < _AGED_S
    except OSError:
        return False if (root / _TIMESYNCD).is_dir() else None

"""Silences lgpio when its chip has gone (HAZARDS.md H41).

lgpio's thread waits for the edges of all lines. The kernel ends each wait at once when it has given a line up, so the
thread writes thousands of lines a second to the journal, until the process ends. No setting of lgpio stops that.
"""

import os
import select
from contextlib import suppress
from pathlib import Path

GPIO_LINES = "anon_inode:gpio-"
"""What the link of an open line of any chip begins with, in /proc (drivers/gpio/gpiolib-cdev.c)."""

_OPEN = Path("/proc/self/fd")


def silence(kind: str = GPIO_LINES) -> int:
    """Let no open file of this kind that its device has given up report that any more; returns how many there were.

    Such a file gives way to one that never has anything to report. Its number stays open, for its owner to close.
    Raises OSError if this process can open no more files.
    """
    given_up = select.poll()
    for each in _OPEN.iterdir():
        with suppress(OSError):  # closed meanwhile
            if str(each.readlink()).startswith(kind):
                given_up.register(int(each.name), 0)  # POLLHUP and POLLERR alone
    found = [number for number, _ in given_up.poll(0)]
    if found:
        silent = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)  # a thread may be about to read from it
        try:
            for number in found:
                os.dup2(silent, number, inheritable=False)
        finally:
            os.close(silent)
    return len(found)

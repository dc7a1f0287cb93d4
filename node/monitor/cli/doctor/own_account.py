"""What the account that runs a command may look at: another account than the monitor's can tell little of its files."""

import os
import pwd
from collections.abc import Iterable
from pathlib import Path

AS_ROOT = "run this as root: sudo alarm-monitor check"

_SERVICE = "alarm-monitor"
"""The account that the package makes."""


def is_outsider(directory: Path) -> bool:
    """Whether this account is neither root nor the monitor's; ``directory``: the monitor's state directory.

    Where there is none yet the package's account is the monitor's; without that one any account may become it.
    """
    own = os.geteuid()
    if own == 0:
        return False
    try:
        return directory.stat().st_uid != own
    except OSError:
        pass
    try:
        return pwd.getpwnam(_SERVICE).pw_uid != own
    except KeyError:
        return False


def hidden(paths: Iterable[Path | None]) -> Path | None:
    """The first of these files that this account may not read; None where there is none such, or it is missing."""
    return next((each for each in paths if each is not None and _is_denied(each)), None)


def _is_denied(path: Path) -> bool:
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except PermissionError:
        return True
    except OSError:
        return False
    return False

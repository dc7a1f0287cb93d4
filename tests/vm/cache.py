"""What takes long and changes seldom, kept outside of the repository: roots, kernels, the lists of Debian's archive.

Rules:

1. Nothing here is needed: what is missing is made again, and a cache that can't be written is one for this run alone.
2. Each entry has a key that is made of everything it is made from (the versions of all packages, the recipe's text).
3. An entry is complete or isn't there. Two runs at once make it once.
4. What nobody has used for two weeks goes.
"""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from fcntl import LOCK_EX, flock
from pathlib import Path

UNUSED_S = 14 * 86_400.0
_SHORT = 16


class Cache:
    """Entries below one directory, by name and key."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def entry(self, name: str, key: str, make: Callable[[Path], None]) -> Path:
        """The directory of this entry; ``make`` fills an empty one, if there is none yet. Only to be read."""
        place = self.directory / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:_SHORT]}"
        with (self.directory / f"{place.name}.lock").open("w") as lock:
            flock(lock, LOCK_EX)
            if not place.exists():
                fresh = Path(tempfile.mkdtemp(prefix=f"{place.name}.", dir=self.directory))
                try:
                    make(fresh)
                    fresh.rename(place)
                except BaseException:
                    shutil.rmtree(fresh, ignore_errors=True)
                    raise
            os.utime(place)
        return place

    def tidy(self) -> None:
        """Remove what nobody has used for two weeks."""
        for each in self.directory.iterdir():
            if time.time() - each.stat().st_mtime > UNUSED_S:
                if each.is_dir():
                    shutil.rmtree(each, ignore_errors=True)
                else:
                    each.unlink(missing_ok=True)


def cache_home() -> Path:
    """Where all programs of whoever runs this keep their caches."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def user_cache() -> Path:
    """The directory for caches of whoever runs this; a temporary one where that can't be written."""
    directory = cache_home() / "alarm-node" / "vm"
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError:
        return Path(tempfile.mkdtemp(prefix="alarm-node-vm-"))
    return directory

"""What a process holds, looked at again and again, and whether it grows.

A measure grows when its trend over all looks is more than its noise. The trend is Theil and Sen's: the median slope of
all pairs of looks, which a few odd looks don't move. The noise is three times the scatter around that trend (its median
absolute deviation, scaled to a standard deviation), and never less than the measure's own grain: what an allocator or a
page cache gives and takes by itself.
"""

import gc
import json
import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import median

GRAINS = {"RSS, KiB": 2_048.0, "objects": 300.0, "blocks": 300.0, "threads": 0.0, "files": 0.0}
"""The grain of each measure. ``objects`` are those that Python's collector follows, ``blocks`` all small ones.

Of 63,000 objects about 100 come and go from look to look. A leak of one object an hour is 2,160 of them in ninety days.

Python takes its memory in arenas of 1 MiB: one of them, and what the C library takes meanwhile, is no growth.
"""

BYTES_PER_EVENT = 2_048.0
"""The most that the record may grow by for each event that it stores."""

_PAGE_KIB = os.sysconf("SC_PAGE_SIZE") / 1_024
_SIGMAS = 3 * 1.4826


@dataclass(frozen=True, slots=True)
class Look:
    """One look: every measure, the bytes of the record's files, and how many events are stored."""

    measures: dict[str, float]
    record_bytes: int
    events: int


class Diary:
    """The looks of a life, in a file: kept in memory they would be what grows."""

    def __init__(self, path: Path, record_directory: Path) -> None:
        self._path = path
        self._record = record_directory

    def look(self, events: int) -> None:
        """Note how this process is now, when all that is unreachable was collected."""
        gc.collect()
        rss_kib = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE_KIB
        found = (rss_kib, len(gc.get_objects()), sys.getallocatedblocks(), threading.active_count(), _files())
        size = sum(each.stat().st_size for each in self._record.glob("record.sqlite*"))
        with self._path.open("a", encoding="ascii") as diary:
            diary.write(json.dumps([dict(zip(GRAINS, found, strict=True)), size, events]) + "\n")

    def looks(self) -> list[Look]:
        """All of them, the oldest first."""
        return [Look(*json.loads(line)) for line in self._path.read_text(encoding="ascii").splitlines()]


def judge(looks: Sequence[Look]) -> dict[str, float]:
    """By how much each measure grew from the first look to the last; fails where that is more than noise."""
    grown = {}
    for name, grain in GRAINS.items():
        values = [each.measures[name] for each in looks]
        grown[name], noise = trend(values)
        allowed = max(noise, grain)
        assert grown[name] <= allowed, f"{name}: grew by {grown[name]:.0f}, noise {allowed:.0f}: {_told(values)}"
    size, _ = trend([each.record_bytes for each in looks])
    stored, _ = trend([each.events for each in looks])
    per_event = size / stored
    assert per_event <= BYTES_PER_EVENT, f"the record grew by {per_event:.0f} bytes for each event"
    return {**{f"{name} grown": value for name, value in grown.items()}, "record's bytes per event": per_event}


def trend(values: Sequence[float]) -> tuple[float, float]:
    """The growth from the first value to the last by their trend, and their noise."""
    slope = median((later - earlier) / (j - i) for (i, earlier), (j, later) in combinations(enumerate(values), 2))
    rests = [value - slope * index for index, value in enumerate(values)]
    middle = median(rests)
    return slope * (len(values) - 1), _SIGMAS * median(abs(each - middle) for each in rests)


def _files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a path for each would be looked up in vain


def _told(values: Sequence[float]) -> str:
    step = max(1, len(values) // 12)
    return ", ".join(f"{value:.0f}" for value in values[::step])

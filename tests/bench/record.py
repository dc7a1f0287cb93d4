"""How soon a start knows what was open, with a record as large as it gets: ``python -m tests.bench.record``.

The file is filled to its limit with telemetry that nobody received, the worst case: all of it is outstanding. Then a
record is begun on it again and again, each time with the file's pages out of the kernel's memory where that is allowed.
"""

import os
import queue
import statistics
import tempfile
import time
from pathlib import Path

from node.core.events import BacklogRead, Event, RecordLoaded
from node.core.model import Key, Snapshot
from node.io.record.record import FILE_NAME, Record, Row
from node.io.record.record_file import File

LIMIT = 64 * 2**20
STARTS = 20
BODY = b'{"v":1,"node":"room-214","boot":"0000beef","seq":123456,"at_utc":"2026-11-22T12:00:00.000Z","kind":"restored"}'


def main() -> None:
    """Fill, start, tell."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        count = _fill(directory)
        loaded, caught_up = zip(*(_start(directory) for _ in range(STARTS)), strict=True)
        size = (directory / FILE_NAME).stat().st_size / 2**20
        print(f"{count} events, {size:.0f} MiB, {STARTS} starts")
        print(f"what was open:    median {_ms(statistics.median(loaded))}, worst {_ms(max(loaded))}")
        print(f"what is sent now: median {_ms(statistics.median(caught_up))}, worst {_ms(max(caught_up))}")


def _fill(directory: Path) -> int:
    file, seq = File(directory / FILE_NAME, LIMIT), 0
    while not file.to_evict():
        rows = [Row(Key("0000beef", seq + each), False, 1.0, "kernel", BODY) for each in range(1, 5_001)]
        file.commit(rows, {}, {}, b"1", "kernel")
        seq += len(rows)
    file.close()
    return seq


def _start(directory: Path) -> tuple[float, float]:
    """How long it takes to what was open, and to what nobody holds."""
    with (directory / FILE_NAME).open("rb") as opened:
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    record = Record(
        directory,
        boot="0000cafe",
        kernel_boot="kernel",
        put=events.put,
        decode_snapshot=lambda stored: Snapshot(float(stored)),
        limit_bytes=LIMIT,
    )
    begin = time.monotonic()
    record.start()
    instants = {type(event): event.at - begin for event in (events.get(), events.get())}
    record.stop(10.0)
    return instants[RecordLoaded], instants[BacklogRead]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


if __name__ == "__main__":
    main()

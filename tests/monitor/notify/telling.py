"""A teller on an outbox in memory, with quick paces."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from node.monitor.core.model.monitor_settings import Target
from node.monitor.notify.teller import Accepted, Pace, Teller
from tests.support.outbox import MemoryOutbox
from tests.support.receivers import HttpReceiver, Record

QUICK = Pace(poll_s=0.05, gather_s=0.5, many_s=1.5, send_s=10.0)
RENEWING = Pace(poll_s=0.02, gather_s=0.0, many_s=0.0, renew_s=0.0)
"""At every look: where the clock is turned, a claim is renewed by the new time at once."""


@contextmanager
def telling(
    outbox: MemoryOutbox,
    *targets: Target,
    monitor: str = "monitor-a",
    pace: Pace = QUICK,
) -> Iterator[tuple[Teller, Record]]:
    """A running teller, and what it puts about its targets."""
    put = Record()
    teller = Teller(
        monitor, outbox, targets, lambda each: None if isinstance(each, Accepted) else put.add(each), pace=pace
    )
    teller.start()
    try:
        yield teller, put
    finally:
        assert teller.close(30.0)


def desk(receiver: HttpReceiver, name: str = "desk") -> Target:
    """A target that is this receiver."""
    return Target(name, receiver.url)


def all_settled(outbox: MemoryOutbox) -> None:
    """Wait until nothing waits."""
    outbox.wait_for(lambda rows: all(row.outcome is not None for row in rows))


def renewed_at(outbox: MemoryOutbox, instant: datetime) -> None:
    """Wait until the first delivery's claim has this stamp."""
    outbox.wait_for(lambda rows: rows[0].claimed is not None and rows[0].claimed[2] == instant)

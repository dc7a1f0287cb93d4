"""What the monitor counts from its start on, for its metrics."""

from msgspec import Struct


class Counters(Struct, kw_only=True):
    """What has happened since the monitor's start. A view has a copy. ``…_s`` are sums of measured durations.

    ``receipts``: receipts *held* that were sent. ``told``: calls that people were told of; ``told_s``: how long that
    took.
    """

    heartbeats: int = 0
    events: int = 0
    receipts: int = 0
    repeated: int = 0
    malformed: int = 0
    dropped: int = 0
    unknown_nodes: int = 0
    stored_s: float = 0.0
    stored: int = 0
    told_s: float = 0.0
    told: int = 0

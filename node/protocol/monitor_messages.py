"""What a monitor sends in protocol v1: its receipts, its commands, and its own state and heartbeat.

A tool that gives commands sends ``Command``, too. As in messages.py, a receiver ignores unknown fields.
"""

from typing import Annotated, Literal

import msgspec

from node.protocol.messages import AtUtc, Boot, Clock, Count, EventId, Id, IncidentId

ReceiptKind = Literal["held", "told"]
IDENTIFY_S = 10.0
"""How long a node chirps where the command doesn't say it."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """A monitor says of ``event``: *held* (it is stored, so needn't be sent again), or *told* (people were told of it).

    *Told* names the event that calls for help (``OpenIncident.press``), and says that a channel took that call.
    """

    v: Literal[1]
    monitor: Id
    event: EventId
    kind: ReceiptKind


class MonitorMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A monitor's state or heartbeat, as far as a node reads it. A heartbeat may leave out ``state``."""

    v: Literal[1]
    monitor: Id
    boot: Boot
    state: Literal["online", "offline", "lost"] = "online"


class MonitorState(MonitorMessage, frozen=True, kw_only=True):
    """The whole of it, as a monitor publishes it: birth, goodbye and will on ``state``, and its heartbeat.

    A monitor numbers no events. ``period_s``: of a heartbeat, when the next one is due. ``reason``: of a goodbye, why.
    """

    seq: Count = 0
    session: Count
    at_utc: AtUtc
    clock: Clock = "free"
    period_s: float | None = None
    reason: str | None = None


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """A command on ``command``; which of the last fields an action needs stands in the table of PROTOCOL.md 9.3."""

    v: Literal[1]
    id: Id
    boot: Boot
    ttl_s: Annotated[float, msgspec.Meta(gt=0)]
    by: Id
    action: Annotated[str, msgspec.Meta(max_length=63)]
    incident: IncidentId | None = None
    presses: Count | None = None
    input: Id | None = None
    for_s: Annotated[float, msgspec.Meta(ge=1, le=24 * 3600)] | None = None
    reason: Id | None = None


MonitorSays = MonitorState | Receipt | Command
"""Each message that a monitor publishes."""

LIMITS_S = {"identify": 60.0, "walk-test": 3600.0}
"""By action: the longest ``for_s``, if that is less than the field's own limit."""

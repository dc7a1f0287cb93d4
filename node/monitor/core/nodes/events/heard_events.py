"""Makes of a node's event what the history keeps of it, and says when it happened. Pure."""

from datetime import UTC, datetime, timedelta

from node.core.model import EventKind
from node.monitor.core.decisions.ledger import Moment
from node.monitor.core.decisions.monitor_codec import event_body
from node.monitor.core.model.records import EventKey, HeardEvent
from node.protocol.messages import KINDS, Event

FIRST_UTC = datetime(1970, 1, 1, tzinfo=UTC)
"""The time that a clock shows that nobody has set."""

_DOORS = (EventKind.OPENED, EventKind.CLOSED)


def heard_event(now: Moment, key: EventKey, event: Event) -> HeardEvent:
    """What the history keeps.

    The time at which a door was opened says where people are. Outside an incident it isn't kept (README). An event of
    an unknown kind may reveal the same.
    """
    of_door = event.kind in _DOORS or (event.kind not in KINDS and event.input is not None)
    private = of_door and event.incident is None
    return HeardEvent(
        key=key,
        kind=str(event.kind),
        at_utc=event.at_utc,
        heard_utc=now.utc,
        urgent=event.incident is not None or event.test,
        incident=event.incident,
        input=None if private else event.input,
        body="" if private else event_body(event),
    )


def happened_utc(now: Moment, event: Event) -> datetime:
    """When the event happened: by our clock if the node says how long ago that was, else by the node's clock.

    It is never later than now, and never before FIRST_UTC: not every time zone can show a date of the year 1.
    """
    if isinstance(event.age_ms, int):
        try:
            return max(now.utc - timedelta(milliseconds=event.age_ms), FIRST_UTC)
        except OverflowError:
            pass
    try:
        return max(min(datetime.fromisoformat(event.at_utc), now.utc), FIRST_UTC)
    except ValueError:
        return now.utc

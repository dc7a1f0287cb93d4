"""Makes the record of an incident: from an event, from its node's list, or from an acknowledgement. Pure."""

from datetime import datetime

from msgspec.structs import replace

from node.core.settings import AlarmClass
from node.monitor.core.model import IncidentKey, IncidentRecord
from node.protocol.messages import Event, OpenIncident


def from_event(key: IncidentKey, event: Event, at_utc: datetime) -> IncidentRecord:
    """An incident as one of its events describes it: its call or, if that was never heard, a later event."""
    return IncidentRecord(
        key=key,
        input=event.input or "",
        alarm_class=event.alarm_class or AlarmClass.THREAT,
        raised_utc=at_utc,
        presses=event.presses or 0,
        test=event.test,
    )


def from_list(key: IncidentKey, listed: OpenIncident, at_utc: datetime) -> IncidentRecord:
    """An incident of which only its node's list is known."""
    record = IncidentRecord(
        key=key,
        input=listed.input,
        alarm_class=listed.alarm_class,
        raised_utc=at_utc,
        presses=listed.presses,
        test=listed.test,
    )
    return answered(record, at_utc, None) if listed.phase == "acknowledged" else record


def answered(record: IncidentRecord, at_utc: datetime, by: str | None, presses: int | None = None) -> IncidentRecord:
    """The record once somebody is coming who knew of ``presses`` (None: of all). There were at least so many."""
    known = presses or record.presses
    if record.answered and known <= record.answered:
        return record
    return replace(
        record,
        presses=max(record.presses, known),
        acknowledged_utc=at_utc,
        acknowledged_by=by,
        answered=known,
        ended=record.ended if record.acknowledged_utc is not None else record.answered,
    )

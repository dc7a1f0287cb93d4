"""Makes the record of an incident from an event, its node's list or an acknowledgement, and compares them. Pure."""

from datetime import datetime

from msgspec.structs import replace

from node.core.model import PRESSES
from node.core.settings import AlarmClass
from node.monitor.core.decisions.ledger import Moment
from node.monitor.core.model.records import IncidentKey, IncidentRecord
from node.monitor.core.nodes.events.plausibility import happened_after
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


def is_other(record: IncidentRecord, event: Event) -> bool:
    """Whether a call differs from what was told: it is no test but was told as one, or has another input or class."""
    told = (record.test and not event.test, record.input, record.alarm_class)
    return told != (False, event.input or "", event.alarm_class or record.alarm_class)


def is_uncounted(now: Moment, event: Event, since: float) -> bool:
    """Whether this press happened after that instant (monotonic), and so wasn't counted then."""
    return event.kind in PRESSES and happened_after(now, event, since)


def contradicted(known: IncidentRecord, call: IncidentRecord) -> IncidentRecord:
    """The record after a call that contradicts it. It counts as one more press, with the worse class of the two."""
    return replace(
        known,
        input=call.input,
        alarm_class=max(known.alarm_class, call.alarm_class, key=lambda each: each.rank),
        test=known.test and call.test,
        presses=max(known.presses + 1, call.presses),
    )

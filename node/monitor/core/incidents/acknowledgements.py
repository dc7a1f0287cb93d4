"""Notes that somebody is coming: to an open incident, one that only the history has, or one that is over. Pure."""

from datetime import datetime

from msgspec.structs import replace

from node.monitor.core.decisions.ledger import Ledger, Moment, plain
from node.monitor.core.incidents.escalation import Escalation, Open
from node.monitor.core.incidents.known.ended_incidents import EndedIncidents
from node.monitor.core.incidents.known.incident_record import answered, from_event
from node.monitor.core.incidents.known.open_incidents import OpenIncidents
from node.monitor.core.model.records import IncidentKey
from node.protocol.messages import Event


class Acknowledgements:
    """Changes the open incidents, and tells people who is coming."""

    def __init__(self, ledger: Ledger, escalation: Escalation, room: OpenIncidents, ended: EndedIncidents) -> None:
        self._ledger = ledger
        self._escalation = escalation
        self._room = room
        self._ended = ended

    def heard(self, now: Moment, key: IncidentKey, event: Event, at_utc: datetime) -> None:
        """Take the event that says who is coming."""
        by, ended = plain(event.by), self._ended.presses.get(key)
        if key in self._room.all:
            self.note(now, key, at_utc, by, event.presses)
        elif ended is not None and (event.presses or 0) <= ended:
            # Its end was heard first. The history gets it, but people don't: nobody is coming to what is over.
            record = from_event(key, replace(event, presses=event.presses or ended), at_utc)
            self._ledger.out.incidents.append(answered(record, at_utc, by))
        else:
            # Either only the history knows the call, because another monitor heard it and has stopped since. Or the
            # incident was ended here too early: a further press, whose event hasn't come yet, was acknowledged.
            opened = Open(answered(from_event(key, event, at_utc), at_utc, by), counted_at=now.at)
            if ended is not None and self._room.has_room(now, key.of):
                self._ended.remove(key)
                self._room.put(opened)
            self._ledger.out.incidents.append(opened.record)
            self._escalation.answered(now, opened, by)

    def note(self, now: Moment, key: IncidentKey, at_utc: datetime, by: str, presses: int | None = None) -> None:
        """Note that somebody is coming who knew of ``presses`` (None: of all). Nothing happens if it isn't open."""
        opened = self._room.all.get(key)
        if opened is None:
            return
        record = opened.record
        if (presses or record.presses) <= record.answered and not record.is_answered:
            # It is heard again, and was taken back since. People who were called for the later press must not read that
            # it is answered.
            return
        opened.answered_since = None
        opened.record = answered(record, at_utc, by, presses)
        if opened.record.presses > record.presses:
            opened.counted_at = now.at
        self._ledger.out.incidents.append(opened.record)
        self._escalation.answered(now, opened, by)
        if not opened.record.is_answered:  # it came late: there was a further press after it
            self._escalation.begin(now, opened)

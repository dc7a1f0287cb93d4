"""Merges two views of one incident. Several monitors may each know a part of it. Pure.

The merge is a least upper bound: it is commutative, associative and idempotent. So memory, SQLite and PostgreSQL come
to the same record, whichever monitor stores first, and however often. The presses that are counted order everything:

1. ``presses`` is the greater number. So are ``beyond`` and, with its instant, ``told_presses``.
2. An end counts all presses that its record has. It ends the incident only if nobody counted more. Otherwise the
   incident wasn't over: ``ended`` becomes the number that this end counted. It is the greatest such number.
3. Who acknowledged most presses is kept. An acknowledgement of no more than ``ended`` presses is void: the presses that
   an end counted are answered, and nobody is coming.
4. ``told_level`` begins at 0 again after each end that came too early. Of records with the same
   ``ended`` the greater level is taken.
5. Of two that count the same, the earlier one is kept: the first that raised, held, told, acknowledged or ended it. An
   acknowledgement with a name comes before one without.
6. The alarm has the worst class that was heard. It is a test only if all say so.

``merge(a, a)`` is ``a`` if ``a`` is a record that a merge returned, or that a monitor makes: an acknowledgement counts
more presses than ``ended``, and without one ``answered`` is ``ended``.
"""

from collections.abc import Iterator
from datetime import datetime

from node.monitor.core.decisions.ledger import CLOCK_SET
from node.monitor.core.model.records import IncidentRecord


def merge(a: IncidentRecord, b: IncidentRecord) -> IncidentRecord:
    """What both views know together. They are of the same incident."""
    both = (a, b)
    presses = max(a.presses, b.presses)
    ended = max((count for each in both for count in _ends(each) if count < presses), default=0)
    raised = min(both, key=_raised)
    told = min(both, key=lambda each: (-each.told_presses, _instant(each.told_utc)))
    acknowledged = [each for each in both if each.acknowledged_utc and (each.answered > ended or not ended)]
    answered = min(acknowledged, key=_acknowledged, default=None)
    ends = [each for each in both if each.reset_utc is not None and each.presses == presses]
    end = min(ends, key=_end, default=None)
    return IncidentRecord(
        key=a.key,
        input=raised.input,
        alarm_class=max(a.alarm_class, b.alarm_class, key=lambda each: each.rank),
        raised_utc=raised.raised_utc,
        presses=presses,
        test=a.test and b.test,
        held_utc=min(a.held_utc, b.held_utc, key=_instant),
        told_utc=told.told_utc,
        told_presses=told.told_presses,
        acknowledged_utc=None if answered is None else answered.acknowledged_utc,
        acknowledged_by=None if answered is None else answered.acknowledged_by,
        answered=ended if answered is None else answered.answered,
        reset_utc=None if end is None else end.reset_utc,
        reset_by=None if end is None else end.reset_by,
        reset_reason=None if end is None else end.reset_reason,
        told_level=max((each.told_level for each in both if _ended(each) == ended), default=0),
        beyond=max(a.beyond, b.beyond),
        ended=ended,
    )


def _ended(record: IncidentRecord) -> int:
    """How many presses an end that came too early had counted. Where nobody acknowledged, ``answered`` says so."""
    return record.ended if record.acknowledged_utc is not None else max(record.ended, record.answered)


def _ends(record: IncidentRecord) -> Iterator[int]:
    """How many presses each end counted that this record knows of."""
    yield _ended(record)
    if record.reset_utc is not None:
        yield record.presses


_Instant = tuple[bool, datetime]


def _instant(utc: datetime | None) -> _Instant:
    """Sorts instants; none comes last."""
    return (True, CLOCK_SET) if utc is None else (False, utc)


def _text(text: str | None) -> tuple[bool, str]:
    return text is None, text or ""


def _raised(record: IncidentRecord) -> tuple[object, ...]:
    """Sorts by when it was raised; last come those without an input, or whose clock wasn't set."""
    return not record.input, record.raised_utc < CLOCK_SET, record.raised_utc, record.input


def _acknowledged(record: IncidentRecord) -> tuple[object, ...]:
    by = record.acknowledged_by
    return -record.answered, not by, _instant(record.acknowledged_utc), _text(by)


def _end(record: IncidentRecord) -> tuple[object, ...]:
    return _instant(record.reset_utc), _text(record.reset_by), _text(record.reset_reason)

"""Which event is sent on which link, and when it is sent again.

Rules:

1. An event waits here until a monitor holds it. In a building without a monitor it waits until a broker took it
   (PUBACK 0x00); if the building gets one, what only a broker took waits again (reconfigure.py).
2. A fresh alarm event goes out on every link at once. Every other event obeys the window: at most 20 unreceipted events
   are in flight on a link, because a broker answers 0x00 and then drops what a slow subscriber can't take
   (PROTOCOL.md 7.1). Telemetry in flight never takes the place of an alarm: for alarms only alarms are counted.
3. Alarms are chosen before telemetry, and events with fewer attempts before events with more. The chosen events are
   sent oldest first: a press must not arrive before an acknowledgement that is older than it.
4. A refused or unheard event is no longer in flight. It is set aside until its next turn, so it never blocks the event
   behind it.
5. Alarm events are sent again after ``receipt_s``; the pause doubles each time, up to 5 minutes. Telemetry is sent
   again after 5 minutes. Everything is sent again when a monitor is heard (again), at most once a second, and on a
   link that comes back.
6. At most ``KEPT`` events wait in memory. Beyond that events are spilled: telemetry first, the oldest first. The record
   has them, and is asked for them when there is room again.
"""

from collections.abc import Iterable, Mapping
from math import inf

from msgspec import Struct, field
from msgspec.structs import replace

from node.core.back_off import BackOff
from node.core.model import Key

WINDOW = 20
KEPT = 1_000
REFILL = 200
RESEND_LIMIT_S = 300.0
REDELIVERY_PAUSE_S = 1.0


class WaitingEvent(Struct, frozen=True):
    """One unreceipted event. ``order``: smaller is older. ``due``: when it is sent again, inf before it was sent.

    ``in_flight``: the links on which it was sent and isn't answered yet. ``set_aside``: the links on which a broker
    answered it while no monitor holds it. ``retried``: it was already taken from ``set_aside`` once before its turn.
    """

    alarm: bool
    order: int
    attempts: int = 0
    due: float = inf
    in_flight: frozenset[str] = frozenset()
    set_aside: frozenset[str] = frozenset()
    retried: bool = False


class WaitingEvents(Struct, frozen=True):
    """All events that wait, by key. ``spilled``: the record holds unreceipted events that aren't here.

    ``refill_asked``: the record was asked for them. ``redelivered_at``: when everything was last sent again for a
    monitor. ``redelivery_due``: when everything has to be sent again once more.
    """

    events: Mapping[Key, WaitingEvent] = field(default_factory=dict)
    next_order: int = 0
    spilled: bool = False
    refill_asked: bool = False
    redelivered_at: float = -inf
    redelivery_due: float = inf


def add(waiting: WaitingEvents, key: Key, alarm: bool) -> tuple[WaitingEvents, Key | None]:
    """The waiting events with one more, and the event that had to be spilled to make room."""
    events = dict(waiting.events)
    events[key] = WaitingEvent(alarm, waiting.next_order)
    waiting = replace(waiting, events=events, next_order=waiting.next_order + 1)
    if len(events) <= KEPT:
        return waiting, None
    spilled = min(events, key=lambda each: (events[each].alarm, events[each].order))
    del events[spilled]
    return replace(waiting, spilled=True, refill_asked=False), spilled


def refill(waiting: WaitingEvents, entries: Iterable[tuple[Key, bool]], more: bool) -> WaitingEvents:
    """The waiting events with those that the record brought back, as far as there is room.

    ``more``: the record holds other events. That is also true if an event was spilled after the record was asked.
    """
    more = more or (waiting.spilled and not waiting.refill_asked)
    for key, alarm in entries:
        if key in waiting.events:
            continue
        if len(waiting.events) >= KEPT:
            return replace(waiting, spilled=True, refill_asked=False)
        waiting, _ = add(waiting, key, alarm)
    return replace(waiting, spilled=more, refill_asked=False)


def wants_refill(waiting: WaitingEvents) -> bool:
    """Whether the record should be asked for what was spilled."""
    return waiting.spilled and not waiting.refill_asked and len(waiting.events) <= REFILL


def remove(waiting: WaitingEvents, key: Key) -> WaitingEvents:
    """The waiting events without one that needn't be sent again."""
    if key not in waiting.events:
        return waiting
    events = dict(waiting.events)
    del events[key]
    return replace(waiting, events=events)


def send(waiting: WaitingEvents, link: str, key: Key, at: float, receipt_s: float) -> WaitingEvents:
    """The waiting events after this event was handed to this link."""
    entry = waiting.events[key]
    pause = BackOff(receipt_s, RESEND_LIMIT_S).wait_s(1 + entry.attempts) if entry.alarm else RESEND_LIMIT_S
    due = at + pause if entry.due == inf else entry.due
    sent = replace(entry, due=due, in_flight=entry.in_flight | {link}, set_aside=entry.set_aside - {link})
    return _replaced(waiting, key, sent)


def answered(waiting: WaitingEvents, link: str, key: Key) -> WaitingEvents:
    """The broker answered, which is no receipt: the event leaves the window and waits for its next turn."""
    entry = waiting.events.get(key)
    if entry is None or link not in entry.in_flight:
        return waiting
    aside = replace(entry, in_flight=entry.in_flight - {link}, set_aside=entry.set_aside | {link})
    return _replaced(waiting, key, aside)


def sendable(waiting: WaitingEvents, link: str) -> list[Key]:
    """The events that may be sent on this link now, in order."""
    in_flight = [entry.alarm for entry in waiting.events.values() if link in entry.in_flight]
    alarms = _ready(waiting, link, WINDOW - sum(in_flight), alarm=True)
    return alarms + _ready(waiting, link, WINDOW - len(in_flight) - len(alarms), alarm=False)


def forget_link(waiting: WaitingEvents, link: str) -> WaitingEvents:
    """The waiting events after a link came or went: no event is in flight there."""
    events = {
        key: replace(entry, in_flight=entry.in_flight - {link}, set_aside=entry.set_aside - {link})
        for key, entry in waiting.events.items()
    }
    return replace(waiting, events=events)


def retry_refused(waiting: WaitingEvents, link: str) -> WaitingEvents:
    """After this link's broker took a topic that it had refused: events that are set aside may be sent at once.

    Each event is retried like this only once until it is due again, because a broker may refuse one event for ever and
    take all others.
    """
    events = {
        key: replace(entry, set_aside=entry.set_aside - {link}, retried=True)
        if link in entry.set_aside and not entry.retried
        else entry
        for key, entry in waiting.events.items()
    }
    return replace(waiting, events=events)


def redeliver(waiting: WaitingEvents, at: float) -> WaitingEvents:
    """After a monitor was heard: everything may be sent again, now or a second after the last time.

    Each copy of a monitor's birth asks for this: a storm of copies must not delay a fresh alarm.
    """
    due = waiting.redelivered_at + REDELIVERY_PAUSE_S
    if at < due:
        return replace(waiting, redelivery_due=due)
    events = {key: _sendable_again(entry) for key, entry in waiting.events.items()}
    return replace(waiting, events=events, redelivered_at=at, redelivery_due=inf)


def make_due_sendable(waiting: WaitingEvents, at: float) -> WaitingEvents:
    """The waiting events at ``at``: every event that is due may be sent once more."""
    if next_due(waiting) > at:
        return waiting
    if waiting.redelivery_due <= at:
        waiting = redeliver(waiting, at)
    events = {
        key: replace(_sendable_again(entry), attempts=entry.attempts + 1) if entry.due <= at else entry
        for key, entry in waiting.events.items()
    }
    return replace(waiting, events=events)


def next_due(waiting: WaitingEvents) -> float:
    """The instant at which an event is due to be sent again; inf when there is none."""
    return min((waiting.redelivery_due, *(entry.due for entry in waiting.events.values())))


def _ready(waiting: WaitingEvents, link: str, room: int, *, alarm: bool) -> list[Key]:
    if room <= 0:
        return []
    events = waiting.events
    ready = [
        key
        for key, entry in events.items()
        if entry.alarm is alarm and link not in entry.in_flight and link not in entry.set_aside
    ]
    next_ones = sorted(ready, key=lambda key: (events[key].attempts, events[key].order))[:room]
    return sorted(next_ones, key=lambda key: events[key].order)


def _sendable_again(entry: WaitingEvent) -> WaitingEvent:
    return replace(entry, due=inf, in_flight=frozenset(), set_aside=frozenset(), retried=False)


def _replaced(waiting: WaitingEvents, key: Key, entry: WaitingEvent) -> WaitingEvents:
    events = dict(waiting.events)
    events[key] = entry
    return replace(waiting, events=events)

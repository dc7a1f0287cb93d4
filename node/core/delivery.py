"""Which event is sent on which link, and when it is sent again.

Rules:

1. An event waits here until a monitor holds it. In a building without a monitor it waits until a broker took it
   (PUBACK 0x00).
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
from dataclasses import dataclass, field, replace
from math import inf

from node.core.back_off import BackOff
from node.core.model import Key

WINDOW = 20
KEPT = 1_000
REFILL = 200
RESEND_LIMIT_S = 300.0
REDELIVERY_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """One unreceipted event. ``order``: smaller is older. ``due``: when it is sent again, inf before it was sent.

    ``flying``: the links on which it is in flight. ``aside``: the links on which a broker answered it while no monitor
    holds it. ``retried``: it was already taken from ``aside`` once before its turn.
    """

    alarm: bool
    order: int
    attempts: int = 0
    due: float = inf
    flying: frozenset[str] = frozenset()
    aside: frozenset[str] = frozenset()
    retried: bool = False


@dataclass(frozen=True, slots=True)
class Outbox:
    """All events that wait, by key. ``spilled``: the record holds unreceipted events that aren't here.

    ``asked``: the record was asked for them. ``redelivered_at``: when everything was last sent again for a monitor.
    ``redelivery_due``: when everything has to be sent again once more.
    """

    waiting: Mapping[Key, Waiting] = field(default_factory=dict)
    next_order: int = 0
    spilled: bool = False
    asked: bool = False
    redelivered_at: float = -inf
    redelivery_due: float = inf


def add(outbox: Outbox, key: Key, alarm: bool) -> tuple[Outbox, Key | None]:
    """The outbox with one more event, and the event that had to be spilled to make room."""
    waiting = dict(outbox.waiting)
    waiting[key] = Waiting(alarm, outbox.next_order)
    outbox = replace(outbox, waiting=waiting, next_order=outbox.next_order + 1)
    if len(waiting) <= KEPT:
        return outbox, None
    spilled = min(waiting, key=lambda each: (waiting[each].alarm, waiting[each].order))
    del waiting[spilled]
    return replace(outbox, spilled=True, asked=False), spilled


def refill(outbox: Outbox, entries: Iterable[tuple[Key, bool]], more: bool) -> Outbox:
    """The outbox with the events that the record brought back, as far as there is room.

    ``more``: the record holds other events. That is also true if an event was spilled after the record was asked.
    """
    more = more or (outbox.spilled and not outbox.asked)
    for key, alarm in entries:
        if key in outbox.waiting:
            continue
        if len(outbox.waiting) >= KEPT:
            return replace(outbox, spilled=True, asked=False)
        outbox, _ = add(outbox, key, alarm)
    return replace(outbox, spilled=more, asked=False)


def wants_refill(outbox: Outbox) -> bool:
    """Whether the record should be asked for what was spilled."""
    return outbox.spilled and not outbox.asked and len(outbox.waiting) <= REFILL


def remove(outbox: Outbox, key: Key) -> Outbox:
    """The outbox without an event that needn't be sent again."""
    if key not in outbox.waiting:
        return outbox
    waiting = dict(outbox.waiting)
    del waiting[key]
    return replace(outbox, waiting=waiting)


def send(outbox: Outbox, link: str, key: Key, at: float, receipt_s: float) -> Outbox:
    """The outbox after this event was handed to this link."""
    entry = outbox.waiting[key]
    pause = BackOff(receipt_s, RESEND_LIMIT_S).wait_s(1 + entry.attempts) if entry.alarm else RESEND_LIMIT_S
    due = at + pause if entry.due == inf else entry.due
    return _with(outbox, key, replace(entry, due=due, flying=entry.flying | {link}, aside=entry.aside - {link}))


def answered(outbox: Outbox, link: str, key: Key) -> Outbox:
    """The broker answered, which is no receipt: the event leaves the window and waits for its next turn."""
    entry = outbox.waiting.get(key)
    if entry is None or link not in entry.flying:
        return outbox
    return _with(outbox, key, replace(entry, flying=entry.flying - {link}, aside=entry.aside | {link}))


def sendable(outbox: Outbox, link: str) -> list[Key]:
    """The events that may be sent on this link now, in order."""
    flying = [entry.alarm for entry in outbox.waiting.values() if link in entry.flying]
    alarms = _ready(outbox, link, WINDOW - sum(flying), alarm=True)
    return alarms + _ready(outbox, link, WINDOW - len(flying) - len(alarms), alarm=False)


def forget_link(outbox: Outbox, link: str) -> Outbox:
    """The outbox after a link came or went: no event is in flight there."""
    waiting = {
        key: replace(entry, flying=entry.flying - {link}, aside=entry.aside - {link})
        for key, entry in outbox.waiting.items()
    }
    return replace(outbox, waiting=waiting)


def retry(outbox: Outbox, link: str) -> Outbox:
    """The outbox after this link's broker took a topic that it had refused: events set aside may be sent at once.

    Each event is retried only once in a turn, because a broker may refuse one event for ever and take all others.
    """
    waiting = {
        key: replace(entry, aside=entry.aside - {link}, retried=True)
        if link in entry.aside and not entry.retried
        else entry
        for key, entry in outbox.waiting.items()
    }
    return replace(outbox, waiting=waiting)


def redeliver(outbox: Outbox, at: float) -> Outbox:
    """The outbox after a monitor was heard: everything may be sent again, now or a second after the last time.

    Each copy of a monitor's birth asks for this: a storm of copies must not delay a fresh alarm.
    """
    due = outbox.redelivered_at + REDELIVERY_PAUSE_S
    if at < due:
        return replace(outbox, redelivery_due=due)
    waiting = {key: _again(entry) for key, entry in outbox.waiting.items()}
    return replace(outbox, waiting=waiting, redelivered_at=at, redelivery_due=inf)


def turn(outbox: Outbox, at: float) -> Outbox:
    """The outbox at ``at``: every event that is due may be sent once more."""
    if next_turn(outbox) > at:
        return outbox
    if outbox.redelivery_due <= at:
        outbox = redeliver(outbox, at)
    waiting = {
        key: replace(_again(entry), attempts=entry.attempts + 1) if entry.due <= at else entry
        for key, entry in outbox.waiting.items()
    }
    return replace(outbox, waiting=waiting)


def next_turn(outbox: Outbox) -> float:
    """The instant at which an event is due to be sent again; inf when there is none."""
    return min((outbox.redelivery_due, *(entry.due for entry in outbox.waiting.values())))


def _ready(outbox: Outbox, link: str, room: int, *, alarm: bool) -> list[Key]:
    if room <= 0:
        return []
    waiting = outbox.waiting
    ready = [
        key
        for key, entry in waiting.items()
        if entry.alarm is alarm and link not in entry.flying and link not in entry.aside
    ]
    next_ones = sorted(ready, key=lambda key: (waiting[key].attempts, waiting[key].order))[:room]
    return sorted(next_ones, key=lambda key: waiting[key].order)


def _again(entry: Waiting) -> Waiting:
    return replace(entry, due=inf, flying=frozenset(), aside=frozenset(), retried=False)


def _with(outbox: Outbox, key: Key, entry: Waiting) -> Outbox:
    waiting = dict(outbox.waiting)
    waiting[key] = entry
    return replace(outbox, waiting=waiting)

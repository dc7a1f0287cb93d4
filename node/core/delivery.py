"""Which event goes out on which link, and when again.

Rules:

1. An event waits here until a monitor holds it or, in a building without one, until a broker took it (PUBACK 0x00).
2. A fresh alarm event goes out on every link at once. All else obeys the window: at most 20 unreceipted events are in
   flight on a link, because a broker drops what a slow subscriber can't take, after answering 0x00 (PROTOCOL.md 7.1).
   Telemetry in flight takes no alarm's place: for alarms only alarms count.
3. Alarms come before telemetry, and what was tried less often before what was tried more often. What goes out together
   goes oldest first: a press must not come before what was acknowledged before it.
4. A refused or unheard event leaves the flight and is set aside until its next turn: it never blocks the one behind it.
5. Alarm events are sent again after ``receipt_s``, doubling to 5 minutes; telemetry after 5 minutes; everything when a
   monitor is heard (again), at most once a second, or a link comes back.
6. At most ``KEPT`` events wait in memory. Beyond that they are spilled: telemetry first, the oldest first. The record
   has them, and is asked for them when there is room again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import inf

from node.core.model import Key

WINDOW = 20
KEPT = 1_000
REFILL = 200
RESEND_LIMIT_S = 300.0
REDELIVERY_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """One unreceipted event. ``order`` grows with age on the queue; ``due`` is its next turn, inf before it was sent.

    ``flying`` and ``aside`` are the links on which it was sent, and on which it was answered without being held.
    ``retried``: it was taken from there once before its turn.
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
    """All that waits, by key. ``spilled``: the record holds unreceipted events that aren't here.

    ``redelivered_at``: when everything last went out again for a monitor, ``redelivery_due``: when it has to once more.
    """

    waiting: Mapping[Key, Waiting] = field(default_factory=dict)
    next_order: int = 0
    spilled: bool = False
    asked: bool = False
    redelivered_at: float = -inf
    redelivery_due: float = inf


def add(outbox: Outbox, key: Key, alarm: bool) -> tuple[Outbox, Key | None]:
    """The outbox with one more event, and the one that had to be spilled for it."""
    waiting = dict(outbox.waiting)
    waiting[key] = Waiting(alarm, outbox.next_order)
    outbox = replace(outbox, waiting=waiting, next_order=outbox.next_order + 1)
    if len(waiting) <= KEPT:
        return outbox, None
    spilled = min(waiting, key=lambda each: (waiting[each].alarm, waiting[each].order))
    del waiting[spilled]
    return replace(outbox, spilled=True, asked=False), spilled


def refill(outbox: Outbox, entries: Iterable[tuple[Key, bool]], more: bool) -> Outbox:
    """The outbox with what the record brought back, as far as there is room.

    ``more``: the record holds others; so it does if something was spilled since it was asked.
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
    pause = min(RESEND_LIMIT_S, receipt_s * 2.0 ** min(entry.attempts, 32)) if entry.alarm else RESEND_LIMIT_S
    due = at + pause if entry.due == inf else entry.due
    return _with(outbox, key, replace(entry, due=due, flying=entry.flying | {link}, aside=entry.aside - {link}))


def answered(outbox: Outbox, link: str, key: Key) -> Outbox:
    """The broker answered, but that is no receipt: the event waits for its next turn out of the window's way."""
    entry = outbox.waiting.get(key)
    if entry is None or link not in entry.flying:
        return outbox
    return _with(outbox, key, replace(entry, flying=entry.flying - {link}, aside=entry.aside | {link}))


def sendable(outbox: Outbox, link: str) -> list[Key]:
    """What may go out on this link now, in its order."""
    flying = [entry.alarm for entry in outbox.waiting.values() if link in entry.flying]
    alarms = _ready(outbox, link, WINDOW - sum(flying), alarm=True)
    return alarms + _ready(outbox, link, WINDOW - len(flying) - len(alarms), alarm=False)


def forget_link(outbox: Outbox, link: str) -> Outbox:
    """The outbox after a link came or went: nothing is in flight there."""
    waiting = {
        key: replace(entry, flying=entry.flying - {link}, aside=entry.aside - {link})
        for key, entry in outbox.waiting.items()
    }
    return replace(outbox, waiting=waiting)


def retry(outbox: Outbox, link: str) -> Outbox:
    """The outbox after this link's broker took what it had refused: each event set aside may try again, once a turn.

    Only once, for a broker may refuse one event for ever and take all others.
    """
    waiting = {
        key: replace(entry, aside=entry.aside - {link}, retried=True)
        if link in entry.aside and not entry.retried
        else entry
        for key, entry in outbox.waiting.items()
    }
    return replace(outbox, waiting=waiting)


def redeliver(outbox: Outbox, at: float) -> Outbox:
    """The outbox after a monitor was heard: everything may go out again, now or a second after the last time.

    Each copy of a monitor's birth asks for it: a storm of them must not stand before a fresh alarm.
    """
    due = outbox.redelivered_at + REDELIVERY_PAUSE_S
    if at < due:
        return replace(outbox, redelivery_due=due)
    waiting = {key: _again(entry) for key, entry in outbox.waiting.items()}
    return replace(outbox, waiting=waiting, redelivered_at=at, redelivery_due=inf)


def turn(outbox: Outbox, at: float) -> Outbox:
    """The outbox with everything that is due ready to go out once more."""
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
    """The instant of the next sending again; inf when there is none."""
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

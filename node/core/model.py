"""Types that outlive a process: identities, the incident, and what the record or a retained topic brings back."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal, NamedTuple

from node.core.settings import AlarmClass, Lamp

BROKER = "the broker"
"""Who has an event that a broker took in a building without a monitor. No monitor can have this name."""


class Key(NamedTuple):
    """An event's identity: the boot (8 hex digits) that raised it and its number in that boot."""

    boot: str
    seq: int

    def __str__(self) -> str:
        return f"{self.boot}-{self.seq}"


@dataclass(frozen=True, slots=True)
class KeyRange:
    """The events of one boot from ``first`` to ``last``, both included."""

    boot: str
    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.boot}-{self.first}" + (f"..{self.last}" if self.last > self.first else "")

    def holds(self, key: Key) -> bool:
        """Whether this event is in the range."""
        return key.boot == self.boot and self.first <= key.seq <= self.last


def ranges_of(keys: Iterable[Key], most: int) -> tuple[KeyRange, ...]:
    """These events as ranges, in the given order of boots. Events beyond ``most`` ranges are left out."""
    ranges: list[KeyRange] = []
    for key in keys:
        if ranges and (key.boot, key.seq) == (ranges[-1].boot, ranges[-1].last + 1):
            ranges[-1] = replace(ranges[-1], last=key.seq)
        elif len(ranges) == most:
            break
        else:
            ranges.append(KeyRange(key.boot, key.seq, key.seq))
    return tuple(ranges)


Phase = Literal["normal", "active", "received", "acknowledged"]
"""How far a call has got, as the retained ``alarm`` shows it. ``received``: people were told."""


class EventKind(StrEnum):
    """The kinds of events that are stored and published (PROTOCOL.md 6.3). The protocol's messages use this list."""

    STARTED = "started"
    RECORD_LOADED = "record-loaded"
    EVICTED = "evicted"
    STOPPED = "stopped"
    PRESSED = "pressed"
    RESTORED = "restored"
    OPENED = "opened"
    HELD_OPEN = "held-open"
    CLOSED = "closed"
    NOBODY = "nobody"
    ACKNOWLEDGED = "acknowledged"
    SILENCED = "silenced"
    SOUND_ENDED = "sound-ended"
    RESET = "reset"
    RESET_REFUSED = "reset-refused"
    KEY_TURNED = "key-turned"
    ADOPTED = "adopted"
    IDENTIFIED = "identified"
    INHIBITED = "inhibited"
    INHIBIT_ENDED = "inhibit-ended"
    INHIBITED_PRESS = "inhibited-press"
    WALK_TEST_STARTED = "walk-test-started"
    WALK_TEST_ENDED = "walk-test-ended"
    TESTED = "tested"
    TEST_CONFIRMED = "test-confirmed"
    FAULT_RAISED = "fault-raised"
    FAULT_CLEARED = "fault-cleared"
    COMMAND_REFUSED = "command-refused"
    UNEXPECTED = "unexpected"


class Step(StrEnum):
    """How far the call for help has got. ``NORMAL``: there is no call, or no longer.

    ``HELD``: a monitor has stored it. ``TOLD``: a monitor says that people were told of it.
    """

    NORMAL = "normal"
    PRESSED = "pressed"
    STORED = "stored"
    ACCEPTED = "accepted"
    HELD = "held"
    TOLD = "told"
    ACKNOWLEDGED = "acknowledged"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Incident:
    """One alarm from its first press to its reset.

    ``id`` is the key of the event that raised it. ``press`` is the event that calls for help and awaits its receipts:
    the newest press or, after all monitors went silent, the event that reports this. ``step`` says how far that call
    has got, ``marks`` which steps were already shown for it. Instants are monotonic seconds. ``sounding_until`` is None
    when this incident makes no sound, ``receipt_due`` is None when no *told* is awaited. ``fault_shown``: the lamp
    showed a fault when a discreet button was pressed, and must look the same afterwards. ``adopted``: only a broker
    remembered the incident, and nobody has pressed here since.
    """

    id: str
    input: str
    alarm_class: AlarmClass
    loud: bool
    lamp: Lamp
    step: Step
    press: Key
    presses: int
    since_utc: float
    marks: frozenset[Step] = frozenset()
    sounding_until: float | None = None
    receipt_due: float | None = None
    fault_shown: bool = False
    test: bool = False
    adopted: bool = False


@dataclass(frozen=True, slots=True)
class Inhibit:
    """An input that is out of service until ``until`` (monotonic seconds)."""

    input: str
    until: float
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a restart must bring back. ``at``: when it was taken; after a reboot all instants are shifted by it.

    ``pressed_at``: when buttons were last pressed, if that is recent (walk_test.py).
    """

    at: float
    incidents: tuple[Incident, ...] = ()
    inhibits: tuple[Inhibit, ...] = ()
    pressed_at: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Restored:
    """What the record remembers. ``same_kernel``: its monotonic instants belong to this boot of the machine.

    ``previous``: the newest stored event of the previous boot. ``closed``: the newest incidents that are known as
    reset. Events that no monitor holds yet follow in a ``BacklogRead``.
    """

    snapshot: Snapshot | None = None
    same_kernel: bool = True
    previous: Key | None = None
    closed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ListedIncident:
    """An incident as the retained ``alarm`` topic lists it: all that another process needs to take it over.

    Only ``sounding_until`` is monotonic; on the wire it becomes the time that is left of the sound.
    """

    id: str
    input: str
    alarm_class: AlarmClass
    step: Step
    presses: int
    since_utc: float
    press: Key
    sounding_until: float | None = None
    test: bool = False

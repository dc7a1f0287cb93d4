"""Types that outlive a process: identities, the incident, and what the record or a retained topic brings back."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from node.core.settings import AlarmClass, Lamp

BROKER = "the broker"
"""Who has an event that a broker took in a building without a monitor. No monitor can have this name."""


class Key(NamedTuple):
    """An event's identity: the boot (8 hex digits) that raised it and its number in that boot."""

    boot: str
    seq: int

    def __str__(self) -> str:
        return f"{self.boot}-{self.seq}"


class KeyRange(Struct, frozen=True):
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
    """The kinds of events that are stored and published (PROTOCOL.md 6.3). The protocol's messages use this list.

    The list of events in OPERATIONS.md is made of these texts.
    """

    STARTED = "started"
    """the node has started; the entry names the last event before the start"""
    RECORD_LOADED = "record-loaded"
    """the record answered late, and the node has now read what it contains"""
    EVICTED = "evicted"
    """the record had reached `record_mb`, and the node removed telemetry; the events that `ranges` names are no
    longer on the node"""
    STOPPED = "stopped"
    """the node was told to stop, and why"""
    PRESSED = "pressed"
    """a button was pressed: an alarm, or a further press of an open alarm"""
    RESTORED = "restored"
    """the button was released; the alarm stays open until it is reset"""
    OPENED = "opened"
    """a door was opened: an alarm if its mode is "alarm" (then with the number of presses), otherwise its state"""
    HELD_OPEN = "held-open"
    """a door has been open for longer than allowed: an alarm"""
    CLOSED = "closed"
    """the door was closed; the alarm stays open until it is reset"""
    NOBODY = "nobody"
    """nobody has the alarm: no person was notified in time (a monitor may have stored it), nobody subscribes at the
    broker, or no monitor is heard any more"""
    ACKNOWLEDGED = "acknowledged"
    """a person has acknowledged the alarm and is coming"""
    SILENCED = "silenced"
    """somebody ended the sound; the alarm stays open"""
    SOUND_ENDED = "sound-ended"
    """the sound ended after its time (`sound_limit_s`); the alarm stays open"""
    RESET = "reset"
    """an authorised person ended the alarm"""
    RESET_REFUSED = "reset-refused"
    """somebody turned the reset key, but this alarm's button is still pressed, its door is open, or its wire is
    broken"""
    KEY_TURNED = "key-turned"
    """somebody turned the reset key"""
    ADOPTED = "adopted"
    """the broker had an open alarm that the record didn't have, and the node has taken it over"""
    IDENTIFIED = "identified"
    """somebody made the node sound or blink, to find it"""
    INHIBITED = "inhibited"
    """an input was taken out of service: by whom, why, for how long"""
    INHIBIT_ENDED = "inhibit-ended"
    """the input is back in service"""
    INHIBITED_PRESS = "inhibited-press"
    """somebody pressed a button, opened an alarm door or turned the key that is out of service: nothing happened"""
    WALK_TEST_STARTED = "walk-test-started"
    """somebody tests the buttons: the first press of each button is its test, and every further press is real; so
    is every press of a button that was pressed in the 5 minutes before"""
    WALK_TEST_ENDED = "walk-test-ended"
    """the walk test ended by itself or by command: every press is real again"""
    TESTED = "tested"
    """a button's first press in a walk test; it becomes an alarm if the button is held for 2 s"""
    TEST_CONFIRMED = "test-confirmed"
    """a monitor has stored that test, and the node has chirped; `for_s` is the time from the press until then"""
    FAULT_RAISED = "fault-raised"
    """something doesn't work: see its code"""
    FAULT_CLEARED = "fault-cleared"
    """it works again"""
    COMMAND_REFUSED = "command-refused"
    """the node refused a command from the network, and why"""
    UNEXPECTED = "unexpected"
    """something came that the node doesn't expect; nothing changed"""


PRESSES: frozenset[str] = frozenset({EventKind.PRESSED, EventKind.OPENED, EventKind.HELD_OPEN})
"""Kinds of event that count a press. A door that doesn't alarm is opened, too, but without ``presses``."""

CALLS: frozenset[str] = PRESSES | {EventKind.ADOPTED}
"""Kinds of event that call for help, where they have ``presses``."""


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


class Incident(Struct, frozen=True):
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


class Inhibit(Struct, frozen=True):
    """An input that is out of service until ``until`` (monotonic seconds)."""

    input: str
    until: float
    by: str
    reason: str


class Snapshot(Struct, frozen=True):
    """What a restart must bring back. ``at``: when it was taken; after a reboot all instants are shifted by it.

    ``pressed_at``: when buttons were last pressed, if that is recent (walk_test.py).
    """

    at: float
    incidents: tuple[Incident, ...] = ()
    inhibits: tuple[Inhibit, ...] = ()
    pressed_at: tuple[tuple[str, float], ...] = ()


class Restored(Struct, frozen=True):
    """What the record remembers. ``same_kernel``: its monotonic instants belong to this boot of the machine.

    ``previous``: the newest stored event of the previous boot. ``closed``: the newest incidents that are known as
    reset. Events that no monitor holds yet follow in a ``BacklogRead``.
    """

    snapshot: Snapshot | None = None
    same_kernel: bool = True
    previous: Key | None = None
    closed: tuple[str, ...] = ()


class ListedIncident(Struct, frozen=True):
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

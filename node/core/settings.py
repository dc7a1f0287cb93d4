"""What the installer decided, in the shape that the core works with. node/config makes it; a reload replaces it."""

from enum import StrEnum
from typing import Literal, assert_never

from msgspec import Struct

InputKind = Literal["button", "door", "tamper", "reset"]


class Wiring(StrEnum):
    """How an input's contact is wired between its lines (each a pin, pulled up) and ground.

    A changeover contact has two lines: number 0 is closed while it is actuated, number 1 while it isn't.
    """

    NORMALLY_OPEN = "normally-open"
    NORMALLY_CLOSED = "normally-closed"
    CHANGEOVER = "changeover"

    @property
    def lines(self) -> int:
        """How many lines an input with this wiring has."""
        return 2 if self.is_supervised else 1

    @property
    def is_supervised(self) -> bool:
        """Whether a cut or shorted wire can be told from a press."""
        return self is Wiring.CHANGEOVER

    def actuated(self, high: bool, number: int = 0) -> bool:
        """Whether the line of this number, at this electrical level, says that the contact is actuated."""
        return high if self is Wiring.NORMALLY_CLOSED or number == 1 else not high


class AlarmClass(StrEnum):
    """How the building reacts: colleagues come, guards come, everybody gets safe."""

    ASSIST = "assist"
    THREAT = "threat"
    AMOK = "amok"

    @property
    def rank(self) -> int:
        """0 for the mildest class; lists of incidents are sorted by it, worst first."""
        return _RANKS[self]


_RANKS = {AlarmClass.ASSIST: 0, AlarmClass.THREAT: 1, AlarmClass.AMOK: 2}


class Sound(StrEnum):
    """Whether a press sounds the buzzer; HAZARDS.md H49 says why there is no default."""

    LOUD = "loud"
    SILENT = "silent"


class Lamp(StrEnum):
    """Whether the lamp shows a press; a blinking lamp can betray the person who pressed."""

    SHOWN = "shown"
    DISCREET = "discreet"


class Traits(Struct, frozen=True):
    """What is common to all inputs of one role.

    ``raises_alarm``: it can begin an incident; ``alarms_at_once``: it does so as soon as it becomes active.
    ``is_doorway``: people walk through it every day, so it may move more often (chatter.py).
    """

    kind: InputKind
    raises_alarm: bool = False
    alarms_at_once: bool = False
    is_doorway: bool = False


class Role(StrEnum):
    """What an input is for, which decides what follows when it becomes active (core/inputs.py).

    The README's table of inputs is made of these texts.
    """

    BUTTON = "button"
    """raises an alarm at once"""
    DOOR_ALARM = "door-alarm"
    """raises an alarm at once"""
    DOOR_HELD_OPEN = "door-held-open"
    """raises an alarm once it has been open for `held_open_s`"""
    DOOR_REPORT = "door-report"
    """its state is reported, in events and heartbeats"""
    DOOR_INCIDENT_ONLY = "door-incident-only"
    """its state is reported while an incident is open. At other times it is neither sent nor stored"""
    TAMPER = "tamper"
    """the node reports a fault for as long as its case is open"""
    RESET = "reset"
    """every open incident ends, unless its button is still pressed or its door is still open; then an event says
    why it didn't"""

    @property
    def traits(self) -> Traits:
        """What is common to all inputs of this role."""
        match self:
            case Role.BUTTON:
                return Traits("button", raises_alarm=True, alarms_at_once=True)
            case Role.DOOR_ALARM:
                return Traits("door", raises_alarm=True, alarms_at_once=True)
            case Role.DOOR_HELD_OPEN:
                return Traits("door", raises_alarm=True, is_doorway=True)
            case Role.DOOR_REPORT | Role.DOOR_INCIDENT_ONLY:
                return Traits("door", is_doorway=True)
            case Role.TAMPER:
                return Traits("tamper")
            case Role.RESET:
                return Traits("reset")
            case _:
                assert_never(self)

    @property
    def kind(self) -> InputKind:
        """What kind of thing at the wall it is."""
        return self.traits.kind

    @property
    def raises_alarm(self) -> bool:
        """Whether it can begin an incident."""
        return self.traits.raises_alarm


class Receipts(StrEnum):
    """Whether a monitor's receipts *held* and *told* are awaited (``REQUIRED``), or there is no monitor (``NONE``).

    With ``NONE``, an event that a broker took (PUBACK 0x00) isn't sent again, but it is never held or told.
    """

    REQUIRED = "required"
    NONE = "none"


class InputSettings(Struct, frozen=True):
    """One wired thing. ``name`` is unique in a node and matches ``[a-z0-9][a-z0-9-]{0,62}``.

    Class, sound and lamp mean nothing for an input that raises no alarm. ``held_open_s``: how long a ``DOOR_HELD_OPEN``
    may stand open.
    """

    name: str
    wiring: Wiring
    alarm_class: AlarmClass = AlarmClass.ASSIST
    sound: Sound = Sound.SILENT
    lamp: Lamp = Lamp.SHOWN
    role: Role = Role.BUTTON
    held_open_s: float = 60.0

    @property
    def lines(self) -> tuple[str, ...]:
        """The names of its lines, in the order of ``Wiring``. No other input can have the second name: it has a dot."""
        return (self.name, f"{self.name}.nc")[: self.wiring.lines]


class Settings(Struct, frozen=True):
    """All settings of the core. Durations are in seconds; ``links`` are the brokers' names ("host:port").

    ``insecure_links`` are those that are reached in plain text over a network. ``refused``: what is wrong with
    node.toml, if these are the settings of the last good one instead. ``restart_due``: what of node.toml only a restart
    can put in force. ``safe_mode``: the settings are simplified after crashes.
    """

    inputs: tuple[InputSettings, ...]
    links: tuple[str, ...]
    debounce_s: float = 0.020
    sound_limit_s: float = 900.0
    heartbeat_s: float = 10.0
    receipt_s: float = 10.0
    stuck_s: float = 30.0
    chatter_presses: float = 60.0
    receipts: Receipts = Receipts.REQUIRED
    monitors: tuple[str, ...] = ()
    has_buzzer: bool = True
    insecure_links: tuple[str, ...] = ()
    refused: str = ""
    restart_due: str = ""
    safe_mode: bool = False

    def input(self, name: str) -> InputSettings:
        """The input of this name; KeyError where there is none."""
        for each in self.inputs:
            if each.name == name:
                return each
        raise KeyError(name)

    def line(self, name: str) -> tuple[InputSettings, int]:
        """The input that has the line of this name, and the line's number there; KeyError where there is none."""
        for each in self.inputs:
            if name in each.lines:
                return each, each.lines.index(name)
        raise KeyError(name)

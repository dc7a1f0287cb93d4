"""What the installer decided, in the shape the core works with; made by config.py, never changed afterwards."""

from dataclasses import dataclass
from enum import StrEnum


class Wiring(StrEnum):
    """How a button's contact is wired between its pin (pulled up) and ground."""

    NORMALLY_OPEN = "normally-open"
    NORMALLY_CLOSED = "normally-closed"

    def actuated(self, high: bool) -> bool:
        """Whether a pin at this electrical level says that the contact is actuated."""
        return high if self is Wiring.NORMALLY_CLOSED else not high


class AlarmClass(StrEnum):
    """How the building reacts: colleagues come, guards come, everybody gets safe."""

    ASSIST = "assist"
    THREAT = "threat"
    AMOK = "amok"

    @property
    def rank(self) -> int:
        """0 for the mildest; an incident list is sorted by it, worst first."""
        return _RANKS[self]


_RANKS = {AlarmClass.ASSIST: 0, AlarmClass.THREAT: 1, AlarmClass.AMOK: 2}


class Sound(StrEnum):
    """Whether a press sounds the buzzer; hazards.md ("People") says why there is no default."""

    LOUD = "loud"
    SILENT = "silent"


class Lamp(StrEnum):
    """Whether the lamp tells about a press; a blinking lamp can betray the person who pressed."""

    SHOWN = "shown"
    DISCREET = "discreet"


class Receipts(StrEnum):
    """What counts as received: see ``supervision.receipts_required``."""

    AUTO = "auto"
    REQUIRED = "required"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class InputSettings:
    """One wired thing. ``name`` is unique in a node and matches ``[a-z0-9][a-z0-9-]{0,62}``."""

    name: str
    wiring: Wiring
    alarm_class: AlarmClass
    sound: Sound
    lamp: Lamp


@dataclass(frozen=True, slots=True)
class Settings:
    """All that the core needs to know. Durations in seconds; ``links`` are the brokers' names ("host:port").

    ``insecure_links`` are those of them that are reached in plain text over a network.
    """

    inputs: tuple[InputSettings, ...]
    links: tuple[str, ...]
    debounce_s: float = 0.020
    sound_limit_s: float = 900.0
    heartbeat_s: float = 10.0
    receipt_s: float = 10.0
    stuck_s: float = 30.0
    receipts: Receipts = Receipts.AUTO
    monitors: tuple[str, ...] = ()
    has_buzzer: bool = True
    insecure_links: tuple[str, ...] = ()

    def input(self, name: str) -> InputSettings:
        """The input of this name; KeyError where there is none."""
        for each in self.inputs:
            if each.name == name:
                return each
        raise KeyError(name)

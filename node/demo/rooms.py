"""The rooms of the demo, and what its nodes and its monitor agree on."""

from dataclasses import dataclass

from node.core.settings import AlarmClass

ROOT = "alarm/v1"
SITE = "demo"
MONITOR = "guard-desk"

HEARTBEAT_S = 2.0
GRACE_S = 4.0
RECEIPT_S = 5.0
"""All three are shorter than the defaults: a demo shows within 6 s what a building knows within 20 s."""


@dataclass(frozen=True, slots=True)
class Room:
    """A room with a button. ``signals``: its sound and lamp as node.toml has them; ``signals_text``: for people."""

    id: str
    floor: str
    location: str
    alarm_class: AlarmClass
    signals: str
    signals_text: str


ROOMS = (
    Room("room-214", "2", "2. OG, Zimmer 214", AlarmClass.THREAT, 'sound = "loud"', "loud"),
    Room("desk-012", "0", "EG, Info-Theke", AlarmClass.ASSIST, 'sound = "silent"\nlamp = "shown"', "silent"),
    Room(
        "room-310",
        "3",
        "3. OG, Sekretariat",
        AlarmClass.AMOK,
        'sound = "silent"\nlamp = "discreet"',
        "silent and discreet",
    ),
)
"""In the order of the keys that choose them."""

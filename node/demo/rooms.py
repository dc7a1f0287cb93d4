"""The rooms of the demo, and the configuration of all that runs in it: a node in each room, and the monitor of all."""

import json
from dataclasses import dataclass
from pathlib import Path

from node.core.settings import AlarmClass

ROOT = "alarm/v1"
SITE = "demo"
MONITOR = "guard-desk"
HEARTBEAT_S = 2.0
GRACE_S = 4.0
"""Less than by default, so that a demo shows within 6 s what a building knows within 20."""


@dataclass(frozen=True, slots=True)
class Room:
    """A room with a button. ``tells``: its sound and lamp as node.toml has them; ``tells_words``: in words."""

    id: str
    floor: str
    location: str
    alarm_class: AlarmClass
    tells: str
    tells_words: str


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


def node_toml(room: Room, state: Path, port: int) -> str:
    """The configuration of a room's node, with the broker on this port of this machine."""
    return f"""\
[node]
id = "{room.id}"
site = "{SITE}"
location = "{room.location}"
topic_root = "{ROOT}"
state_directory = {json.dumps(str(state))}

[panel]
pin_factory = "lgpio"

[[button]]
pin = 17
wiring = "normally-open"
class = "{room.alarm_class}"
{room.tells}

[buzzer]
pin = 22

[lamp]
pin = 23

[[broker]]
host = "127.0.0.1"
port = {port}

[supervision]
heartbeat_s = {HEARTBEAT_S:g}
receipt_s = 5
"""


def monitor_toml(state: Path, roster: Path, port: int, api_port: int, url: str) -> str:
    """The configuration of the monitor, which answers on its own port of this machine; it tells the desk at ``url``."""
    return f"""\
[monitor]
id = "{MONITOR}"
sites = ["{SITE}"]
topic_root = "{ROOT}"
language = "en"
state_directory = {json.dumps(str(state))}
roster = {json.dumps(str(roster))}

[[broker]]
host = "127.0.0.1"
port = {port}

[supervision]
grace_s = {GRACE_S:g}

[api]
port = {api_port}

[[target]]
name = "desk"
url = {json.dumps(url)}
findings = "none"
"""


def nodes_toml() -> str:
    """All rooms, as the monitor's roster."""
    return "\n".join(
        f'[[node]]\nid = "{room.id}"\nfloor = "{room.floor}"\nlocation = "{room.location}"\n' for room in ROOMS
    )

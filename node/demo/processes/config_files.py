"""The configuration of every process of the demo: node.toml for each room, monitor.toml and nodes.toml."""

import json
from pathlib import Path

from node.demo.rooms import GRACE_S, HEARTBEAT_S, MONITOR, RECEIPT_S, ROOMS, ROOT, SITE, Room


def node_toml(room: Room, state: Path, port: int) -> str:
    """The configuration of a room's node; the broker has this port of this machine."""
    return f"""\
[node]
id = "{room.id}"
site = "{SITE}"
location = "{room.location}"
topic_root = "{ROOT}"
state_directory = {json.dumps(str(state))}

[[button]]
pin = 17
wiring = "normally-open"
class = "{room.alarm_class}"
{room.signals}

[buzzer]
pin = 22

[lamp]
pin = 23

[[broker]]
host = "127.0.0.1"
port = {port}

[supervision]
heartbeat_s = {HEARTBEAT_S:g}
receipt_s = {RECEIPT_S:g}
"""


def monitor_toml(state: Path, roster: Path, port: int, api_port: int, target_url: str) -> str:
    """The configuration of the monitor: its API listens on ``api_port``, and ``target_url`` gets its messages."""
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
url = {json.dumps(target_url)}
findings = "none"
"""


def nodes_toml() -> str:
    """The monitor's roster: the nodes of all rooms."""
    return "\n".join(
        f'[[node]]\nid = "{room.id}"\nfloor = "{room.floor}"\nlocation = "{room.location}"\n' for room in ROOMS
    )

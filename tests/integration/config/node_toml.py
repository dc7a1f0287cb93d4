"""Samples of node.toml, and how a test reads one."""

from pathlib import Path

import pytest

from node.config import Config, load
from node.errors import ConfigError

MINIMAL = """\
[node]
id = "room-214"
site = "mitte"
location = "2. OG, Zimmer 214"

[panel]
pin_factory = "gpiod"

[[button]]
pin = 17
wiring = "normally-open"
class = "threat"
sound = "silent"
lamp = "shown"

[lamp]
pin = 23

[[broker]]
host = "127.0.0.1"
port = 1883
"""
FULL = """\
[node]
id = "counter"
site = "south-1"
location = "Erdgeschoß, Schalter"
state_directory = "/srv/alarm"
record_mb = 128
topic_root = "haus/alarm/v1"

[panel]
pin_factory = "gpiod"
chip = "pinctrl-rp1"
debounce_ms = 39
sample_hz = 50

[[button]]
name = "desk"
pin = 17
wiring = "normally-closed"
class = "amok"
sound = "silent"
lamp = "discreet"

[[button]]
name = "door"
pin = 27
wiring = "normally-open"
class = "assist"
sound = "loud"

[buzzer]
pin = 22
sound_limit_s = 60.5

[lamp]
pin = 23

[[broker]]
host = "broker-a.example"
port = 8883
ca_file = "/etc/alarm/ca.pem"
certificate_file = "/etc/alarm/counter.pem"
key_file = "/etc/alarm/counter.key"
username = "Schalter 1"
password_file = "/etc/alarm/password"

[[broker]]
host = "fd00::7"
port = 65535
insecure = true

[supervision]
heartbeat_s = 5
receipt_s = 7.5
receipts = "required"
monitors = ["guard-desk", "porter"]
"""
BUTTON = MINIMAL[MINIMAL.index("[[button]]") : MINIMAL.index("[lamp]")]
LAMP = "[lamp]\npin = 23\n"
BROKER = MINIMAL[MINIMAL.index("[[broker]]") :]
ID = "1 to 63 lower-case letters, digits and hyphens that begin with a letter or digit"
PIN = "a BCM number from 0 to 27 (GPIO17 is 17, whatever its place on the header)"
WRITE = "write, each on a line of its own,"
MEND = 'correct this place (each line is [table] or key = value; texts are in "quotes"), then check again'


def read(content: str | bytes) -> Config:
    """The configuration that a node.toml of this content gives."""
    path = Path("node.toml")
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return load(path)


def problems(content: str | bytes) -> list[str]:
    """What is answered to a node.toml of this content."""
    with pytest.raises(ConfigError) as caught:
        read(content)
    return list(caught.value.problems)


def changed(content: str, old: str, new: str) -> str:
    """This file with the first ``old`` replaced; it must be there."""
    assert old in content
    return content.replace(old, new, 1)

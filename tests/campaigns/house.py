"""A node with a button and four doors that report: events of both sorts, as many as a campaign wants."""

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

from tests.support.node import write_config

DOORS = {"north": 5, "east": 6, "south": 12, "west": 13}


def house(directory: Path, *ports: int, heartbeat_s: float = 10.0, receipt_s: float = 10.0) -> Path:
    """The path of its node.toml; a receipt is required."""
    doors = [
        ("[[door]]", {"name": name, "pin": pin, "wiring": "normally-closed", "mode": "report"})
        for name, pin in DOORS.items()
    ]
    return write_config(
        directory, *ports, tables=doors, receipts="required", heartbeat_s=heartbeat_s, receipt_s=receipt_s
    )


def toggles(chance: random.Random) -> Iterator[str]:
    """Instructions without end: every door opens, in an order of chance; then every door closes; and so on."""
    for action in itertools.cycle(("open", "close")):
        yield from (f"door:{name} {action}" for name in chance.sample([*DOORS], len(DOORS)))

"""What ``alarm-node log`` says of an event, in the words that the guides explain."""

from pathlib import Path
from typing import Any

import pytest

from node.cli.event_log import line_of

GUIDES = Path(__file__).parents[2] / "deploy" / "guides"
PRESSED = {"at_utc": "2026-11-30T12:00:00.000Z", "boot": "0badcafe", "seq": 2, "kind": "pressed"}
NOBODYS: dict[str, Any] = {"held_by": None, "accepted_at_utc": None, "steps_ms": {}}


@pytest.mark.parametrize(
    ("changes", "following", "words"),
    [
        ({}, False, "[no monitor has confirmed it yet]"),
        ({}, True, ""),
        ({"held_by": "guard-desk"}, False, "[confirmed by monitor guard-desk]"),
        ({"accepted_at_utc": "-"}, False, "[accepted by a broker; no monitor was awaited]"),
        (
            {"steps_ms": {"stored": 4.0, "accepted": 6.2, "held": 14.0}},
            True,
            "stored after 4 ms, accepted by a broker after 6 ms, confirmed by a monitor after 14 ms",
        ),
        (
            {"steps_ms": {"told": 2500.0, "nobody": None}},
            True,
            "people notified after 2.5 s, nobody has it after a restart of the machine",
        ),
    ],
)
def test_a_line_says_in_plain_words_who_has_the_event(changes: dict[str, Any], following: bool, words: str) -> None:
    """Nobody needs to know the names of the steps. Who follows reads nothing that may be wrong a moment later."""
    line = line_of({**PRESSED, **NOBODYS, **changes}, following=following)

    assert line.partition("pressed")[2].strip() == words


@pytest.mark.parametrize("guide", ["OPERATIONS.md", "OPERATIONS.de.md"])
def test_the_guides_explain_these_words(guide: str) -> None:
    """Each as the program prints it; NAME stands for the monitor's."""
    text = (GUIDES / guide).read_text(encoding="utf-8")
    steps = {"stored": 4.0, "accepted": 6.0, "held": 14.0, "told": 60.0}
    line = line_of({**PRESSED, **NOBODYS, "held_by": "NAME", "steps_ms": steps}, following=False)
    held, unheld = (line_of({**PRESSED, **NOBODYS, **each}, following=False) for each in ({"accepted_at_utc": "-"}, {}))

    words = [*line.rpartition("  [")[0].split("  ")[-1].split(", ")]
    words += [each.rpartition("[")[2].rstrip("]") for each in (line, held, unheld)]

    assert len(words) == 7
    assert [each for each in words if f"`{each}`" not in text] == []

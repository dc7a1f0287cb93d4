"""The demo's terminal with and without colour."""

import os
import sys

import pytest

from node.demo.screen.terminal import Terminal
from node.demo.screen.text import Style

YELLOW = b";43m"
END = b"\x1b[?1049l"


@pytest.mark.parametrize(("no_color", "is_yellow"), [("1", False), ("", True)], ids=["NO_COLOR", "colour"])
def test_no_colour_is_used_where_none_is_wanted(
    monkeypatch: pytest.MonkeyPatch, no_color: str, is_yellow: bool
) -> None:
    """A lamp that is lit stands out all the same, in reverse."""
    monkeypatch.setenv("NO_COLOR", no_color)
    master, slave = os.openpty()
    with open(master, "rb", buffering=0) as screen, open(slave, "r+b", buffering=0) as terminal:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdin", terminal)
        monkeypatch.setattr(sys, "stdout", terminal)

        with Terminal() as drawn:
            drawn.draw([[("#######", Style.LIT)]], (80, 24))
        written = b""
        while not written.endswith(END):
            written += screen.read(4096)

    assert b"#######" in written
    assert (YELLOW in written) is is_yellow
    assert (b"7m#######" in written) is not is_yellow

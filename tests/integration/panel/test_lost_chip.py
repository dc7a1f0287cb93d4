"""What lgpio's thread would tell for ever of a chip that has gone. Pipes stand in for the lines of a chip."""

import os
import select
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from node.io import panel as panel_module
from node.io.panel.lost_chip import silence
from tests.integration.panel.room import DESK, DOOR, Room, chip_gone, sample


@dataclass
class Line:
    """The end of a pipe that is read from. ``kind``: what silence calls this one, and no other file of the process."""

    reads: int
    writes: int

    @property
    def kind(self) -> str:
        """What its link in /proc says."""
        return str(Path(f"/proc/self/fd/{self.reads}").readlink())

    def give_up(self) -> None:
        """Nothing can come any more: whoever waits for it is told so at once, again and again."""
        os.close(self.writes)

    @property
    def news(self) -> list[tuple[int, int]]:
        """What somebody is told who waits for it; empty if he waits on."""
        waiting = select.poll()
        waiting.register(self.reads, select.POLLIN)
        return waiting.poll(0)


@pytest.fixture
def line() -> Iterator[Line]:
    """A line whose chip is there."""
    reads, writes = os.pipe()
    yield Line(reads, writes)
    os.close(reads)


def test_a_line_that_its_chip_gave_up_has_no_news_any_more(line: Line) -> None:
    """Its number stays open, for its owner; and who is about to read isn't held up."""
    line.give_up()
    assert line.news != []

    found = silence(line.kind)

    assert found == 1
    assert line.news == []
    with pytest.raises(BlockingIOError):
        os.read(line.reads, 16)


def test_a_line_that_works_is_left_alone(line: Line) -> None:
    """One chip may go, and another one stay."""
    found = silence(line.kind)
    os.write(line.writes, b"edge")

    assert found == 0
    assert os.read(line.reads, 16) == b"edge"
    line.give_up()


def test_what_is_no_line_is_left_alone(line: Line) -> None:
    """A broker's socket, say: whoever reads it has to see its end."""
    line.give_up()

    assert silence() == 0

    assert line.news != []


def test_a_panel_that_can_read_nothing_silences_its_lines(
    line: Line, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the first reading, and not while one input can be read."""
    monkeypatch.setattr(panel_module, "silence", partial(silence, line.kind))
    panel = room.started()
    line.give_up()

    monkeypatch.setattr(room.pin(DESK), "_get_state", chip_gone)
    assert sample(panel, room.inbox).levels == {"desk": None, "door": True}
    assert line.news != []
    monkeypatch.setattr(room.pin(DOOR), "_get_state", chip_gone)
    assert sample(panel, room.inbox).levels == {"desk": None, "door": None}

    assert line.news == []

"""The record as others read it, while it is written and when it can't be read."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from node.core.model import Key
from node.errors import StateDirectoryError
from node.io.record.record import FILE_NAME, read_log
from tests.integration.record.desk import (
    BOOT,
    EARLIER,
    GARBAGE,
    NOBODY,
    Desk,
    break_newer_version,
    keys_of,
    row,
)


def test_the_log_can_be_read_while_the_record_is_written(desk: Desk) -> None:
    """A reader sees what is stored, and never keeps the writer waiting."""
    record, _ = desk.begin_loaded()
    record.append(row(1), b"1")
    desk.inbox.until_stored(Key(BOOT, 1))

    reader = read_log(desk.directory)
    first = next(reader)
    record.append(row(2), b"2")
    desk.inbox.until_stored(Key(BOOT, 2))

    assert first.key == Key(BOOT, 1)
    assert [each.key for each in reader] == [Key(BOOT, 2)]


def test_a_long_log_is_read_to_its_end(desk: Desk) -> None:
    """Oldest first, each once, however many there are."""
    desk.fill(*(row(seq, boot=EARLIER, alarm=seq % 2 == 0) for seq in range(1, 1_202)))

    assert keys_of(desk.directory) == [Key(EARLIER, seq) for seq in range(1, 1_202)]


def test_a_reader_changes_nothing(desk: Desk) -> None:
    """Reading what a stopped node left leaves its file as it was, and the node can start again."""
    desk.fill(row(1, boot=EARLIER))
    stored = desk.path.read_bytes()

    keys_of(desk.directory)

    assert desk.path.read_bytes() == stored
    assert desk.begin_loaded()[1].previous == Key(EARLIER, 1)


def spoil_nothing_there(path: Path) -> None:
    """The file is missing."""


def spoil_directory(path: Path) -> None:
    """A file lies where the directory should be."""
    path.parent.rmdir()
    path.parent.touch()


def spoil_empty(path: Path) -> None:
    """The file is there, and nobody wrote to it."""
    path.touch()


def spoil_garbage(path: Path) -> None:
    """The file is no database."""
    path.write_bytes(GARBAGE)


def spoil_version(path: Path) -> None:
    """The file is from a later alarm-node."""
    break_newer_version(path)


UNREADABLE = [
    (spoil_nothing_there, "there is no record in", "start the node once"),
    (spoil_directory, "there is no record in", "check [node] state_directory"),
    (spoil_empty, "holds no record", "use the version of alarm-node that wrote it"),
    (spoil_garbage, "file is not a database", "restart the node"),
    (spoil_version, "has version 4, and this program knows 3", "use the version of alarm-node that wrote it"),
]


@pytest.mark.parametrize(("spoil", "what", "next_step"), UNREADABLE)
def test_a_log_that_cannot_be_read_says_what_to_do(
    desk: Desk, spoil: Callable[[Path], None], what: str, next_step: str
) -> None:
    """One error with the reason and the next step, and nothing is created by looking."""
    spoil(desk.path)
    before = [path.name for path in desk.directory.parent.rglob("*")]

    with pytest.raises(StateDirectoryError) as failure:
        keys_of(desk.directory)

    assert str(failure.value).startswith("E004 ")
    assert what in failure.value.text
    assert next_step in failure.value.next_step
    assert [path.name for path in desk.directory.parent.rglob("*")] == before


@pytest.mark.parametrize("closed", [FILE_NAME, "."])
def test_a_log_without_permission_names_who_may_read_it(closed: str) -> None:
    """Another user learns that it is a matter of rights, whether the file or its directory is closed to them."""
    with tempfile.TemporaryDirectory() as name:  # pytest's own directories are closed to everybody else
        desk = Desk(Path(name))
        desk.fill(row(1, boot=EARLIER))
        desk.directory.chmod(0o755)
        (desk.directory / closed).chmod(0)
        user = os.geteuid()
        try:
            os.seteuid(user or NOBODY)
            with pytest.raises(StateDirectoryError) as failure:
                keys_of(desk.directory)
        finally:
            os.seteuid(user)
            (desk.directory / closed).chmod(0o700)

    assert failure.value.next_step == "run this as root (sudo) or as the user that the node runs as"

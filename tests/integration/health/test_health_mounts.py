"""Where a directory lies, on this machine's real file systems."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from node.io.health import readers
from tests.support.tmpfs import mounted
from tests.vm.debian import run

THIS = Path("/")


@pytest.fixture
def in_memory(tmp_path: Path) -> Iterator[Path]:
    """A directory in memory."""
    with mounted(tmp_path / "memory") as directory:
        yield directory


@pytest.fixture
def on_disk(in_memory: Path, tmp_path: Path) -> Iterator[Path]:
    """A directory on a file system of its own, of the kind that a card has."""
    image, directory = tmp_path / "disk.image", tmp_path / "disk"
    directory.mkdir()
    with image.open("wb") as file:
        file.truncate(16 * 2**20)
    run(["mkfs.ext4", "-q", image])
    try:
        run(["mount", "-o", "loop", image, directory])
    except Exception as problem:  # noqa: BLE001 - whatever it is, this machine can't
        pytest.skip(f"no loop device can be made here: {problem}")
    yield directory
    run(["umount", directory])


@pytest.mark.parametrize("below", ["", "var/lib/alarm-node"], ids=["itself", "a directory that isn't there yet"])
def test_a_tmpfs_is_in_memory_and_a_disk_is_not(in_memory: Path, on_disk: Path, below: str) -> None:
    """As this kernel tells it."""
    assert (readers.is_in_memory(THIS, in_memory / below), readers.is_in_memory(THIS, on_disk / below)) == (True, False)


def test_a_disk_that_is_mounted_over_memory_counts(in_memory: Path, on_disk: Path) -> None:
    """As a data partition that is mounted while the node runs; once it has gone, the memory counts again."""
    state = in_memory / "state"
    state.mkdir()
    before = readers.is_in_memory(THIS, state)
    run(["mount", "--bind", on_disk, state])
    meanwhile = readers.is_in_memory(THIS, state)
    run(["umount", state])

    assert (before, meanwhile, readers.is_in_memory(THIS, state)) == (True, False, True)


@pytest.mark.parametrize("keeps", ["memory", "disk"])
def test_an_overlay_is_where_it_keeps_its_changes(in_memory: Path, on_disk: Path, tmp_path: Path, keeps: str) -> None:
    """As the read-only system of CARD.md."""
    layer = {"memory": in_memory, "disk": on_disk}[keeps]
    lower, root = tmp_path / "lower", tmp_path / "root"
    with ExitStack() as stack:
        for each in (lower, root, layer / "upper", layer / "work"):
            each.mkdir()
        options = f"lowerdir={lower},upperdir={layer / 'upper'},workdir={layer / 'work'}"
        run(["mount", "-t", "overlay", "-o", options, "overlay", root])
        stack.callback(run, ["umount", root])

        found = readers.is_in_memory(THIS, root / "var/lib/alarm-node")

    assert found is (keeps == "memory")


def test_a_machine_that_does_not_tell_its_mounts_has_no_data(tmp_path: Path) -> None:
    """Neither has one without /proc."""
    assert readers.is_in_memory(tmp_path, tmp_path) is None

"""What the doctor says of a power cut, by what the kernel says of its mounts."""

from pathlib import Path

import pytest

from node import config
from node.cli.check.storage_check import look_at_storage
from node.errors.faults import RECORD_IN_MEMORY
from node.io.terminal.check_result import CheckResult
from tests.support.node import write_config

PLAIN = "1 0 179:2 / / rw,noatime shared:1 - ext4 /dev/mmcblk0p2 rw"
MEMORY = "1 0 0:30 / / rw - tmpfs tmpfs rw,size=100m"
OVERLAY = r"1 0 0:31 / / rw - overlay overlay rw,lowerdir=/media/root-ro,upperdir={1}/overlay\040x,workdir=/w"
LOWER = "2 1 179:2 / /media/root-ro ro - ext4 /dev/mmcblk0p2 ro"
UPPER_IN_MEMORY = "3 1 0:32 / {1} rw - tmpfs tmpfs rw"
UPPER_ON_DISK = "3 1 8:1 / {1} rw - ext4 /dev/sda1 rw"
DATA = "4 1 179:3 / {0} rw,noatime - ext4 /dev/mmcblk0p3 rw,data=ordered"


def found(directory: Path, *lines: str) -> list[CheckResult]:
    """What the doctor says where the kernel says this.

    In a line ``{0}`` is the state directory, and ``{1}`` where the upper layer of the overlay is mounted.
    """
    (directory / "state").mkdir(exist_ok=True)
    (directory / "root-rw/overlay x").mkdir(parents=True, exist_ok=True)
    told = directory / "mountinfo"
    mounts = [line.format(directory / "state", directory / "root-rw") for line in lines]
    told.write_text("".join(f"{line}\n" for line in mounts), encoding="utf-8")
    return list(look_at_storage(config.load(write_config(directory, 1)), directory / "state", told))


def test_a_card_keeps_what_was_stored(tmp_path: Path) -> None:
    """The node syncs what it stores."""
    (all_well,) = found(tmp_path, PLAIN)

    assert all_well.ok
    assert all_well.text.endswith(f"{tmp_path / 'state'} is on /dev/mmcblk0p2 (ext4)")


@pytest.mark.parametrize(
    ("kind", "lines"),
    [
        ("tmpfs", (MEMORY,)),
        ("tmpfs", (PLAIN, "2 1 0:40 / {0} rw - tmpfs tmpfs rw")),
        ("ramfs", (PLAIN, "2 1 0:40 / {0} rw - ramfs none rw")),
        ("tmpfs", (PLAIN, DATA, "5 4 0:40 / {0} rw - tmpfs tmpfs rw")),
        ("tmpfs", (OVERLAY, LOWER, UPPER_IN_MEMORY)),
    ],
    ids=["root", "directory", "ramfs", "mounted over", "overlay"],
)
def test_a_record_in_memory_is_a_finding(tmp_path: Path, kind: str, lines: tuple[str, ...]) -> None:
    """A power cut loses it; what holds of the configuration then is of no more interest."""
    (lost,) = found(tmp_path, *lines)

    assert lost.ok is False
    assert lost.text == f"{tmp_path / 'state'} ({kind}): {RECORD_IN_MEMORY.text}"
    assert lost.next_step == RECORD_IN_MEMORY.next_step


def test_a_read_only_root_with_a_partition_for_the_record_is_in_order(tmp_path: Path) -> None:
    """And it says that a change of the configuration won't last."""
    record, changes = found(tmp_path, OVERLAY, LOWER, UPPER_IN_MEMORY, DATA)

    assert (record.ok, changes.ok) == (True, True)
    assert record.text.endswith("is on /dev/mmcblk0p3 (ext4)")
    assert changes.text.startswith(f"changes to {tmp_path / 'node.toml'} are in memory (tmpfs): they are lost")


def test_an_overlay_on_a_disk_keeps_what_was_stored(tmp_path: Path) -> None:
    """What counts is where the overlay keeps it."""
    (all_well,) = found(tmp_path, OVERLAY, LOWER, UPPER_ON_DISK)

    assert all_well.ok
    assert "/dev/sda1 (ext4)" in all_well.text


@pytest.mark.parametrize(
    "overlay",
    [
        OVERLAY,
        OVERLAY.replace("{1}", "/outside/of/this/container"),
        "1 0 0:31 / / rw - overlay overlay rw,lowerdir=/a",
    ],
    ids=["not mounted here", "a path of the outside", "none"],
)
def test_an_overlay_that_shows_no_place_cannot_be_told(tmp_path: Path, overlay: str) -> None:
    """A container doesn't see where its root is kept, and one that can't be written keeps nothing."""
    (unknown,) = found(tmp_path, overlay)

    assert unknown.ok is None
    assert "perhaps in memory" in unknown.text


@pytest.mark.parametrize("lines", [(), ("rubbish", "1 0 0:1 / / rw - short")], ids=["nothing", "rubbish"])
def test_what_the_kernel_does_not_say_is_not_told(tmp_path: Path, lines: tuple[str, ...]) -> None:
    """Nothing is known then."""
    assert found(tmp_path, *lines) == []


@pytest.mark.parametrize("option", ["nobarrier", "barrier=0", "fsync_mode=nobarrier", "data=writeback"])
def test_an_option_that_trades_safety_for_speed_is_a_finding(tmp_path: Path, option: str) -> None:
    """The node syncs, and the disk only says that it did."""
    (lax,) = found(tmp_path, f"{PLAIN},{option}")

    assert lax.ok is False
    assert f"has the option {option}: after a power cut, " in lax.text


def test_a_machine_without_proc_is_not_told_of(tmp_path: Path) -> None:
    """Nothing is known of its mounts."""
    settings = config.load(write_config(tmp_path, 1))

    assert list(look_at_storage(settings, tmp_path, tmp_path / "nothing")) == []


def test_this_machine_can_be_read(tmp_path: Path) -> None:
    """Whatever it is: a disk, memory, or a container whose disk can't be seen."""
    settings = config.load(write_config(tmp_path, 1))

    assert len(list(look_at_storage(settings, tmp_path))) <= 2

"""What the doctor says of a power cut, by what the kernel says of its mounts."""

from pathlib import Path

import pytest

from node import config
from node.cli.check.storage_check import look_at_storage
from node.io.terminal.check_result import CheckResult
from tests.support.node import write_config

PLAIN = "1 0 179:2 / / rw,noatime shared:1 - ext4 /dev/mmcblk0p2 rw"
MEMORY = "1 0 0:30 / / rw - tmpfs tmpfs rw,size=100m"
OVERLAY = (
    r"1 0 0:31 / / rw - overlay overlay rw,lowerdir=/media/root-ro,upperdir=/media/root-rw/overlay\040x,workdir=/w"
)
LOWER = "2 1 179:2 / /media/root-ro ro - ext4 /dev/mmcblk0p2 ro"
UPPER_IN_MEMORY = "3 1 0:32 / /media/root-rw rw - tmpfs tmpfs rw"
UPPER_ON_DISK = "3 1 8:1 / /media/root-rw rw - ext4 /dev/sda1 rw"
DATA = "4 1 179:3 / {} rw,noatime - ext4 /dev/mmcblk0p3 rw,data=ordered"


def found(directory: Path, *lines: str) -> list[CheckResult]:
    """What the doctor says where the kernel says this; ``{}`` in a line is the state directory."""
    (directory / "state").mkdir(exist_ok=True)
    told = directory / "mountinfo"
    told.write_text("".join(f"{line.format(directory / 'state')}\n" for line in lines), encoding="utf-8")
    return list(look_at_storage(config.load(write_config(directory, 1)), directory / "state", told))


def test_a_card_keeps_what_was_stored(tmp_path: Path) -> None:
    """The node syncs what it stores."""
    (all_well,) = found(tmp_path, PLAIN)

    assert all_well.ok
    assert all_well.text.endswith(f"{tmp_path / 'state'} is on /dev/mmcblk0p2 (ext4)")


@pytest.mark.parametrize(
    "lines",
    [
        (MEMORY,),
        (PLAIN, "2 1 0:40 / {} rw - tmpfs tmpfs rw"),
        (PLAIN, "2 1 0:40 / {} rw - ramfs none rw"),
        (PLAIN, DATA, "5 4 0:40 / {} rw - tmpfs tmpfs rw"),
        (OVERLAY, LOWER, UPPER_IN_MEMORY),
    ],
    ids=["root", "directory", "ramfs", "mounted over", "overlay"],
)
def test_a_record_in_memory_is_a_finding(tmp_path: Path, lines: tuple[str, ...]) -> None:
    """A power cut loses it; what holds of the configuration then is of no more interest."""
    (lost,) = found(tmp_path, *lines)

    assert lost.ok is False
    assert "a power cut loses all that the node has stored" in lost.text


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


@pytest.mark.parametrize("overlay", [OVERLAY, "1 0 0:31 / / rw - overlay overlay rw,lowerdir=/a"])
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

"""A guest: a Debian of one suite and architecture with the program installed, ready to be booted as often as wanted."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.vm import image, program
from tests.vm.boards import BOARDS
from tests.vm.cache import Cache
from tests.vm.debian import Archive
from tests.vm.kernel import kernel
from tests.vm.machine import Disks


@dataclass(frozen=True, slots=True)
class Guest:
    """What it runs ("bookworm", "amd64"; release of the kernel, name of the package), and its disks."""

    suite: str
    architecture: str
    kernel: str
    package: str
    disks: Disks


def guest(archive: Archive, cache: Cache, work: Path, *, tell: Callable[[str], None]) -> Guest:
    """Make a guest below ``work``; ``tell`` is told what is being done. Raises UnavailableError."""
    place = work / archive.name
    place.mkdir()
    simulated = not BOARDS[archive.architecture].has_wires
    tell("kernel and simulated chip" if simulated else "kernel")
    booted = kernel(archive, cache, simulated=simulated)
    tell("Debian")
    packed = image.debian(archive, cache)
    tell("package of the program")
    built = program.package(archive, place / "deb")

    def install(root: Path) -> None:
        program.install(root, built)
        if simulated and archive.suite in program.HAVE_LGPIO:
            program.add_lgpio(root, archive, place)

    tell("image")
    disks = Disks(archive.architecture, booted.image, place / "initramfs", place / "root", place / "data")
    image.make_image(disks.root, packed, install)
    image.make_data(disks.data)
    image.make_initramfs(disks.initramfs, booted, packed)
    return Guest(archive.suite, archive.architecture, booted.release, built.name, disks)

"""The guest's kernel: Debian's own, uncompressed, with the modules that the guest needs and a simulated GPIO chip.

No Debian kernel has gpio-sim. It is built out of tree, by Debian's compiler in a root of its own, from Debian's source
of the same kernel. The build has two more parameters, because two things in it are unlike a Raspberry Pi:

- gpio-sim takes a request's pull-up for the wire's level: a press would look like a release when the line is requested.
  With ``ignore_bias`` the wire alone decides.
- A Pi's own kernel keeps the level of a released output (raspberrypi/linux, pull requests 6117 and 6150), and gpio-sim
  doesn't. With ``keep_outputs`` it does.
"""

import gzip
import lzma
import re
import shutil
import tarfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.vm.cache import Cache
from tests.vm.debian import Archive, UnavailableError, run

WANTED = ("virtio_pci", "virtio_blk", "virtio_net", "virtio_console", "crc32c_generic", "ext4", "configfs", "i6300esb")
"""Modules; what they need comes with them. What is built into a kernel isn't missed."""

SIMULATED = ("irq_sim", "gpio-sim")
PARAMETERS = {"gpio-sim": "ignore_bias=1 keep_outputs=1"}
BUILDS_WITH = ("make", "dash", "coreutils", "sed", "grep", "findutils", "mawk")
"""The compiler comes with the headers."""

MERGED = ("bin", "lib", "lib64", "sbin")
"""Below /usr in packages of Debian 13, which base-files makes reachable; it isn't unpacked here."""

Edit = tuple[str, str]
"""A regular expression that fits exactly once, and what takes its place."""

_PARAMETERS = r"""static bool ignore_bias;
module_param(ignore_bias, bool, 0644);
static bool keep_outputs;
module_param(keep_outputs, bool, 0644);

\1"""

SOURCES: Mapping[str, Sequence[Edit]] = {
    "drivers/gpio/gpiolib.h": (),  # Linux 6.1 wants it
    "drivers/gpio/gpio-sim.c": (
        (r"(struct gpio_sim_chip \{)", _PARAMETERS),
        (
            r"return gpio_sim_apply_pull\(chip, offset, 1\);",
            "return ignore_bias ? 0 : gpio_sim_apply_pull(chip, offset, 1);",
        ),
        (
            r"return gpio_sim_apply_pull\(chip, offset, 0\);",
            "return ignore_bias ? 0 : gpio_sim_apply_pull(chip, offset, 0);",
        ),
        (
            r"(__assign_bit\(offset, chip->value_map,\s+!!test_bit\(offset, chip->pull_map\)\);)",
            r"if (!keep_outputs || test_bit(offset, chip->direction_map)) \1",
        ),
    ),
    "kernel/irq/irq_sim.c": (
        # The helper that it calls isn't exported to modules.
        (r"handle_simple_irq\(irq_to_desc\(irqnum\)\);", "generic_handle_irq(irqnum);"),
        # A pending bit below the last one that was handled would be missed, and a bit beyond the end cleared.
        (r"(find_next_bit\(work_ctx->pending,\s+work_ctx->irq_count), offset\)", r"\1, 0)"),
        (r"\Z", '\nMODULE_LICENSE("GPL");\n'),
        (r"#include <linux/irq\.h>\n", "#include <linux/irq.h>\n#include <linux/module.h>\n"),
    ),
}

_COMPRESSED: Sequence[tuple[bytes, Callable[[bytes], bytes]]] = (
    (b"\xfd7zXZ", lambda data: lzma.LZMADecompressor().decompress(data)),
    (b"\x1f\x8b", gzip.decompress),
)


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel to boot. ``image``: what QEMU loads. ``modules``: files in the order in which they are inserted."""

    release: str
    image: Path
    modules: Sequence[Path]


def kernel(archive: Archive, cache: Cache, *, simulated: bool) -> Kernel:
    """The kernel of this suite and architecture; ``simulated``: with the modules of the simulated chip."""
    packages = [f"linux-image-{archive.architecture}"]
    if simulated:
        packages += [f"linux-headers-{archive.architecture}", "linux-source", *BUILDS_WITH]
    recipe = Path(__file__).read_text(encoding="utf-8")

    def make(place: Path) -> None:
        tree = place / "tree"
        archive.unpack(tree, packages, variant="extract")
        try:
            for name in MERGED:
                if not (tree / name).exists() and (tree / "usr" / name).exists():
                    (tree / name).symlink_to(f"usr/{name}")
            _collect(tree, place)
            if simulated:
                _build(tree, place)
        finally:
            shutil.rmtree(tree)

    key = "\n".join((archive.versions(packages), recipe))
    place = cache.entry(f"kernel-{archive.name}", key, make)
    order = [*(place / "modules").read_text(encoding="utf-8").split(), *(SIMULATED if simulated else ())]
    return Kernel(
        (place / "release").read_text(encoding="utf-8"), place / "image", [place / f"{name}.ko" for name in order]
    )


def _collect(tree: Path, place: Path) -> None:
    (release,) = [each.name for each in (tree / "lib/modules").iterdir()]
    (place / "release").write_text(release, encoding="utf-8")
    (place / "image").write_bytes(_uncompressed((tree / f"boot/vmlinuz-{release}").read_bytes()))
    run(["depmod", "-b", tree, release])
    files = []
    for file in _with_needed(tree / "lib/modules" / release, WANTED):
        name = file.name.partition(".ko")[0]
        files.append(name)
        data = file.read_bytes()
        (place / f"{name}.ko").write_bytes(lzma.decompress(data) if file.suffix == ".xz" else data)
    (place / "modules").write_text("\n".join(files), encoding="utf-8")


def _with_needed(modules: Path, wanted: Iterable[str]) -> list[Path]:
    """The files of these modules and of all that they need, each after what it needs."""
    needs: dict[str, list[str]] = {}
    by_name: dict[str, str] = {}
    for line in (modules / "modules.dep").read_text(encoding="utf-8").splitlines():
        file, _, needed = line.partition(":")
        needs[file] = needed.split()
        by_name[Path(file).name.partition(".ko")[0].replace("-", "_")] = file
    order: list[str] = []
    for name in wanted:
        if (found := by_name.get(name)) is not None:  # else it is built in
            order += [each for each in (*reversed(needs[found]), found) if each not in order]
    return [modules / each for each in order]


def _uncompressed(image: bytes) -> bytes:
    """The ELF file within an x86 kernel (Documentation/arch/x86/boot.rst); any other image as it is."""
    if image[0x202:0x206] != b"HdrS":
        return image
    sectors, begin, length = image[0x1F1], *(int.from_bytes(image[at : at + 4], "little") for at in (0x248, 0x24C))
    payload = image[(sectors + 1) * 512 + begin :][:length]
    for magic, unpacked in _COMPRESSED:
        if payload.startswith(magic):
            return unpacked(payload)
    return image  # compressed in a way that Python doesn't know (zstd): it takes some seconds more to boot


def _build(tree: Path, place: Path) -> None:
    """Build the simulated chip, with the compiler of the tree."""
    source = tree / "sim"
    source.mkdir()
    for link, program in (("bin/sh", "dash"), ("usr/bin/awk", "mawk")):
        if not (tree / link).is_symlink():
            (tree / link).symlink_to(program)  # else done by the package's installation: here all is only unpacked
    (packed,) = (tree / "usr/src").glob("linux-source-*.tar.xz")
    missing = dict(SOURCES)
    with tarfile.open(packed) as archive:
        for member in archive:
            edits = missing.pop(member.name.partition("/")[2], None)
            if edits is not None and (content := archive.extractfile(member)) is not None:
                text = _edited(member.name, content.read().decode(), edits)
                (source / Path(member.name).name).write_text(text, encoding="utf-8")
            if not missing:
                break
    objects = " ".join(f"{name}.o" for name in SIMULATED)
    (source / "Makefile").write_text(f"obj-m := {objects}\n", encoding="utf-8")
    release = (place / "release").read_text(encoding="utf-8")
    run(["chroot", tree, "make", "-j2", "-C", f"/usr/src/linux-headers-{release}", "M=/sim", "modules"])
    for name in SIMULATED:
        shutil.copy(source / f"{name}.ko", place)


def _edited(name: str, text: str, edits: Iterable[Edit]) -> str:
    for pattern, instead in edits:
        text, count = re.subn(pattern, instead, text)
        if count != 1:
            raise UnavailableError(f"{name} of this kernel is another one: {pattern} fits {count} times")
    return text

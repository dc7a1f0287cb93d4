"""What the guest boots from: a Debian with the program and the tests' agent, as an ext4 image, and its initramfs.

The root is made by mmdebstrap, the image by ``mke2fs -d``: nothing is mounted. ``/var/lib/alarm-node`` is a disk of its
own, so that a power cut takes a copy of a small image.
"""

import shutil
import stat
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from tests.vm import agent
from tests.vm.cache import Cache
from tests.vm.debian import Archive, run
from tests.vm.kernel import PARAMETERS, Kernel

PACKAGES = (
    *("systemd", "systemd-sysv", "udev", "dbus", "kmod", "iproute2", "busybox-static"),
    *("python3", "python3-systemd", "mosquitto"),
)

ROOT_SIZE, DATA_SIZE = "1536M", "192M"
STATE = "/var/lib/alarm-node"
AGENT = "/vm/agent.py"

MASKED = (
    *(
        "apt-daily.timer",
        "apt-daily-upgrade.timer",
        "dpkg-db-backup.timer",
        "e2scrub_all.timer",
        "e2scrub_reap.service",
    ),
    *("fstrim.timer", "systemd-tmpfiles-clean.timer", "getty.target", "systemd-firstboot.service"),
    *("systemd-networkd.service", "systemd-update-utmp.service", "systemd-random-seed.service"),
)
"""Units that make the boot longer, and that nothing here needs."""

CPUINFO = "processor\t: 0\nHardware\t: BCM2835\nRevision\t: c03114\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4\n"
"""What gpiozero's lgpio factory reads of a Pi 4; bound over /proc/cpuinfo for the service alone."""

FILES: Mapping[str, str] = {
    "etc/fstab": f"/dev/vda / ext4 noatime 0 0\n/dev/vdb {STATE} ext4 noatime 0 0\n",
    "etc/hostname": "room-214\n",
    "etc/machine-id": "0badcafe0badcafe0badcafe0badcafe\n",
    "etc/mosquitto/conf.d/vm.conf": "listener 1883 0.0.0.0\nallow_anonymous true\nset_tcp_nodelay true\n",
    "vm/cpuinfo": CPUINFO,
    "etc/systemd/system/wires.service": f"""[Unit]
Description=The simulated GPIO chip and what is wired to it
Before=alarm-node.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/python3 {AGENT} plug
""",
    "etc/systemd/system/agent.service": f"""[Unit]
Description=Does what the tests ask
After=wires.service mosquitto.service
[Service]
ExecStartPre=-/usr/sbin/ip link set eth0 up
ExecStartPre=-/usr/sbin/ip address add 10.0.2.15/24 dev eth0
ExecStart=/usr/bin/python3 {AGENT}
OOMScoreAdjust=-1000
""",
}

INIT = """#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /root
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
while read -r module parameters; do /bin/busybox insmod /modules/$module $parameters; done </modules/order
turn=0
while [ ! -b /dev/vda ] && [ $turn -lt 200 ]; do /bin/busybox usleep 50000; turn=$((turn + 1)); done
/bin/busybox mount -t ext4 -o rw,noatime /dev/vda /root
for each in dev sys proc; do /bin/busybox mount --move /$each /root/$each; done
exec /bin/busybox switch_root /root /sbin/init
"""


def debian(archive: Archive, cache: Cache, packages: Iterable[str] = PACKAGES) -> Path:
    """A packed root with these packages, installed as on any machine."""
    chosen = sorted(packages)

    def make(place: Path) -> None:
        archive.unpack(place / "root.tar", chosen, variant="minbase")

    return cache.entry(f"root-{archive.name}", archive.versions(["?essential", *chosen]), make) / "root.tar"


def make_image(image: Path, packed: Path, install: Callable[[Path], None]) -> None:
    """An ext4 image of a packed root, with the tests' files and with what ``install`` puts into the tree."""
    root = Path(tempfile.mkdtemp(prefix="root-", dir=image.parent))
    try:
        run(["tar", "--extract", "--numeric-owner", f"--file={packed}", f"--directory={root}"])
        for name, text in {**FILES, AGENT.lstrip("/"): Path(agent.__file__).read_text(encoding="utf-8")}.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        units = root / "etc/systemd/system"
        for unit in MASKED:
            (units / unit).unlink(missing_ok=True)
            (units / unit).symlink_to("/dev/null")
        for unit in ("wires.service", "agent.service"):
            (units / "multi-user.target.wants").mkdir(exist_ok=True)
            (units / "multi-user.target.wants" / unit).symlink_to(f"../{unit}")
        install(root)
        (root / STATE.lstrip("/")).mkdir(parents=True, exist_ok=True)
        run(["mke2fs", "-q", "-t", "ext4", "-L", "root", "-d", root, image, ROOT_SIZE])
    finally:
        shutil.rmtree(root)


def make_data(image: Path) -> None:
    """An empty ext4 image for the node's state."""
    run(["mke2fs", "-q", "-t", "ext4", "-L", "data", image, DATA_SIZE])


def make_initramfs(file: Path, kernel: Kernel, packed: Path) -> None:
    """An initramfs with this kernel's modules and the busybox of the packed root, which must be a static one."""
    order = "".join(f"{each.name} {PARAMETERS.get(each.stem, '')}\n" for each in kernel.modules)
    with tarfile.open(packed) as archive:
        member = archive.extractfile("./usr/bin/busybox")
        assert member is not None
        busybox = member.read()
    entries = [("bin", b"", stat.S_IFDIR | 0o755), ("modules", b"", stat.S_IFDIR | 0o755)]
    entries += [("init", INIT.encode(), stat.S_IFREG | 0o755), ("bin/busybox", busybox, stat.S_IFREG | 0o755)]
    entries += [("modules/order", order.encode(), stat.S_IFREG | 0o644)]
    entries += [(f"modules/{each.name}", each.read_bytes(), stat.S_IFREG | 0o644) for each in kernel.modules]
    file.write_bytes(b"".join(_cpio(number, *each) for number, each in enumerate([*entries, ("TRAILER!!!", b"", 0)])))


def _cpio(number: int, name: str, data: bytes, mode: int) -> bytes:
    """One entry of a cpio archive in the format "newc" (Documentation/driver-api/early-userspace/buffer-format.rst)."""
    links = 2 if stat.S_ISDIR(mode) else 1
    encoded = name.encode() + b"\0"
    fields = (number, mode, 0, 0, links, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
    head = b"070701" + b"".join(b"%08X" % each for each in fields) + encoded
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)

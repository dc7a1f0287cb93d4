"""Debian machines of either suite, booted by systemd-nspawn: real systemd, apt and journal; no network and no GPIO."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.cgroups import ENTER, own_groups
from tests.support.installation import once
from tests.vm.cache import Cache, user_cache
from tests.vm.debian import Archive, UnavailableError, run

SUITES = ("bookworm", "trixie")
PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "udev", "sudo", "python3", "python3-systemd"),
    *("mosquitto", "mosquitto-clients", "openssl"),
)
"""What a Raspberry Pi OS has and somebody here needs; and a broker, with what makes its certificates."""

WALL = """
[Service]
ExecStartPre=/bin/sh -c 'mkfifo -m 666 /run/wall; mkdir -p /run/systemd/timesync'
ExecStart=/bin/sh -c 'exec sleep infinity 3<>/run/wall'
"""
"""The unit wall.service: what is written into /run/wall happens at the simulated wall."""

SIMULATED = """
[Unit]
Requires=wall.service
After=wall.service mosquitto.service
[Service]
StandardInput=file:/run/wall
StandardOutput=null
StandardError=journal
ExecStart=
ExecStart=/usr/lib/alarm-node/bin/alarm-node simulate
"""
"""A drop-in of alarm-node.service: the pins are those of that wall."""

_OPTIONS = ("--register=no", "--keep-unit", "--quiet", "--private-network", "--boot")
_UNREAD = ("usr/share/doc", "usr/share/info", "usr/share/locale", "usr/share/man", "usr/lib/udev/hwdb.d")
"""What nobody reads there."""
_QUIET_UNITS = ("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer")


def architecture() -> str:
    """What Debian calls this machine's kind; the test is skipped where it isn't Debian."""
    _needs("dpkg", "a Debian")
    return run(["dpkg", "--print-architecture"]).strip()


@contextmanager
def new_roots(suites: Sequence[str], factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Path]]:
    """A root of each suite, that may be changed; gone at the end. Skips where none can be made.

    It is a layer in memory above a root that is made once: a copy took longer than all that a test does with it.
    """
    if os.geteuid() != 0:
        pytest.skip("a Debian can be booted by root alone")
    for tool, package in (("mmdebstrap", "mmdebstrap"), ("systemd-nspawn", "systemd-container")):
        _needs(tool, package)
    with ExitStack() as mounts:
        yield {suite: _layer(_known(suite, factory), factory.mktemp(suite), mounts) for suite in suites}


def install(root: Path, package: Path) -> None:
    """Install a package, as for an image: what it needs is there, and nothing runs."""
    shutil.copy(package, root / "package.deb")
    run(["chroot", root, "dpkg", "--install", "/package.deb"])
    (root / "package.deb").unlink()


def install_story(root: Path, story: str) -> None:
    """Let the machine do this as root after it has booted, and then switch itself off."""
    (root / "story").write_text(f"{story}\npoweroff\n", encoding="utf-8")
    (root / "story").chmod(0o755)
    (root / "etc/systemd/system/story.service").write_text(
        "[Unit]\nAfter=multi-user.target\n[Service]\nExecStart=/story\n", encoding="utf-8"
    )
    run(["systemctl", f"--root={root}", "add-wants", "multi-user.target", "story.service"])
    run(["systemctl", f"--root={root}", "mask", *_QUIET_UNITS])


def boot(roots: Mapping[str, Path], timeout_s: float = 600.0, *, layers_shown: bool = False) -> None:
    """Boot all of these at once, and wait until the last has switched itself off.

    ``layers_shown``: a machine sees where its root is kept, as one with overlayroot does.
    """
    with ThreadPoolExecutor(len(roots)) as pool:
        list(pool.map(lambda name: _boot(name, roots[name], timeout_s, layers_shown), roots))


def _known(suite: str, factory: pytest.TempPathFactory) -> Path:
    """The root that is made once."""
    arch = architecture()
    try:
        noted = once(f"root-{suite}", factory, lambda to: _remember(suite, arch, to))
    except UnavailableError as reason:
        pytest.skip(f"no root of {suite} can be made here: {reason}")
    return Path((noted / "place").read_text(encoding="utf-8"))


def _layer(lower: Path, place: Path, mounts: ExitStack) -> Path:
    """What changes there is in memory."""
    _mount(mounts, "tmpfs", "mode=755", place)
    upper, work, root = (place / name for name in ("upper", "work", "root"))
    for each in (upper, work, root):
        each.mkdir()
    _mount(mounts, "overlay", f"lowerdir={lower},upperdir={upper},workdir={work}", root)
    return root


def _mount(mounts: ExitStack, kind: str, options: str, place: Path) -> None:
    run(["mount", "-t", kind, "-o", options, kind, place])
    mounts.callback(run, ["umount", place])


def _boot(name: str, root: Path, timeout_s: float, layers_shown: bool) -> None:
    machine = f"{name}-{os.getpid()}"
    shown = [f"--bind-ro={root.parent}"] if layers_shown else []
    with own_groups(f"alarm-node-test-{machine}") as groups:
        done = subprocess.run(
            ["sh", "-euc", ENTER, "sh", "systemd-nspawn", *_OPTIONS, *shown, f"--machine={machine}", "-D", str(root)],
            env={**os.environ, "GROUPS_TO_ENTER": " ".join(map(str, groups))},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")


def _remember(suite: str, arch: str, to: Path) -> None:
    """Write down where the root is: it lies in the cache, by the versions of its packages."""
    archive = Archive(suite, arch, Cache(user_cache()))
    key = "\n".join((archive.versions(PACKAGES), *PACKAGES, *_UNREAD))

    def make(entry: Path) -> None:
        archive.unpack(entry / "root", PACKAGES, variant="minbase")
        for each in _UNREAD:
            shutil.rmtree(entry / "root" / each, ignore_errors=True)
        # dpkg waits for the disk after each file otherwise.
        (entry / "root/etc/dpkg/dpkg.cfg.d/quick").write_text("force-unsafe-io\n", encoding="utf-8")

    to.mkdir()
    (to / "place").write_text(str(archive.cache.entry(f"booted-{archive.name}", key, make) / "root"), encoding="utf-8")


def _needs(tool: str, package: str) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is missing; next: apt-get install {package}")

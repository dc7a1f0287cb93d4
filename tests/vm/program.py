"""The program under test: the Debian package that people get, built from this source."""

import shutil
import subprocess
import sys
from pathlib import Path

from deploy.package.targets import target
from deploy.package.wheels import Pip, unpack
from tests.vm.debian import Archive, UnavailableError, run

ROOT = Path(__file__).parents[2]
LGPIO = Path(__file__).parent / "lgpio.lock"
HAVE_LGPIO = ("bookworm",)
"""The suites for whose Python lgpio has a wheel."""

EXAMPLES = "usr/share/doc/alarm-node/examples/systemd"
"""What a PC with a hardware watchdog copies to /etc; a Pi's package has it in place."""


def package(archive: Archive, to: Path) -> Path:
    """Build the node's package for this suite and architecture."""
    command: list[str | Path] = [sys.executable, "-m", "deploy.package", "--program", "alarm-node", "--to", to]
    run([*command, "--suite", archive.suite, "--arch", archive.architecture], cwd=ROOT)
    (built,) = to.glob("*.deb")
    return built


def install(root: Path, built: Path) -> None:
    """Install a package into a tree of this machine's own architecture, as dpkg does on a running one."""
    shutil.copy(built, root / "package.deb")
    run(["chroot", root, "dpkg", "--install", "/package.deb"])
    (root / "package.deb").unlink()
    if (root / EXAMPLES).exists():
        shutil.copytree(root / EXAMPLES, root / "etc/systemd", dirs_exist_ok=True)


def add_lgpio(root: Path, archive: Archive, work: Path) -> None:
    """Put lgpio into the installed program's environment: people who choose that pin factory install it by pip."""
    aim = target(archive.suite, archive.architecture)
    try:
        (wheel,) = Pip(work / "pip").fetch(LGPIO, frozenset(), aim, work / "wheels")
    except (OSError, subprocess.CalledProcessError, ValueError) as failure:
        raise UnavailableError(f"no wheel of lgpio: {failure}") from failure
    unpack(wheel, root / f"usr/lib/alarm-node/lib/python{aim.python}/site-packages")

"""The program under test: the Debian package that people get, built from this source."""

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from deploy.package.targets import target
from deploy.package.wheels import Pip, name_of, unpack
from tests.vm.debian import Archive, UnavailableError, run

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "tests/requirements.lock"
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


def add_wheels(root: Path, archive: Archive, names: Iterable[str], work: Path) -> None:
    """Put locked wheels into the installed program's environment, where the package doesn't bring them."""
    aim = target(archive.suite, archive.architecture)
    packages = root / f"usr/lib/alarm-node/lib/python{aim.python}/site-packages"
    missing = {name for name in names if not list(packages.glob(f"{name}-*.dist-info"))}
    if not missing:
        return
    locked = {line.partition("==")[0] for line in LOCK.read_text(encoding="utf-8").splitlines() if "==" in line}
    try:
        for wheel in Pip(work / "pip").fetch(LOCK, locked - missing, aim, work / "wheels"):
            if name_of(wheel) in missing:
                unpack(wheel, packages)
    except OSError as failure:
        raise UnavailableError(f"no wheels of {', '.join(missing)}: {failure}") from failure

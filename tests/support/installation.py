"""The packages of this source: each is built once in a run of the tests."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from fcntl import LOCK_EX, flock
from pathlib import Path

import pytest

from deploy.package.targets import SUITES

ROOT = Path(__file__).parents[2]
PYTHON = shutil.which("python3", path="/usr/bin") or sys.executable
"""The machine's own: that is what builds a package for people."""


def make(target: str, destination: Path, **variables: str) -> str:
    """Run a target of the Makefile into this tree; what it says."""
    settings = [f"{name}={value}" for name, value in {"DESTDIR": str(destination), **variables}.items()]
    environ = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    return _run(["make", target, f"PYTHON={PYTHON}", *settings], environ)


def build(to: Path, *options: str) -> Path:
    """Build packages into this directory, as `make deb` does; the path of the last."""
    return Path(_run([PYTHON, "-m", "deploy.package", "--to", str(to), *options]).splitlines()[-1])


def package(program: str, suite: str, arch: str, factory: pytest.TempPathFactory) -> Path:
    """A package of this run: not to be changed."""
    built = once(f"packages-{arch}", factory, lambda to: build(to, f"--arch={arch}"))
    (found,) = built.glob(f"{program}_*~deb{SUITES[suite].release}_{arch}.deb")
    return found


def tree(program: str, suite: str, arch: str, factory: pytest.TempPathFactory) -> Path:
    """What is in such a package: not to be changed."""
    packed = package(program, suite, arch, factory)
    return once(f"{packed.stem}-tree", factory, lambda to: _run(["dpkg-deb", "--extract", str(packed), str(to)]))


def next_revision(package: Path, to: Path) -> Path:
    """The same package as the next revision of it, without compression."""
    with tempfile.TemporaryDirectory() as tree:
        _run(["dpkg-deb", "--raw-extract", str(package), tree])
        control = Path(tree) / "DEBIAN/control"
        text = control.read_text(encoding="utf-8")
        assert "-1~deb" in text
        control.write_text(text.replace("-1~deb", "-2~deb"), encoding="utf-8")
        to.mkdir(parents=True, exist_ok=True)
        _run(["dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, str(to)])
    (made,) = to.glob(f"{package.name.partition('_')[0]}_*.deb")
    return made


def once(name: str, factory: pytest.TempPathFactory, make_it: Callable[[Path], object]) -> Path:
    """The directory of this name, which all workers share; whoever needs it first fills it."""
    base = factory.getbasetemp()
    # Each worker has a directory of its own in the run's: that one is shared.
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    made, complete = shared / name, shared / f"{name}.complete"
    with (shared / f"{name}.lock").open("w") as lock:
        flock(lock, LOCK_EX)
        if not complete.exists():
            shutil.rmtree(made, ignore_errors=True)
            make_it(made)
            complete.touch()
    return made


def _run(command: Sequence[str], environ: Mapping[str, str] = os.environ) -> str:
    # To compress well takes longer than all else, and is no matter here.
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={"DPKG_DEB_COMPRESSOR_LEVEL": "0", **environ},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout

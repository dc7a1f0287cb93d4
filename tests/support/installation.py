"""The packages of this source, and what `make install` unpacks: each is built once in a run of the tests."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from fcntl import LOCK_EX, flock
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = shutil.which("python3", path="/usr/bin") or sys.executable
"""The machine's own: that is what builds a package for people."""


def make(target: str, destination: Path, **variables: str) -> str:
    """Run a target of the Makefile into this tree; what it says."""
    settings = [f"{name}={value}" for name, value in {"DESTDIR": str(destination), **variables}.items()]
    environ = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    return _run(["make", target, f"PYTHON={PYTHON}", *settings], environ)


def build(to: Path, *options: str) -> Path:
    """Build one package into this directory, as `make deb` does; its path."""
    return Path(_run([PYTHON, "-m", "deploy.package", "--to", str(to), *options], os.environ).strip())


def installed(target: str, factory: pytest.TempPathFactory) -> Path:
    """The tree into which `make install` or `make install-monitor` unpacks in this run: not to be changed."""
    return _once(target, factory, lambda to: make(target, to))


def package(program: str, suite: str, arch: str, factory: pytest.TempPathFactory, revision: int = 1) -> Path:
    """A package of this run: not to be changed."""
    options = [f"--program={program}", f"--suite={suite}", f"--arch={arch}", f"--revision={revision}"]
    built = _once("-".join([program, suite, arch, str(revision)]), factory, lambda to: build(to, *options))
    (found,) = built.glob("*.deb")
    return found


def copy(tree: Path, to: Path) -> None:
    """Put what was installed into another tree, beside what is there."""
    shutil.copytree(tree, to, symlinks=True, dirs_exist_ok=True)


def _once(name: str, factory: pytest.TempPathFactory, make_it: Callable[[Path], object]) -> Path:
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


def _run(command: Sequence[str], environ: os._Environ[str] | dict[str, str]) -> str:
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout

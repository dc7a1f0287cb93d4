"""The source archive: whoever has it has the whole project."""

import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from node import __version__
from tests.support.installation import ROOT

GENERATED = {"PKG-INFO", "setup.cfg"}


def project() -> set[str]:
    """Every file of the project, as git knows them."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("only git knows which files belong to the project")
    told = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return {name for name in told.stdout.split("\0") if name and (ROOT / name).exists()}


def test_the_source_archive_has_all_of_the_project(tmp_path: Path) -> None:
    """As `python -m build --sdist` makes it: tests, guides and Makefile are there, and nothing that nobody wrote."""
    files = project()
    copy = tmp_path / "copy"
    for name in files:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    hook = f"from setuptools.build_meta import build_sdist; build_sdist({str(tmp_path)!r})"

    subprocess.run([sys.executable, "-c", hook], cwd=copy, capture_output=True, timeout=120, check=True)

    top = f"alarm_node-{__version__}"
    with tarfile.open(tmp_path / f"{top}.tar.gz") as archive:
        packed = {each.name.removeprefix(f"{top}/") for each in archive.getmembers() if each.isfile()}
    assert {name for name in packed if not name.startswith("alarm_node.egg-info/")} - GENERATED == files


def test_nobody_is_told_to_install_a_name_that_isnt_published() -> None:
    """Whoever published that name would be installed instead."""
    texts = [
        ROOT / "README.md",
        ROOT / "CHANGELOG.md",
        *(ROOT / "node").rglob("*.p[oy]"),
        *(ROOT / "deploy").rglob("*.*"),
    ]

    told = {
        str(path.relative_to(ROOT)): found
        for path in texts
        if path.suffix in (".md", ".po", ".py", ".toml")
        and (found := re.findall(r"pip3? install.{0,40}[ '\"](alarm[-_]\w+)", path.read_text(encoding="utf-8")))
    }

    assert told == {}

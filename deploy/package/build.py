"""One package, from the source to the .deb."""

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from deploy.package.components import component, copyright_of, sbom
from deploy.package.control import changelog, describe, version_of
from deploy.package.programs import ROOT, Program
from deploy.package.targets import Target
from deploy.package.tree import compressed, plant
from deploy.package.wheels import Pip

_PACKING = {"DPKG_DEB_COMPRESSOR_TYPE": "xz", "DPKG_DEB_COMPRESSOR_LEVEL": "2", "DPKG_DEB_THREADS_MAX": "1"}
"""One thread: with several, xz makes other bytes. Level 2 needs a quarter of the usual time for a sixth more bytes."""


@dataclass(frozen=True, slots=True)
class Release:
    """What is packed: the program's version, the package's revision of it, its date, and whom people may ask."""

    version: str
    revision: int
    date: datetime
    maintainer: str


def maintainer(environ: Mapping[str, str]) -> str:
    """Whom people may ask about a package: whoever builds it, as Debian's tools know them.

    Where they have said nothing, the address ends in .invalid: everybody sees that it reaches nobody (RFC 2606).
    """
    name = environ.get("DEBFULLNAME") or "The maintainers of alarm-node"
    return f"{name} <{environ.get('DEBEMAIL') or 'maintainers@alarm-node.invalid'}>"


def release(maintainer: str, revision: int = 1) -> Release:
    """The release that this source is. Its date is the changelog's, or $SOURCE_DATE_EPOCH (seconds since 1970)."""
    code = (ROOT / "node/__init__.py").read_text(encoding="utf-8")
    (version,) = re.findall(r'^__version__ = "([0-9.]+)"$', code, re.MULTILINE)
    if "SOURCE_DATE_EPOCH" in os.environ:
        date = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), UTC)
    else:
        changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
        (day,) = re.findall(rf"^## {re.escape(version)} \((\d{{4}}-\d\d-\d\d)\)$", changes, re.MULTILINE)
        date = datetime.fromisoformat(day).replace(tzinfo=UTC)
    return Release(version, revision, date, maintainer)


def build(program: Program, target: Target, made_of: Release, pip: Pip, to: Path) -> Path:
    """Build a package into this directory; its path."""
    version = version_of(made_of.version, made_of.revision, target)
    package = to / f"{program.name}_{version}_{target.arch}.deb"
    with tempfile.TemporaryDirectory() as work:
        root = Path(work) / "root"
        root.mkdir()
        wheels = pip.fetch(program.lock, program.without, target, Path(work) / "wheels")
        components = [component(wheel) for wheel in wheels]
        documents = {
            "changelog.Debian.gz": compressed(changelog(program, target, version, made_of.maintainer, made_of.date)),
            "copyright": copyright_of(program, target, components).encode(),
            "sbom.cdx.json": sbom(program, target, version, made_of.date, components).encode(),
        }
        plant(program, target, wheels, documents, root)
        describe(program, target, version, made_of.maintainer, root)
        to.mkdir(parents=True, exist_ok=True)
        environ = _PACKING | os.environ | {"SOURCE_DATE_EPOCH": str(int(made_of.date.timestamp())), "LC_ALL": "C"}
        command = ["dpkg-deb", "--root-owner-group", "--build", str(root), str(package)]
        subprocess.run(command, env=environ, stdout=subprocess.DEVNULL, check=True)
    return package

"""What a program's private environment consists of, as the copyright file and as an SBOM (CycloneDX)."""

import hashlib
import json
import re
import uuid
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.parser import Parser
from pathlib import Path
from typing import Any

from deploy.package.programs import Program
from deploy.package.targets import Target

_COPYRIGHT = """\
{program.name} is licensed under the Apache License, version 2.0: /usr/share/common-licenses/Apache-2.0
Copyright 2026 the maintainers of alarm-node

Its private environment holds these Python packages as their authors have published them. The licence of each is in its
.dist-info directory, below /usr/lib/{program.name}/lib/python{target.python}/site-packages:

"""


@dataclass(frozen=True, slots=True)
class Component:
    """A wheel: its name, version and licence as its authors state them, and the SHA-256 of the file.

    ``needs``: the names of the packages that it may need. ``libraries``: the shared libraries of others that it brings
    along, with the SHA-256 of each.
    """

    name: str
    version: str
    licence: str
    sha256: str
    needs: frozenset[str]
    libraries: Sequence[tuple[str, str]]

    @property
    def purl(self) -> str:
        """Its package URL, by which databases of vulnerabilities know it."""
        return f"pkg:pypi/{self.name}@{self.version}"


def component(wheel: Path) -> Component:
    """What this wheel says of itself."""
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name))
        said = Parser().parsestr(archive.read(metadata).decode())
        brought = sorted(name for name in archive.namelist() if re.match(r"[^/]+\.libs/.+", name))
        libraries = [(Path(name).name, hashlib.sha256(archive.read(name)).hexdigest()) for name in brought]
    classifiers = [each.rpartition(" :: ")[2] for each in said.get_all("Classifier", []) if each.startswith("License")]
    stated = [said.get("License-Expression"), *classifiers, said.get("License"), "not stated"]
    return Component(
        name=_normal(said["Name"]),
        version=said["Version"],
        licence=next(each.strip().splitlines()[0] for each in stated if each),
        sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        needs=frozenset(_normal(re.split(r"[^\w.-]", each)[0]) for each in said.get_all("Requires-Dist", [])),
        libraries=libraries,
    )


def copyright_of(program: Program, target: Target, components: Iterable[Component]) -> str:
    """The text of a package's copyright file."""
    lines = [f"  {each.name} {each.version}: {each.licence}\n" for each in components]
    return _COPYRIGHT.format(program=program, target=target) + "".join(lines)


def sbom(program: Program, target: Target, version: str, date: datetime, components: Sequence[Component]) -> str:
    """The package's bill of materials: CycloneDX 1.6 as JSON."""
    whole = f"pkg:generic/{program.name}@{version}?arch={target.arch}"
    there = {each.name: each.purl for each in components}
    listed = [_listed(each) for each in components]
    graph = [{"ref": whole, "dependsOn": sorted(there.values())}]
    graph += [
        {"ref": each.purl, "dependsOn": sorted({there[name] for name in each.needs & there.keys()})}
        for each in components
    ]
    made = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, whole + json.dumps(listed))}",
        "version": 1,
        "metadata": {
            "timestamp": date.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {
                "type": "application",
                "bom-ref": whole,
                "name": program.name,
                "version": version,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
                "purl": whole,
            },
        },
        "components": listed,
        "dependencies": graph,
    }
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


def _listed(each: Component) -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": "library",
        "bom-ref": each.purl,
        "name": each.name,
        "version": each.version,
        "hashes": [_hash(each.sha256)],
        "licenses": [{"license": {"name": each.licence}}],
        "purl": each.purl,
    }
    if each.libraries:
        made["components"] = [
            {"type": "file", "name": name, "hashes": [_hash(sha256)]} for name, sha256 in each.libraries
        ]
    return made


def _hash(sha256: str) -> dict[str, str]:
    return {"alg": "SHA-256", "content": sha256}


def _normal(name: str) -> str:
    """A name as PyPI compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()

"""What dpkg is told of a package: its control file, the checksums of its files and the maintainer scripts."""

import hashlib
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

from deploy.package.programs import Program
from deploy.package.targets import Target

_SCRIPTS = Path(__file__).parent / "maintainer"
_CONTROL = """\
Package: {program.name}
Version: {version}
Architecture: {target.arch}
Maintainer: {maintainer}
Installed-Size: {size}
Depends: {depends}
Section: misc
Priority: optional
Description: {program.summary}
{description}
"""
_DEPENDS = "python3 (>= {python}), python3 (<< {next_python}), python3-systemd, libc6 (>= 2.28), systemd"
_CHANGELOG = """\
{program.name} ({version}) {target.suite.name}; urgency=medium

  * Version {upstream}: see changelog.gz beside this file.

 -- {maintainer}  {date}
"""


def version_of(upstream: str, revision: int, target: Target) -> str:
    """The package's version: a machine that is upgraded to the next suite sees the same program as newer."""
    return f"{upstream}-{revision}~deb{target.suite.release}"


def describe(program: Program, target: Target, version: str, maintainer: str, root: Path) -> None:
    """Write the directory DEBIAN of a package whose files are all below ``root``."""
    files = sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    sums = [f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(root)}\n" for path in files]  # noqa: S324 - dpkg's format
    major, minor = target.suite.python
    made = {
        "control": _CONTROL.format(
            program=program,
            target=target,
            version=version,
            maintainer=maintainer,
            size=sum(-(-path.stat().st_size // 1024) for path in files),
            depends=_DEPENDS.format(python=target.python, next_python=f"{major}.{minor + 1}"),
            description="\n".join(f" {line}" for line in program.description.splitlines()),
        ),
        "md5sums": "".join(sums),
    }
    for name in ("preinst", "postinst", "prerm", "postrm"):
        made[name] = _filled((_SCRIPTS / name).read_text(encoding="utf-8"), program)
    directory = root / "DEBIAN"
    directory.mkdir()
    directory.chmod(0o755)
    for name, text in made.items():
        (directory / name).write_text(text, encoding="utf-8")
        (directory / name).chmod(0o644 if name in ("control", "md5sums") else 0o755)


def changelog(program: Program, target: Target, version: str, maintainer: str, date: datetime) -> str:
    """The changelog that every package of Debian has; what has changed stands in ours."""
    return _CHANGELOG.format(
        program=program,
        target=target,
        version=version,
        upstream=version.rpartition("-")[0],
        maintainer=maintainer,
        date=format_datetime(date.astimezone(UTC)),
    )


def _filled(script: str, program: Program) -> str:
    for name in ("config", "guide", "reader"):
        script = script.replace(f"@{name}@", getattr(program, name))
    return script.replace("@program@", program.name)

"""Every file of a package in its place, below a directory that becomes the root of the machine."""

import gzip
import shutil
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.package.programs import DEPLOY, ROOT, Program
from deploy.package.targets import Target
from deploy.package.wheels import unpack

_SOURCES = (".py", ".typed", ".po")
_DIRECTORIES_OF_GUIDES = ("card", "guides", "mosquitto", "prometheus")
_COMPLETIONS = (
    ("{}.bash", "usr/share/bash-completion/completions/{}"),
    ("_{}", "usr/share/zsh/vendor-completions/_{}"),
    ("{}.fish", "usr/share/fish/vendor_completions.d/{}.fish"),
)
_OVERRIDES = """\
# These come from wheels, and stay as they are, so that the checksums that their authors have published still hold.
{name}: unstripped-binary-or-object *
{name}: embedded-library *
# The commands run with the Python of their own environment; a wheel's modules keep the first line that they came with.
{name}: unusual-interpreter *
"""
_ENVIRONMENT = """\
home = /usr/bin
include-system-site-packages = false
version = {python}
"""
_COMMAND = """\
#!/{home}/bin/python
import sys

from {module} import {function}

sys.exit({function}())
"""


def plant(program: Program, target: Target, wheels: Sequence[Path], documents: Mapping[str, bytes], root: Path) -> None:
    """Put all files of this program below ``root``, a new directory; ``documents`` are further ones to read."""
    _environment(program, target, wheels, root)
    _commands(program, root)
    _system(program, target, root)
    _documents(program, root)
    _manual(program, root)
    for name, content in documents.items():
        (root / program.documents / name).write_bytes(content)
    for path in sorted(root.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.parent == root / program.home / "bin" else 0o644)
    root.chmod(0o755)


def _environment(program: Program, target: Target, wheels: Sequence[Path], root: Path) -> None:
    """A virtual environment as `python3 -m venv` makes it, with Debian's Python and exactly one package of Debian."""
    home = root / program.home
    packages = home / f"lib/python{target.python}/site-packages"
    packages.mkdir(parents=True)
    (home / "pyvenv.cfg").write_text(_ENVIRONMENT.format(python=target.python), encoding="utf-8")
    (home / "bin").mkdir()
    (home / "bin/python").symlink_to("../../../bin/python3")
    (packages / "systemd").symlink_to("../../../../python3/dist-packages/systemd")
    for wheel in wheels:
        unpack(wheel, packages)
    for path in sorted((ROOT / "node").rglob("*")):
        if path.suffix in _SOURCES:
            _copy(path, packages / path.relative_to(ROOT))


def _commands(program: Program, root: Path) -> None:
    """The commands of pyproject.toml, in the environment and as links in /usr/bin."""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    (root / "usr/bin").mkdir()
    for name in program.commands:
        module, _, function = scripts[name].partition(":")
        text = _COMMAND.format(home=program.home, module=module, function=function)
        (root / program.home / "bin" / name).write_text(text, encoding="utf-8")
        (root / "usr/bin" / name).symlink_to(f"../lib/{program.name}/bin/{name}")


def _system(program: Program, target: Target, root: Path) -> None:
    """Unit, account, completion, and the directory of the configuration."""
    files = {
        f"systemd/{program.name}.service": f"usr/lib/systemd/system/{program.name}.service",
        f"systemd/{program.name}.sysusers.conf": f"usr/lib/sysusers.d/{program.name}.conf",
        **{f"completion/{ours}".format(program.name): place.format(program.name) for ours, place in _COMPLETIONS},
        **program.files_for(target.suite.systemd),
    }
    for source, place in files.items():
        _copy(DEPLOY / source, root / place)
    for source, place in program.files_of_a_pi.items():
        # Elsewhere whoever has a hardware watchdog copies them: cp -r /usr/share/doc/alarm-node/examples/systemd /etc
        example = f"{program.documents}/examples/{place.removeprefix('usr/lib/')}"
        _copy(DEPLOY / source, root / (place if target.arch == "arm64" else example))
    (root / program.config.lstrip("/")).parent.mkdir(parents=True)
    overrides = root / "usr/share/lintian/overrides" / program.name
    overrides.parent.mkdir(parents=True)
    overrides.write_text(_OVERRIDES.format(name=program.name), encoding="utf-8")


def _documents(program: Program, root: Path) -> None:
    """What people read, in the same order as below deploy/, so that links between guides lead somewhere."""
    documents = root / program.documents
    for source in sorted(DEPLOY.glob("*.example.toml")):
        _copy(source, documents / source.name)
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    (documents / "changelog.gz").write_bytes(compressed(changes))
    for directory in _DIRECTORIES_OF_GUIDES:
        for source in sorted((DEPLOY / directory).iterdir()):
            _copy(source, documents / directory / source.name)


def _manual(program: Program, root: Path) -> None:
    """The man pages of its commands; "alarm-monitor.de.1" is the German one."""
    for command in program.commands:
        for source in sorted((DEPLOY / "man").glob(f"{command}.*")):
            language = source.name.removeprefix(command).removesuffix("1").strip(".")
            page = root / "usr/share/man" / language / "man1" / f"{command}.1.gz"
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_bytes(compressed(source.read_text(encoding="utf-8")))


def compressed(text: str) -> bytes:
    """A text as Debian wants changelogs and man pages: without a name and a time, so that it is always the same."""
    return gzip.compress(text.encode(), compresslevel=9, mtime=0)


def _copy(source: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, to)

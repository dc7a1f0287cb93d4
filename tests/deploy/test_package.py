"""What is in a package: everything lies where it belongs, nothing else does, and it says what it consists of."""

import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from deploy.package.build import maintainer
from node import __version__
from node.cli import init
from tests.support import installation
from tests.support.booted import architecture
from tests.support.installation import PYTHON, ROOT, build, make

NODE, MONITOR = "alarm-node", "alarm-monitor"
LOCKS = {NODE: "requirements.lock", MONITOR: "monitor-requirements.lock"}
COMMON = {
    "usr/bin/{0}",
    "usr/lib/systemd/system/{0}.service",
    "usr/lib/sysusers.d/{0}.conf",
    "usr/share/bash-completion/completions/{0}",
    "usr/share/fish/vendor_completions.d/{0}.fish",
    "usr/share/zsh/vendor-completions/_{0}",
    "usr/share/lintian/overrides/{0}",
    "usr/share/man/man1/{0}.1.gz",
}
OWN = {
    NODE: {"usr/lib/udev/rules.d/60-alarm-node.rules"},
    MONITOR: {
        "usr/bin/check_alarm_node",
        "usr/share/man/man1/check_alarm_node.1.gz",
        "usr/share/man/de/man1/alarm-monitor.1.gz",
    },
}
WITHOUT = {
    NODE: {"systemd-python", "setuptools"},
    MONITOR: {"systemd-python", "setuptools", "gpiozero", "colorzero", "lgpio", "gpiod"},
}
"""What isn't packed: Debian's own is used, only builds need it, or this program never imports it."""

pytestmark = pytest.mark.timeout(900)  # packages are fetched


def files(tree: Path) -> set[str]:
    """Every file and link below this directory, relative to it."""
    return {str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file() or path.is_symlink()}


def built() -> set[Path]:
    """What building a package leaves behind in a checkout."""
    return {*ROOT.glob("build"), *ROOT.glob("*.egg-info")}


def locked(name: str) -> dict[str, str]:
    """The versions in this lock."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)(?:\[[a-z]+\])?==(\S+)", text, re.MULTILINE))


@pytest.fixture(scope="module")
def built_before() -> set[Path]:
    """What was built in the checkout before anything is installed."""
    return built()


@pytest.fixture(scope="module")
def trees(index: None, built_before: set[Path], tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Both programs, each in a tree of its own. Not to be changed."""
    return {program: installation.tree(program, "bookworm", architecture(), tmp_path_factory) for program in LOCKS}


@pytest.fixture(params=[NODE, MONITOR])
def program(request: pytest.FixtureRequest) -> str:
    """Each of the two programs."""
    return str(request.param)


@pytest.fixture
def tree(program: str, trees: Mapping[str, Path]) -> Path:
    """The program's tree."""
    return trees[program]


def packages_of(tree: Path, program: str) -> Path:
    """The Python packages in the program's environment."""
    (found,) = (tree / "usr/lib" / program).glob("lib/python3.*/site-packages")
    return found


def test_everything_is_where_it_belongs(program: str, tree: Path, built_before: set[Path]) -> None:
    """Program and documents are one directory each, the rest is where it is looked for, the checkout as it was."""
    own = (f"usr/lib/{program}/", f"usr/share/doc/{program}/")

    assert {path for path in files(tree) if not path.startswith(own)} == (
        {path.format(program) for path in COMMON} | OWN[program]
    )
    assert (tree / "usr/bin" / program).readlink() == Path(f"../lib/{program}/bin/{program}")
    assert (tree / "etc" / program).is_dir()
    assert built() == built_before


def test_the_guides_lead_somewhere(program: str, tree: Path) -> None:
    """Whoever reads a guide on the machine finds what it points to."""
    guides = sorted((tree / "usr/share/doc" / program / "guides").glob("*.md"))
    links = [
        path.parent / link
        for path in guides
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text(encoding="utf-8"))
    ]

    assert {"MONITOR.md", "MONITOR.de.md", "OPERATIONS.md", "OPERATIONS.de.md"} <= {path.name for path in guides}
    assert links
    assert [link for link in links if not link.exists()] == []


def test_the_example_is_where_init_looks_for_it(trees: Mapping[str, Path]) -> None:
    """`alarm-node init` names it in what it writes."""
    example = trees[NODE] / init.EXPLAINED.relative_to("/")

    assert example.read_bytes() == (ROOT / "deploy/node.example.toml").read_bytes()


def test_everybody_may_read_it_and_its_owner_alone_may_change_it(tree: Path) -> None:
    """Whatever the builder's umask was, the service's own account can read it, and nobody else can write."""
    modes = {path: path.stat().st_mode & 0o777 for path in tree.rglob("*") if not path.is_symlink()}
    commands = {path for path in modes if path.parent.name == "bin"}

    assert {path for path, mode in modes.items() if path.is_dir() and mode != 0o755} == set()
    assert {path for path, mode in modes.items() if path.is_file() and mode == 0o755} == commands
    assert {path for path, mode in modes.items() if path.is_file() and mode not in (0o755, 0o644)} == set()


def test_nothing_remembers_where_it_was_made(program: str, tree: Path) -> None:
    """The tree belongs at /: no file names the place of the source or of the tree, and no link leads out of it."""
    places = [str(tree).encode(), str(ROOT).encode()]
    written = [path for path in tree.rglob("*") if path.is_file() and not path.is_symlink()]

    assert [path for path in written if any(place in path.read_bytes() for place in places)] == []
    assert [path for path in tree.rglob("*") if path.is_symlink() and path.readlink().is_absolute()] == []
    command = (tree / "usr/lib" / program / "bin" / program).read_text(encoding="utf-8")
    assert command.splitlines()[0] == f"#!/usr/lib/{program}/bin/python"


def test_it_holds_the_locked_versions(program: str, tree: Path) -> None:
    """The versions that the tests ran with, and nothing of the tests' tools."""
    found = dict(
        path.name.removesuffix(".dist-info").split("-", 1) for path in packages_of(tree, program).glob("*-info")
    )

    wanted = {
        name: version for name, version in locked(f"deploy/{LOCKS[program]}").items() if name not in WITHOUT[program]
    }
    assert {name.lower().replace("_", "-"): version for name, version in found.items()} == wanted


def test_it_sees_one_package_of_debian_and_no_other(program: str, tree: Path) -> None:
    """python3-systemd, by a link; everything else is its own."""
    packages = packages_of(tree, program)

    assert [path.name for path in packages.iterdir() if path.is_symlink()] == ["systemd"]
    assert "include-system-site-packages = false" in (tree / "usr/lib" / program / "pyvenv.cfg").read_text("utf-8")
    assert list(packages.glob("*.pth")) == []


def test_it_holds_the_whole_program(program: str, tree: Path) -> None:
    """Every module, the German texts and the migrations, as they are in the source."""
    packed = packages_of(tree, program) / "node"
    source = {path.relative_to(ROOT / "node") for path in (ROOT / "node").rglob("*") if path.suffix in (".py", ".po")}

    assert Path("monitor/locale/de/LC_MESSAGES/monitor.po") in source
    assert {path for path in source if (packed / path).read_bytes() != (ROOT / "node" / path).read_bytes()} == set()
    assert {path.relative_to(packed) for path in packed.rglob("*") if path.suffix in (".py", ".po")} == source


def test_its_bill_of_materials_lists_what_is_in_it(program: str, tree: Path) -> None:
    """Every package with its version, and the shared libraries that come along; the copyright file names the same."""
    documents, packages = tree / "usr/share/doc" / program, packages_of(tree, program)
    bill = json.loads((documents / "sbom.cdx.json").read_text(encoding="utf-8"))
    found = dict(path.name.removesuffix(".dist-info").split("-", 1) for path in packages.glob("*.dist-info"))
    brought = {path.name for path in packages.glob("*.libs/*")}

    listed = {each["name"]: each["version"] for each in bill["components"]}
    assert (bill["bomFormat"], bill["metadata"]["component"]["name"]) == ("CycloneDX", program)
    assert listed == {name.lower().replace("_", "-"): version for name, version in found.items()}
    assert {file["name"] for each in bill["components"] for file in each.get("components", [])} == brought
    refs = [each["bom-ref"] for each in (bill["metadata"]["component"], *bill["components"])]
    assert sorted(each["ref"] for each in bill["dependencies"]) == sorted(set(refs)) == sorted(refs)
    assert {ref for each in bill["dependencies"] for ref in each["dependsOn"]} <= set(refs)
    copyright_file = (documents / "copyright").read_text(encoding="utf-8")
    assert {name for name, version in listed.items() if f"  {name} {version}: " not in copyright_file} == set()


def test_one_number_is_the_version_everywhere(program: str, tree: Path) -> None:
    """In the package, in its changelog and its bill, in what is told people, and in ours with its date."""
    documents = tree / "usr/share/doc" / program
    bill = json.loads((documents / "sbom.cdx.json").read_text(encoding="utf-8"))
    changes = gzip.decompress((documents / "changelog.Debian.gz").read_bytes()).decode()
    ours = gzip.decompress((documents / "changelog.gz").read_bytes()).decode()

    assert bill["metadata"]["component"]["version"].startswith(f"{__version__}-1~deb")
    assert changes.startswith(f"{program} ({__version__}-1~deb")
    assert re.search(rf"^## {re.escape(__version__)} \(\d{{4}}-\d\d-\d\d\)$", ours, re.MULTILINE)


@pytest.mark.parametrize(
    ("environ", "asked"),
    [
        ({}, "The maintainers of alarm-node <maintainers@alarm-node.invalid>"),
        ({"DEBFULLNAME": "Haustechnik", "DEBEMAIL": "technik@haus.example"}, "Haustechnik <technik@haus.example>"),
        ({"DEBEMAIL": "technik@haus.example"}, "The maintainers of alarm-node <technik@haus.example>"),
        ({"DEBFULLNAME": "", "DEBEMAIL": ""}, "The maintainers of alarm-node <maintainers@alarm-node.invalid>"),
    ],
)
def test_people_may_ask_whoever_built_it(environ: Mapping[str, str], asked: str) -> None:
    """By the variables of Debian's tools; where they aren't set, nobody is named who never heard of it."""
    assert maintainer(environ) == asked


def test_building_twice_gives_the_same_bytes(
    index: None, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Later, by itself, with another umask, and where people speak another language."""
    first = installation.package(NODE, "trixie", architecture(), tmp_path_factory).read_bytes()
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    before = os.umask(0o077)
    try:
        second = build(tmp_path, f"--program={NODE}", "--suite=trixie", f"--arch={architecture()}").read_bytes()
    finally:
        os.umask(before)

    assert hashlib.sha256(first).hexdigest() == hashlib.sha256(second).hexdigest()


def test_lintian_finds_nothing_wrong(program: str, index: None, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Debian's own checks of a package."""
    lintian = shutil.which("lintian")
    if lintian is None:
        pytest.skip("lintian is missing; next: apt-get install lintian")
    package = installation.package(program, "bookworm", architecture(), tmp_path_factory)

    done = subprocess.run(
        [lintian, "--allow-root", "--fail-on=error,warning", package],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_make_install_unpacks_the_package_of_this_machine(index: None, built_before: set[Path], tmp_path: Path) -> None:
    """With DESTDIR nothing is asked of the running system."""
    make("install", tmp_path)

    here = subprocess.run([PYTHON, "--version"], capture_output=True, text=True, check=True).stdout
    python = here.removeprefix("Python ").rpartition(".")[0]
    assert (tmp_path / f"usr/lib/alarm-node/lib/python{python}/site-packages/node/py.typed").exists()
    assert files(tmp_path) & {path.format(NODE) for path in COMMON} == {path.format(NODE) for path in COMMON}
    assert built() == built_before


@pytest.mark.parametrize("lock", LOCKS.values())
def test_the_versions_are_those_of_the_tests(lock: str) -> None:
    """What runs on a wall or at a desk is what is tested: all locks agree, and name no host."""
    tested = locked("tests/requirements.lock")

    assert {name: tested.get(name) for name in locked(f"deploy/{lock}")} == locked(f"deploy/{lock}")
    assert "://" not in (ROOT / "deploy" / lock).read_text(encoding="utf-8")

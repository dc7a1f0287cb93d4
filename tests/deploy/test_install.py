"""`make install` into a tree of its own, by real processes: what is there afterwards, that it runs, and what stays."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from node import __version__
from node.cli import init
from tests.support import installation
from tests.support.installation import ROOT, copy, make
from tests.support.node import write_config

PROGRAM = Path("opt/alarm-node")
UNITS = Path("usr/local/lib/systemd")
GIVEN = {
    PROGRAM / "bin/alarm-node",
    PROGRAM / "share/doc/alarm-node/guides/INSTALL.md",
    PROGRAM / "share/doc/alarm-node/guides/OPERATIONS.md",
    PROGRAM / "share/doc/alarm-node/guides/OPERATIONS.de.md",
    PROGRAM / "share/doc/alarm-node/node.example.toml",
    UNITS / "system/alarm-node.service",
    Path("usr/local/lib/sysusers.d/alarm-node.conf"),
    Path("usr/local/lib/udev/rules.d/60-alarm-node.rules"),
    Path("usr/local/bin/alarm-node"),
    Path("usr/local/share/bash-completion/completions/alarm-node"),
    Path("usr/local/share/fish/vendor_completions.d/alarm-node.fish"),
    Path("usr/local/share/zsh/site-functions/_alarm-node"),
    Path("etc/alarm-node/node.toml"),
}
ARMED = {
    UNITS / "system.conf.d/10-alarm-node-watchdog.conf",
    UNITS / "system/alarm-node.service.d/10-hardware-watchdog.conf",
}

pytestmark = pytest.mark.timeout(900)  # packages are fetched, and one is built


def files(tree: Path) -> set[Path]:
    """Every file and link below this directory, relative to it."""
    return {path.relative_to(tree) for path in tree.rglob("*") if path.is_file() or path.is_symlink()}


def dead_links(documents: Path) -> list[str]:
    """The links of the guides there that lead to no file."""
    guides = sorted((documents / "guides").glob("*.md"))
    links = [link for path in guides for link in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text(encoding="utf-8"))]
    assert links
    return [link for link in links if not (documents / "guides" / link).exists()]


def outside_program(tree: Path) -> set[Path]:
    """The same without the program's own directory."""
    return {path for path in files(tree) if PROGRAM not in path.parents}


def built() -> set[Path]:
    """What building a package leaves behind in a checkout."""
    return {*ROOT.glob("build"), *ROOT.glob("*.egg-info")}


def locked() -> dict[str, str]:
    """The versions that a node runs with."""
    text = (ROOT / "deploy/requirements.lock").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The package index; where it can't be reached nothing can be installed."""
    name, version = next(iter(locked().items()))
    command = ["-m", "pip", "--quiet", "download", "--no-deps", f"{name}=={version}"]
    tried = subprocess.run(
        [sys.executable, *command, "--dest", str(tmp_path_factory.mktemp("index"))],
        capture_output=True,
        timeout=120,
        check=False,
    )
    if tried.returncode != 0:
        pytest.skip("the package index can't be reached")


@pytest.fixture(scope="module")
def built_before() -> set[Path]:
    """What was built in the checkout before anything is installed."""
    return built()


@pytest.fixture(scope="module")
def installed(index: None, built_before: set[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree into which a node was installed, as for a Pi. Not to be changed."""
    return installation.installed("install", tmp_path_factory)


def test_everything_is_where_it_belongs(installed: Path, built_before: set[Path]) -> None:
    """The program is one directory, the rest is where it is looked for; the checkout is as it was."""
    assert files(installed) >= GIVEN | ARMED
    assert outside_program(installed) == {path for path in GIVEN | ARMED if PROGRAM not in path.parents}
    assert (installed / "usr/local/bin/alarm-node").readlink() == Path("/opt/alarm-node/bin/alarm-node")
    assert built() == built_before


def test_the_guides_lead_somewhere(installed: Path) -> None:
    """Whoever reads a guide on the node finds what it points to."""
    assert dead_links(installed / PROGRAM / "share/doc/alarm-node") == []


def test_the_first_configuration_is_known_as_the_example(installed: Path) -> None:
    """`alarm-node init` replaces it without --force: it finds the same bytes in the documentation."""
    first = installed / "etc/alarm-node/node.toml"
    example = installed / init.EXPLAINED.relative_to("/")

    assert first.read_bytes() == example.read_bytes()


def test_everybody_may_read_it_and_its_owner_alone_may_change_it(installed: Path) -> None:
    """Whatever the installer's umask was, the service's own account can read it, and nobody else can write."""
    modes = {path: path.stat().st_mode for path in installed.rglob("*") if not path.is_symlink()}

    assert [path for path, mode in modes.items() if path.is_file() and mode & 0o044 != 0o044] == []
    assert [path for path, mode in modes.items() if path.is_dir() and mode & 0o055 != 0o055] == []
    assert [path for path, mode in modes.items() if mode & 0o022] == []


def test_nothing_remembers_where_it_was_made(installed: Path) -> None:
    """The tree can be moved to /: no file names the place in which it was put together."""
    place = str(installed).encode()

    written = [path for path in installed.rglob("*") if path.is_file() and not path.is_symlink()]
    telling = [path for path in written if place in path.read_bytes()]

    assert telling == []
    first, *_ = (installed / PROGRAM / "bin/alarm-node").read_text(encoding="utf-8").splitlines()
    assert re.fullmatch(r"#!/opt/alarm-node/bin/python[\d.]*", first)


def test_it_holds_the_locked_versions(installed: Path) -> None:
    """The versions that the tests ran with, and nothing of the tests' tools."""
    listed = _python(
        installed,
        "-c",
        "import json; from importlib.metadata import distributions as all;"
        "print(json.dumps({each.name: each.version for each in all()}))",
    )

    found = json.loads(listed.stdout)
    assert found.pop("alarm-node") == __version__
    assert found == locked()


def test_the_versions_are_those_of_the_tests() -> None:
    """What a node runs with is what is tested: both locks agree, and name no host."""
    text = (ROOT / "tests/requirements.lock").read_text(encoding="utf-8")
    tested = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))

    assert {name: tested.get(name) for name in locked()} == locked()
    assert "://" not in (ROOT / "deploy/requirements.lock").read_text(encoding="utf-8")


def test_the_installed_node_rings(installed: Path, tmp_path: Path) -> None:
    """It doesn't need the checkout: on simulated pins a press of the installed program sounds the buzzer."""
    config = write_config(tmp_path, 1)

    ran = _python(
        installed, "-m", "node", "simulate", "--config", str(config), said="button tap 120\nquit\n", cwd=tmp_path
    )

    told = [json.loads(line) for line in ran.stdout.splitlines()]
    assert any(line.get("output") == "buzzer" and line["level"] for line in told), ran.stderr
    where = _python(installed, "-c", "import node; print(node.__file__)", cwd=tmp_path).stdout
    assert where.startswith(str(installed))


def test_it_is_installed_again_and_taken_away(installed: Path, tmp_path: Path) -> None:
    """Again, as for a PC, and away.

    Again: the same tree without the hardware watchdog, and the configuration as people left it. Away: that and the
    record stay, and are named.
    """
    destination = tmp_path / "destination"
    copy(installed, destination)
    config = destination / "etc/alarm-node/node.toml"
    config.write_text("# ours\n", encoding="utf-8")
    record = destination / "var/lib/alarm-node/record.sqlite"
    record.parent.mkdir(parents=True)
    record.write_bytes(b"ours")
    stale = destination / PROGRAM / "lib/stale.py"
    stale.write_text("", encoding="utf-8")
    before = files(destination)

    make("install", destination, HARDWARE_WATCHDOG="no")
    again = files(destination)
    kept = (config.read_text(encoding="utf-8"), record.read_bytes())
    said = make("uninstall", destination)
    left = files(destination)
    make("uninstall", destination)

    assert again == before - {stale.relative_to(destination)} - ARMED
    assert kept == ("# ours\n", b"ours")
    assert left == {config.relative_to(destination), record.relative_to(destination)}
    assert str(config.parent) in said
    assert str(record.parent) in said
    assert files(destination) == left


def _python(
    installed: Path, *arguments: str, said: str = "", cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the installed interpreter, far from the checkout."""
    return subprocess.run(
        [str(installed / PROGRAM / "bin/python"), *arguments],
        input=said,
        cwd=cwd or installed,
        env={"PATH": os.environ["PATH"], "LG_WD": str(cwd or installed), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
